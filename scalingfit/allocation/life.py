"""What a model costs over its life: training, serving and both, and how answers show it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import jax
import numpy as np

from scalingfit._text import interval
from scalingfit.allocation.answer import FloatArray, intervals
from scalingfit.allocation.costs import Costs, priced
from scalingfit.allocation.flops import Counting, WithInference
from scalingfit.allocation.question import cost
from scalingfit.result import Column

__all__ = ["as_cost", "in_units", "over_life", "serving"]

FLOP = frozenset({"training", "serving", "total", "total_lean", "saved_flop"})

UNITS = {"_flop": "FLOP", "_hours": "h", "_dollars": "$"}


def over_life(
    training: Counting, life: WithInference, N: FloatArray, D: FloatArray
) -> dict[str, FloatArray]:
    """FLOP of training, serving and both; infinite where N is.

    Parameters
    ----------
    training : Counting
    life : WithInference
    N, D : array, of one shape
    """
    parts = {"training": cost(training, N, D), "serving": serving(life, N)}
    finite = {name: np.where(np.isinf(N), np.inf, flops) for name, flops in parts.items()}
    return {**finite, "total": finite["training"] + finite["serving"]}


def serving(life: WithInference, N: FloatArray) -> FloatArray:
    """FLOP to serve all the tokens, as NumPy float64."""
    with jax.enable_x64(True):
        return np.asarray(life.serving(N), np.float64)


def in_units(parts: Mapping[str, FloatArray], costs: Costs | None) -> dict[str, FloatArray]:
    """Amounts of FLOP by name, each followed by its hours and dollars where these are known."""
    return {
        key: values
        for name, flops in parts.items()
        for key, values in (
            (name, flops),
            *(
                (f"{name.removesuffix('_flop')}_{unit}", amount)
                for unit, amount in priced(costs, flops).items()
            ),
        )
    }


def as_cost(column: Column, name: str, draws: Mapping[str, FloatArray]) -> Column:
    """A column as one of a cost, if it is: with its unit, and hours hidden beside dollars."""
    suffix = next((end for end in UNITS if name.endswith(end)), "")
    stem = name.removesuffix(suffix)
    if name not in FLOP and f"{stem}_flop" not in FLOP and stem not in FLOP:
        return column
    heading = f"{stem} [{UNITS[suffix or '_flop']}]"
    hidden = column.hidden or (suffix == "_hours" and f"{stem}_dollars" in draws)
    if name not in FLOP:
        return dataclasses.replace(column, heading=heading, hidden=hidden)
    ends = intervals(draws[name])
    # FLOP have no suffix; what stands for a number that there is none of stays.
    shown = [
        text if np.isnan(one.median) else interval("C", *one)
        for text, one in zip(column.shown or (), ends, strict=True)
    ]
    return dataclasses.replace(column, shown=shown, heading=heading, hidden=hidden)
