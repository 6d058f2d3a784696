"""Kaplan's law of model and data size: one power law inside another, and no irreducible loss."""

from __future__ import annotations

import math
from typing import ClassVar

from scalingfit.declare import Array, Law, Published, dist, jnp, log, parameter, scale


class Kaplan(Law):
    """L(N, D) = [(N_c / N)^(alpha_N / alpha_D) + D_c / D]^alpha_D.

    Kaplan et al. 2020, "Scaling Laws for Neural Language Models", arXiv 2001.08361, equation 1.5.
    N parameters without embeddings, D training tokens, L loss in nats per token.

    With unlimited data it is ``(N_c / N)^alpha_N`` (equation 1.1), with unlimited parameters
    ``(D_c / D)^alpha_D`` (equation 1.2). It is evaluated in logarithms, because the ratios raised
    to a power leave the range of single precision.
    """

    symbols: ClassVar = {"N": "parameters without embeddings"}

    alpha_N: Array = parameter(
        dist.LogNormal(math.log(0.08), 0.35),
        "exponent of N: without an irreducible loss fits lie between 0.04 and 0.15",
    )
    alpha_D: Array = parameter(
        dist.LogNormal(math.log(0.1), 0.5),
        "exponent of D: without an irreducible loss fits lie between 0.05 and 0.4, steepest "
        "where training was short, below 1e9 tokens",
    )
    N_c: Array = scale(
        of="N",
        power="alpha_N",
        at=1e9,
        median=2.4,
        log_sd=0.4,
        about="scale of N, in parameters: with unlimited data 1e9 parameters reach about 2.4 nats",
    )
    D_c: Array = scale(
        of="D",
        power="alpha_D",
        at=3e10,
        median=2.0,
        log_sd=0.4,
        about="scale of D, in tokens: an unlimited model reaches about 2 nats on 3e10 tokens",
    )

    published: ClassVar = {
        "kaplan-2020-table-2": Published(
            "Kaplan et al. 2020, arXiv 2001.08361, table 2",
            "N without embeddings, D tokens of WebText2, L in nats per token (50,257 tokens)",
            {"alpha_N": 0.076, "alpha_D": 0.103, "N_c": 6.4e13, "D_c": 1.8e13},
            total=False,
        ),
    }

    def loss(self, N: Array, D: Array) -> Array:
        size = self.alpha_N / self.alpha_D * (log(self.N_c) - log(N))
        data = log(self.D_c) - log(D)
        return jnp.exp(self.alpha_D * jnp.logaddexp(size, data))
