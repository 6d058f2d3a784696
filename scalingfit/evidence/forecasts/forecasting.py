"""Fit the runs below each cut, of one table or of many, and forecast those beyond it."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Sequence

import jax
import numpy as np

from scalingfit.evidence.forecasts.held_out import HeldOutRuns, LawForecasts
from scalingfit.evidence.forecasts.horizons import Horizon, within
from scalingfit.inference import Model, Settings, check, failures, predicted, sample
from scalingfit.noise import At, Noise, alike
from scalingfit.runs import Runs

__all__ = ["Task", "forecast_held_out"]


@dataclasses.dataclass(frozen=True, eq=False)
class Task:
    """One cut of one table.

    Attributes
    ----------
    table : object
        Its name.
    place : int
        Its number.
    runs : Runs
        All of it.
    number : int
        Of the cut.
    horizon : Horizon
    fitted : Runs
        What is fitted.
    """

    table: Hashable
    place: int
    runs: Runs
    number: int
    horizon: Horizon
    fitted: Runs

    @classmethod
    def each(cls, table: Hashable, place: int, runs: Runs, cuts: Sequence[Horizon]) -> list[Task]:
        """Every cut of a table.

        Several cuts are fitted as the whole table with weights, so that they share one compiled
        program; a single one is fitted as the rows it has, which may be far fewer.
        """
        train = [cut.train for cut in cuts]
        fitted = [runs.with_weight(rows.astype(float)) for rows in train]
        if len(cuts) == 1:
            fitted = [runs.take(train[0])]
        pairs = zip(cuts, fitted, strict=True)
        return [cls(table, place, runs, number, *pair) for number, pair in enumerate(pairs)]

    def within(self) -> Task | None:
        """A cut of what is fitted; None where there is no place for one."""
        cut = within(self.runs, self.horizon)
        if cut is None:
            return None
        whole = len(self.fitted) == len(self.runs)
        rows = cut.train
        fitted = self.runs.with_weight(rows.astype(float)) if whole else self.runs.take(rows)
        return dataclasses.replace(self, horizon=cut, fitted=fitted)

    @property
    def fit(self) -> tuple[int, int]:
        """The numbers of its table and of its cut."""
        return self.place, self.number

    @property
    def count(self) -> int:
        """How many runs are fitted."""
        return int(self.horizon.train.sum())

    @property
    def name(self) -> str:
        """In messages: its table, or the largest scale that is fitted."""
        limit = self.runs.budgets.text(self.horizon.limit)
        return limit if self.table is None else f"{self.table} to {limit}"

    @property
    def held_out(self) -> HeldOutRuns:
        """The runs that are forecast."""
        row = np.flatnonzero(self.horizon.test)
        largest = self.runs["L"][self.horizon.train].max()
        return HeldOutRuns(
            observed=self.runs["L"][row],
            distance=self.horizon.distance[row],
            limit=np.full(len(row), self.horizon.limit),
            largest=np.full(len(row), largest),
            cut=np.full(len(row), self.number),
            table=np.full(len(row), self.place),
            row=row,
        )


def forecast_held_out(
    model: Model, tasks: Sequence[Task], settings: Settings
) -> tuple[LawForecasts, int]:
    """Fit all cuts at once and forecast what lies beyond them; and how many fits failed."""
    fitted = [task.fitted for task in tasks]
    for table in fitted:
        check(model, table)
    fits = sample(model, fitted, settings)
    beyond = [task.runs.take(task.horizon.test) for task in tasks]
    known = any("loss_se" in rest.columns for rest in beyond)
    noises, places = zip(
        *(
            predicted(model, table, draws, rest)
            for table, draws, rest in zip(fitted, fits, beyond, strict=True)
        ),
        strict=True,
    )
    each = [_every_run(*pair, known) for pair in zip(alike(noises), places, strict=True)]
    runs = HeldOutRuns.together([task.held_out for task in tasks])
    joined = jax.tree.map(lambda *leaves: np.concatenate(leaves, axis=-1), *each)
    return LawForecasts(runs, *joined), failures(fits, settings)


def _every_run(noise: Noise, at: At, known: bool) -> tuple[Noise, At]:
    """The same with the noise's leaves, and errors of losses where any are known, for every run."""
    if known and at.loss_se is None:
        at = dataclasses.replace(at, loss_se=np.zeros(at.mean.shape[-1]))
    return jax.tree.map(lambda leaf: np.broadcast_to(leaf, at.mean.shape), noise), at
