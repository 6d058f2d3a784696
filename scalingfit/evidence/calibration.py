"""Simulation-based calibration: whether a fit finds what made the runs as often as it says.

Talts et al. 2018, "Validating Bayesian Inference Algorithms with Simulation-Based Calibration",
arXiv 1804.06788. Parameters are drawn from the prior, runs are simulated with them at the places
of a design, and every table is fitted. If sampler, likelihood and prior agree, the rank of the
true value among the posterior draws is uniform, and a 90 % interval holds it 90 % of the time.
"""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Unpack

import jax
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import chisquare

from scalingfit._errors import InputError
from scalingfit.catalog import law as find_law
from scalingfit.declare import Law
from scalingfit.evidence.forecasts import band
from scalingfit.inference import (
    Draws,
    Model,
    Prior,
    Sampling,
    build,
    check,
    failures,
    pack,
    sample,
    settings_of,
)
from scalingfit.noise import Noise
from scalingfit.noise import noise as find_noise
from scalingfit.runs import Runs

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Calibration", "calibrate"]

Floats = NDArray[np.float64]

LEVELS = (0.5, 0.8, 0.9)
KEPT = 99
"""Draws among which a true value is ranked: thinned so far that they are nearly independent."""
BINS = 20
"""Of the histogram of ranks; Talts et al. use as many, and 100 is a multiple of it."""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Calibration:
    """What `calibrate` returns: ``print`` it for a table and a verdict.

    Attributes
    ----------
    name : str
        Law and noise.
    ranks : mapping of str to array of int, shape (table,)
        Of each true parameter among 99 draws of its posterior: 0 to 99.
    inside : mapping of str to array of bool, shape (level, table)
        Whether the central 50, 80 and 90 % intervals held it.
    failed : int
        Fits that did not converge; they count like all others.
    false_alarms : float
        How often the verdict would be bad if everything were right.
    """

    name: str
    ranks: Mapping[str, NDArray[np.int64]]
    inside: Mapping[str, NDArray[np.bool_]]
    failed: int
    false_alarms: float

    @property
    def tables(self) -> int:
        """How many tables were simulated and fitted."""
        return len(next(iter(self.ranks.values())))

    def histogram(self, name: str) -> NDArray[np.int64]:
        """Ranks of a parameter in equal bins; flat if all is right."""
        counts, _ = np.histogram(self.ranks[name], bins=BINS, range=(0, KEPT + 1))
        return counts

    def p_value(self, name: str) -> float:
        """Chi-square test of the histogram against a flat one."""
        return float(chisquare(self.histogram(name)).pvalue)

    @property
    def ok(self) -> bool:
        """Whether no parameter's ranks differ from uniform, at the stated rate of false alarms.

        The rate is shared out over the parameters (Bonferroni's correction).
        """
        return all(self.p_value(name) >= self.false_alarms / len(self.ranks) for name in self.ranks)

    @property
    def conclusion(self) -> str:
        """The verdict in words."""
        lost = f" {self.failed} of the fits did not converge." if self.failed else ""
        if self.ok:
            return (
                f"{self.name} is calibrated as far as {self.tables} tables can tell: the ranks of "
                f"the true values are uniform.{lost}"
            )
        limit = self.false_alarms / len(self.ranks)
        bad = [name for name in self.ranks if not self.p_value(name) >= limit]
        return (
            f"{self.name} is not calibrated: the ranks of {', '.join(bad)} are not uniform (false "
            f"alarms: {self.false_alarms:.0%}). Do not trust its intervals; narrower priors or "
            f"more draws may cure it.{lost}"
        )

    def summary(self) -> list[dict[str, Any]]:
        """One dictionary a parameter, ready for JSON; `band` is where a right coverage lies."""
        return [
            {
                "parameter": name,
                "p_value": self.p_value(name),
                "mean_rank": float(self.ranks[name].mean() / KEPT),
                "coverage": {
                    f"{100 * level:g}": {
                        "share": float(self.inside[name][at].mean()),
                        "band": list(band(level, self.tables)),
                    }
                    for at, level in enumerate(LEVELS)
                },
                "histogram": self.histogram(name).tolist(),
            }
            for name in self.ranks
        ]

    def to_pandas(self) -> pd.DataFrame:
        """The ranks as a frame, one row a table."""
        import pandas as pd

        return pd.DataFrame({name: np.array(ranks) for name, ranks in self.ranks.items()})

    def as_json(self) -> dict[str, Any]:
        """A dictionary ready for JSON."""
        return {
            "name": self.name,
            "tables": self.tables,
            "parameters": self.summary(),
            "failed": self.failed,
            "false_alarms": self.false_alarms,
            "ok": self.ok,
            "conclusion": self.conclusion,
        }

    def __str__(self) -> str:
        width = max(map(len, self.ranks))
        lines = [
            f"{self.tables} simulated tables; coverage of intervals",
            f"{'':{width}}   50 %   80 %   90 %  mean rank  p(uniform)",
        ]
        for row in self.summary():
            shares = "".join(f"{level['share']:7.1%}" for level in row["coverage"].values())
            lines.append(
                f"{row['parameter']:{width}}{shares} {row['mean_rank']:10.3f}{row['p_value']:12.3g}"
            )
        bands = ", ".join("{:.0%} to {:.0%}".format(*band(level, self.tables)) for level in LEVELS)
        return "\n".join(
            [*lines, f"right coverages lie, 95 % of the time, in {bands}", self.conclusion]
        )

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"


def calibrate(
    law: str | type[Law],
    noise: str | type[Noise] | None = None,
    design: Runs | Mapping[str, ArrayLike] | None = None,
    *,
    tables: int = 200,
    priors: Mapping[str, Prior] | None = None,
    false_alarms: float = 0.01,
    **sampling: Unpack[Sampling],
) -> Calibration:
    """Simulate tables from the prior, fit them all, and see whether the posteriors are right.

    Parameters
    ----------
    law, noise, priors
        As in `fit`.
    design : Runs or mapping
        Where the runs are: a table (its losses are not used), or the law's inputs by name,
        ``{"N": [...], "D": [...]}``.
    tables : int
        At least 100, so that the test of uniformity has five ranks a bin.
    false_alarms : float
        How often a right engine may be called wrong.
    **sampling
        draws, chains, warmup, seed, retries, precision, limits: as in `fit`.

    Returns
    -------
    Calibration

    Raises
    ------
    InputError
    """
    settings = settings_of(sampling)
    if tables < 5 * BINS:
        raise InputError(f"{tables} tables are too few to test {BINS} bins; at least {5 * BINS}")
    if settings.chains * settings.draws < KEPT:
        raise InputError(f"at least {KEPT} draws are needed to rank a true value")
    chosen = find_law(law)
    model = build(chosen, find_noise(noise or chosen.default_noise), priors)
    truth, simulated = _simulate(model, _at(chosen, design), tables, settings.seed)
    check(model, simulated[0])
    fits = sample(model, simulated, settings)
    return Calibration(
        name=f"{chosen.name}, {model.noise.name} noise",
        ranks={name: _ranks(truth[name], fits, name) for name in model.sites},
        inside={name: _inside(truth[name], fits, name) for name in model.sites},
        failed=failures(fits, settings),
        false_alarms=false_alarms,
    )


def _at(law: type[Law], design: Runs | Mapping[str, ArrayLike] | None) -> Runs:
    if isinstance(design, Runs):
        return design
    if not isinstance(design, Mapping):
        inputs = ", ".join(f'"{name}": [...]' for name in law.inputs())
        raise InputError("a design says where the runs are", remedy=f"write design={{{inputs}}}.")
    rows = np.broadcast_arrays(*(np.atleast_1d(np.asarray(v, float)) for v in design.values()))
    columns = dict(zip(design, rows, strict=True))
    return Runs.from_columns({**columns, "L": np.ones(rows[0].shape)})


def _simulate(
    model: Model, design: Runs, tables: int, seed: int
) -> tuple[dict[str, Floats], list[Runs]]:
    """True parameters, each (table,), and the tables that they made."""
    with jax.enable_x64(True):
        data = pack(model, design, len(design), "float64")
        drawn = model.predictive_draws(jax.random.key(seed), tables, data)
        values = {name: np.asarray(value, np.float64) for name, value in drawn.items()}
    losses = values.pop("L")
    kept = {name: column for name, column in design.columns.items() if name != "weight"}
    made = [
        Runs.from_columns({**kept, "L": loss}, allow_negative_loss=not model.noise.on_log)
        for loss in losses
    ]
    return values, made


def _ranks(truth: Floats, fits: list[Draws], name: str) -> NDArray[np.int64]:
    found = [
        np.sum(_thinned(draws.values[name]) < true) for true, draws in zip(truth, fits, strict=True)
    ]
    return np.array(found, np.int64)


def _thinned(draws: Floats) -> Floats:
    """Draws far apart, from all chains."""
    flat = draws.ravel()
    return np.asarray(flat[np.linspace(0, flat.size - 1, KEPT).round().astype(int)])


def _inside(truth: Floats, fits: list[Draws], name: str) -> NDArray[np.bool_]:
    every = np.stack([draws.values[name].ravel() for draws in fits])
    ends = [(0.5 - level / 2, 0.5 + level / 2) for level in LEVELS]
    low, high = np.moveaxis(np.quantile(every, ends, axis=1), 1, 0)
    return np.asarray((low <= truth) & (truth <= high))
