"""Kaplan's law of compute alone, spent on the best model for each budget."""

from __future__ import annotations

import math
from typing import ClassVar

from scalingfit.declare import Array, Law, Published, coefficient, dist, parameter

PF_DAY = 8.64e19  # FLOP


class KaplanCompute(Law):
    """L(C) = (C_c / C)^alpha_C, written as A / C^alpha_C with A = C_c^alpha_C.

    Kaplan et al. 2020, arXiv 2001.08361, equation 1.3 and the fit at a fixed batch size beside it.
    C training FLOP without embeddings, L loss in nats per token. The paper counts C_c in PF-days
    (8.64e19 FLOP); in FLOP it would leave the range of single precision for small exponents, A
    does not.
    """

    symbols: ClassVar = {"C": "training compute in FLOP, without embeddings"}

    alpha_C: Array = parameter(
        dist.LogNormal(math.log(0.055), 0.4),
        "exponent of C: without an irreducible loss fits lie between 0.03 and 0.1",
    )
    A: Array = coefficient(
        of="C",
        power="alpha_C",
        at=1e21,
        median=2.4,
        log_sd=0.4,
        about="coefficient of C: the best model for 1e21 FLOP reaches about 2.4 nats",
    )

    published: ClassVar = {
        "kaplan-2020-eq-1.3": Published(
            "Kaplan et al. 2020, arXiv 2001.08361, equation 1.3: C_c = 3.1e8 PF-days",
            "C the least FLOP, at batches far below the critical size; L in nats per token",
            {"alpha_C": 0.05, "A": (3.1e8 * PF_DAY) ** 0.05},
        ),
        "kaplan-2020-fixed-batch": Published(
            "Kaplan et al. 2020, arXiv 2001.08361, fit at a fixed batch size: C_c = 1.6e7 PF-days",
            "C the FLOP spent at a fixed batch size; L in nats per token",
            {"alpha_C": 0.057, "A": (1.6e7 * PF_DAY) ** 0.057},
        ),
    }

    def loss(self, C: Array) -> Array:
        return self.A / C**self.alpha_C
