"""The boxes and sliders of a page, and where they stand at first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalingfit._text import engineering
from scalingfit.allocation import Costs, Frontier

__all__ = ["Control", "controls"]

RATE, PRICE = 4e14, 2.5
"""FLOP/s of an accelerator in training, and dollars for an hour of it, where nothing is said."""

REACH = 3.0
"""Decades of a slider beyond the runs and what was asked."""


class Control(NamedTuple):
    """A box of the explorer; its slider reaches between two decimal logarithms."""

    name: str
    label: str
    value: str
    ends: tuple[float, float] | None = None


def controls(
    found: Frontier,
    runs: Mapping[str, NDArray[np.float64]],
    served: float,
    costs: Costs | None,
    extras: Mapping[str, float],
) -> dict[str, list[Control]]:
    """The controls of a budget, of a run, and of what concerns both.

    Parameters
    ----------
    found : Frontier
        Of the budgets that were asked; the page begins with the first.
    runs : mapping of str to array, shape (run,)
        N, D and C, as the budgets are counted.
    served : float
        Tokens to serve out of a budget.
    costs : Costs or None
    extras : mapping of str to float
        The law's other inputs.
    """
    N, D = (found.quantiles(name, (0.5,))[0, 0] for name in ("N", "D"))
    rate = RATE if costs is None else costs.rate
    price = PRICE if costs is None or costs.price is None else costs.price
    serving = "tokens to serve out of the same budget"
    return {
        "budget": [
            Control("C", "budget, FLOP", _typed(found.C[0]), _ends(runs["C"], found.C)),
            Control("served", serving, engineering(served), _ends(runs["D"] / 10, [D])),
        ],
        "run": [
            Control("N", "parameters N", engineering(N), _ends(runs["N"], [N])),
            Control("D", "tokens D", engineering(D), _ends(runs["D"], [D])),
        ],
        "other": [
            Control("rate", "FLOP/s that an accelerator reaches", _typed(rate)),
            Control("price", "dollars for an hour of it", _typed(price), (-1.0, 2.0)),
            *(Control(name, name, _typed(value)) for name, value in extras.items()),
        ],
    }


def _typed(value: float) -> str:
    """A number as one would type it: 2e13."""
    return f"{value:g}".replace("e+", "e")


def _ends(runs: NDArray[np.float64], asked: ArrayLike) -> tuple[float, float]:
    """From the smallest run to well beyond the largest and what was asked."""
    every = np.log10(np.concatenate([runs, np.asarray(asked)]))
    return round(float(every.min()), 2), round(float(every.max()) + REACH, 2)
