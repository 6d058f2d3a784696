"""Scatter that grows, or shrinks, with the loss."""

from __future__ import annotations

from typing import ClassVar, override

import jax.numpy as jnp
import numpyro.distributions as dist
from jax import Array

from scalingfit._arrays import Number
from scalingfit.declare import parameter
from scalingfit.noise._base import At, anchor
from scalingfit.noise.student_t import StudentT

__all__ = ["ScatterWithLoss"]


class ScatterWithLoss(StudentT):
    """Student-t scatter on log loss whose scale goes as a power of the law's loss.

    `sigma` is the scale in the middle of the runs. At kappa = 0 this is the model student_t, at -1
    the scatter is constant on the loss itself. Porian et al. 2024, arXiv 2406.19146, take one of
    0.2 % at a loss of 3 and of 5 % at 7.
    """

    name: ClassVar[str] = "scatter_with_loss"
    kappa: Array = parameter(dist.Normal(0.0, 5.0), "power of the law's loss that sigma goes as")
    middle: Array = anchor(lambda middle: jnp.log(middle.mean))

    @override
    def scale(self, at: At) -> Number:
        return self.sigma * jnp.exp(self.kappa * (jnp.log(at.mean) - self.middle))
