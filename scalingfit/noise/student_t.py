"""Student-t scatter, alone and with a normal error beside it."""

from __future__ import annotations

import math
from typing import ClassVar, override

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from jax import Array
from numpyro.distributions import Distribution

from scalingfit._arrays import Number
from scalingfit.declare import above, parameter
from scalingfit.noise._base import Noise, level, scatter
from scalingfit.noise._sums import Sum

__all__ = ["StudentT", "StudentTLevel"]

NODES = 20
STEP, HIGHEST = 1.2, 2.5
"""Spacing of the nodes, and the highest, times sqrt(2 / (nu + 2)), about the sd of the log
precision given a residual."""


class StudentT(Noise):
    """Student-t scatter on log loss: a few bad runs do not move the law."""

    name: ClassVar[str] = "student_t"
    sigma: Array = scatter("the scatter")
    nu: Array = parameter(
        above(1.0, dist.LogNormal(math.log(10.0), 1.0)),
        "degrees of freedom: 90 % of the prior from 3, heavy tails, to 53, nearly normal",
    )

    @override
    def about(self, centre: Number, scale: Number, variance: Number | None) -> Distribution:
        if variance is None:
            return _StudentT(self.nu, centre, scale, validate_args=False)
        own = _StudentT(self.nu, 0.0, scale, validate_args=False)
        return _StudentTPlusNormal(centre, own, variance)


def _log_gamma_ratio(x: Array) -> Array:
    """Log Gamma(x + 1/2) - log Gamma(x) for x from 1/2 on, to rounding.

    The difference of both would lose as many digits as x has. This is its asymptotic series
    (Tricomi & Erdelyi 1951, Pacific J. Math. 1, 133) at x + 8, and the recurrence back.
    """
    above: Number = 1.0
    below: Number = 1.0
    for step in range(8):
        above, below = above * (x + step), below * (x + step + 0.5)
    y = x + 8
    inverse = 1 / y
    series: Number = 0.0
    for number in SERIES:
        series = number + series * inverse**2
    ratio: Array = 0.5 * jnp.log(y) + series * inverse + jnp.log(above / below)
    return ratio


SERIES = (-31 / 18432, 17 / 14336, -1 / 640, 1 / 192, -1 / 8)


class _StudentT(dist.StudentT):  # type: ignore[misc]  # NumPyro is untyped
    """Student's t that is cheap to evaluate and to draw from.

    The density takes one logarithm a run and no division; draws come from Bailey's polar method
    (1994, Math. Comp. 62, 779), exact and free of rejection loops, which take seconds to compile.

    From ``eps**-0.5`` degrees of freedom on it is the normal, which it is there to rounding. More
    could not be distinguished from rounding: the tail, ``df * log(1 + t**2 / df)``, would vanish.
    """

    def log_prob(self, value: Array, intermediates: None = None) -> Array:
        df = jnp.minimum(self.df, jnp.finfo(jnp.result_type(float)).eps ** -0.5)
        squared = ((value - self.loc) * (1 / self.scale)) ** 2
        constant = _log_gamma_ratio(0.5 * df) - 0.5 * jnp.log(jnp.pi * df)
        tail = jnp.log(1 + squared * (1 / df))
        density: Array = constant - jnp.log(self.scale) - 0.5 * (df + 1) * tail
        return density

    def sample(self, key: Array, sample_shape: tuple[int, ...] = ()) -> Array:
        shape, real = sample_shape + self.batch_shape, jnp.result_type(float)
        radius, angle = jax.random.uniform(key, (2, *shape), real, minval=jnp.finfo(real).tiny)
        unit = jnp.sqrt(self.df * jnp.expm1(-2 / self.df * jnp.log(radius)))
        drawn: Array = self.loc + self.scale * unit * jnp.cos(2 * jnp.pi * angle)
        return drawn


class _StudentTPlusNormal(Sum):
    """As a mixture of normals, all of whose variances the normal error adds to.

    A Student-t is normal with a precision that has a gamma distribution. On an even grid of log
    precisions the trapezoidal rule converges exponentially (Trefethen & Weideman 2014, SIAM Review
    56, 385). The mixture is within 0.1 % of the t's density, out to 150 scales or to e^-25 of its
    peak, and what is added to all its normals makes no relative error larger.
    """

    def log_prob(self, value: Array, intermediates: None = None) -> Array:
        squared = (value - self.centre) ** 2
        nu, scale, added, squared = (
            jnp.expand_dims(each, -1)
            for each in (self.own.df, self.own.scale, self.error_variance, squared)
        )
        width = jnp.sqrt(2 / (nu + 2))
        log_precision = (HIGHEST - STEP * jnp.arange(NODES)) * width
        weight = jax.nn.log_softmax(0.5 * nu * (log_precision - jnp.exp(log_precision)))
        variance = scale**2 * jnp.exp(-log_precision) + added
        each = weight - 0.5 * (squared / variance + jnp.log(2 * jnp.pi * variance))
        density: Array = jax.nn.logsumexp(each, axis=-1)
        return density


StudentTLevel = level(StudentT)
