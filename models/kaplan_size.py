"""Kaplan's law of model size alone, with as much data as the model can use."""

from __future__ import annotations

import math
from typing import ClassVar

from scalingfit.declare import Array, Law, Published, dist, parameter, scale


class KaplanSize(Law):
    """L(N) = (N_c / N)^alpha_N.

    Kaplan et al. 2020, arXiv 2001.08361, equation 1.1: models trained to convergence on enough
    data. N parameters without embeddings, L loss in nats per token.
    """

    symbols: ClassVar = {"N": "parameters without embeddings"}

    alpha_N: Array = parameter(
        dist.LogNormal(math.log(0.08), 0.35),
        "exponent of N: without an irreducible loss fits lie between 0.04 and 0.15",
    )
    N_c: Array = scale(
        of="N",
        power="alpha_N",
        at=1e9,
        median=2.4,
        log_sd=0.4,
        about="scale of N, in parameters: 1e9 parameters reach about 2.4 nats",
    )

    published: ClassVar = {
        "kaplan-2020-eq-1.1": Published(
            "Kaplan et al. 2020, arXiv 2001.08361, equation 1.1",
            "N without embeddings, WebText2, L in nats per token (50,257 tokens)",
            {"alpha_N": 0.076, "N_c": 8.8e13},
            total=False,
        ),
    }

    def loss(self, N: Array) -> Array:
        return (self.N_c / N) ** self.alpha_N
