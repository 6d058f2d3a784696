"""A power law in one quantity above a floor (M2)."""

from __future__ import annotations

import math

from scalingfit.declare import Array, Law, coefficient, dist, floor, parameter


class Power(Law):
    """L(X) = E + beta / X^c.

    Called M2 in Alabdulmohsin et al. 2022, "Revisiting Neural Scaling Laws in Language and
    Vision", arXiv 2209.06640. X any one quantity that is being scaled (examples seen,
    steps, tokens, parameters, FLOP), L a loss or an error rate.
    """

    E: Array = floor(
        dist.LogNormal(math.log(0.5), 1.5),
        "floor: from error rates of a few percent to losses of several nats",
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
    )

    def loss(self, X: Array) -> Array:
        return self.E + self.beta / X**self.c
