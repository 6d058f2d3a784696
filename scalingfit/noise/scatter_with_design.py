"""Scatter that differs with tokens per parameter and with compute."""

from __future__ import annotations

from typing import ClassVar, override

import jax.numpy as jnp
import numpyro.distributions as dist
from jax import Array

from scalingfit._arrays import Number
from scalingfit.declare import parameter
from scalingfit.noise._base import At, anchor
from scalingfit.noise.student_t import StudentT

__all__ = ["ScatterWithDesign"]

POWER = dist.Normal(0.0, 0.5)


def _log_ratio(at: At) -> Number:
    return at.log_inputs["D"] - at.log_inputs["N"]


def _log_compute(at: At) -> Number:
    return at.log_inputs["D"] + at.log_inputs["N"]


class ScatterWithDesign(StudentT):
    """Student-t scatter on log loss whose scale goes as powers of D/N and of C, taken as 6 N D.

    `sigma` is the scale in the middle of the runs. Small models, or those trained far beyond the
    usual tokens per parameter, may scatter more than others.
    """

    name: ClassVar[str] = "scatter_with_design"
    inputs: ClassVar[tuple[str, ...]] = ("N", "D")
    ratio_power: Array = parameter(POWER, "power of D/N that sigma goes as")
    compute_power: Array = parameter(POWER, "power of C that sigma goes as")
    middle_ratio: Array = anchor(_log_ratio)
    middle_compute: Array = anchor(_log_compute)

    @override
    def scale(self, at: At) -> Number:
        by_ratio = self.ratio_power * (_log_ratio(at) - self.middle_ratio)
        by_compute = self.compute_power * (_log_compute(at) - self.middle_compute)
        return self.sigma * jnp.exp(by_ratio + by_compute)
