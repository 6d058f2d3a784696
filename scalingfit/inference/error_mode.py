"""The mode of a posterior whose law has an error, and the coordinates built on it."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array

from scalingfit.inference.conditional import Conditional
from scalingfit.inference.mode import NEAR, Ascent, Whitening, climb, climb_each
from scalingfit.inference.model import Data, Model, weights

__all__ = ["find_error_mode"]

TURNS = 4  # of climbing with given weights of the runs, and weighing the runs anew


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
    median = jnp.log(jnp.asarray(model.declared["tau"].prior.median, exact.dtype))
    start = jnp.append(exact, median) if "tau" in model.sites else exact

    def placed(head: Array, conditional: Conditional) -> Array:
        noise, located, _ = model.located(jnp.append(head, still), data, conditional)
        return weights(noise, located, data)

    def turn(
        carry: tuple[Array, Array], _: None
    ) -> tuple[tuple[Array, Array], tuple[Ascent, Conditional]]:
        head, weight = carry
        conditional = Conditional.given(features, weight)
        top = climb(
            lambda head: model.log_density(jnp.append(head, still), data, conditional), head
        )
        return (top.place, placed(top.place, conditional)), (top, conditional)

    def settle(weight: Array) -> tuple[Ascent, Conditional]:
        _, found = jax.lax.scan(turn, (start, weight), None, length=TURNS)
        last: tuple[Ascent, Conditional] = jax.tree.map(lambda leaf: leaf[-1], found)
        return last

    equal = jnp.asarray(data.weight)
    without_error = Conditional.given(jnp.zeros_like(features), equal)
    ends, conditionals = climb_each(settle, jnp.stack([placed(start, without_error), equal]))
    heights = jnp.where(jnp.isnan(ends.height), -jnp.inf, ends.height)
    best = jnp.argmax(heights)
    agreeing = jnp.mean(heights > heights[best] - NEAR, dtype=heights.dtype)
    top, conditional = jax.tree.map(lambda leaf: leaf[best], (ends, conditionals))
    return Whitening.at(top, agreeing, conditional)
