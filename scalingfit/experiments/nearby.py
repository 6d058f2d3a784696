"""Runs that could be made near those made so far: a ladder of budgets, and isoFLOP grids."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalingfit._errors import InputError
from scalingfit._messages import Argument, Message
from scalingfit.allocation import AspectRatio, FloatArray, Spending, Terms, extras_of, splits
from scalingfit.declare import Law
from scalingfit.experiments.grids import RUNGS, isoflop, ladder, realised
from scalingfit.experiments.pool import Pool
from scalingfit.experiments.rails import isoflop_grids

__all__ = ["nearby", "paid"]

FAR = 2.0
"""Up to this factor below the runs, or beyond their tokens per parameter, is near them."""


def nearby(
    law: Law,
    budget: float,
    count: int,
    stated: Terms,
    shapes: AspectRatio | None,
    batch_tokens: float | None,
    extras: Mapping[str, ArrayLike],
    runs: Mapping[str, FloatArray],
) -> tuple[Pool, list[NDArray[np.int64]]]:
    """Candidates near the runs, a ladder and isoFLOP grids; and the places of each grid."""
    if not splits(type(law)) or "D" not in law.inputs() or type(law).size != ("N",):
        raise InputError(
            f"runs of the law {type(law).name} make no ladder of budgets: it takes "
            f"{', '.join(law.inputs())}",
            remedy=Message("give the runs that could be made: ", Argument("pool"), "."),
        )
    rungs = np.asarray(budget / 2.0 ** np.arange(RUNGS), np.float64)
    spending = Spending(rungs, stated.training, extras_of(law, extras, RUNGS), stated.max_params)
    best = np.median(np.log(spending.solve(law).N), axis=0)

    def optimum(budgets: FloatArray) -> FloatArray:
        return np.asarray(np.exp(np.interp(np.log(budgets), np.log(rungs[::-1]), best[::-1])))

    def made(N: FloatArray, C: FloatArray) -> Pool:
        found = realised(
            N, C, stated.training,
            shapes=shapes, batch_tokens=batch_tokens, max_params=stated.max_params,
        )  # fmt: skip
        others = extras_of(law, extras, 1)
        fixed = {name: np.full(len(found), values[0]) for name, values in others.items()}
        return dataclasses.replace(found, inputs={**found.inputs, **fixed})

    known = _guides(runs, made(optimum(rungs), rungs))
    candidates = made(*ladder(optimum, budget))
    candidates = candidates.take(_near(candidates, known))
    if len(candidates) == 0:
        raise InputError(
            "every run that the budget pays is far smaller than those made so far",
            remedy=Message("raise the budget, or give candidates: ", Argument("pool"), "."),
        )
    grids = []
    for option in isoflop_grids(count):
        grid = made(*isoflop(option, budget, optimum))
        if np.all(_near(grid, known)):
            grids.append(len(candidates) + np.arange(len(grid)))
            candidates = candidates.joined(grid)
    return candidates, grids


def paid(
    grids: Sequence[NDArray[np.int64]],
    cost: FloatArray,
    affordable: NDArray[np.bool_],
    budget: float,
) -> list[list[int]]:
    """The grids that can be paid, by their places among the candidates that can."""
    places = np.cumsum(affordable) - 1
    return [
        places[grid].tolist()
        for grid in grids
        if np.all(affordable[grid]) and cost[grid].sum() <= budget * (1 + 1e-9)
    ]


def _guides(runs: Mapping[str, FloatArray], best: Pool) -> dict[str, FloatArray]:
    """What candidates may resemble: runs, and tokens per parameter at the optimum, too."""
    if not {"N", "D"} <= set(runs):
        return {}
    ratios = (each["D"] / each["N"] for each in (runs, best.inputs))
    return {"N": runs["N"], "D": runs["D"], "D/N": np.concatenate([*ratios])}


def _near(pool: Pool, known: Mapping[str, FloatArray]) -> NDArray[np.bool_]:
    """Which candidates the runs are a guide to: neither far smaller nor of other proportions."""
    places = {**pool.inputs, "D/N": pool.inputs["D"] / pool.inputs["N"]}
    kept = np.ones(len(pool), bool)
    for name, values in known.items():
        kept &= places[name] >= values.min() / FAR
    if known:
        kept &= known["D/N"].max() * FAR >= places["D/N"]
    return kept
