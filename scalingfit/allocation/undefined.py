"""Where no size is the best: a budget at which many cost the same loss, to rounding.

A law that saturates, as with few unique tokens, has such budgets. Whatever size a search ends at
there is an accident of rounding, so none is given, but the range.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import NDArray

from scalingfit._text import quantity
from scalingfit.allocation.answer import FloatArray, share
from scalingfit.allocation.solver import SAME, Optimum
from scalingfit.result import Note

__all__ = ["defined", "undefined", "without_a_best"]

MANY = 0.05
"""Share of the draws beyond which a 90 % interval may rest on an accident."""


def without_a_best(optimum: Optimum) -> NDArray[np.bool_]:
    """The rows where no size is the best, shape (row,)."""
    return share(optimum.flat) > MANY


def defined(
    draws: Mapping[str, FloatArray], optimum: Optimum, kept: Collection[str]
) -> dict[str, FloatArray]:
    """Draws with NaN where they would rest on a best size that there is none of.

    Parameters
    ----------
    draws : mapping of str to array, shape (chain, draw, row)
    optimum : Optimum
        Of the rows.
    kept : collection of str
        Draws that rest on no size.
    """
    none = without_a_best(optimum)
    return {
        name: values if name in kept else np.where(none, np.nan, values)
        for name, values in draws.items()
    }


def undefined(name: str, asked: FloatArray, optimum: Optimum) -> list[Note]:
    """Say of each question where no size is the best, and which are as good as each other.

    Parameters
    ----------
    name : str
        What was asked for, such as C.
    asked : array, shape (row,)
    optimum : Optimum
        Of the rows.
    """
    found = []
    for row in np.flatnonzero(without_a_best(optimum)):
        flat = optimum.flat[..., row]
        low, high = (
            quantity("N", float(np.median(ends[..., row][flat])))
            for ends in (optimum.smaller, optimum.larger)
        )
        said = (
            f"the best size is undefined: from {low} to {high} parameters the loss is the same to "
            f"{SAME:.0e} of it, so choose among them by what else they cost"
        )
        of = f"{name} {quantity(name, asked[row])}"
        found.append(Note("undefined", said, of, float(share(optimum.flat)[row])))
    return found
