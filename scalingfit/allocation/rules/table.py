"""The table's own count: budgets in the FLOP that the runs themselves state."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, final, override

import jax
import numpy as np
from numpy.typing import NDArray

from scalingfit._arrays import Number, numpy_of
from scalingfit._errors import InputError
from scalingfit._messages import Argument, Message
from scalingfit._text import engineering
from scalingfit.allocation.flops import Counting, PerToken

__all__ = ["TableCount"]

MOST = 1.25
"""Factor by which a run may miss the smooth count: more is another count from run to run."""

BEYOND = 0.25
"""How far the count is continued beyond the runs before it is level, in halves of their span."""

FAR = 9.0
"""In log N: from the runs to where the count is level, whatever their span."""


@final
@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class TableCount(PerToken):
    """C as the table counts it: 6 N D times a smooth function of N, fitted to the runs.

    The log of C / (6 N D) is a parabola in log N (a line for two sizes, a constant for one), by
    least squares. Beyond the runs it goes on smoothly and levels off. Without arguments the rule
    waits for the runs of the fit that is asked.

    Parameters
    ----------
    sizes : array, shape (3,), optional
        The least N of the runs, the greatest, and their geometric mean between them.
    ratios : array, shape (3,), optional
        C / (6 N D) at these.
    miss : float, optional
        The factor by which the run that fits worst misses the function.
    """

    name: ClassVar[str] = "table"
    sizes: NDArray[np.float64] | None = None
    ratios: NDArray[np.float64] | None = None
    miss: float | None = None

    @override
    def of_runs(self, N: NDArray[np.float64], ratio: NDArray[np.float64] | None) -> Counting:
        """Fit the function to runs of N parameters.

        Raises
        ------
        InputError
            The runs state no C of their own, it is not a smooth function of N, or it falls with N.
        """
        if ratio is None:
            raise InputError(
                "the runs have no count of their own: one of N, D and C follows from the others, "
                "or no table or several are asked at once",
                remedy=Message("count by another rule: ", Argument("counting", "6ND"), "."),
            )
        sizes = np.array([N.min(), np.sqrt(N.min() * N.max()), N.max()])
        place = _place(N, sizes)
        degree = min(2, len(np.unique(N)) - 1)
        design = np.vander(np.asarray(place), degree + 1)
        terms = np.linalg.lstsq(design, np.log(ratio), rcond=None)[0]
        missed = np.abs(np.log(ratio) - design @ terms)
        miss = float(np.exp(missed.max()))
        if not miss <= MOST:
            raise InputError(
                "the C of these runs is not a smooth function of N times D: C / (6 N D) is "
                f"{ratio.min():.3g} to {ratio.max():.3g}, and misses the best one by up to a "
                f"factor of {miss:.3g}",
                remedy=Message(
                    "check how tokens and compute were counted; till then, ",
                    Argument("counting", "6ND"),
                    ".",
                ),
            )
        rule = TableCount(sizes, np.exp(np.polyval(terms, [-1.0, 0.0, 1.0])), miss)
        every = np.linspace(np.log(sizes[0]) - FAR, np.log(sizes[2]) + FAR, 1000)
        cost = np.asarray(rule.per_token(np.exp(every)))
        if not np.all(np.diff(cost) > 0):
            raise InputError(
                "by the C of these runs a larger model costs less a token",
                remedy=Message("check N and C, or count by ", Argument("counting", "6ND"), "."),
            )
        return rule

    @override
    def per_token(self, N: Number) -> Number:
        if self.sizes is None or self.ratios is None:
            raise InputError(
                "the count of a table needs its runs, and there are none",
                remedy=Message("ask a fit, or count by ", Argument("counting", "6ND"), "."),
            )
        xp = numpy_of(N, self.ratios)
        place = _place(N, self.sizes)
        low, middle, high = (xp.log(self.ratios[end]) for end in range(3))
        bend, slope = (low + high) / 2 - middle, (high - low) / 2
        ratio: Number = xp.exp(middle + place * (slope + place * bend))
        return 6.0 * N * ratio

    @override
    def describe(self) -> str:
        if self.sizes is None or self.ratios is None or self.miss is None:
            return "C as the table counts it"
        (low, high), (first, last) = self.sizes[[0, 2]], self.ratios[[0, 2]]
        return (
            f"C as the table counts it, within {100 * (self.miss - 1):.2g} %: {first:.3g} to "
            f"{last:.3g} times 6 N D at N {engineering(low)} to {engineering(high)}"
        )

    @override
    def caveats(self, N: Number) -> tuple[str, ...]:
        if self.sizes is None:
            return ()
        sizes = np.asarray(N, np.float64)
        beyond = int(np.sum((sizes < self.sizes[0] / 1.01) | (sizes > self.sizes[2] * 1.01)))
        if beyond == 0:
            return ()
        return (
            f"{beyond} of {sizes.size} sizes lie beyond the runs, where the table's count goes on "
            "as at their edge",
        )


def _place(N: Number, sizes: NDArray[np.float64]) -> Number:
    """Log N from -1 to 1 over the runs; beyond them it goes on smoothly, and soon levels off."""
    xp = numpy_of(N, sizes)
    half = xp.log(sizes[2] / sizes[0]) / 2
    place = xp.log(N / sizes[1]) / xp.where(half > 0, half, 1.0)
    over = xp.maximum(xp.abs(place) - 1.0, 0.0)
    level: Number = xp.clip(place, -1.0, 1.0) - xp.sign(place) * BEYOND * xp.expm1(-over / BEYOND)
    return level
