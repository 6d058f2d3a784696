"""Grids of runs: a ladder of budgets, isoFLOP profiles, and such runs as can be made."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import jax
import numpy as np
from numpy.typing import NDArray

from scalingfit._arguments import number
from scalingfit._errors import InputError
from scalingfit._messages import Argument, Message
from scalingfit.allocation import AspectRatio, Counting, FloatArray, Shape, cost
from scalingfit.experiments.pool import Pool

__all__ = ["RUNGS", "isoflop", "ladder", "realised"]

RUNGS = 10
"""Budgets of a ladder, each half of the one above."""

SIZES, SPAN = 13, 8.0
"""Sizes at each budget, from an eighth of the optimum to eight times as much."""

HEADS = 64.0
"""Widths of models are multiples of it."""


def ladder(
    optimum: Callable[[FloatArray], FloatArray], top: float
) -> tuple[FloatArray, FloatArray]:
    """Sizes N about the optimum at budgets C that halve from the top, each (candidate,).

    Parameters
    ----------
    optimum : callable
        From budgets, (budget,), to sizes N, (budget,).
    top : float
        The largest budget in FLOP.
    """
    budgets = np.asarray(top / 2.0 ** np.arange(RUNGS), np.float64)
    about = np.geomspace(1.0 / SPAN, SPAN, SIZES)
    return np.outer(optimum(budgets), about).ravel(), np.repeat(budgets, SIZES)


def isoflop(
    option: tuple[int, int, float, float],
    total: float,
    optimum: Callable[[FloatArray], FloatArray],
) -> tuple[FloatArray, FloatArray]:
    """Sizes N about the optimum at the same C for each of a few budgets, each (candidate,).

    Parameters
    ----------
    option : tuple of int, int, float, float
        How many budgets and how many sizes of each; the ratio of neighbouring budgets; and the
        factor from the optimum to the least and the greatest size.
    total : float
        What all runs cost together, FLOP.
    optimum : callable
        As in `ladder`.
    """
    count, sizes, ratio, span = option
    steps = ratio ** -np.arange(count, dtype=float)
    budgets = total / (sizes * steps.sum()) * steps
    about = np.geomspace(1.0 / span, span, sizes)
    return np.outer(optimum(budgets), about).ravel(), np.repeat(budgets, sizes)


def realised(
    N: FloatArray,
    C: FloatArray,
    rule: Counting,
    *,
    shapes: AspectRatio | None = None,
    batch_tokens: float | None = None,
    max_params: float = np.inf,
) -> Pool:
    """Runs of about N parameters and C FLOP, as they can be made; what cannot is left out.

    Parameters and tokens are whole numbers.

    Parameters
    ----------
    N, C : array, shape (candidate,)
    rule : Counting
    shapes : AspectRatio, optional
        Then every size is one that can be built: its width a multiple of 64, its depth whole.
    batch_tokens : float, optional
        Tokens in a step; the number of steps is then whole.
    max_params : float

    Raises
    ------
    InputError
        None of them can be made.
    """
    labels: dict[str, NDArray[np.generic]] = {}
    if shapes is not None:
        built = [_built(shapes, size) for size in N]
        N = np.array([float(shape.parameters) for shape in built])
        labels = {name: np.array([getattr(s, name) for s in built]) for name in ("width", "depth")}
    N = np.maximum(np.floor(N), 1.0)
    with jax.enable_x64(True):
        D = np.floor(np.asarray(rule.tokens(N, C), np.float64))
    if batch_tokens is not None:
        batch = max(round(number("batch_tokens", batch_tokens)), 1)
        steps = np.maximum(np.round(D / batch), 1.0)
        D = steps * batch
        labels |= {"batch": np.full(len(D), float(batch)), "steps": steps}
    _, first = np.unique(np.stack([N, D]), axis=1, return_index=True)
    kept = np.intersect1d(np.flatnonzero((D >= 1.0) & (N >= 1.0) & (max_params >= N)), first)
    if len(kept) == 0:
        raise InputError(
            "no run can be made: the budget leaves no model a token, or all are above max_params",
            remedy=Message("raise the budget, or leave ", Argument("max_params"), " out."),
        )
    C = cost(rule, N, D)
    return Pool({"N": N, "D": D}, C, {"C": C, **labels}).take(kept)


def _built(shapes: AspectRatio, N: float) -> Shape:
    """The nearest shape whose width is a multiple of 64 and whose depth is whole."""
    ideal = shapes.shape(N)
    width = max(HEADS, HEADS * round(float(ideal.width) / HEADS))
    depth = max(1, round(width / shapes.aspect))
    return dataclasses.replace(ideal, width=width, depth=depth, heads=width / shapes.head_width)
