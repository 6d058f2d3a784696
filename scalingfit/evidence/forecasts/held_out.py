"""Runs that were held out, and what was forecast of them: by one law, or by several stacked."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from scalingfit.inference import log_predictive, new_runs
from scalingfit.noise import At, Noise

__all__ = ["Component", "Forecasts", "HeldOutRuns", "LawForecasts", "StackedForecasts"]

Floats = NDArray[np.float64]


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
        """Log predictive density of each run, (run,)."""

    def new_runs(self, seed: int = 0) -> Floats:
        """Draws of the runs' losses, (draw, run)."""


@dataclasses.dataclass(frozen=True, eq=False)
class LawForecasts:
    """Forecasts by one law.

    Attributes
    ----------
    runs : HeldOutRuns
    noise : Noise
        Leaves of shape (draw, run).
    at : At
        The loss of the law with its error, (draw, run), and whatever else the noise looks at.
    """

    runs: HeldOutRuns
    noise: Noise
    at: At

    @property
    def means(self) -> Floats:
        """The law's loss, (draw, run)."""
        return np.asarray(self.at.mean)

    @property
    def scores(self) -> Floats:
        """Log predictive density of each run, (run,)."""
        return log_predictive(self.noise, self.at, self.runs.observed)

    def new_runs(self, seed: int = 0) -> Floats:
        """Draws of the runs' losses, (draw, run)."""
        return new_runs(self.noise, self.at, seed)


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

    @property
    def scores(self) -> Floats:
        """Log predictive density of each run, (run,)."""
        found = np.full(len(self.runs.observed), -np.inf)
        with np.errstate(divide="ignore"):
            for component in self.components:
                weighted = np.log(component.share) + component.forecasts.scores[component.columns]
                found[component.at] = np.logaddexp(found[component.at], weighted)
        return found

    def new_runs(self, seed: int = 0) -> Floats:
        """Draws of the runs' losses, (draw, run)."""
        each = [
            component.forecasts.new_runs(seed)[:, component.columns]
            for component in self.components
        ]
        return self._drawn(each, seed)

    def _drawn(self, each: Sequence[Floats], seed: int) -> Floats:
        """Take every draw of every run, (draw, run), from one of the laws, by chance."""
        size = (len(each[0]), len(self.runs.observed))
        chance, found = np.random.default_rng(seed).random(size), np.empty(size)
        below = np.zeros(size[1])
        for component, draws in zip(self.components, each, strict=True):
            later = chance[:, component.at] >= below[component.at]
            found[:, component.at] = np.where(later, draws, found[:, component.at])
            below[component.at] += component.share
        return found
