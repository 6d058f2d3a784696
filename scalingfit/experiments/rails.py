"""Guard rails: what a batch must leave possible, whatever else it gains.

A law can only be checked against isoFLOP profiles where some budgets have runs of several sizes.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from scalingfit.allocation import FloatArray
from scalingfit.experiments.pool import Pool
from scalingfit.result import Note
from scalingfit.runs import clusters

__all__ = ["isoflop_grids", "profiled", "required"]

PROFILES, SIZES = 2, 5
"""Budgets that need runs of several sizes, and how many sizes a profile needs at least."""

SAME = 1.05
"""Sizes within this factor are one."""

SHARE = 0.5
"""Of the budget and of the batch, what may go into profiles."""


GRIDS = (2.0, 4.0, 8.0)
"""Factors about the optimum that the sizes of a grid reach."""

RATIO = 3.0
"""Of the two budgets of a grid."""


def isoflop_grids(count: int) -> list[tuple[int, int, float, float]]:
    """Grids of at most so many runs, on one budget or two, as `isoflop` takes them."""
    shapes = {(1, min(count, SIZES)), (1, count)}
    if count >= PROFILES * SIZES:
        shapes.add((PROFILES, count // PROFILES))
    return [(*shape, RATIO, span) for shape in sorted(shapes) for span in GRIDS]


def profiled(N: FloatArray, C: FloatArray) -> int:
    """How many budgets have runs of enough sizes."""
    if len(N) == 0:
        return 0
    groups = clusters(C)
    return sum(len(_sizes(N[groups == group])) >= SIZES for group in np.unique(groups))


def required(
    pool: Pool, runs: Mapping[str, FloatArray], budget: float, count: int
) -> tuple[tuple[int, ...], list[Note]]:
    """Candidates that a batch must have so that profiles become possible, and what is said of it.

    None where the runs have enough profiles, or where the law is not one of N and D alone.

    Parameters
    ----------
    pool : Pool
    runs : mapping of str to array, shape (run,)
        The columns of the runs made so far.
    budget : float
    count : int
        Runs of the batch.
    """
    if set(pool.inputs) != {"N", "D"} or "C" not in pool.labels:
        return (), []
    N, C = (np.asarray(runs.get(name, ()), np.float64) for name in ("N", "C"))
    missing = PROFILES - profiled(N, C)
    if missing <= 0:
        return (), []
    wanted: list[int] = []
    spent = np.asarray(pool.labels["C"], np.float64)
    groups = clusters(spent)
    order = sorted(np.unique(groups), key=lambda group: -spent[groups == group].max())
    for group in order:
        here = np.flatnonzero(groups == group)
        near = np.abs(np.log(C / np.median(spent[here]))) < np.log(SAME)
        added = _completing(pool.inputs["N"][here], _sizes(N[near]))
        if added is None:
            continue
        chosen = [*wanted, *(int(at) for at in here[added])]
        if len(chosen) <= SHARE * count and pool.cost[chosen].sum() <= SHARE * budget:
            wanted, missing = chosen, missing - 1
            if missing == 0:
                return tuple(wanted), []
    text = (
        f"{missing} more budget{'s' * (missing > 1)} with runs of {SIZES} sizes would let isoFLOP "
        "profiles check the law; the batch is too small for them"
    )
    return tuple(wanted), [Note("profiles", text)]


def _completing(N: FloatArray, have: FloatArray) -> NDArray[np.int64] | None:
    """Places of candidates, spread over log N, that make the sizes at a budget enough."""
    log_n = np.log(N)
    new = [
        at
        for at in np.argsort(log_n)
        if not np.any(np.abs(np.log(have) - log_n[at]) < np.log(SAME))
    ]
    needed = SIZES - len(have)
    if needed > len(new):
        return None
    places = np.round(np.linspace(0, len(new) - 1, needed + 2)[1:-1]).astype(int)
    return np.array(new, int)[np.unique(places)] if len(np.unique(places)) == needed else None


def _sizes(N: FloatArray) -> FloatArray:
    """Sizes that differ."""
    rising = np.sort(N)
    kept: list[float] = []
    for size in rising:
        if not kept or size > kept[-1] * SAME:
            kept.append(float(size))
    return np.array(kept)
