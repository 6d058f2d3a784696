"""A power law that changes its exponent once."""

from __future__ import annotations

import math
from typing import ClassVar

import jax

from scalingfit.declare import (
    Array,
    Law,
    Published,
    above,
    coefficient,
    dist,
    floor,
    jnp,
    log,
    parameter,
)


class Broken(Law):
    """L(X) = a + b X^-c0 (1 + (X / d1)^(1 / f1))^(-c1 f1).

    Caballero et al. 2022, "Broken Neural Scaling Laws", arXiv 2210.14891, equation 1 with one
    break. The exponent is c0 well below d1 and c0 + c1 well above; a small f1 makes a sharp break.
    A negative c1 flattens the curve or lets it rise. X any one quantity that is being scaled, L a
    loss or an error rate. Without breaks it is M2 (the law ``power``); with two it is
    ``broken_twice``, which shows how a law with more is written.

    The priors are so wide in X that they mostly put the break where no run is. A posterior is then
    the prior along curved ridges, and chains of few runs do not converge: on 12 runs simulated from
    these priors, none of 8 fits did (benchmarks/sbc.md). State what is known of the break, as a
    prior of ``d1`` and ``c1``.
    """

    may_rise: ClassVar[tuple[str, ...]] = ("X",)

    a: Array = floor(
        dist.LogNormal(math.log(0.3), 1.5),
        "floor: from error rates of a percent to losses of several nats",
    )
    c0: Array = parameter(
        dist.LogNormal(math.log(0.15), 1.0),
        "exponent before the break: from nearly flat, as before an inflection, to 1",
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
        "change of the exponent: mostly between -0.8 and 5, so a curve may rise or drop sharply; "
        "above -1, so that it cannot explode",
    )
    d1: Array = parameter(
        dist.LogNormal(math.log(1e6), 6.0),
        "X at the break: very wide, since X has no known unit",
    )
    f1: Array = parameter(
        dist.LogNormal(math.log(0.3), 1.0),
        "width of the break in log X: from a sharp corner (0.04) to a wide bend (2)",
    )

    informed: ClassVar = {
        "d1": dist.LogNormal(math.log(3e6), 1.0),
        "c1": above(-1.0, dist.LogNormal(math.log(1.5), 0.3)),
        "f1": dist.LogNormal(math.log(0.5), 0.5),
    }

    published: ClassVar = {
        "caballero-2022-addition": Published(
            "Caballero et al. 2022, arXiv 2210.14891, figure 4 right: the noiseless simulation of "
            "4-digit addition in the authors' code",
            "X training examples, L test cross-entropy in nats",
            {
                "a": 0.41388453071629455,
                "b": 2.2772722897737556,
                "c0": 0.055077348404973955,
                "c1": 5.662903816010331,
                "d1": 612.5836172918001,
                "f1": 0.059193036393742314,
            },
        ),
    }

    def loss(self, X: Array) -> Array:
        log_X = log(X)
        bend = self.f1 * jax.nn.softplus((log_X - log(self.d1)) / self.f1)
        return self.a + jnp.exp(log(self.b) - self.c0 * log_X - self.c1 * bend)
