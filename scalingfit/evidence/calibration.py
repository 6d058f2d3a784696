"""Simulation-based calibration: whether a fit finds what made the runs as often as it says.

Talts et al. 2018, "Validating Bayesian Inference Algorithms with Simulation-Based Calibration",
arXiv 1804.06788. Parameters are drawn from the prior, runs are simulated with them at the places
of a design, and every table is fitted. If sampler, likelihood and prior agree, the rank of the
true value among the posterior draws is uniform, and a 90 % interval holds it 90 % of the time.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Unpack

import jax
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import chisquare

from scalingfit._errors import InputError
from scalingfit._messages import Argument, Message
from scalingfit.catalog import law as find_law
from scalingfit.catalog import noise as find_noise
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
from scalingfit.result import Axes, Column, Labels, Note, Result, Table
from scalingfit.runs import Runs

__all__ = ["Calibration", "calibrate"]

Floats = NDArray[np.float64]

LEVELS = (0.5, 0.8, 0.9)
KEPT = 99
"""Draws among which a true value is ranked: thinned so far that they are nearly independent."""
BINS = 20
"""Of the histogram of ranks; Talts et al. use as many, and 100 is a multiple of it."""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Calibration(Result):
    """What `calibrate` returns: ``print`` it for a table and a verdict.

    Attributes
    ----------
    name : str
        Law and noise.
    ranks : mapping of str to array of int, shape (simulation,)
        Of each true parameter among 99 draws of its posterior: 0 to 99.
    inside : mapping of str to array of bool, shape (level, simulation)
        Whether the central 50, 80 and 90 % intervals covered it.
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
    def simulations(self) -> int:
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
        """The verdict in a sentence or two."""
        if self.ok:
            return (
                f"{self.name} is calibrated as far as {self.simulations} tables can tell: the "
                "ranks of the true values are uniform."
            )
        limit = self.false_alarms / len(self.ranks)
        bad = [name for name in self.ranks if not self.p_value(name) >= limit]
        return (
            f"{self.name} is not calibrated: the ranks of {', '.join(bad)} are not uniform (false "
            f"alarms: {self.false_alarms:.0%}). Do not trust its intervals; narrower priors or "
            f"more draws may help."
        )

    @property
    def tables(self) -> Sequence[Table]:
        """One row a parameter."""
        names, count = [*self.ranks], self.simulations
        bands = [band(level, count) for level in LEVELS]
        coverage: dict[str, Column] = {}
        for at, level in enumerate(LEVELS):
            shares = [float(self.inside[name][at].mean()) for name in names]
            coverage[f"coverage_{100 * level:g}"] = Column.of(shares, ".1%", f"{100 * level:g} %")
        columns = {
            "parameter": Column(names, heading=""),
            **coverage,
            "mean_rank": Column.of(
                [float(self.ranks[name].mean() / KEPT) for name in names], ".3f", "mean rank"
            ),
            "p_value": Column.of([self.p_value(name) for name in names], ".3g", "p(uniform)"),
            "histogram": Column([self.histogram(name) for name in names], hidden=True),
        }
        shown = ", ".join(f"{low:.0%} to {high:.0%}" for low, high in bands)
        title = (
            f"{count} simulated tables; coverage of intervals\n"
            f"right coverages lie, 95 % of the time, in {shown}"
        )
        return (Table("parameters", "parameter", columns, title, labels=1),)

    @property
    def notes(self) -> Sequence[Note]:
        """Fits that did not converge; they count like all others."""
        if not self.failed:
            return ()
        return (Note("not_converged", f"{self.failed} of the fits did not converge"),)

    @property
    def details(self) -> Mapping[str, object]:
        """What was calibrated, and where right coverages lie."""
        return {
            "name": self.name,
            "simulations": self.simulations,
            "bands": {
                f"coverage_{100 * level:g}": band(level, self.simulations) for level in LEVELS
            },
            "failed": self.failed,
            "false_alarms": self.false_alarms,
            "ok": self.ok,
        }

    @property
    def arrays(self) -> Mapping[str, Axes]:
        """The rank of every true value, and whether intervals covered it."""
        return {
            "rank": Axes(("parameter", "simulation"), np.stack([*self.ranks.values()])),
            "covered": Axes(
                ("parameter", "level", "simulation"), np.stack([*self.inside.values()])
            ),
        }

    @property
    def coordinates(self) -> Mapping[str, Labels]:
        """The parameters, and the levels of the intervals."""
        return {
            "parameter": Labels("parameter", [*self.ranks]),
            "level": Labels("level", LEVELS),
        }


def calibrate(
    runs: Runs | Mapping[str, ArrayLike],
    law: str | type[Law] = "chinchilla",
    noise: str | type[Noise] | None = None,
    *,
    simulations: int = 200,
    priors: Mapping[str, Prior] | None = None,
    false_alarms: float = 0.01,
    **sampling: Unpack[Sampling],
) -> Calibration:
    """Simulate tables from the prior, fit them all, and see whether the posteriors are right.

    Parameters
    ----------
    runs : Runs or mapping
        Where the runs are: a table (its losses are not used), or the law's inputs by name,
        ``{"N": [...], "D": [...]}``.
    law, noise, priors
        As in `fit`.
    simulations : int
        How many tables; at least 100, so that the test of uniformity has five ranks a bin.
    false_alarms : float
        How often a right engine may be called wrong.
    **sampling
        As in `fit`; see `scalingfit.inference.Sampling`.

    Returns
    -------
    Calibration

    Raises
    ------
    InputError
    """
    settings = settings_of(sampling)
    least = 5 * BINS
    if simulations < least:
        raise InputError(
            f"{simulations} tables are too few to test {BINS} bins; at least {least}",
            remedy=Message("ask for more: ", Argument("simulations", least), "."),
        )
    if settings.chains * settings.draws < KEPT:
        raise InputError(
            f"at least {KEPT} draws are needed to rank a true value",
            remedy=Message("take more: ", Argument("draws", KEPT), "."),
        )
    chosen = find_law(law)
    model = build(chosen, find_noise(noise or chosen.default_noise), priors)
    truth, simulated = _simulate(model, _at(chosen, runs), simulations, settings.seed)
    check(model, simulated[0])
    fits = sample(model, simulated, settings)
    return Calibration(
        name=f"{chosen.name}, {model.noise.name} noise",
        ranks={name: _ranks(truth[name], fits, name) for name in model.sites},
        inside={name: _inside(truth[name], fits, name) for name in model.sites},
        failed=failures(fits, settings),
        false_alarms=false_alarms,
    )


def _at(law: type[Law], runs: Runs | Mapping[str, ArrayLike]) -> Runs:
    if isinstance(runs, Runs):
        return runs
    if not isinstance(runs, Mapping):
        inputs = ", ".join(f'"{name}": [...]' for name in law.inputs())
        raise InputError(
            f"calibrate takes runs, or the law's inputs by name, not {type(runs).__name__}",
            remedy=f"pass {{{inputs}}}.",
        )
    rows = np.broadcast_arrays(*(np.atleast_1d(np.asarray(v, float)) for v in runs.values()))
    columns = dict(zip(runs, rows, strict=True))
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
