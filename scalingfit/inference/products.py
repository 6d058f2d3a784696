"""Products of matrices so small that a linear algebra's threads take longer than they save."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["product"]

type Floats = NDArray[np.float64]

MOST, MOST_BY_VECTOR = 250_000, 9_000
"""Multiplications for which OpenBLAS wakes no threads, by a matrix and by a single column."""


def product(left: Floats, right: Floats) -> Floats:
    """The product of two matrices, on one thread.

    Parameters
    ----------
    left : array, shape (row, inner)
    right : array, shape (inner, column)
    """
    most = MOST if right.shape[1] > 1 else MOST_BY_VECTOR
    rows = max(1, most // max(right.size, 1))
    if len(left) <= rows:
        return np.asarray(left @ right)
    parts = [left[place : place + rows] @ right for place in range(0, len(left), rows)]
    return np.concatenate(parts)
