"""How far a law's error takes it away from the law, as the draws of a posterior say."""

from __future__ import annotations

import dataclasses
from typing import Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["Departure"]

SURE = 0.025
"""Share of the draws that may say otherwise. Draws of an exact law have no error, so at least all
but so many must have one; and where the law is exact, the others are so many in at most
.025 / .975 = 2.6 % of tables, whatever else is true (Markov's inequality for the ratio of the two
marginal likelihoods, whose mean is then one)."""

type Floats = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Departure:
    """The error of a law over the runs, without what the law's own parameters could take up.

    Attributes
    ----------
    of : float
        Its median root mean square over the runs, in log loss (or in loss).
    share : float
        Of the residual variance, what it takes in nearly all draws (all but `SURE`).
    rank : float
        Mass of the prior of its scale below the median of that.
    """

    of: float
    share: float
    rank: float

    @classmethod
    def between(cls, errors: Floats, scale: Floats, taken: Floats, rank: float) -> Self:
        """The departure that draws of an error make.

        Parameters
        ----------
        errors : array, shape (draw, run)
            In log loss (or in loss); zero where the law is exact.
        scale : array, shape (draw, run)
            Of the scatter.
        taken : array, shape (run, direction)
            Orthonormal directions in which the law can move.
        rank : float
            As the attribute.
        """
        own = errors - (errors @ taken) @ taken.T
        size = np.mean(own**2, axis=1)
        share = size / (size + np.mean(scale**2, axis=1))
        return cls(float(np.median(np.sqrt(size))), float(np.quantile(share, SURE)), rank)
