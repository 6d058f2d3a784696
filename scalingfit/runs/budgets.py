"""What one budget is: runs of nearly the same compute, which no cut and no group parts."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalingfit._arguments import numbers
from scalingfit._errors import InputError
from scalingfit._messages import Argument, Call, Message
from scalingfit._text import flop, listed, quantity
from scalingfit.runs.values import NOT_INPUTS, FloatArray, Label, group_key

__all__ = ["WITHIN", "Budgets", "clusters", "require_budgets"]

WITHIN = 1.1
"""Runs within 10 % of a budget belong to it. Sizes and steps are whole numbers, and figures are
read off, so that runs miss their budget by some percent; the budgets of published experiments lie
a factor of 1.67 apart and more (Hoffmann et al. 2022, arXiv 2203.15556, section 3.2)."""


@dataclasses.dataclass(frozen=True, eq=False)
class Budgets:
    """How large the runs of a table are, and which of them are of one budget.

    Attributes
    ----------
    measure : str
        What the size of a run is measured by: "C" where compute is known, else "6ND", else the
        table's one input.
    scale : array, shape (run,)
        The size of each run, by that measure.
    named : array, shape (run,), or None
        The column "budget", where the table has one.
    """

    measure: str
    scale: FloatArray
    named: Label | None = None

    @classmethod
    def of(cls, columns: Mapping[str, FloatArray], labels: Mapping[str, Label]) -> Budgets:
        """Those of a table's numeric columns and labels.

        Raises
        ------
        InputError
            There are several inputs, and none of them is compute.
        """
        named = {**columns, **labels}.get("budget")
        if "C" in columns:
            return cls("C", columns["C"], named)
        if {"N", "D"} <= set(columns):
            return cls("6ND", 6 * columns["N"] * columns["D"], named)
        inputs = [name for name in columns if name not in NOT_INPUTS]
        if len(inputs) == 1:
            return cls(inputs[0], columns[inputs[0]], named)
        raise InputError(
            f"the size of these runs is unclear: their inputs are {listed(inputs)}",
            remedy=Message(
                "read the table with a compute column: ",
                Call("read", (Argument("C", "flops", "column"),)),
                ".",
            ),
        )

    @property
    def in_flop(self) -> bool:
        """Whether the scale is compute."""
        return self.measure in ("C", "6ND")

    @property
    def largest(self) -> float:
        """The scale of the largest run."""
        return float(self.scale.max())

    def text(self, scale: float) -> str:
        """A size as what it is measured by is usually written."""
        return flop(scale) if self.in_flop else quantity(self.measure, scale)

    @functools.cached_property
    def usual(self) -> NDArray[np.int64]:
        """The number of each run's budget, shape (run,), counted from 0; -1 for none.

        The column "budget" says, where the table has one (runs without a value have no budget);
        else runs of nearly the same compute make one.
        """
        if self.named is None:
            return clusters(self.scale)
        keys = [group_key(value) for value in self.named.tolist()]
        known = dict.fromkeys(key for key in keys if key != "(missing)")
        places = {key: place for place, key in enumerate(known)}
        return np.array([places.get(key, -1) for key in keys])

    def numbered(self, budgets: ArrayLike | None = None) -> NDArray[np.int64]:
        """The number of each run's budget, shape (run,), counted from 0; -1 for none.

        Parameters
        ----------
        budgets : array, optional
            FLOP; runs within 10 % of one belong to it, all others to none. By default `usual`.

        Raises
        ------
        InputError
            The budgets are not positive numbers.
        """
        if budgets is None:
            return self.usual
        levels = np.unique(numbers("budgets", budgets))
        away = np.abs(np.log(self.scale[:, None] / levels))
        return np.where(away.min(axis=1) <= np.log(WITHIN), away.argmin(axis=1), -1)


def clusters(values: FloatArray) -> NDArray[np.int64]:
    """Number the groups of values that one budget can hold, from the least.

    The nearest neighbours join first, and none that would make a group wider than 10 % on either
    side of its middle: neighbours alone would chain a whole table together.
    """
    levels, places = np.unique(np.log(values), return_inverse=True)
    first, last = np.arange(len(levels)), np.arange(len(levels))
    joined = np.zeros(len(levels), bool)
    for gap in np.argsort(np.diff(levels), kind="stable"):
        low, high = first[gap], last[gap + 1]
        if levels[high] - levels[low] <= 2 * np.log(WITHIN):
            last[low], first[high], joined[gap + 1] = high, low, True
    return np.asarray(np.cumsum(~joined)[places] - 1)


def require_budgets(budgets: ArrayLike, *tables: Budgets) -> None:
    """Refuse budgets that none of the tables has runs of.

    Raises
    ------
    InputError
    """
    levels = np.unique(numbers("budgets", budgets))
    found = np.concatenate([table.numbered(levels) for table in tables])
    empty = np.setdiff1d(np.arange(len(levels)), found)
    if empty.size:
        scale = np.concatenate([table.scale for table in tables])
        raise InputError(
            f"no run lies within 10 % of the budgets {listed(map(flop, levels[empty]))}",
            [f"the runs' scales go from {flop(scale.min())} to {flop(scale.max())}"],
            remedy="name the budgets that the runs have, or none: runs of nearly the same compute "
            "then make one.",
        )
