"""Mixtures of experts: parameters that are used, and experts to choose from."""

from __future__ import annotations

import math
from typing import ClassVar

from scalingfit.declare import Array, Law, Published, dist, jnp, log, parameter


class Routed(Law):
    """log L = a n + b log X + c n log X + d with n = log(N / 1e8), logarithms to base 10.

    Clark et al. 2022, "Unified Scaling Laws for Routed Language Models", arXiv 2202.01169,
    equation 1. X is the effective number of experts, which saturates:
    ``1/X = 1/(experts - 1 + 1/(1/E_start - 1/E_max)) + 1/E_max``. N parameters that one token
    sees (the dense model's), experts per routed layer (1 for a dense model), L loss in nats per
    token after a fixed number of training tokens.

    The paper takes N by itself for n. Counted in 1e8, `b` and `d` are about models that exist and
    not about one parameter, and are no longer tied to `a` and `c`: the paper's are b - 8 c and
    d - 8 a.
    """

    may_rise: ClassVar[tuple[str, ...]] = ("N", "experts")
    symbols: ClassVar = {"N": "parameters that one token sees: the dense model's"}

    a: Array = parameter(
        dist.Normal(-0.08, 0.03),
        "exponent of N at one effective expert: dense models lie near -0.08 without a floor",
    )
    b: Array = parameter(
        dist.Normal(-0.04, 0.05),
        "exponent of the experts at 1e8 parameters: the paper's are near -0.035",
    )
    c: Array = parameter(
        dist.Normal(0.01, 0.01),
        "interaction: above 0, large models gain less from experts; the paper's are near 0.01",
    )
    d: Array = parameter(
        dist.Normal(0.45, 0.2),
        "log10 loss of 1e8 parameters at one effective expert: 10^0.45 is 2.8 nats; 1.1 to 7",
    )
    E_start: Array = parameter(
        dist.LogNormal(math.log(2.0), 0.5),
        "effective experts of a dense model: the paper's are 1.8 to 4.2",
    )
    E_max: Array = parameter(
        dist.LogNormal(math.log(400.0), 0.7),
        "effective experts in the limit of many: the paper's are 314 to 478",
    )

    published: ClassVar = {
        f"clark-2022-{router}": Published(
            f"Clark et al. 2022, arXiv 2202.01169, table 3, {router}",
            "N as one token sees it, half of the layers routed, one expert a token, 250,000 "
            "steps, L validation loss in nats per token",
            {"a": a, "b": b + 8 * c, "c": c, "d": d + 8 * a, "E_start": E_start, "E_max": E_max},
        )
        for router, (a, b, c, d, E_start, E_max) in {
            "s-base": (-0.082, -0.108, 0.009, 1.104, 1.847, 314.478),
            "rl-r": (-0.083, -0.126, 0.012, 1.111, 1.880, 469.982),
            "hash": (-0.087, -0.136, 0.012, 1.157, 4.175, 477.741),
        }.items()
    }

    def loss(self, N: Array, experts: Array) -> Array:
        added = experts - 1 + 1 / (1 / self.E_start - 1 / self.E_max)
        log_X = -jnp.log10(1 / added + 1 / self.E_max)
        n = log(N) / math.log(10) - 8
        log_L = self.a * n + self.b * log_X + self.c * n * log_X + self.d
        return 10.0**log_L
