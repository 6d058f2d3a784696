"""Draws of a law, or of a noise model, in one axis."""

from __future__ import annotations

import math
from typing import Any

import jax
import numpy as np

from scalingfit.declare import Law
from scalingfit.noise import Noise

__all__ = ["in_one_axis", "shape_of"]


def shape_of(law: Law) -> tuple[int, ...]:
    """Of the draws: that of every parameter."""
    return np.broadcast_shapes(*(np.shape(value) for value in law.values().values()))


def in_one_axis[Tree: Law | Noise](
    tree: Tree, shape: tuple[int, ...], most: int | None = None
) -> Tree:
    """All draws in one axis, (draw,); more than `most` are thinned evenly.

    Parameters
    ----------
    tree : Law or Noise
        Its leaves have the draws as their last axes; those that have not stay as they are.
    shape : tuple of int
        Of the draws.
    most : int, optional
    """
    count = math.prod(shape)
    kept = np.linspace(0, count - 1, min(count, most or count)).round().astype(int)

    def flat(leaf: Any) -> Any:
        values = np.asarray(leaf)
        ahead = values.ndim - len(shape)
        if ahead < 0 or values.shape[ahead:] != shape:
            return leaf
        return values.reshape(*values.shape[:ahead], count)[..., kept]

    found: Tree = jax.tree.map(flat, tree)
    return found
