"""Kaplan's law of data size alone, with models large enough and stopped in time."""

from __future__ import annotations

import math
from typing import ClassVar

from scalingfit.declare import Array, Law, Published, dist, parameter, scale


class KaplanData(Law):
    """L(D) = (D_c / D)^alpha_D.

    Kaplan et al. 2020, arXiv 2001.08361, equation 1.2: large models on a limited data set, stopped
    early. D tokens in the data set, L loss in nats per token.
    """

    symbols: ClassVar = {"D": "tokens in the data set"}

    alpha_D: Array = parameter(
        dist.LogNormal(math.log(0.1), 0.5),
        "exponent of D: without an irreducible loss fits lie between 0.05 and 0.4, steepest "
        "where training was short, below 1e9 tokens",
    )
    D_c: Array = scale(
        of="D",
        power="alpha_D",
        at=3e10,
        median=2.0,
        log_sd=0.4,
        about="scale of D, in tokens: 3e10 tokens allow about 2 nats",
    )

    published: ClassVar = {
        "kaplan-2020-eq-1.2": Published(
            "Kaplan et al. 2020, arXiv 2001.08361, equation 1.2",
            "D tokens of WebText2, L in nats per token (50,257 tokens)",
            {"alpha_D": 0.095, "D_c": 5.4e13},
        ),
    }

    def loss(self, D: Array) -> Array:
        return (self.D_c / D) ** self.alpha_D
