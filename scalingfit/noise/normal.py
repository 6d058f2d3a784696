"""Normal scatter."""

from __future__ import annotations

from typing import ClassVar, override

import jax.numpy as jnp
import numpyro.distributions as dist
from jax import Array
from numpyro.distributions import Distribution

from scalingfit._arrays import Number
from scalingfit.noise._base import Noise, level, scatter

__all__ = ["Normal", "NormalLevel"]


class Normal(Noise):
    """Normal scatter on log loss."""

    name: ClassVar[str] = "normal"
    sigma: Array = scatter("the scatter")

    @override
    def about(self, centre: Number, scale: Number, variance: Number | None) -> Distribution:
        spread = scale if variance is None else jnp.sqrt(scale**2 + variance)
        return dist.Normal(centre, spread, validate_args=False)


NormalLevel = level(Normal)
