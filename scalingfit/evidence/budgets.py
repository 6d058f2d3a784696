"""What one budget is: runs of nearly the same compute, which no cut and no group parts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalingfit._errors import InputError, listed
from scalingfit.allocation.answer import quantity
from scalingfit.allocation.question import numbers as positive
from scalingfit.runs import Runs
from scalingfit.runs._values import group_key

__all__ = ["among", "budget_of", "clusters", "flop", "in_scale", "require_runs", "scale_of"]

Floats = NDArray[np.float64]

COMPUTE = ("C", "6ND")
"""Measures of a run's scale that are in FLOP."""

WITHIN = 1.1
"""Runs within 10 % of a budget belong to it. Sizes and steps are whole numbers, and figures are
read off, so that runs miss their budget by some percent; the budgets of published experiments lie
a factor of 1.67 apart and more (Hoffmann et al. 2022, arXiv 2203.15556, section 3.2)."""


def flop(value: float) -> str:
    """Compute as it is usually written: 2e11."""
    return quantity("C", value)


def in_scale(measure: str, value: float) -> str:
    """The size of a run, as what it is measured by is usually written."""
    return flop(value) if measure in COMPUTE else quantity(measure, value)


def scale_of(runs: Runs) -> tuple[str, Floats]:
    """What the size of a run is measured by: compute where it is known, else its one input.

    Raises
    ------
    InputError
        There are several inputs, and none of them is compute.
    """
    columns = runs.columns
    if "C" in columns:
        return "C", columns["C"]
    if {"N", "D"} <= set(columns):
        return "6ND", 6 * columns["N"] * columns["D"]
    if len(runs.inputs) == 1:
        return runs.inputs[0], columns[runs.inputs[0]]
    raise InputError(
        f"the size of these runs is unclear: their inputs are {listed(runs.inputs)}",
        remedy="read the table with a compute column: read(..., C='flops').",
    )


def clusters(values: Floats) -> NDArray[np.int64]:
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


def budget_of(runs: Runs, budgets: ArrayLike | None = None) -> NDArray[np.int64]:
    """The number of each run's budget, shape (run,), counted from 0; -1 for none.

    Parameters
    ----------
    runs : Runs
    budgets : array, optional
        FLOP; runs within 10 % of one belong to it, all others to none. By default the column
        "budget" says, where the table has one (runs without a value have no budget); else runs of
        nearly the same compute make one.

    Raises
    ------
    InputError
        The budgets are not positive numbers.
    """
    scale = scale_of(runs)[1]
    if budgets is not None:
        levels = np.unique(positive("budgets", budgets))
        away = np.abs(np.log(scale[:, None] / levels))
        return np.where(away.min(axis=1) <= np.log(WITHIN), away.argmin(axis=1), -1)
    table = {**runs.columns, **runs.labels}
    if "budget" not in table:
        return clusters(scale)
    keys = [group_key(value) for value in table["budget"].tolist()]
    named = dict.fromkeys(key for key in keys if key != "(missing)")
    numbers = {key: number for number, key in enumerate(named)}
    return np.array([numbers.get(key, -1) for key in keys])


def among(runs: Runs, by: str, budgets: ArrayLike | None = None) -> list[Any]:
    """One key a run for leaving out whole groups: a column or label, or "budget".

    A run without a budget is a group of its own.

    Raises
    ------
    InputError
        There is no such column, or a budget without runs.
    """
    if by == "budget":
        numbers = budget_of(runs, budgets)
        if budgets is not None:
            require_runs(budgets, runs)
        return [(-1, at) if number < 0 else number for at, number in enumerate(numbers.tolist())]
    if budgets is not None:
        raise InputError(
            f"budgets are given, but runs are left out by {by!r}",
            remedy='write by="budget", or no budgets.',
        )
    values = runs.named(
        by,
        "to leave runs out by",
        'choose one of these, or "budget" for runs of nearly the same compute.',
    )
    return [group_key(value) for value in values.tolist()]


def require_runs(budgets: ArrayLike, *tables: Runs) -> None:
    """Refuse budgets that none of the tables has runs of.

    Raises
    ------
    InputError
    """
    levels = np.unique(positive("budgets", budgets))
    found = np.concatenate([budget_of(runs, levels) for runs in tables])
    empty = np.setdiff1d(np.arange(len(levels)), found)
    if empty.size:
        scale = np.concatenate([scale_of(runs)[1] for runs in tables])
        raise InputError(
            f"no run lies within 10 % of the budgets {listed(map(flop, levels[empty]))}",
            [f"the runs' scales go from {flop(scale.min())} to {flop(scale.max())}"],
            remedy="name the budgets that the runs have, or none: runs of nearly the same compute "
            "then make one.",
        )
