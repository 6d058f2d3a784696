"""Loss of models trained on more tokens per parameter than compute-optimal."""

from __future__ import annotations

import math
from typing import ClassVar

from scalingfit.declare import Array, Law, Published, coefficient, dist, floor, parameter


class OverTraining(Law):
    """L(C, M) = E + (a M^eta + b M^-eta) C^-eta, with C = 6 N D, M = D / N, eta = alpha / 2.

    Gadre et al. 2024, "Language models scale reliably with over-training and on downstream tasks",
    arXiv 2403.08540: at a fixed number M of tokens per parameter the reducible loss is
    a power law in compute, with the same exponent for every M. It is Chinchilla's law with
    beta = alpha, where A = a / 6^eta and B = b / 6^eta. N parameters, D training tokens, C training
    FLOP, L loss in nats per token. The inputs are N and D, so that budgets can be allocated; `read`
    makes them of a table with C and M. Constants of the paper's own fits were not seen in its code
    and stay out.
    """

    E: Array = floor(
        dist.LogNormal(math.log(1.5), 0.7),
        "irreducible loss, nats: published text corpora lie at 1.6 to 1.9 per token, bytes below 1",
    )
    alpha: Array = parameter(
        dist.LogNormal(math.log(0.35), 0.5),
        "exponent of N and of D, twice the exponent eta of C: published fits lie between 0.2 and "
        "0.5",
    )
    a: Array = coefficient(
        of="N",
        power="alpha",
        at=1e9,
        median=0.5,
        log_sd=1.5,
        about="coefficient of N, times 6^eta: 1e9 parameters cost about a third of a nat",
    )
    b: Array = coefficient(
        of="D",
        power="alpha",
        at=3e10,
        median=0.5,
        log_sd=1.5,
        about="coefficient of D, times 6^eta: 3e10 tokens cost about a third of a nat",
    )

    published: ClassVar = {
        "muennighoff-2023": Published(
            "Muennighoff et al. 2023, arXiv 2305.16264, the fit on C4 with alpha = beta, in this "
            "law's terms: a = A 6^eta, b = B 6^eta",
            "N parameters, D tokens of C4, L validation loss in nats per token",
            {
                "E": math.exp(0.6254804),
                "alpha": 0.3526596,
                "a": math.exp(6.255414) * 6 ** (0.3526596 / 2),
                "b": math.exp(7.3049974) * 6 ** (0.3526596 / 2),
            },
        ),
    }

    def loss(self, N: Array, D: Array) -> Array:
        eta = self.alpha / 2
        C, M = 6 * N * D, D / N
        return self.E + (self.a * M**eta + self.b * M**-eta) / C**eta
