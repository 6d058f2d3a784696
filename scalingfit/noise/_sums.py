"""Distributions of sums: a scatter, and a normal error beside it."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from jax import Array
from jax.scipy.special import log_ndtr
from numpyro.distributions import Distribution

from scalingfit._arrays import Number

__all__ = ["Sum", "log_normal_plus_exponential"]


class Sum(Distribution):  # type: ignore[misc]  # NumPyro is untyped
    """Base: a centre, a scatter about zero, and a normal error; it lacks the density alone.

    Parameters
    ----------
    centre : array
    own : Distribution
        Of the scatter.
    error_variance : array
        Of the normal error.
    """

    arg_constraints: ClassVar[dict[str, Any]] = {}
    pytree_data_fields = ("centre", "own", "error_variance")
    support = dist.constraints.real

    def __init__(self, centre: Number, own: Distribution, error_variance: Number) -> None:
        self.centre, self.own, self.error_variance = centre, own, error_variance
        shapes = jnp.shape(centre), own.batch_shape, jnp.shape(error_variance)
        super().__init__(jnp.broadcast_shapes(*shapes), validate_args=False)

    def sample(self, key: Array, sample_shape: tuple[int, ...] = ()) -> Array:
        """The parts are drawn one after the other."""
        first, second = jax.random.split(key)
        own = self.own.expand(self.batch_shape).sample(first, sample_shape)
        unit = jax.random.normal(second, own.shape, own.dtype)
        drawn: Array = self.centre + own + jnp.sqrt(self.error_variance) * unit
        return drawn


def log_normal_plus_exponential(value: Array, sd: Array, mean: Array) -> Array:
    """Log density of a normal about zero plus an exponential of a given mean.

    The exponentially modified Gaussian: Grushka 1972, Analytical Chemistry 44, 1733. Terms of
    (sd / mean)^2 cancel in it, which costs that many units in the last place.
    """
    ratio = sd / mean
    tail = log_ndtr(value / sd - ratio)
    density: Array = tail + 0.5 * ratio**2 - value / mean - jnp.log(mean)
    return density
