"""The few designs whose errors tell those of all the runs."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from scalingfit.law_error.kernel import LENGTHS, covariance

__all__ = ["MOST_LANDMARKS", "Landmarks", "landmarks"]

Floats = NDArray[np.float64]

LEFT_OUT = 1e-4
"""Variance of the error, in units of ``tau**2``, that landmarks may leave open at a run."""

MOST_LANDMARKS = 128
"""Beyond which the error between them is left out, however large."""


@dataclasses.dataclass(frozen=True)
class Landmarks:
    """Designs, few of many, whose errors tell those of all the others.

    Attributes
    ----------
    places : array, shape (landmark, input)
        Decimal logarithms.
    factor : array, shape (run, landmark)
        The error at runs is this times independent normal numbers of scale ``tau``.
    own : array, shape (landmark, landmark)
        The same at the landmarks: lower triangular.
    """

    places: Floats
    factor: Floats
    own: Floats


def landmarks(places: Floats) -> Landmarks:
    """Landmarks by pivoted Cholesky decomposition: each is where the others leave most open.

    Harbrecht, Peters & Schneider 2012, Appl. Numer. Math. 62, 428.

    Parameters
    ----------
    places : array, shape (run, input)
        Decimal logarithms of the inputs.
    """
    count = min(len(places), MOST_LANDMARKS)
    factor, chosen = np.zeros((len(places), count)), []
    open_variance = np.full(len(places), sum(length**2 for length in LENGTHS))
    for number in range(count):
        pivot = int(np.argmax(open_variance))
        if open_variance[pivot] < LEFT_OUT:
            break
        left = covariance(places, places[[pivot]])[:, 0] - factor @ factor[pivot]
        factor[:, number] = left / np.sqrt(open_variance[pivot])
        open_variance -= factor[:, number] ** 2
        chosen.append(pivot)
    factor = factor[:, : len(chosen)]
    return Landmarks(places[chosen], factor, np.tril(factor[chosen]))
