"""A power law in one quantity between the loss of a guess and a floor (M4)."""

from __future__ import annotations

import math
from typing import ClassVar

import jax

from scalingfit.declare import Array, Law, coefficient, dist, floor, jnp, log, parameter

from ._root import root


class PowerM4(Law):
    """L(X) solves (L - E) / (L_0 - L)^a = beta / X^c, where L_0 = E + span.

    Called M4 in Alabdulmohsin et al. 2022, "Revisiting Neural Scaling Laws in Language and
    Vision", arXiv 2209.06640 (its alpha is our a): a sigmoid in log X that starts at
    L_0, the loss of a guess, and becomes the power law M2 well below it, or everywhere as a goes
    to 0. X any one quantity that is being scaled, L a loss or an error rate.

    The equation is solved for the log odds of ``(L - E) / span``. There it is monotone with slopes
    between 1 and a, so Newton's method converges from anywhere.
    """

    E: Array = floor(
        dist.LogNormal(math.log(0.5), 1.5),
        "floor: from error rates of a few percent to losses of several nats",
    )
    span: Array = parameter(
        dist.LogNormal(math.log(3.0), 1.0),
        "L_0 - E, from a guess to the floor: about 1 for error rates, about 10 nats for tokens",
    )
    a: Array = parameter(
        dist.LogNormal(0.0, 0.7),
        "how early the power law sets in: 1 is the logistic curve, 0 is M2",
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

    # The priors are so wide in X that they mostly put the onset, or the floor, where no run is.
    informed: ClassVar = {
        "E": dist.LogNormal(0.0, 0.3),
        "span": dist.LogNormal(math.log(3.0), 0.3),
        "a": dist.LogNormal(0.0, 0.3),
        "c": dist.LogNormal(math.log(0.8), 0.2),
        "beta": dist.LogNormal(0.8 * math.log(1e6), 0.5),
    }

    def loss(self, X: Array) -> Array:
        right = log(self.beta) - self.c * log(X) + (self.a - 1) * log(self.span)

        def residual(odds: Array) -> Array:
            return self.a * jax.nn.softplus(odds) - jax.nn.softplus(-odds) - right

        far_away = jnp.where(right < 0, right, right / self.a)
        return self.E + self.span * jax.nn.sigmoid(root(residual, far_away, steps=6))
