"""A batch of runs to make, what it is expected to teach, and whether that is worth its cost."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import final, override

import numpy as np
from numpy.typing import NDArray

from scalingfit._files import replacing
from scalingfit._text import engineering, interval, quantity
from scalingfit.allocation import Costs, FloatArray, dollars, spent
from scalingfit.experiments.pool import Pool
from scalingfit.result import Column, Interval, Note, Result, Table
from scalingfit.runs import clusters

__all__ = ["Design", "Expected"]

WASTE = ("now", "after", "after_grid")
"""Columns of what the best plans waste."""


@dataclasses.dataclass(frozen=True)
class Expected:
    """How sure one is of something, now and once the batch is made.

    Attributes
    ----------
    name : str
        "N*", "L*" or "a" at a target, or "L" at a point.
    target : str
    now : Interval
    after : Interval
        As wide as it is expected to be, about the present median.
    shrink : float
        Its width over the present one.
    by_grid : float or None
        The same, if the best isoFLOP grid were made instead.
    """

    name: str
    target: str
    now: Interval
    after: Interval
    shrink: float
    by_grid: float | None


@final
@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Design(Result):
    """Runs to make next: ``print`` it, and `save` it for a launcher.

    Attributes
    ----------
    runs : Pool
        The batch, the most useful run first; repeats are replicates.
    grid : Pool or None
        The isoFLOP grid of the same cost that would tell the most; none for a pool of runs.
    fitted : mapping of str to array
        Inputs of the runs that were fitted.
    loss : array, shape (run,)
        What is expected of each.
    expected : sequence of Expected
        What is asked for, now and after the batch.
    waste : array, shape (target, 2), or (target, 3)
        FLOP that the best plan at each target is expected to waste, now, after the batch, and after
        the grid where there is one: the value of perfect information. Empty where targets are
        points.
    targets : array, shape (target,)
        Budgets in FLOP, likewise.
    aim : str
    effective_draws : float
        Draws that imagined outcomes of the batch leave; below a hundred the moments are used alone.
    in_flop : bool
        Whether the runs' cost is FLOP, so that it compares with what they are worth.
    costs : Costs or None
    provenance : mapping
    notes : sequence of Note
    """

    runs: Pool
    grid: Pool | None
    fitted: Mapping[str, FloatArray]
    loss: FloatArray
    expected: Sequence[Expected]
    waste: FloatArray
    targets: FloatArray
    aim: str
    effective_draws: float
    in_flop: bool
    costs: Costs | None
    provenance: Mapping[str, object]
    notes: Sequence[Note] = ()

    @property
    def cost(self) -> float:
        """Of the whole batch, FLOP."""
        return float(self.runs.cost.sum())

    @property
    def value(self) -> float:
        """What the batch is expected to save at the targets, FLOP: the value of its information."""
        return float(np.sum(self.waste[:, 0] - self.waste[:, 1]))

    @property
    def worth_it(self) -> bool:
        """Whether the batch is expected to save more than it costs."""
        return self.value > self.cost

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the runs as CSV, one row each, with a seed that tells replicates apart.

        `read` takes the table back once it has a column of losses.
        """
        table = self.runs.to_pandas()
        table["seed"] = _replicates(self.runs)
        with replacing(path) as part:
            table.to_csv(part, index=False)

    @property
    @override
    def tables(self) -> Sequence[Table]:
        first = np.flatnonzero(_replicates(self.runs) == 0)
        seen = self.runs.take(first)
        times = [np.count_nonzero(_same(self.runs, at)) for at in first.tolist()]
        columns = {name: _column(name, values) for name, values in seen.inputs.items()}
        if {"N", "D"} <= set(columns):
            columns["tokens_per_param"] = _column("", seen.inputs["D"] / seen.inputs["N"], "D/N")
        columns |= {
            name: _column(name, values)
            for name, values in seen.labels.items()
            if name != "C" and values.dtype.kind in "if"
        }
        columns |= {
            "runs": Column(times),
            "L": Column([*map(float, self.loss[first])], heading="expected loss"),
        }
        if self.in_flop:
            columns |= spent(seen.cost * np.array(times), self.costs, "cost")
        else:
            columns["cost"] = _column("cost", seen.cost * np.array(times))
        rows = {
            "quantity": Column([row.name for row in self.expected]),
            "at": Column([row.target for row in self.expected]),
            "now": Column([row.now for row in self.expected], [*map(_now, self.expected)]),
            "after": Column([row.after for row in self.expected], [*map(_after, self.expected)]),
            "shrink": Column(
                [row.shrink for row in self.expected],
                [f"{row.shrink:.2f}" for row in self.expected],
                "width, times",
            ),
        }
        if self.grid is not None:
            shrunk = [row.by_grid for row in self.expected]
            rows["by_grid"] = Column(shrunk, [f"{one:.2f}" for one in shrunk], "by a grid")
        return (
            Table("runs", "run", columns, "Runs to make next"),
            Table("expected", "row", rows, "What they are expected to leave unknown", labels=2),
        )

    @property
    @override
    def conclusion(self) -> str:
        count = len(self.runs)
        unit = f"{quantity('C', self.cost)} FLOP" if self.in_flop else engineering(self.cost)
        batch = f"The batch of {count} run{'s' * (count > 1)} costs {unit}{self._money(self.cost)}."
        if len(self.waste) == 0:
            return batch
        before, after = (float(part) for part in self.waste.sum(axis=0)[:2])
        saved = (
            f"{batch} It is expected to lower what the best plans waste at the targets from "
            f"{quantity('C', before)} to {quantity('C', after)} FLOP, which is worth "
            f"{quantity('C', self.value)} FLOP{self._money(self.value)}"
        )
        if not self.in_flop:
            return f"{saved}."
        if self.worth_it:
            return f"{saved}: {self.value / self.cost:.3g} times its cost.{self._by_grid}"
        return f"{saved}, less than it costs: stop, and train.{self._by_grid}"

    @property
    @override
    def details(self) -> Mapping[str, object]:
        return {
            "aim": self.aim,
            "cost": self.cost,
            "value": self.value if len(self.waste) else None,
            "worth_it": self.worth_it if len(self.waste) and self.in_flop else None,
            "waste": [
                {"C": float(C), **dict(zip(WASTE[: len(row)], map(float, row), strict=True))}
                for C, row in zip(self.targets, self.waste, strict=True)
            ],
            "effective_draws": self.effective_draws,
            "provenance": self.provenance,
        }

    @property
    def _by_grid(self) -> str:
        """What the grid would leave, beside what the batch does."""
        if self.grid is None:
            return ""
        C = self.grid.cost
        budgets = len(np.unique(clusters(C)))
        left = quantity("C", float(self.waste[:, 2].sum()))
        return (
            f" An isoFLOP grid of {len(C) // budgets} sizes at "
            f"{quantity('C', float(C.max()))} FLOP"
            f"{' and a third of it' * (budgets > 1)} would lower that to {left} FLOP."
        )

    def _money(self, C: float) -> str:
        return dollars(C, self.costs, " ({})") if self.in_flop else ""


def _replicates(runs: Pool) -> FloatArray:
    """Of each run, how many of the same stand before it."""
    return np.array([np.count_nonzero(_same(runs, at)[:at]) for at in range(len(runs))], int)


def _same(runs: Pool, at: int) -> NDArray[np.bool_]:
    keys = np.stack([*runs.inputs.values()])
    return np.all(keys == keys[:, at, None], axis=0)


def _column(name: str, values: Iterable[float], heading: str | None = None) -> Column:
    return Column([*map(float, values)], [quantity(name, one) for one in values], heading)


def _now(row: Expected) -> str:
    return interval("N" if row.name == "N*" else "", *row.now)


def _after(row: Expected) -> str:
    low, _, high = (quantity("N" if row.name == "N*" else "", end) for end in row.after)
    return f"[{low}, {high}]"
