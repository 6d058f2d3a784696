"""The mode of the posterior, from several starts, and the whitening built on its curvature."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from scalingfit.inference.conditional import Conditional, Funnel
from scalingfit.inference.xla import once

__all__ = ["Ascent", "Whitening", "climb", "climb_each", "find_mode"]

ITERATIONS = 1000
ACCELERATOR_LANES = 4096
NEAR = 0.1  # in log density: climbs that end so near to each other are at one mode
APART = 4.0  # posterior standard deviations between two modes; nearer ones chains cross
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
    funnel : Funnel or None
        Where the law has an error, or runs have effects, whose scale is the last coordinate: how
        the spread of the others depends on it. Behind them come the coordinates of the error and of
        the effects, standard normal as they are.
    """

    mode: Array
    factor: Array
    log_density: Array
    agreeing: Array
    repaired: Array
    funnel: Funnel | None = None

    @classmethod
    def nowhere(
        cls, fits: int, dim: int, real: Any, sizes: tuple[int, int, int] | None = None
    ) -> Whitening:
        """A whitening of the shapes and types of many fits', and of no use.

        Parameters
        ----------
        fits, dim : int
        real : dtype
        sizes : tuple of int, optional
            Numbers of rows, features and runs with effects, where there are such.
        """
        return cls(
            mode=jnp.zeros((fits, dim), real),
            factor=jnp.zeros((fits, dim, dim), real),
            log_density=jnp.zeros(fits, real),
            agreeing=jnp.zeros(fits, real),
            repaired=jnp.zeros(fits, bool),
            funnel=None if sizes is None else Funnel.nowhere(fits, sizes, dim - 1, real),
        )

    @property
    def conditional(self) -> Conditional | None:
        """The coordinates of the law's error and the runs' effects, where there are such."""
        return None if self.funnel is None else self.funnel.conditional

    @property
    def dim(self) -> int:
        """Number of all coordinates."""
        return int(self.mode.shape[-1]) + self.features + self.runs

    @property
    def features(self) -> int:
        """Number of those of the law's error."""
        return 0 if self.conditional is None else int(self.conditional.strength.shape[-1])

    @property
    def runs(self) -> int:
        """Number of those of the runs' effects, the last ones."""
        effects = None if self.conditional is None else self.conditional.effects
        return 0 if effects is None else int(effects.strength.shape[-1])

    def colour(self, white: Array) -> Array:
        """From whitened coordinates to the sampled ones."""
        if self.funnel is None:
            return once(self.mode + jnp.sum(self.factor * white, axis=-1))
        own, errors = jnp.split(white, [len(self.mode)])
        own = jnp.append(own[:-1] * self._stretch(white), own[-1])
        return once(jnp.concatenate([self.mode + self.factor @ own, errors]))

    def log_stretch(self, white: Array) -> Array:
        """Log determinant of the Jacobian of `colour`, in units of that at the mode."""
        return jnp.sum(jnp.log(self._stretch(white)))

    def _stretch(self, white: Array) -> Array:
        assert self.funnel is not None
        last = self.mode.shape[0] - 1
        return self.funnel.stretch(jnp.exp(self.mode[last] + self.factor[last, last] * white[last]))


def find_mode(
    log_density: Callable[[Array], Array], starts: Array
) -> tuple[Whitening, Array, Array]:
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
    array, shape (start,)
        Log of the integral about each end, by Laplace's approximation and without its constant;
        minus infinity where it is no mode, or that of another.
    """
    ends = climb_each(functools.partial(climb, log_density), starts)
    heights = jnp.where(jnp.isnan(ends.height), -jnp.inf, ends.height)
    order = jnp.argsort(-heights)
    tops: Ascent = jax.tree.map(lambda leaf: leaf[order], ends)
    heights = heights[order]
    near = heights > heights[0] - NEAR
    agreeing = jnp.mean(near, dtype=heights.dtype, where=tops.turn > 0)
    top: Ascent = jax.tree.map(lambda leaf: leaf[0], tops)
    white = Whitening(
        mode=top.place,
        factor=top.directions * top.spread,
        log_density=heights[0],
        agreeing=agreeing,
        repaired=jnp.any(top.curvatures <= 0),
    )
    offsets = (tops.place - top.place) @ (top.directions / top.spread)
    beside = jnp.linalg.norm(offsets[:, None] - offsets, axis=-1) < APART
    copies = jnp.any(jnp.tril(beside, k=-1), axis=1)
    integrals = heights + jnp.sum(jnp.log(tops.spread), axis=1)
    return white, tops.place, jnp.where(tops.at_mode & ~copies, integrals, -jnp.inf)


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

    @property
    def spread(self) -> Array:
        """Standard deviations in these directions, by Laplace's approximation, within limits."""
        stiff, soft = STIFFEST**-2, SOFTEST**-2
        curvatures = jnp.where(self.curvatures > 0, self.curvatures, soft)
        return jnp.clip(curvatures, soft, stiff) ** -0.5

    @property
    def at_mode(self) -> Array:
        """Whether it is a maximum, as far as a quadratic tells."""
        curved = jnp.all(self.curvatures > 0, axis=-1)
        return curved & (jnp.sum(self.along**2 / self.curvatures, axis=-1) < NEAR)


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
