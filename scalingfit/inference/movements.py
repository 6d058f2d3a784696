"""How the losses of a law move: with its parameters, its inputs, its error and their own scale."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from scalingfit.declare import Law
from scalingfit.inference.departure import Carried
from scalingfit.inference.products import product
from scalingfit.inference.regression import orthonormal
from scalingfit.law_error import Landmarks
from scalingfit.noise import Noise
from scalingfit.runs import Runs

__all__ = ["directions", "errors_at_runs", "of_exponent", "slopes", "thinned", "with_effects"]

DRAWS = 400
"""Draws of the law that are looked at."""

FEW = 40
"""Of these, draws whose differences tell the directions in which a law moves: some ten."""

STEP = 1e-4
"""Of the log of an input, over which a slope is taken."""

type Floats = NDArray[np.float64]


def thinned[Kind: (Law, Noise)](draws: Kind) -> Kind:
    """At most about `DRAWS` draws, with an axis for runs: leaves of shape (draw, 1)."""
    thinned: Kind = jax.tree.map(lambda leaf: _thin(leaf, ())[:, None], draws)
    return thinned


def slopes(law: Law, inputs: Mapping[str, Floats], on_log: bool) -> dict[str, Floats]:
    """Of log loss (or of loss) in the log of each input, at the medians of the parameters."""
    middle: Any = jax.tree.map(lambda leaf: np.median(leaf, axis=0, keepdims=True), law)
    moved = np.exp(STEP * np.eye(len(inputs) + 1)[1:])
    with jax.enable_x64(True):
        losses = middle.loss(
            **{
                name: values * factors[:, None]
                for (name, values), factors in zip(inputs.items(), moved, strict=True)
            }
        )
    losses = np.asarray(losses, np.float64)
    first, *others = np.log(losses) if on_log else losses
    return {name: (other - first) / STEP for name, other in zip(inputs, others, strict=True)}


def of_exponent(log_loss: Floats) -> Floats:
    """The derivative of log L where (L^k - 1) / k is the law's, by k, at k = 1; without its level.

    A k of 0 is a loss whose log the law describes.
    """
    return -log_loss - np.exp(-log_loss)


def errors_at_runs(known: Landmarks, errors: Floats) -> Floats:
    """The law's error at the runs, (draw, run), from that at its landmarks."""
    thinned = _thin(errors, errors.shape[2:])
    return product(thinned, product(known.factor, np.linalg.inv(known.own)).T)


def with_effects(features: Floats, runs: Runs, omega: float) -> Floats:
    """What runs share, (run, feature), with effects of the scale omega on runs of several rows."""
    if not omega or runs.run_numbers is None:
        return features
    member = np.equal.outer(runs.run_of, np.arange(runs.run_count))
    return np.hstack([features, omega * member])


def directions(draws: Floats, most: int, carried: Carried | None = None) -> Floats:
    """Directions (run, direction) in which draws of a law differ because the runs let them.

    The scatter moves a least-squares fit by one scale along each; the prior holds a direction
    along which the posterior moves by less than half of that.

    Parameters
    ----------
    draws : array, shape (draw, run)
        In units of the scatter.
    most : int
        Directions that there are.
    carried : Carried, optional
        What an error can carry, to be taken out.
    """
    few = draws[:: max(1, len(draws) // FEW)]
    moves, level = (few - few.mean(axis=0)).T, np.ones((draws.shape[1], 1))
    if not np.isfinite(moves).all():
        moves = np.zeros_like(moves)
    if carried is not None:
        moves, level = carried.out_of(moves), carried.out_of(level)
    # The eigenvectors of a Gram matrix of the draws cost a tenth of singular vectors.
    variances, mixes = np.linalg.eigh(product(moves.T, moves) / moves.shape[1])
    free = variances[-most:] > 0.25
    return orthonormal(np.hstack([level, moves @ mixes[:, -most:][:, free]]))


def _thin(values: Floats, inner: tuple[int, ...]) -> Floats:
    """Draws (chain, draw, ...), evenly taken of all, (draw, ...)."""
    flat = np.reshape(values, (-1, *inner))
    return flat[:: max(1, len(flat) // DRAWS)]
