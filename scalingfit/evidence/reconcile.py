"""Why published exponents differ: the same question asked of every stage, in three ways.

Kaplan et al. 2020 (arXiv 2001.08361) report N* ~ C^0.73, Hoffmann et al. 2022 (arXiv 2203.15556)
C^0.50. Pearce & Song 2024 (arXiv 2406.12907) trace it to parameters counted without embeddings,
Porian et al. 2024 (arXiv 2406.19146) to the head's FLOP, warmup, decay and tuning, one stage after
the other. Here every stage has an exponent with its interval from a law's posterior, from isoFLOP
profiles and from the lower envelope, beside what was published.
"""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalingfit._errors import InputError
from scalingfit.allocation import frontier, non_embedding
from scalingfit.allocation.embedding import CHINCHILLA_OMEGA
from scalingfit.catalog import law as find_law
from scalingfit.evidence.candidates import settings_of, unweighted
from scalingfit.evidence.isoflop import Exponent, Profiles, envelope, grouped, isoflop, profiles
from scalingfit.inference.fit import check, posterior_of
from scalingfit.inference.model import Prior, build
from scalingfit.inference.posterior import Posterior
from scalingfit.inference.sampler import sample
from scalingfit.law import Law
from scalingfit.noise import Noise
from scalingfit.noise import noise as find_noise
from scalingfit.runs import Runs

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Reconciliation", "Stage", "exponent_without_embeddings", "reconcile", "recount"]

Floats = NDArray[np.float64]

METHODS = ("law", "isoflop", "envelope")
KAPLAN_SIZES = (10**2.9, 10**9.2)
"""Smallest and largest N of Kaplan et al.'s runs, without embeddings (Pearce & Song 2024)."""


@dataclasses.dataclass(frozen=True, eq=False)
class Stage:
    """One stage of an experiment.

    Attributes
    ----------
    posterior : Posterior
        Of the law.
    exponents : mapping of str to Exponent or None
        By method: "law", "isoflop", "envelope"; None where the runs do not allow it.
    profiles : Profiles or None
    published : float or None
    messages : tuple of str
    """

    posterior: Posterior
    exponents: Mapping[str, Exponent | None]
    profiles: Profiles | None
    published: float | None
    messages: tuple[str, ...]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Reconciliation:
    """What `reconcile` returns: ``print`` it for the ladder of exponents.

    Attributes
    ----------
    stages : mapping of str to Stage
    """

    stages: Mapping[str, Stage]

    def probability(self, first: str, second: str, method: str = "isoflop") -> float:
        """Probability that the exponent of one stage is above that of another."""
        one, other = (self.stages[name].exponents[method] for name in (first, second))
        if one is None or other is None:
            raise InputError(f"{method} gives no exponent for one of {first!r} and {second!r}")
        return float(np.mean(np.sort(other.a).searchsorted(one.a) / len(other.a)))

    def summary(self) -> list[dict[str, Any]]:
        """One dictionary a stage, ready for JSON: the median and the 5 and 95 % quantiles of a."""
        rows: list[dict[str, Any]] = []
        for name, stage in self.stages.items():
            row: dict[str, Any] = {"stage": name, "runs": len(stage.posterior.runs)}
            for method in METHODS:
                found = stage.exponents[method]
                if found is None:
                    row[method] = None
                else:
                    middle, low, high = found.interval()
                    row[method] = {"q5": low, "q50": middle, "q95": high}
            row |= {"published": stage.published, "verdict": stage.posterior.verdict.status}
            rows.append(row)
        return rows

    def to_pandas(self) -> pd.DataFrame:
        """The summary as a frame, columns such as ``isoflop_q50``; NaN where there is nothing."""
        import pandas as pd

        rows = []
        for row in self.summary():
            flat = {k: v for k, v in row.items() if k not in METHODS}
            for method in METHODS:
                flat |= {f"{method}_{q}": v for q, v in (row[method] or {}).items()}
            rows.append(flat)
        return pd.DataFrame(rows).set_index("stage")

    def as_json(self) -> dict[str, Any]:
        """A dictionary ready for JSON."""
        return {
            "stages": self.summary(),
            "messages": {name: list(stage.messages) for name, stage in self.stages.items()},
        }

    def __str__(self) -> str:
        head = ["a in N* ~ C^a", "runs", *METHODS, "published"]
        rows = [head]
        for row in self.summary():
            cells = [_interval(row[method]) for method in METHODS]
            published = "-" if row["published"] is None else f"{row['published']:.3f}"
            rows.append([row["stage"], str(row["runs"]), *cells, published])
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])])
            for row in rows
        ]
        notes = [
            f"! {name}: {message}"
            for name, stage in self.stages.items()
            for message in stage.messages
        ]
        return "\n".join([*lines, *notes])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"


def reconcile(
    stages: Mapping[str, Runs],
    law: str | type[Law] = "chinchilla",
    noise: str | type[Noise] | None = None,
    *,
    published: Mapping[str, float] | None = None,
    budgets: ArrayLike | None = None,
    priors: Mapping[str, Prior] | None = None,
    **sampling: Any,
) -> Reconciliation:
    """Ask every stage for the exponent a in N* ~ C^a, in three ways.

    Parameters
    ----------
    stages : mapping of str to Runs
        By name, in the order to be shown; ``runs.split("stage")`` gives one. Each has N, D, C, L.
    law, noise, priors
        The parametric fit, as `fit` takes them. Its exponent is the slope of log N* between the
        lowest and the highest budget of the stage.
    published : mapping of str to float, optional
        Exponents to show beside.
    budgets : array, optional
        FLOP; see `scalingfit.evidence.isoflop.profiles`.
    **sampling
        draws, chains, warmup, seed, retries, precision, limits: as in `fit`.

    Returns
    -------
    Reconciliation
    """
    if not isinstance(stages, Mapping) or not stages:
        raise InputError("reconcile takes stages by name", remedy='pass runs.split("stage").')
    settings, known = settings_of(sampling), dict(published or {})
    if strange := sorted(known.keys() - stages.keys()):
        raise InputError(f"{strange[0]!r} is published but is none of the stages")
    chosen = find_law(law)
    model = build(chosen, find_noise(noise or chosen.default_noise), priors)
    tables = [unweighted(runs) for runs in stages.values()]
    for runs in tables:
        runs.input(["N", "D", "C"])
        check(model, runs, settings)
    found = {}
    for (name, runs), draws in zip(stages.items(), sample(model, tables, settings), strict=True):
        posterior = posterior_of(model, runs, draws, settings)
        found[name] = _stage(posterior, budgets, known.get(name), settings.seed)
    return Reconciliation(found)


def law_exponent(posterior: Posterior) -> Exponent:
    """Slope of log N* between the lowest and the highest budget of the runs, draw by draw."""
    C = posterior.runs["C"]
    ends = np.array([C.min(), C.max()])
    log_N = np.log(frontier(posterior, ends).N.reshape(-1, 2))
    a = np.diff(log_N, axis=1)[:, 0] / np.diff(np.log(ends))
    return Exponent(a, log_N[:, 0] - a * np.log(ends[0]), 0)


def recount(runs: Runs, omega: float = CHINCHILLA_OMEGA) -> Runs:
    """The same runs with N and C counted without embeddings: N_E, and C = 6 N_E D.

    Parameters
    ----------
    runs : Runs
        With total parameters N.
    omega : float
        Of the relation N = N_E + omega N_E^(1/3) (Pearce & Song 2024, arXiv 2406.12907).
    """
    N = np.asarray(non_embedding(runs["N"], omega), float)
    return Runs.from_columns(
        {**runs.columns, "N": N, "C": 6 * N * runs["D"]},
        labels=runs.labels,
        row_numbers=runs.row_numbers,
        provenance={**runs.provenance, "recounted": f"without embeddings, omega {omega:g}"},
    )


def exponent_without_embeddings(
    posterior: Posterior,
    sizes: tuple[float, float] = KAPLAN_SIZES,
    omega: float = CHINCHILLA_OMEGA,
) -> Exponent:
    """What a study that counts no embeddings would find, if the law holds for total parameters.

    The line through log N_E* against log C_E over a range of N_E, where N_E and C_E = 6 N_E D
    leave the embeddings out (Pearce & Song 2024, arXiv 2406.12907, section 4), for every draw.

    Parameters
    ----------
    posterior : Posterior
        Of a law of N and D, fitted on total parameters.
    sizes : (float, float)
        Smallest and largest N_E; by default those of Kaplan et al. 2020.
    omega : float
        As in `recount`.
    """
    C = np.logspace(8, 26, 73)
    found = frontier(posterior, C, counting="6ND-non-embedding")
    log_N = np.log(np.asarray(non_embedding(found.N.reshape(-1, len(C)), omega), float))
    places = np.linspace(np.log(sizes[0]), np.log(sizes[1]), 20)
    log_C = np.stack([np.interp(places, row, np.log(C)) for row in log_N])
    offset = log_C - log_C.mean(axis=1, keepdims=True)
    a = np.sum(offset * (places - places.mean()), axis=1) / np.sum(offset**2, axis=1)
    return Exponent(a, places.mean() - a * log_C.mean(axis=1), 0)


def _stage(
    posterior: Posterior, budgets: ArrayLike | None, published: float | None, seed: int
) -> Stage:
    runs, verdict = posterior.runs, posterior.verdict
    messages = [] if verdict.ok else [f"law: {verdict.status}; {verdict.messages[0]}"]
    exponents: dict[str, Exponent | None] = {"law": law_exponent(posterior)}
    curves = None
    try:
        curves = profiles(runs, budgets=budgets, seed=seed)
        exponents["isoflop"] = isoflop(curves, seed=seed)
    except InputError as error:
        exponents["isoflop"] = None
        messages.append(f"no isoFLOP exponent: {str(error).splitlines()[0]}")
    enough = len(grouped(runs, budgets)) >= 3
    exponents["envelope"] = envelope(runs, budgets=budgets, seed=seed) if enough else None
    messages += [
        f"{method}: {message}"
        for method, found in exponents.items()
        for message in (found.messages if found else ())
    ]
    return Stage(posterior, exponents, curves, published, tuple(messages))


def _interval(row: Mapping[str, float] | None) -> str:
    if row is None:
        return "-"
    return f"{row['q50']:.3f} [{row['q5']:.3f}, {row['q95']:.3f}]"
