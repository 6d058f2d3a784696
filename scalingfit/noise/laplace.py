"""Laplace scatter."""

from __future__ import annotations

import math
from typing import ClassVar, override

import jax.numpy as jnp
import numpyro.distributions as dist
from jax import Array
from numpyro.distributions import Distribution

from scalingfit._arrays import Number
from scalingfit.noise._base import Noise, level, scatter
from scalingfit.noise._sums import Sum, log_normal_plus_exponential

__all__ = ["Laplace", "LaplaceLevel"]

LEAST = 1e-4  # of the normal part's sd, relative to the scale: the density has a corner at zero


class Laplace(Noise):
    """Laplace scatter on log loss: the mode minimises absolute errors, as log-Huber nearly does."""

    name: ClassVar[str] = "laplace"
    sigma: Array = scatter("the scatter")

    @override
    def about(self, centre: Number, scale: Number, variance: Number | None) -> Distribution:
        if variance is None:
            return dist.Laplace(centre, scale, validate_args=False)
        own = dist.Laplace(0.0, scale, validate_args=False)
        return _LaplacePlusNormal(centre, own, variance)


class _LaplacePlusNormal(Sum):
    """One half of it is a normal plus an exponential, the other a normal minus one."""

    def log_prob(self, value: Array, intermediates: None = None) -> Array:
        beyond, scale = value - self.centre, self.own.scale
        sd = jnp.sqrt(jnp.maximum(self.error_variance, (LEAST * scale) ** 2))
        halves = [log_normal_plus_exponential(side, sd, scale) for side in (beyond, -beyond)]
        density: Array = jnp.logaddexp(*halves) - math.log(2)
        return density


LaplaceLevel = level(Laplace)
