"""A power law that changes its exponent twice."""

from __future__ import annotations

import math
from typing import ClassVar

import jax

from scalingfit.declare import Array, Law, above, coefficient, dist, floor, jnp, log, parameter


class BrokenTwice(Law):
    """L(X) = a + b X^-c0 prod_i (1 + (X / d_i)^(1 / f_i))^(-c_i f_i), with i = 1, 2.

    Caballero et al. 2022, "Broken Neural Scaling Laws", arXiv 2210.14891, equation 1 with two
    breaks: the second lies at ``d2 = d1 * apart``, above the first, so that the two cannot change
    places. Two breaks describe a double descent. X any one quantity that is being scaled, L a loss
    or an error rate.

    A law with n breaks is another file like this one: every further break i takes its own c_i and
    f_i, the ratio of its place to that of the break before, and its term in `loss`.
    """

    may_rise: ClassVar[tuple[str, ...]] = ("X",)

    a: Array = floor(
        dist.LogNormal(math.log(0.3), 1.5),
        "floor: from error rates of a percent to losses of several nats",
    )
    c0: Array = parameter(
        dist.LogNormal(math.log(0.15), 1.0),
        "exponent before the breaks: from nearly flat, as before an inflection, to 1",
    )
    b: Array = coefficient(
        of="X",
        power="c0",
        at=1e6,
        median=1.0,
        log_sd=4.0,
        about="coefficient of X: very wide, since neither X nor L has a known unit",
    )
    c1: Array = parameter(
        above(-1.0, dist.LogNormal(0.1, 0.8)),
        "change of the exponent at d1: mostly between -0.8 and 5; above -1, so that the curve "
        "cannot explode",
    )
    c2: Array = parameter(
        above(-1.0, dist.LogNormal(0.1, 0.8)),
        "change of the exponent at d2: as at d1",
    )
    d1: Array = parameter(
        dist.LogNormal(math.log(1e6), 6.0),
        "X at the first break: very wide, since X has no known unit",
    )
    apart: Array = parameter(
        above(1.0, dist.LogNormal(math.log(30.0), 2.0)),
        "d2 / d1, how far apart the breaks lie: mostly between 1.5 and 1500",
    )
    f1: Array = parameter(
        dist.LogNormal(math.log(0.3), 1.0),
        "width of the first break in log X: from a sharp corner (0.04) to a wide bend (2)",
    )
    f2: Array = parameter(
        dist.LogNormal(math.log(0.3), 1.0),
        "width of the second break in log X: as of the first",
    )

    informed: ClassVar = {
        "d1": dist.LogNormal(math.log(3e5), 0.7),
        "apart": above(1.0, dist.LogNormal(math.log(300.0), 0.7)),
        "c1": above(-1.0, dist.LogNormal(math.log(1.5), 0.3)),
        "c2": above(-1.0, dist.LogNormal(math.log(1.5), 0.3)),
        "f1": dist.LogNormal(math.log(0.5), 0.5),
        "f2": dist.LogNormal(math.log(0.5), 0.5),
    }

    def loss(self, X: Array) -> Array:
        log_X, log_d1 = log(X), log(self.d1)
        log_d2 = log_d1 + log(self.apart)
        first = self.f1 * jax.nn.softplus((log_X - log_d1) / self.f1)
        second = self.f2 * jax.nn.softplus((log_X - log_d2) / self.f2)
        slopes = self.c0 * log_X + self.c1 * first + self.c2 * second
        return self.a + jnp.exp(log(self.b) - slopes)
