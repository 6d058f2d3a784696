"""How far a law's error takes it away from the law, and what of residuals it can carry."""

from __future__ import annotations

import dataclasses
from typing import Self

import numpy as np
from numpy.typing import NDArray

from scalingfit.inference.products import product

__all__ = ["Carried", "Departure"]

SURE = 0.025
"""Share of the draws that may say otherwise. Draws of an exact law have no error, so at least all
but so many must have one; and where the law is exact, the others are so many in at most
.025 / .975 = 2.6 % of tables, whatever else is true (Markov's inequality for the ratio of the two
marginal likelihoods, whose mean is then one)."""

TINY = 1e-14
"""Share of the largest variance below which an error carries nothing that can be told."""

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
        own = errors - product(product(errors, taken), taken.T)
        size = np.mean(own**2, axis=1)
        share = size / (size + np.mean(scale**2, axis=1))
        return cls(float(np.median(np.sqrt(size))), float(np.quantile(share, SURE)), rank)


@dataclasses.dataclass(frozen=True)
class Carried:
    """What an error can carry of residuals, and how it is taken out of them.

    Under a law with an error residuals are correlated: ``I + G G'``, in units of the scatter. The
    symmetric inverse root of that makes them independent, as generalised least squares does, and
    leaves those that the error cannot carry where they are.

    Attributes
    ----------
    modes : array, shape (run, mode)
        Orthonormal.
    left : array, shape (mode,)
        What is left of each, of 1.
    """

    modes: Floats
    left: Floats

    @classmethod
    def by(cls, factor: Floats) -> Self:
        """By an error that is ``factor``, (run, landmark), times independent normal numbers."""
        squares, mixes = np.linalg.eigh(product(factor.T, factor))
        some = squares > TINY * np.max(squares, initial=0.0)
        sizes = np.sqrt(squares[some])
        return cls(product(factor, mixes[:, some] / sizes), 1 / np.sqrt(1 + sizes**2))

    def out_of(self, columns: Floats) -> Floats:
        """Columns, (run,) or (run, column), without what it can carry."""
        along = product(self.modes.T, columns.reshape(len(columns), -1))
        carried = product(self.modes, (1 - self.left)[:, None] * along)
        return columns - carried.reshape(columns.shape)
