"""Kaplan's law of model size and training steps, with the critical batch size."""

from __future__ import annotations

import math
from typing import ClassVar

import jax

from scalingfit.declare import Array, Law, Published, dist, jnp, log, parameter, scale

from ._root import root


class KaplanSteps(Law):
    """L(N, S, batch) = (N_c / N)^alpha_N + (S_c / S_min)^alpha_S.

    Kaplan et al. 2020, arXiv 2001.08361, equations 1.4, 1.6 and 5.4: S steps at a finite batch
    size do the work of ``S_min = S / (1 + B_crit / batch)`` steps at an unlimited one, where
    ``B_crit(L) = B_star / L^(1 / alpha_B)``. N parameters without embeddings, S optimiser steps,
    batch in tokens, L loss in nats per token.

    L stands on both sides, and is solved for: in log L the right side falls and is convex, so
    there is exactly one solution, and Newton's method from below (an unlimited batch) rises to it.

    ``frontier(..., batch="critical")`` trains at the critical batch size of the loss that is
    reached. Budgets are then twice C_min, and N, batch and S go as C^0.681, C^0.250 and C^0.069
    with the paper's constants, which its rounding moves by 0.006, 0.006 and 0.001 (equations 1.7
    and 1.8). The trends that the paper drew through its best runs (appendix A: N = 1.3e9 C^0.73,
    batch = 2.0e6 C^0.24, S_min = 5.4e3 C^0.03, D = 2e10 C^0.27, C = C_min in PF-days) are not
    these: of that N the law has 0.88 times at 1e-6 PF-days and 0.45 times at 1, of that batch 0.82
    and 0.94, of that S_min 1.4 and 2.4, of that D 1.3 and 2.5.
    """

    symbols: ClassVar = {"N": "parameters without embeddings"}

    alpha_N: Array = parameter(
        dist.LogNormal(math.log(0.08), 0.35),
        "exponent of N: without an irreducible loss fits lie between 0.04 and 0.15",
    )
    alpha_S: Array = parameter(
        dist.LogNormal(math.log(0.7), 0.4),
        "exponent of S: the paper's is 0.76; learning curves lie between 0.3 and 1.5",
    )
    alpha_B: Array = parameter(
        dist.LogNormal(math.log(0.2), 0.3),
        "exponent of the critical batch size: the paper's is 0.21",
    )
    N_c: Array = scale(
        of="N",
        power="alpha_N",
        at=1e9,
        median=2.4,
        log_sd=0.4,
        about="scale of N, in parameters: fully trained, 1e9 parameters reach about 2.4 nats",
    )
    S_c: Array = scale(
        of="S",
        power="alpha_S",
        at=1e5,
        median=0.1,
        log_sd=1.5,
        about="scale of S, in steps: after 1e5 steps about 0.1 nat is left to gain",
    )
    B_star: Array = parameter(
        dist.LogNormal(math.log(2e8), 1.5),
        "critical batch size at a loss of one nat, in tokens: the paper's is 2e8",
    )

    published: ClassVar = {
        "kaplan-2020-table-3": Published(
            "Kaplan et al. 2020, arXiv 2001.08361, table 3; B_star and alpha_B from appendix A",
            "N without embeddings, S Adam steps, batch in tokens, L in nats per token of WebText2",
            {
                "alpha_N": 0.077,
                "alpha_S": 0.76,
                "alpha_B": 0.21,
                "N_c": 6.5e13,
                "S_c": 2.1e3,
                "B_star": 2.1e8,
            },
            total=False,
        ),
    }

    def loss(self, N: Array, S: Array, batch: Array) -> Array:
        size = self.alpha_N * (log(self.N_c) - log(N))
        steps = self.alpha_S * (log(self.S_c) - log(S))

        ratio = log(self.B_star) - log(batch)

        def residual(log_loss: Array) -> Array:
            waste = jax.nn.softplus(ratio - log_loss / self.alpha_B)
            return jnp.logaddexp(size, steps + self.alpha_S * waste) - log_loss

        unlimited_batch = jnp.logaddexp(size, steps) + jnp.zeros_like(ratio)
        return jnp.exp(root(residual, unlimited_batch, steps=8))

    def critical_loss(self, N: Array, D: Array) -> Array:
        """The loss of D tokens at its own critical batch size: D = 2 S_min B_crit(L)."""
        size = self.alpha_N * (log(self.N_c) - log(N))
        steps = self.alpha_S * (log(self.S_c) + math.log(2) + log(self.B_star) - log(D))
        fall = self.alpha_S / self.alpha_B

        def residual(log_loss: Array) -> Array:
            return jnp.logaddexp(size, steps - fall * log_loss) - log_loss

        # What either term alone would give: below the solution, by no more than log 2.
        return jnp.exp(root(residual, jnp.maximum(size, steps / (1 + fall)), steps=8))

    def critical_batch(self, L: Array) -> Array:
        """Batch size in tokens that trades steps against tokens evenly at a loss (equation 1.4)."""
        return self.B_star / L ** (1 / self.alpha_B)

    def minimum_steps(self, L: Array, S: Array, batch: Array) -> Array:
        """Steps that would have reached the loss with an unlimited batch (equation 5.4)."""
        return S / (1 + self.critical_batch(L) / batch)

    def minimum_compute(self, L: Array, N: Array, S: Array, batch: Array) -> Array:
        """FLOP that would have reached the loss with a vanishing batch (equation 5.5)."""
        return 6 * N * S * batch / (1 + batch / self.critical_batch(L))
