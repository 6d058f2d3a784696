"""Chinchilla's law: loss falls with parameters and tokens, each at its own rate."""

from __future__ import annotations

import math
from typing import ClassVar

from scalingfit.declare import Array, Law, Published, coefficient, dist, floor, parameter


class Chinchilla(Law):
    """L(N, D) = E + A / N^alpha + B / D^beta.

    Hoffmann et al. 2022, "Training Compute-Optimal Large Language Models", arXiv 2203.15556,
    equations 2 and 10. N parameters, D training tokens, L loss in nats per token.

    The priors are weakly informative over N from 1e5 to 1e13 and D from 1e6 to 1e15, for losses in
    nats per token or per byte.
    """

    E: Array = floor(
        dist.LogNormal(math.log(1.5), 0.7),
        "irreducible loss, nats: published text corpora lie at 1.6 to 1.9 per token, bytes below 1",
    )
    alpha: Array = parameter(
        dist.LogNormal(math.log(0.35), 0.5),
        "exponent of N: published fits lie between 0.08 and 0.6",
    )
    beta: Array = parameter(
        dist.LogNormal(math.log(0.35), 0.5),
        "exponent of D: published fits lie between 0.1 and 0.6",
    )
    A: Array = coefficient(
        of="N",
        power="alpha",
        at=1e9,
        median=0.35,
        log_sd=1.5,
        about="coefficient of N: 1e9 parameters cost about a third of a nat against unlimited ones",
    )
    B: Array = coefficient(
        of="D",
        power="beta",
        at=3e10,
        median=0.4,
        log_sd=1.5,
        about="coefficient of D: 3e10 tokens cost about 0.4 nat against unlimited data",
    )

    published: ClassVar = {
        "hoffmann-2022": Published(
            "Hoffmann et al. 2022, arXiv 2203.15556, equation 10",
            "N total parameters, D tokens, L in nats per token; rounded as printed",
            {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28},
            total=True,
        ),
        "hoffmann-2022-unrounded": Published(
            "Hoffmann et al. 2022, arXiv 2203.15556, constants in the paper's TeX source, "
            "as quoted by Besiroglu et al. 2024, arXiv 2404.10102",
            "N total parameters, D tokens, L in nats per token",
            {
                "E": math.exp(0.5267228),
                "A": math.exp(6.0073404),
                "B": math.exp(6.0179186),
                "alpha": 0.33917084,
                "beta": 0.2849083,
            },
            total=True,
        ),
        "besiroglu-2024": Published(
            "Besiroglu et al. 2024, arXiv 2404.10102, equation 5",
            "240 runs read off Hoffmann's figure 4: N parameters, D = C/(6N), L in nats per token; "
            "rounded as printed, which moves optima by a percent",
            {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658},
            total=True,
        ),
    }

    def loss(self, N: Array, D: Array) -> Array:
        return self.E + self.A / N**self.alpha + self.B / D**self.beta
