"""Cubics through the runs of many budgets, with heavy-tailed scatter, and where each is least."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["draw_cubics", "lowest"]

Floats = NDArray[np.float64]

TAIL = 4.0  # degrees of freedom of the scatter
COEFFICIENT_SDS = np.array([1.0, 0.3, 0.1, 0.03])
"""Prior sds of the cubic, in log loss for each power of log N: published surfaces curve by 0.01 to
0.05, and change that by a few thousandths."""
NOISE_SHAPE, NOISE_SCALE = 1.0, 0.003  # inverse gamma on the variance: a few tenths of a percent
BURN_IN = 300


def draw_cubics(
    u: Floats, y: Floats, real: Floats, draws: int, random: np.random.Generator
) -> Floats:
    """Draws of the cubics, (draw, budget, 4), with Student-t scatter; all budgets at once.

    The t is a normal whose precision is a gamma variable of each run, so that every step is
    conjugate (Geweke 1993).
    """
    basis = np.stack([u**power for power in range(4)], axis=-1)
    prior = np.diag(COEFFICIENT_SDS**-2.0)
    precision, noise = real.copy(), np.full(len(u), NOISE_SCALE**2)
    kept = np.empty((draws, len(u), 4))
    for turn in range(-BURN_IN, draws):
        scaled = precision / noise[:, None]
        inner = np.einsum("br,bri,brj->bij", scaled, basis, basis) + prior
        centre = np.linalg.solve(inner, np.einsum("br,bri->bi", scaled * y, basis)[..., None])
        factor = np.linalg.cholesky(inner)
        white = random.standard_normal((len(u), 4, 1))
        curve = (centre + np.linalg.solve(factor.swapaxes(1, 2), white))[..., 0]
        squared = (y - np.einsum("bri,bi->br", basis, curve)) ** 2 * real
        shape = NOISE_SHAPE + real.sum(axis=1) / 2
        rate = NOISE_SHAPE * NOISE_SCALE**2 + np.sum(precision * squared, axis=1) / 2
        noise = rate / random.gamma(shape)
        precision = real * random.gamma((TAIL + 1) / 2, size=u.shape)
        precision /= (TAIL + squared / noise[:, None]) / 2
        if turn >= 0:
            kept[turn] = curve
    return kept


def lowest(curves: Floats, ends: Floats) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Where each cubic is least between two ends, how low, and whether that is at an end."""
    c0, c1, c2, c3 = np.moveaxis(curves, -1, 0)

    def height(at: Any) -> Any:
        return c0 + at * (c1 + at * (c2 + at * c3))

    with np.errstate(invalid="ignore", divide="ignore"):
        # The root of the derivative at which the cubic curves upwards.
        inner = -c1 / (c2 + np.sqrt(c2**2 - 3 * c1 * c3))
    inside = (inner > ends[:, 0]) & (inner < ends[:, 1])  # False for NaN
    places: Sequence[Floats] = [
        np.where(inside, inner, ends[:, 0]),
        np.broadcast_to(ends[:, 0], c0.shape),
        np.broadcast_to(ends[:, 1], c0.shape),
    ]
    heights = np.stack([height(place) for place in places])
    best = np.argmin(heights, axis=0)
    where = np.take_along_axis(np.stack(places), best[None], axis=0)[0]
    return where, heights.min(axis=0), (best > 0) | ~inside
