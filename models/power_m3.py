"""A power law in one quantity that levels off at a scale of its own (M3)."""

from __future__ import annotations

import math

from scalingfit.declare import Array, Law, coefficient, dist, parameter


class PowerM3(Law):
    """L(X) = beta (1/X + gamma)^c.

    Called M3 in Alabdulmohsin et al. 2022, "Revisiting Neural Scaling Laws in Language and
    Vision", arXiv 2209.06640. The power law holds for X well below 1/gamma; beyond, the
    loss levels off at ``beta * gamma^c``. As gamma goes to 0 it becomes M1. X any one quantity
    that is being scaled, L a loss or an error rate.
    """

    gamma: Array = parameter(
        dist.LogNormal(math.log(1e-8), 6.0),
        "inverse of the X where the loss levels off: from 1e3 to 1e13, since X has no known unit",
    )
    c: Array = parameter(
        dist.LogNormal(math.log(0.3), 0.7),
        "exponent of X: learning curves lie between 0.05 and 1",
    )
    beta: Array = coefficient(
        of="X",
        power="c",
        at=1e6,
        median=1.0,
        log_sd=4.0,
        about="coefficient of X: very wide, since neither X nor L has a known unit",
        through="loss",
    )

    def loss(self, X: Array) -> Array:
        return self.beta * (1 / X + self.gamma) ** self.c
