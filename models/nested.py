"""One family that holds both Chinchilla's law and Kaplan's."""

from __future__ import annotations

import math
from typing import ClassVar

from scalingfit.declare import Array, Law, Published, coefficient, dist, floor, jnp, log, parameter


class Nested(Law):
    """L(N, D) = E + [(A / N^alpha)^(1/q) + (B / D^beta)^(1/q)]^q.

    At q = 1 it is Chinchilla's law (Hoffmann et al. 2022, arXiv 2203.15556, equation 2). At E = 0
    and q = beta it is Kaplan's (Kaplan et al. 2020, arXiv 2001.08361, equation 1.5) with
    alpha_N = alpha, alpha_D = beta, N_c = A^(1/alpha) and D_c = B^(1/beta). So one posterior over
    (E, q) weighs one against the other on the same runs. As q goes to 0 the larger of the two
    terms alone counts. Symbols and units as in Chinchilla's law.

    Videau et al. 2026, arXiv 2608.07222, write the same family as E + (a / N^x + b / D^y)^k: k = q,
    x = alpha / q, y = beta / q, a = A^(1/q), b = B^(1/q).
    """

    E: Array = floor(
        dist.HalfNormal(2.0),
        "irreducible loss, nats: from 0 (Kaplan) to above the 1.6 to 1.9 of fits with q = 1",
    )
    q: Array = parameter(
        dist.Uniform(0.0, 1.5),
        "how the terms combine: even between 0 (the larger counts), 0.1 (Kaplan), 1 (Chinchilla), "
        "and some room beyond",
        exponent=True,
    )
    alpha: Array = parameter(
        dist.LogNormal(math.log(0.25), 0.7),
        "exponent of N: from Kaplan's 0.08 to 0.6 for fits with an irreducible loss",
    )
    beta: Array = parameter(
        dist.LogNormal(math.log(0.25), 0.7),
        "exponent of D: from Kaplan's 0.1 to 0.6 for fits with an irreducible loss",
    )
    A: Array = coefficient(
        of="N",
        power="alpha",
        at=1e9,
        median=0.9,
        log_sd=1.3,
        about="coefficient of N: at 1e9 parameters between Chinchilla's 0.35 and Kaplan's 2.3 nats",
    )
    B: Array = coefficient(
        of="D",
        power="beta",
        at=3e10,
        median=0.9,
        log_sd=1.3,
        about="coefficient of D: at 3e10 tokens between Chinchilla's 0.4 and Kaplan's 1.9 nats",
        through="balance",
    )

    published: ClassVar = {
        "hoffmann-2022": Published(
            "Hoffmann et al. 2022, arXiv 2203.15556, equation 10",
            "N total parameters, D tokens, L in nats per token; rounded as printed",
            {"E": 1.69, "q": 1.0, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28},
            total=True,
        ),
        "kaplan-2020-table-2": Published(
            "Kaplan et al. 2020, arXiv 2001.08361, table 2",
            "N without embeddings, D tokens of WebText2, L in nats per token (50,257 tokens)",
            {
                "E": 0.0,
                "q": 0.103,
                "A": 6.4e13**0.076,
                "B": 1.8e13**0.103,
                "alpha": 0.076,
                "beta": 0.103,
            },
            total=False,
        ),
    }

    def loss(self, N: Array, D: Array) -> Array:
        size = log(self.A) - self.alpha * log(N)
        data = log(self.B) - self.beta * log(D)
        return self.E + jnp.exp(self.q * jnp.logaddexp(size / self.q, data / self.q))

    def balance(self, N: Array, D: Array) -> Array:
        """How many times the term of N the term of D counts, between the bracket and outside it.

        In the bracket alone it would run to all or nothing as q goes to 0, where runs still tell
        the ratio of the two terms.
        """
        return (self.B / D**self.beta / (self.A / N**self.alpha)) ** (1 / (self.q + 0.1))
