"""Scores of probabilistic forecasts, from draws.

Gneiting & Raftery 2007, "Strictly proper scoring rules, prediction, and estimation", JASA 102, 359.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from scalingfit.allocation import quantiles_of

__all__ = ["LEVELS", "band", "coverage", "crps", "inside", "intervals", "pit"]

Floats = NDArray[np.float64]

LEVELS = (0.5, 0.8, 0.9, 0.95)


def crps(draws: Floats, observed: Floats) -> Floats:
    """Continuous ranked probability score of each run, in units of the loss; less is better.

    ``E|X - y| - E|X - X'| / 2`` (Gneiting & Raftery, equation 21), the second term over pairs of
    different draws, which makes it unbiased. A farthest draw beyond what was observed then has no
    weight, so that it may be infinite, as heavy tails make it; with two such the score is.

    Parameters
    ----------
    draws : array, shape (draw, run)
    observed : array, shape (run,)
    """
    count = len(draws)
    offset = np.sort(draws, axis=0) - observed
    rank = 2 * np.arange(1, count + 1) - count - 1
    weight = np.where(offset > 0, count - 1, 1 - count) - rank[:, None]
    terms = weight * np.where(weight == 0, 0.0, offset)
    return np.asarray(terms.sum(axis=0) / (count * (count - 1)))


def pit(draws: Floats, observed: Floats) -> Floats:
    """Probability integral transform: share of draws below what was observed; uniform if right."""
    return np.asarray(np.mean(draws < observed, axis=0))


def intervals(draws: Floats, levels: Sequence[float] = LEVELS) -> Floats:
    """Central intervals, shape (level, 2, run)."""
    ends = [(0.5 - level / 2, 0.5 + level / 2) for level in levels]
    return quantiles_of(draws, ends, axis=0)


def coverage(ends: Floats, observed: Floats) -> Floats:
    """Share of the runs inside the intervals, shape (level,)."""
    return np.asarray(np.mean(inside(ends, observed), axis=-1))


def inside(ends: Floats, observed: Floats) -> NDArray[np.bool_]:
    """Which runs are inside the intervals, shape (level, run)."""
    return np.asarray((ends[:, 0] <= observed) & (observed <= ends[:, 1]))


def band(level: float, count: int) -> tuple[float, float]:
    """Where a coverage lies with 95 % probability if the intervals are right and runs independent.

    Exact binomial; the shares that `count` trials can give.
    """
    from scipy.stats import binom

    ends = np.asarray(binom.ppf(np.array([0.025, 0.975]), count, level)) / count
    return float(ends[0]), float(ends[1])
