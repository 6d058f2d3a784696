"""Runs that were held out, and what was forecast of them: by one law, or by several stacked."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Protocol

import jax
import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalingfit.inference import log_predictive, new_runs
from scalingfit.noise import At, Noise

__all__ = [
    "RATES",
    "Component",
    "Forecasts",
    "HeldOutRuns",
    "LawForecasts",
    "StackedForecasts",
    "beyond",
]

Floats = NDArray[np.float64]
type Rates = Sequence[float | Floats]  # of a discrepancy: each for all runs, or of shape (run,)

RATES = np.concatenate([[0.0], np.geomspace(1e-4, 0.5, 38)])
"""Discrepancies tried: relative error a factor of ten away."""

THINNED = 500
"""Draws that the scores with a discrepancy are made from: there are many rates to try."""


def beyond(distance: ArrayLike) -> Floats:
    """Factors of ten beyond the largest run that was fitted; none for a smaller one."""
    return np.asarray(np.log10(np.maximum(distance, 1.0)))


@dataclasses.dataclass(frozen=True, eq=False)
class HeldOutRuns:
    """The runs, all horizons one after the other; each array of shape (run,).

    Attributes
    ----------
    observed : array
        What happened.
    distance : array
        Scale over the largest that was fitted, `limit`.
    limit : array
    largest : array
        The largest loss that was fitted.
    cut, table, row : array of int
        Which cut of which table the forecast belongs to; which row of that table the run is.
    """

    observed: Floats
    distance: Floats
    limit: Floats
    largest: Floats
    cut: NDArray[np.int64]
    table: NDArray[np.int64]
    row: NDArray[np.int64]

    @classmethod
    def together(cls, several: Sequence[HeldOutRuns]) -> HeldOutRuns:
        """The runs of several, one after the other."""
        names = [field.name for field in dataclasses.fields(HeldOutRuns)]
        return HeldOutRuns(
            **{name: np.concatenate([getattr(each, name) for each in several]) for name in names}
        )

    @property
    def fits(self) -> list[tuple[int, int]]:
        """The table and the cut that each of the runs was forecast from."""
        return list(zip(self.table.tolist(), self.cut.tolist(), strict=True))

    @property
    def keys(self) -> list[tuple[int, int, int]]:
        """The table, the cut and the row of each."""
        return list(zip(self.table.tolist(), self.cut.tolist(), self.row.tolist(), strict=True))


class Forecasts(Protocol):
    """What forecasts held-out runs."""

    @property
    def runs(self) -> HeldOutRuns:
        """The runs."""

    @property
    def means(self) -> Floats:
        """The law's loss, (draw, run)."""

    @property
    def scores(self) -> Floats:
        """Log predictive density of each run with each of `RATES`, (rate, run)."""

    def new_runs(self, rates: Rates, seed: int = 0) -> Floats:
        """Draws of the runs' losses, (rate, draw, run), with each of several discrepancies."""


@dataclasses.dataclass(frozen=True, eq=False)
class LawForecasts:
    """Forecasts by one law.

    Attributes
    ----------
    runs : HeldOutRuns
    noise : Noise
        Leaves of shape (draw, run).
    at : At
        The law's loss, (draw, run), and whatever else the noise looks at.
    """

    runs: HeldOutRuns
    noise: Noise
    at: At

    @property
    def means(self) -> Floats:
        """The law's loss, (draw, run)."""
        return np.asarray(self.at.mean)

    @functools.cached_property
    def scores(self) -> Floats:
        """Log predictive density of each run with each of `RATES`, (rate, run)."""
        step = -(-len(self.means) // THINNED)

        def thinned[Tree](tree: Tree) -> Tree:
            few: Tree = jax.tree.map(lambda leaf: leaf[::step] if leaf.ndim > 1 else leaf, tree)
            return few

        few = LawForecasts(self.runs, thinned(self.noise), thinned(self.at))
        return np.concatenate([self.log_scores(), few.log_scores(list(RATES[1:]))])

    def log_scores(self, rates: Rates = (0.0,)) -> Floats:
        """Log predictive density of each run with each of several discrepancies, (rate, run)."""
        observed, errors = self.runs.observed, self._errors(rates)
        return log_predictive(self.noise, self.at, observed, errors)

    def new_runs(self, rates: Rates, seed: int = 0) -> Floats:
        """Draws of the runs' losses, (rate, draw, run), with each of several discrepancies."""
        return new_runs(self.noise, self.at, self._errors(rates), seed)

    def _errors(self, rates: Rates) -> Floats:
        """Relative errors of the law at each run, (rate, run)."""
        return np.stack([rate * beyond(self.runs.distance) for rate in rates])


@dataclasses.dataclass(frozen=True, eq=False)
class Component:
    """What one law gives to a stack.

    Attributes
    ----------
    forecasts : LawForecasts
    columns, at : array of int, shape (run,)
        Where its forecasts of these runs are, and where the stack's are.
    share : array, shape (run,)
        The law's weight there.
    """

    forecasts: LawForecasts
    columns: NDArray[np.int64]
    at: NDArray[np.int64]
    share: Floats


@dataclasses.dataclass(frozen=True, eq=False)
class StackedForecasts:
    """Forecasts by several laws together.

    Attributes
    ----------
    runs : HeldOutRuns
    components : sequence of Component
        Their shares sum to one at every run.
    """

    runs: HeldOutRuns
    components: Sequence[Component]

    @property
    def means(self) -> Floats:
        """The laws' losses, (draw, run)."""
        return self._drawn(
            [component.forecasts.means[:, component.columns] for component in self.components],
            seed=0,
        )

    @functools.cached_property
    def scores(self) -> Floats:
        """Log predictive density of each run with each of `RATES`, (rate, run)."""
        found = np.full((len(RATES), len(self.runs.observed)), -np.inf)
        with np.errstate(divide="ignore"):
            for component in self.components:
                weighted = (
                    np.log(component.share) + component.forecasts.scores[:, component.columns]
                )
                found[:, component.at] = np.logaddexp(found[:, component.at], weighted)
        return found

    def new_runs(self, rates: Rates, seed: int = 0) -> Floats:
        """Draws of the runs' losses, (rate, draw, run), with each of several discrepancies."""
        whole = np.stack([np.broadcast_to(rate, self.runs.observed.shape) for rate in rates])
        each = []
        for component in self.components:
            own = np.zeros((len(whole), len(component.forecasts.runs.observed)))
            own[:, component.columns] = whole[:, component.at]
            each.append(component.forecasts.new_runs(list(own), seed)[..., component.columns])
        return self._drawn(each, seed)

    def _drawn(self, each: Sequence[Floats], seed: int) -> Floats:
        """Take every draw of every run, (..., draw, run), from one of the laws, by chance."""
        *several, count, _ = each[0].shape
        size = (count, len(self.runs.observed))
        chance, found = np.random.default_rng(seed).random(size), np.empty((*several, *size))
        below = np.zeros(size[1])
        for component, draws in zip(self.components, each, strict=True):
            later = chance[:, component.at] >= below[component.at]
            found[..., component.at] = np.where(later, draws, found[..., component.at])
            below[component.at] += component.share
        return found
