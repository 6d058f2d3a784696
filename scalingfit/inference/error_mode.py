"""The mode of a posterior whose law has an error, and the coordinates built on it."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
from jax import Array

from scalingfit.inference.conditional import Conditional, Funnel
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
    """Climb from the mode of the exact law, and whiten where the climbs ended.

    With the error's coordinates at zero, where it is at its mean given all else, the density is
    nearly that of the parameters alone. Which runs are outliers decides what the error is, and the
    reverse, so there may be several modes: the climbs begin from the weights that the exact law
    gives the runs, and from equal ones, and the higher end is taken.

    Parameters
    ----------
    model : Model
    exact : array, shape (dim,)
        The mode of the same model without the error.
    data : Data
        Of one table.
    """
    features = jnp.asarray(data.features)
    still = jnp.zeros(features.shape[1], exact.dtype)
    assert model.error is not None
    median = jnp.asarray(model.error.tau(model.noise.on_log).loc, exact.dtype)
    start = jnp.append(exact, median)

    def placed(head: Array, conditional: Conditional) -> Array:
        shared, places, _ = model.located(jnp.append(head, still), data, conditional)
        return weights(shared, places, data)

    def turn(state: _Turns) -> _Turns:
        conditional = Conditional.given(features, state.weight)
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
            conditional=Conditional.given(features, weight),
            weight=weight,
            moved=jnp.full((), jnp.inf, start.dtype),
            count=jnp.zeros((), jnp.int32),
        )
        last = jax.lax.while_loop(
            lambda state: (state.moved > SETTLED) & (state.count < TURNS), turn, begin
        )
        return last.top, last.conditional

    equal = jnp.asarray(data.weight)
    exact_law = Conditional.given(jnp.zeros_like(features), equal)
    ends, conditionals = climb_each(settle, jnp.stack([placed(start, exact_law), equal]))
    heights = jnp.where(jnp.isnan(ends.height), -jnp.inf, ends.height)
    best = jnp.argmax(heights)
    top, conditional = jax.tree.map(lambda leaf: leaf[best], (ends, conditionals))

    def location(place: Array) -> Array:
        """Where the law puts the runs, without its error."""
        z = jnp.concatenate([place, top.place[-1:], still])
        return model.located(z, data, exact_law)[1]

    _, noise = model.located(jnp.append(top.place, still), data, conditional)[0]
    sigma = noise.sigma
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
    full, turned = jnp.linalg.eigh((told * conditional.weight[:, None]).T @ told)
    inner, told = inner @ turned, told @ turned
    taken = (conditional.basis.T @ (conditional.weight[:, None] * told)) ** 2
    tau = jnp.exp(top.place[-1])
    left = full - conditional.absorbed(tau / sigma) @ taken
    prior = jnp.maximum(1 - left, LEAST)  # what is not the runs' of a precision of one
    funnel = Funnel(conditional, sigma, tau, full + prior, taken)
    below = jnp.append(jnp.zeros_like(along), width)
    return jnp.vstack([jnp.hstack([inner, along[:, None]]), below]), funnel
