"""Which tables to refit: designs that turn one table of runs into many, by label."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalingfit._arguments import whole
from scalingfit._errors import InputError
from scalingfit._messages import Argument, Message
from scalingfit.runs import Runs

__all__ = ["bootstraps", "horizons", "leave_out", "subsets"]

MOST = 1_000_000  # tables of one design


def bootstraps(
    runs: Runs, count: int = 1000, *, cluster: str | None = None, seed: int = 0
) -> dict[int, Runs]:
    """Resample runs with replacement (Efron 1979, Annals of Statistics 7, 1).

    The resamples are weights: tables keep their rows, and nearly all share one compiled program.

    Parameters
    ----------
    runs : Runs
    count : int
        Number of resamples.
    cluster : str, optional
        A label or column: its groups are resampled whole, for runs that depend on each other.
    seed : int
        Resample number i does not depend on how many there are.

    Returns
    -------
    dict of int to Runs
        By number of the resample. The weights of each sum to the number of runs or, with clusters,
        to as many runs as the drawn clusters have; weights that the runs had are multiplied.

    Raises
    ------
    InputError
        There is no such column, or only one group in it.
    """
    count, seed = whole("count", count, 1, MOST), whole("seed", seed, 0)
    number = np.arange(len(runs))  # of each run's group
    if cluster is not None:
        for position, members in enumerate(_groups(runs, cluster).values()):
            number[members] = position
    groups = int(number.max()) + 1
    if groups < 2:
        raise InputError(
            f"there is one group of runs{f' in {cluster!r}' if cluster else ''}: resampled, it is "
            "always the same",
            remedy=Message("choose a column with several values: ", Argument("cluster"), "."),
        )
    given = runs.weight
    made = {}
    for label in range(count):
        rng = np.random.default_rng([seed, label])
        times = np.bincount(rng.integers(groups, size=groups), minlength=groups)
        made[label] = runs.with_weight(given * times[number])
    return made


def leave_out(runs: Runs, column: str) -> dict[Hashable, Runs]:
    """Leave out the runs of each value of a label or column in turn.

    Parameters
    ----------
    runs : Runs
    column : str
        A label or column.

    Returns
    -------
    dict of value to Runs
        By the value that was left out.

    Raises
    ------
    InputError
        There is no such column, or all runs have one value in it.
    """
    groups = _groups(runs, column)
    if len(groups) < 2:
        raise InputError(
            f"column {column!r} has one value, {next(iter(groups))!r}: without it no run is left",
            remedy="choose a column with several values.",
        )
    return {key: runs.take(np.delete(np.arange(len(runs)), out)) for key, out in groups.items()}


def subsets(runs: Runs, size: int, count: int = 100, *, seed: int = 0) -> dict[int, Runs]:
    """Take random runs without replacement.

    Parameters
    ----------
    runs : Runs
    size : int
        Runs in each subset.
    count : int
        Number of subsets.
    seed : int
        Subset number i does not depend on how many there are.

    Raises
    ------
    InputError
        The size is not between one and the number of runs.
    """
    count, size, seed = whole("count", count, 1, MOST), whole("size", size), whole("seed", seed, 0)
    if not 1 <= size <= len(runs):
        raise InputError(
            f"subsets of {size} runs cannot be taken from {len(runs)}",
            remedy=f"ask for 1 to {len(runs)}.",
        )
    draws = (np.random.default_rng([seed, label]) for label in range(count))
    return {
        label: runs.take(np.sort(rng.choice(len(runs), size, replace=False)))
        for label, rng in enumerate(draws)
    }


def horizons(runs: Runs, budgets: ArrayLike) -> dict[float, Runs]:
    """Keep the runs up to each budget, to see how the answer settles as runs grow.

    Parameters
    ----------
    runs : Runs
    budgets : array, shape (budget,)
        Largest training compute in FLOP (by the runs' column C, else 6 N D).

    Returns
    -------
    dict of float to Runs
        By budget.

    Raises
    ------
    InputError
        There are no budgets, no run is that small, or the size of the runs is unclear.
    """
    scale = runs.budgets.scale
    limits = np.unique(np.asarray(budgets, np.float64)).tolist()
    if not limits:
        raise InputError("there are no budgets", remedy="name one, such as 1e20.")
    small = [f"{limit:g}" for limit in limits if not limit >= scale.min()]
    if small:
        raise InputError(
            f"no run is as small as {', '.join(small)}: the smallest takes {scale.min():.3g}",
            remedy="choose larger budgets.",
        )
    return {limit: runs.take(scale <= limit) for limit in limits}


def _groups(runs: Runs, column: str) -> dict[Hashable, NDArray[np.int64]]:
    """Positions of the runs of each value."""
    numbered = dataclasses.replace(runs, row_numbers=np.arange(len(runs)))
    return {key: part.row_numbers for key, part in numbered.split(column).items()}
