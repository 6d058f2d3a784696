"""Errors that lie above the law alone."""

from __future__ import annotations

from typing import ClassVar, override

import jax.numpy as jnp
import numpyro.distributions as dist
from jax import Array
from numpyro.distributions import Distribution

from scalingfit._arrays import Number
from scalingfit.noise._base import Noise, scatter
from scalingfit.noise._sums import Sum, log_normal_plus_exponential

__all__ = ["OneSided"]


class OneSided(Noise):
    """Normal scatter on log loss, plus an exponential excess: the law is that of well-tuned runs.

    Of runs whose learning rate, batch or schedule was not the best, losses are too high and never
    too low. The exponential has a heavier tail than the half-normal, so that a few badly tuned runs
    do not lift the law, and its sum with the normal has a closed form.
    """

    name: ClassVar[str] = "one_sided"
    sigma: Array = scatter("the scatter of equally well tuned runs")
    excess: Array = scatter("what a run lies above the law, on average")

    @override
    def about(self, centre: Number, scale: Number, variance: Number | None) -> Distribution:
        own = dist.Exponential(1 / self.excess, validate_args=False)
        return _Above(centre, own, scale**2 if variance is None else scale**2 + variance)


class _Above(Sum):
    def log_prob(self, value: Array, intermediates: None = None) -> Array:
        sd, mean = jnp.sqrt(self.error_variance), 1 / self.own.rate
        return log_normal_plus_exponential(value - self.centre, sd, mean)
