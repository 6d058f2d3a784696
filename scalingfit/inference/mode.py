"""The mode of the posterior, from several starts, and the whitening built on its curvature."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from scalingfit.inference.conditional import Conditional
from scalingfit.inference.xla import once

__all__ = ["Ascent", "Whitening", "climb", "climb_each", "find_mode"]

ITERATIONS = 1000
ACCELERATOR_LANES = 4096
NEAR = 0.1  # in log density: climbs that end so near to each other are at one mode
STIFFEST, SOFTEST = 1e-8, 3.0  # limits on a posterior standard deviation, in log units


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Whitening:
    """Coordinates in which the posterior is close to a standard normal: ``z = mode + factor @ w``.

    Attributes
    ----------
    mode : array, shape (dim,)
    factor : array, shape (dim, dim)
    log_density : scalar
        At the mode.
    agreeing : scalar
        Share of the climbs that reached this mode.
    repaired : scalar bool
        Whether the curvature had to be made positive definite.
    conditional : Conditional or None
        Coordinates of the law's error, behind the others: standard normal without whitening.
    """

    mode: Array
    factor: Array
    log_density: Array
    agreeing: Array
    repaired: Array
    conditional: Conditional | None = None

    @classmethod
    def nowhere(cls, fits: int, dim: int, real: Any, features: Leaf | None = None) -> Whitening:
        """A whitening of the shapes and types of many fits', and of no use.

        Parameters
        ----------
        fits, dim : int
        real : dtype
        features : array, shape (fit, run, feature), optional
            Where the law has an error.
        """
        return cls(
            mode=jnp.zeros((fits, dim), real),
            factor=jnp.zeros((fits, dim, dim), real),
            log_density=jnp.zeros(fits, real),
            agreeing=jnp.zeros(fits, real),
            repaired=jnp.zeros(fits, bool),
            conditional=None if features is None else Conditional.blank(*features.shape, real),
        )

    @classmethod
    def at(cls, top: Ascent, agreeing: Array, conditional: Conditional | None = None) -> Whitening:
        """Where a climb ended."""
        stiff, soft = STIFFEST**-2, SOFTEST**-2
        spread = jnp.clip(jnp.where(top.curvatures > 0, top.curvatures, soft), soft, stiff) ** -0.5
        return cls(
            mode=top.place,
            factor=top.directions * spread,
            log_density=jnp.where(jnp.isnan(top.height), -jnp.inf, top.height),
            agreeing=agreeing,
            repaired=jnp.any(top.curvatures <= 0),
            conditional=conditional,
        )

    @property
    def dim(self) -> int:
        """Number of all coordinates."""
        errors = 0 if self.conditional is None else self.conditional.strength.shape[-1]
        return int(self.mode.shape[-1]) + errors

    def colour(self, white: Array) -> Array:
        """From whitened coordinates to the sampled ones."""
        own = self.mode.shape[-1]
        coloured = self.mode + jnp.sum(self.factor * white[:own], axis=-1)
        return once(coloured if own == self.dim else jnp.concatenate([coloured, white[own:]]))


def find_mode(log_density: Callable[[Array], Array], starts: Array) -> tuple[Whitening, Array]:
    """Climb from every start and whiten at the best mode found.

    Parameters
    ----------
    log_density : callable
        ``(dim,) -> scalar``.
    starts : array, shape (start, dim)
        From one that is not finite no climb begins.

    Returns
    -------
    Whitening
    array, shape (start, dim)
        Where the climbs ended, the best first.
    """
    tops = climb_each(functools.partial(climb, log_density), starts)
    heights = jnp.where(jnp.isnan(tops.height), -jnp.inf, tops.height)
    order = jnp.argsort(-heights)
    best = order[0]
    near = heights > heights[best] - NEAR
    agreeing = jnp.mean(near, dtype=heights.dtype, where=tops.turn > 0)
    top: Ascent = jax.tree.map(lambda leaf: leaf[best], tops)
    return Whitening.at(top, agreeing), tops.place[order]


def climb_each[Found](climb: Callable[[Any], Found], starts: Any) -> Found:
    """Climb from every start.

    One after the other on a CPU, where climbs in lock-step wait for the slowest and leave the
    cache; side by side on an accelerator.
    """
    lanes = None if jax.default_backend() == "cpu" else ACCELERATOR_LANES
    found: Found = jax.lax.map(climb, starts, batch_size=lanes)
    return found


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Ascent:
    """The best place so far with its curvature, and the step to try from it.

    Attributes
    ----------
    place, height
        Where it is, shape (dim,), and the function there.
    curvatures, directions : array, shape (dim,) and (dim, dim)
        Eigenvalues and eigenvectors of the negative Hessian.
    along : array, shape (dim,)
        The gradient in these directions.
    damping, decrement, turn : scalar
        What is added to the curvatures; gain that the last step promised; steps tried.
    """

    place: Array
    height: Array
    curvatures: Array
    directions: Array
    along: Array
    damping: Array
    decrement: Array
    turn: Array


def climb(function: Callable[[Array], Array], start: Array) -> Ascent:
    """Climb to a maximum of a function of a flat vector, at most `ITERATIONS` steps.

    A damped Newton ascent on absolute curvatures (Dauphin et al. 2014, arXiv 1406.2572), so that
    saddles repel; the damping follows the success of the steps, as in Levenberg and Marquardt's
    method. The function should vary by numbers of order one, as a log density does: the climb ends
    where a step promises less than the square root of the precision.

    Parameters
    ----------
    function : callable
        ``(dim,) -> scalar``.
    start : array, shape (dim,)
    """
    dim, one = start.shape[0], jnp.ones((), start.dtype)
    tolerance = jnp.sqrt(jnp.finfo(start.dtype).eps)

    def slopes(place: Array) -> Any:
        """The function and its gradient; the Hessian, from the same pass."""

        def along(direction: Array) -> Any:
            both, (_, change) = jax.jvp(jax.value_and_grad(function), (place,), (direction,))
            return both, change

        return jax.vmap(along, out_axes=(None, 1))(jnp.eye(dim, dtype=start.dtype))

    def unfinished(state: Ascent) -> Array:
        return (state.turn < ITERATIONS) & (state.decrement > tolerance) & (state.damping < 1e12)

    def ascend(state: Ascent) -> Ascent:
        step = state.along / (jnp.abs(state.curvatures) + state.damping)
        candidate = state.place + jnp.sum(state.directions * step, axis=1)
        (height, slope), hessian = slopes(candidate)
        better = height >= state.height  # False for NaN
        curvatures, directions = jnp.linalg.eigh(jnp.where(better, -hessian, jnp.eye(dim)))
        moved = Ascent(
            place=candidate,
            height=height,
            curvatures=curvatures,
            directions=directions,
            along=jnp.sum(directions * slope[:, None], axis=0),
            damping=jnp.maximum(state.damping / 3, 1e-9),
            decrement=jnp.where(state.turn == 0, jnp.inf, jnp.sum(state.along * step)),
            turn=state.turn + 1,
        )
        stayed = dataclasses.replace(
            state, damping=state.damping * 8, decrement=jnp.inf * one, turn=state.turn + 1
        )
        chosen: Ascent = jax.tree.map(lambda new, old: jnp.where(better, new, old), moved, stayed)
        return chosen

    begin = Ascent(  # the first turn stays in place and only evaluates
        place=start,
        height=-jnp.inf * one,
        curvatures=jnp.ones(dim, start.dtype),
        directions=jnp.eye(dim, dtype=start.dtype),
        along=jnp.zeros(dim, start.dtype),
        damping=one,
        decrement=jnp.where(jnp.isfinite(start).all(), jnp.inf * one, 0.0),
        turn=jnp.zeros((), jnp.int32),
    )
    return jax.lax.while_loop(unfinished, ascend, begin)
