"""Errors in N and D, as where runs are read off a figure or sizes are rounded.

To first order an error of log N moves the log loss by the law's slope there, so that no true N need
be sampled (the delta method; Fuller 1987, Measurement Error Models, section 1.2). Such an error is
added to the scale of the scatter in quadrature: errors of inputs have its tails too.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, override

import jax.numpy as jnp
import numpyro.distributions as dist
from jax import Array

from scalingfit._arrays import Number
from scalingfit.declare import parameter
from scalingfit.noise._base import At, Direction
from scalingfit.noise.student_t import StudentT

__all__ = ["ErrorInN", "ErrorInNAndD"]

PRIOR = dist.HalfNormal(0.05)


class ErrorInN(StudentT):
    """Student-t scatter on log loss, and an error of log N at known C.

    For tables whose D was computed as C / (6 N): an error of N moves D the other way. It vanishes
    at the compute-optimal N, so this is also the model of a scatter that grows away from it.
    """

    name: ClassVar[str] = "error_in_n"
    inputs: ClassVar[tuple[str, ...]] = ("N", "D")
    along: ClassVar[Mapping[str, Direction]] = MappingProxyType({"N": {"N": 1.0, "D": -1.0}})
    s_N: Array = parameter(PRIOR, "error of log N: a few percent")

    @override
    def scale(self, at: At) -> Number:
        by_N = self.s_N * at.slopes["N"] / self.unit(at)
        return jnp.sqrt(self.sigma**2 + by_N**2)


class ErrorInNAndD(StudentT):
    """Student-t scatter on log loss, and independent errors of log N and log D.

    For tables in which both were recorded.
    """

    name: ClassVar[str] = "error_in_n_and_d"
    inputs: ClassVar[tuple[str, ...]] = ("N", "D")
    along: ClassVar[Mapping[str, Direction]] = MappingProxyType({"N": {"N": 1.0}, "D": {"D": 1.0}})
    s_N: Array = parameter(PRIOR, "error of log N: a few percent")
    s_D: Array = parameter(PRIOR, "error of log D: a few percent")

    @override
    def scale(self, at: At) -> Number:
        by_N = self.s_N * at.slopes["N"] / self.unit(at)
        by_D = self.s_D * at.slopes["D"] / self.unit(at)
        return jnp.sqrt(self.sigma**2 + by_N**2 + by_D**2)
