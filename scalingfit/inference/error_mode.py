"""The mode of a posterior whose law has an error, and the coordinates built on it."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from scalingfit.inference.conditional import Conditional, Funnel, RunEffects
from scalingfit.inference.mode import NEAR, Ascent, Whitening, climb, climb_each
from scalingfit.inference.model import Data, Model, weights

__all__ = ["find_error_mode"]

LEAST = 0.05  # precision by the priors along a direction, at the mode
TURNS = 10  # at most, of climbing with given weights of the runs, and weighing the runs anew
SETTLED = 0.01  # posterior standard deviations that a turn moves, below which it is the last


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class _Turns:
    """Where turns of climbing and weighing have led.

    Attributes
    ----------
    top : Ascent
        The end of the last climb.
    conditional : Conditional
        The coordinates in which it climbed.
    weight : array, shape (run,)
        Of the runs, there.
    moved : scalar
        Posterior standard deviations that it climbed.
    count : int scalar
    """

    top: Ascent
    conditional: Conditional
    weight: Array
    moved: Array
    count: Array


def find_error_mode(model: Model, exact: Array, data: Data) -> Whitening:
    """Climb from the mode without the last of the scales, and whiten where the climbs ended.

    With the coordinates of error and effects at zero, where these are at their means given all
    else, the density is nearly that of the parameters alone. Which runs are outliers decides what
    the error is, and the reverse, so there may be several modes: the climbs begin from the weights
    that the law alone gives the runs, and from equal ones, and the higher end is taken.

    Parameters
    ----------
    model : Model
        Of a law with an error, or of runs with effects, or both.
    exact : array, shape (dim - 1,)
        The mode of the same model without the error; without the effects, where it has no error.
    data : Data
        Of one table.
    """
    rows, features, runs = data.sizes
    table = jnp.zeros((rows, 0), exact.dtype)
    if data.features is not None:
        table = jnp.asarray(data.features)
    still = jnp.zeros(features + runs, exact.dtype)
    prior: Any = model.declared[model.sites[-1]].prior  # log-normal
    median = jnp.asarray(prior.loc, exact.dtype)
    start = jnp.append(exact, median)

    def given(head: Array, weight: Array) -> Conditional:
        if not runs:
            return Conditional.given(table, weight)
        scales = model.scales(head, data)
        effects = RunEffects.given(jnp.asarray(data.run), runs, weight)
        return Conditional.given(table, weight, effects, scales.omega / scales.sigma)

    def placed(head: Array, conditional: Conditional) -> Array:
        shared, found = model.located(jnp.append(head, still), data, conditional)
        return weights(shared, found.places, data)

    def turn(state: _Turns) -> _Turns:
        conditional = given(state.top.place, state.weight)
        top = climb(
            lambda head: model.log_density(jnp.append(head, still), data, conditional),
            state.top.place,
        )
        offset = top.directions.T @ (top.place - state.top.place)
        moved = jnp.linalg.norm(offset / top.spread)
        return _Turns(top, conditional, placed(top.place, conditional), moved, state.count + 1)

    def settle(weight: Array) -> tuple[Ascent, Conditional]:
        none = jax.eval_shape(lambda: climb(jnp.sum, start))
        blank: Ascent = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), none)
        begin = _Turns(
            top=dataclasses.replace(blank, place=start),
            conditional=given(start, weight),
            weight=weight,
            moved=jnp.full((), jnp.inf, start.dtype),
            count=jnp.zeros((), jnp.int32),
        )
        last = jax.lax.while_loop(
            lambda state: (state.moved > SETTLED) & (state.count < TURNS), turn, begin
        )
        return last.top, last.conditional

    by_law = weights(*model.expected(start, data), data)
    ends, conditionals = climb_each(settle, jnp.stack([by_law, jnp.asarray(data.weight)]))
    heights = jnp.where(jnp.isnan(ends.height), -jnp.inf, ends.height)
    best = jnp.argmax(heights)
    top, conditional = jax.tree.map(lambda leaf: leaf[best], (ends, conditionals))

    def location(place: Array) -> Array:
        """Where the law puts the runs, without its error."""
        return model.expected(jnp.append(place, top.place[-1:]), data)[1]

    sigma = model.scales(top.place, data).sigma
    factor, funnel = _funnel(top, conditional, sigma, jax.jacfwd(location)(top.place[:-1]))
    return Whitening(
        mode=top.place,
        factor=factor,
        log_density=heights[best],
        agreeing=jnp.mean(heights > heights[best] - NEAR, dtype=heights.dtype),
        repaired=jnp.any(top.curvatures <= 0),
        funnel=funnel,
    )


def _funnel(
    top: Ascent, conditional: Conditional, sigma: Array, slopes: Array
) -> tuple[Array, Funnel]:
    """A factor of the covariance at the mode, and how its directions widen with the error's scale.

    The logarithm of the scale is the last of the coordinates and of the whitened ones. The other
    directions are those in which the precision is diagonal at the mode, and without an error.

    Parameters
    ----------
    top : Ascent
    conditional : Conditional
    sigma : scalar
        Scale of the scatter at the mode.
    slopes : array, shape (run, dim - 1)
        Of where the law puts the runs, by all coordinates but the last.
    """
    root = top.directions * top.spread
    covariance = root @ root.T
    width = jnp.sqrt(covariance[-1, -1])
    along = covariance[:-1, -1] / width
    inner = jnp.linalg.cholesky(covariance[:-1, :-1] - jnp.outer(along, along))
    told = slopes @ inner / sigma
    full, turned = jnp.linalg.eigh(conditional.precise(told).T @ told)
    inner, told = inner @ turned, told @ turned
    taken = conditional.told(conditional.precise(told)) ** 2
    runs = Funnel(conditional, sigma, jnp.exp(top.place[-1]), full, taken)
    prior = jnp.maximum(1 - runs.left(runs.scale), LEAST)  # not the runs' of a precision of one
    funnel = dataclasses.replace(runs, full=full + prior)
    below = jnp.append(jnp.zeros_like(along), width)
    return jnp.vstack([jnp.hstack([inner, along[:, None]]), below]), funnel
