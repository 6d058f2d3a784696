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
TURNS = 10  # of climbing with given weights of the runs, and weighing the runs anew


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

    def turn(
        carry: tuple[Array, Array], _: None
    ) -> tuple[tuple[Array, Array], tuple[Ascent, Conditional]]:
        conditional = given(*carry)
        top = climb(
            lambda head: model.log_density(jnp.append(head, still), data, conditional), carry[0]
        )
        return (top.place, placed(top.place, conditional)), (top, conditional)

    def settle(weight: Array) -> tuple[Ascent, Conditional]:
        _, found = jax.lax.scan(turn, (start, weight), None, length=TURNS)
        last: tuple[Ascent, Conditional] = jax.tree.map(lambda leaf: leaf[-1], found)
        return last

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
