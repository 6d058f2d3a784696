"""Whether ranks are uniform, by the whole of their distribution function at once.

A band about the distribution function of uniform ranks that holds all of an empirical one with a
stated probability (Säilynoja, Bürkner & Vehtari 2022, Stat. Comput. 32, 32, arXiv 2103.10522,
section 2): at every rank the central interval of a binomial distribution, of one tail probability
that is chosen for all. That paper simulates the probability or sums it up; here it is exact. Counts
of ranks are Poisson processes of which the total is known, and what a process does between two
ranks is a convolution (Moscovich & Nadler 2017, Stat. Probab. Lett. 123, 177, arXiv 1503.04363).
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom, poisson

__all__ = ["band", "counts_below", "p_value"]

Counts = NDArray[np.int64]

BEYOND = 1e-9  # relative; next to a tail probability, on its far side
RARE = 1e-16  # steps of a process that are left out
HALVINGS = 50


def counts_below(ranks: Counts, values: int) -> Counts:
    """How many ranks lie below 1, 2, ..., ``values - 1``, shape ``(values - 1,)``."""
    return np.cumsum(np.bincount(ranks, minlength=values))[:-1]


def p_value(ranks: Counts, values: int) -> float:
    """How often uniform ranks stray at least as far from uniform, at the rank where most.

    Parameters
    ----------
    ranks : array of int, shape (table,)
        From 0 to ``values - 1``.
    values : int
        How many different ranks there are.
    """
    count, share = len(ranks), _shares(values)
    below = counts_below(ranks, values)
    tails = binom.cdf(below, count, share), binom.cdf(count - below, count, share[::-1])
    return 1 - _stays(*_central(float(np.min(tails)), count, values), count)


@functools.lru_cache(maxsize=64)
def band(level: float, count: int, values: int) -> tuple[Counts, Counts]:
    """The least and the greatest counts of ranks below 1, 2, ...; each ``(values - 1,)``.

    Parameters
    ----------
    level : float
        Probability that the counts of uniform ranks all lie within.
    count : int
        Ranks.
    values : int
        How many different ranks there are.
    """
    # The largest tail probability whose band is wide enough; all tails at once are at most rare.
    low, high = (1 - level) / (2 * values), 0.5 * (1 - level)
    for _ in range(HALVINGS):
        middle = np.sqrt(low * high)
        wide = _stays(*_central(middle, count, values), count) >= level
        low, high = (middle, high) if wide else (low, middle)
    return _central(low, count, values)


def _shares(values: int) -> NDArray[np.float64]:
    return np.arange(1, values) / values


def _central(tail: float, count: int, values: int) -> tuple[Counts, Counts]:
    """Counts of which both tails have a larger probability than that."""
    low = np.asarray(binom.ppf(tail * (1 + BEYOND), count, _shares(values)), np.int64)
    return low, count - low[::-1]


def _stays(low: Counts, high: Counts, count: int) -> float:
    """Probability that the counts of uniform ranks stay between these."""
    each = count / (len(low) + 1)
    step = poisson.pmf(np.arange(int(poisson.isf(RARE, each)) + 1), each)
    mass, first = np.ones(1), 0  # of the process at counts `first`, `first + 1`, ...
    for least, most in zip([*low, count], [*high, count], strict=True):
        if most < least:
            return 0.0
        spread = np.convolve(mass, step)
        reached = np.zeros(most - least + 1)
        start, stop = max(first, least), min(first + len(spread), most + 1)
        reached[start - least : max(stop, start) - least] = spread[start - first : stop - first]
        mass, first = reached, int(least)
    return float(min(mass[0] / poisson.pmf(count, count), 1.0))
