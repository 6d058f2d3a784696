"""Columns of numbers in a regression: what stands for a cause, and what columns explain."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import fdtrc

from scalingfit.inference.products import product
from scalingfit.runs import group_key

__all__ = ["added", "indicators", "orthonormal", "polynomial", "standard"]

MOST_VALUES, FEWEST_ROWS = 20, 3
"""Of a label: values that it may have, and rows that each of them needs."""

type Floats = NDArray[np.float64]


def added(values: Floats, base: Floats, columns: Floats) -> tuple[float, float, float, float]:
    """The F test of columns added to a regression.

    Parameters
    ----------
    values : array, shape (run,)
    base : array, shape (run, column)
        What the regression has.
    columns : array, shape (run, column)
        What is added.

    Returns
    -------
    share, chance, of, total : float
        Adjusted share of the residual variance that they explain; the probability of a larger F;
        standard deviations of the explained part and of all.
    """
    base = orthonormal(base)
    rest = values - base @ (base.T @ values)
    new = orthonormal(columns - product(base, product(base.T, columns)))
    freedom, more = len(values) - base.shape[1], new.shape[1]
    left = freedom - more
    whole, part = float(rest @ rest), float(np.sum((new.T @ rest) ** 2))
    if left <= 0 or more == 0 or whole <= 0:
        return 0.0, 1.0, 0.0, 0.0
    within = max(whole - part, 0.0) / left
    share = 1 - within / (whole / freedom)
    chance = float(fdtrc(more, left, (part / more) / within)) if within > 0 else 0.0
    total = np.sqrt(whole / freedom)
    return share, chance, float(total * np.sqrt(max(share, 0.0))), float(total)


def orthonormal(columns: Floats) -> Floats:
    """Orthonormal columns (run, direction) that span the same."""
    if columns.shape[1] == 0:
        return columns
    left, sizes, _ = np.linalg.svd(columns, full_matrices=False)
    return np.asarray(left[:, sizes > 1e-8 * max(np.sqrt(len(columns)), sizes[0])])


def standard(values: Floats) -> Floats:
    """Values of mean zero and standard deviation one; zeros where all are equal."""
    width = values.std()
    return (values - values.mean()) / width if width > 0 else np.zeros_like(values)


def polynomial(variables: Floats, highest: int) -> Floats:
    """Monomials of variables (variable, run), by degree, mixed ones first: shape (run, column)."""
    which = range(len(variables))
    terms = [
        term
        for degree in range(1, highest + 1)
        for term in sorted(
            itertools.combinations_with_replacement(which, degree), key=lambda t: -len(set(t))
        )
    ]
    return np.stack([np.prod(variables[list(term)], axis=0) for term in terms], axis=1)


def indicators(labels: NDArray[Any]) -> Floats | None:
    """Indicators (run, value - 1) of a label with few values; None where it has many, or one."""
    keys = np.array([str(group_key(value)) for value in labels.tolist()])
    values, number, counts = np.unique(keys, return_inverse=True, return_counts=True)
    if not 2 <= len(values) <= MOST_VALUES or counts.min() < FEWEST_ROWS:
        return None
    return np.asarray(number[:, None] == np.arange(len(values) - 1), np.float64)
