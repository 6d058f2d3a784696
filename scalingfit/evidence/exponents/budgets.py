"""Which budgets take part, and their runs as if each had been trained at its budget's middle.

Runs that miss their budget, as all do once they are counted in another way, are moved to its
middle, unless they lie so far apart that this would shift the minimum.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalingfit._errors import InputError
from scalingfit._messages import Argument, Message
from scalingfit._text import flop, listed
from scalingfit.result import Note
from scalingfit.runs import Runs

__all__ = ["FEWEST", "LEAST", "NAMED", "aligned", "grouped", "log_middle", "size_count", "sparse"]

Floats = NDArray[np.float64]

LEAST, FEWEST = 5, 3
"""Sizes that a budget needs for its best one to be found; and with an interval that is wide because
the prior alone says how its curve bends."""
WIDE = 2.0
"""A budget whose runs differ in compute by a larger factor takes no part. Moving them to one budget
is exact at the best size alone: on runs of Chinchilla's law, counted without embeddings, the minima
are off by about 0.1 in log N at most up to here; at a factor of 3 some lie 0.14 too low, at 4 some
1.4."""
NAMED = 5
"""Budgets that a note names; the others are counted."""


def aligned(
    runs: Runs, budgets: ArrayLike | None, least: int
) -> tuple[list[NDArray[np.int64]], Floats, Floats, tuple[Note, ...]]:
    """The runs of each budget as if all had been trained at its middle.

    Returns
    -------
    groups : list of array of int
        Positions of the runs of each budget, by C.
    log_C : array, shape (budget,)
        Of its middle.
    log_L : array, shape (run,)
        Log losses moved there.
    notes : sequence of Note
        Which budgets were left out.
    """
    groups, wide = _narrow(runs, grouped(runs, budgets, least))
    few = _too_few(runs, sparse(runs, budgets, least), least)
    return groups, *_moved(runs, groups), (*few, *wide)


def grouped(
    runs: Runs, budgets: ArrayLike | None = None, least: int = FEWEST
) -> list[NDArray[np.int64]]:
    """Positions of the runs of each budget that has enough sizes, by C; three such are needed.

    Raises
    ------
    InputError
    """
    every = _by_compute(runs, budgets)
    sizes = [size_count(runs, group) for group in every]
    enough = [group for group, count in zip(every, sizes, strict=True) if count >= least]
    if len(enough) < 3:
        raise InputError(
            f"three budgets with {least} sizes each are needed, and there are {len(enough)}",
            [f"sizes of each budget: {listed(map(str, sizes))}; runs of no budget: "
             f"{len(runs) - sum(map(len, every))}"],
            remedy=Message(
                "name the budgets of the experiment (", Argument("budgets", [6e18, 1e19, 3e19]),
                "), or fit a law.",
            ),
        )  # fmt: skip
    return enough


def sparse(runs: Runs, budgets: ArrayLike | None, least: int) -> list[NDArray[np.int64]]:
    """Positions of the runs of each budget that has fewer sizes, by C."""
    return [group for group in _by_compute(runs, budgets) if size_count(runs, group) < least]


def size_count(runs: Runs, group: NDArray[np.int64]) -> int:
    """How many sizes a budget has."""
    return len(np.unique(runs["N"][group]))


def log_middle(runs: Runs, group: NDArray[np.int64]) -> float:
    """Log C of a budget: the mean over its runs."""
    return float(np.mean(np.log(runs["C"][group])))


def _by_compute(runs: Runs, budgets: ArrayLike | None) -> list[NDArray[np.int64]]:
    """Positions of the runs of each budget, by C."""
    numbers = runs.budgets.numbered(budgets)
    every = [np.flatnonzero(numbers == number) for number in np.unique(numbers[numbers >= 0])]
    return sorted(every, key=lambda group: log_middle(runs, group))


def _too_few(runs: Runs, groups: list[NDArray[np.int64]], least: int) -> list[Note]:
    """Name the budgets that have too few sizes, those that lack the fewest first."""
    named = []
    for group in sorted(groups, key=lambda group: -size_count(runs, group)):
        count = size_count(runs, group)
        middle = flop(float(np.exp(log_middle(runs, group))))
        named.append(f"{middle} ({count} size{'s' * (count > 1)})")
    text = (
        f"too few sizes were trained at C {listed(named, NAMED)}: these take no part; "
        f"a budget needs {least}"
    )
    return [Note("too_few_sizes", text)] if named else []


def _narrow(
    runs: Runs, groups: list[NDArray[np.int64]]
) -> tuple[list[NDArray[np.int64]], tuple[Note, ...]]:
    """The budgets whose runs may be moved to one compute, and a note on the others."""
    log_C = [np.log(runs["C"][group]) for group in groups]
    factors = [float(np.exp(np.ptp(each))) for each in log_C]
    wide = [
        f"{flop(float(np.exp(each.mean())))} (a factor of {factor:.3g})"
        for each, factor in zip(log_C, factors, strict=True)
        if factor > WIDE
    ]
    kept = [group for group, factor in zip(groups, factors, strict=True) if factor <= WIDE]
    if len(kept) < 3:
        raise InputError(
            f"only {len(kept)} budgets have runs within a factor of {WIDE:g} in compute",
            [f"C {each}" for each in wide],
            remedy=Message(
                "name the budgets (",
                Argument("budgets"),
                ") as C is counted in this table, or fit a law.",
            ),
        )
    text = (
        f"runs of one budget differ in compute by more than a factor of {WIDE:g} at C "
        f"{listed(wide, NAMED)}: these take no part"
    )
    return kept, (Note("wide_budget", text),) if wide else ()


def _moved(runs: Runs, groups: list[NDArray[np.int64]]) -> tuple[Floats, Floats]:
    """Log C of the middle of each budget, (budget,), and log losses moved there, (run,).

    At the best size the loss of one size falls with C as fast as the least loss does, since a small
    change of size does nothing there (the envelope theorem). So runs are moved along the trend of
    the budgets' least losses, a parabola in log C; not far, see `WIDE`.
    """
    log_C, log_L = np.log(runs["C"]), np.log(runs["L"])
    middle = np.array([log_middle(runs, group) for group in groups])
    lowest_of = np.array([log_L[group].min() for group in groups])
    centre = middle.mean()
    slope = np.polyval(np.polyder(np.polyfit(middle - centre, lowest_of, 2)), middle - centre)
    for group, at, trend in zip(groups, middle, slope, strict=True):
        log_L[group] += trend * (at - log_C[group])
    return middle, log_L
