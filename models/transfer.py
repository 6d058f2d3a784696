"""Fine-tuning a pre-trained model: what pre-training is worth in data."""

from __future__ import annotations

import math
from typing import ClassVar

from scalingfit.declare import Array, Law, dist, jnp, log, parameter, scale


class Transfer(Law):
    """L(N, D_F) = [(N_c / N)^(alpha_N / alpha_D) + D_c / (D_F + D_T)]^alpha_D.

    Hernandez et al. 2021, "Scaling Laws for Transfer", arXiv 2102.01293: pre-training is worth
    ``D_T = k D_F^alpha N^beta`` of data (equation 1.1), on top of Kaplan's law of training from
    scratch on the target. Equation 6.1 is the limit where D_F is small beside D_T. N parameters
    without embeddings, D_F size of the fine-tuning set (characters in the paper), L loss in nats
    per token on the target.

    The law of transfer was fitted with few data, up to a tenth of what the model could use from
    scratch. From text to Python (table 1): k = 1.9e4, alpha = 0.18, beta = 0.38; from an equal mix
    of text and other code: k = 2.1e5, alpha = 0.096, beta = 0.38. The paper states no constants of
    the law from scratch, so there is no complete published point.
    """

    symbols: ClassVar = {"N": "parameters without embeddings"}

    alpha_N: Array = parameter(
        dist.LogNormal(math.log(0.08), 0.35),
        "exponent of N from scratch: without an irreducible loss fits lie between 0.04 and 0.15",
    )
    alpha_D: Array = parameter(
        dist.LogNormal(math.log(0.1), 0.35),
        "exponent of data from scratch: without an irreducible loss fits lie between 0.05 and 0.2",
    )
    alpha: Array = parameter(
        dist.LogNormal(math.log(0.15), 0.7),
        "exponent of D_F in the data transferred: small where the two distributions are close",
    )
    beta: Array = parameter(
        dist.LogNormal(math.log(0.35), 0.5),
        "exponent of N in the data transferred: the paper's is 0.38 for both of its sources",
    )
    N_c: Array = scale(
        of="N",
        power="alpha_N",
        at=1e9,
        median=2.0,
        log_sd=0.5,
        about="scale of N, in parameters: with unlimited data 1e9 parameters reach about 2 nats",
    )
    D_c: Array = scale(
        of="D_F",
        power="alpha_D",
        at=3e10,
        median=1.8,
        log_sd=0.5,
        about="scale of data, in the unit of D_F: an unlimited model reaches 1.8 nats on 3e10",
    )
    k: Array = parameter(
        dist.LogNormal(math.log(3e4), 3.0),
        "coefficient of the data transferred: the paper's two are 1.9e4 and 2.1e5; wide, because "
        "it goes with the exponents and with the unit of D_F",
        through="transferred",
    )

    def loss(self, N: Array, D_F: Array) -> Array:
        size = self.alpha_N / self.alpha_D * (log(self.N_c) - log(N))
        data = log(self.D_c) - log(D_F + self.transferred(N, D_F))
        return jnp.exp(self.alpha_D * jnp.logaddexp(size, data))

    def transferred(self, N: Array, D_F: Array) -> Array:
        """Data that pre-training is worth, in the unit of D_F (equation 1.1)."""
        return self.k * D_F**self.alpha * N**self.beta
