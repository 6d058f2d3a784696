"""Chinchilla's law when data must be repeated, and each further epoch is worth less."""

from __future__ import annotations

import math
from typing import ClassVar

from scalingfit.declare import Array, Law, Published, coefficient, dist, floor, jnp, log, parameter


class DataConstrained(Law):
    """L(N, D, U) = E + A / N_eff^alpha + B / D_eff^beta.

    Muennighoff et al. 2023, "Scaling Data-Constrained Language Models", arXiv 2305.16264.
    N parameters, D training tokens seen, U unique tokens among them, L loss in
    nats per token.

    ``D_eff = U_D (1 + R_D_star (1 - exp(-R_D / R_D_star)))``, where U_D = min(U, D) and
    R_D = D / U_D - 1 counts the repetitions; likewise ``N_eff`` from U_N = min(N, N_opt(U_D)) and
    R_N = N / U_N - 1, where N_opt is the compute-optimal size for the unique tokens under the
    formula without repetition. Both are continuous, with a kink where repetition begins. Without
    repetition and with N up to N_opt it is Chinchilla's law.
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
    R_D_star: Array = parameter(
        dist.LogNormal(math.log(10.0), 1.0),
        "repetitions after which repeated tokens stop paying: a few to some tens of epochs",
    )
    R_N_star: Array = parameter(
        dist.LogNormal(math.log(5.0), 1.0),
        "the same for parameters beyond N_opt: the paper's is 5.3",
    )

    published: ClassVar = {
        "muennighoff-2023": Published(
            "Muennighoff et al. 2023, arXiv 2305.16264, the fit in the authors' repository "
            "(datablations, parametric fit); alpha and beta were tied",
            "N parameters, D and U tokens of C4, L validation loss in nats per token",
            {
                "E": math.exp(0.6254804),
                "alpha": 0.3526596,
                "beta": 0.3526596,
                "A": math.exp(6.255414),
                "B": math.exp(7.3049974),
                "R_D_star": 15.387756,
                "R_N_star": 5.309743,
            },
        ),
    }

    def loss(self, N: Array, D: Array, U: Array) -> Array:
        log_N, log_D = log(N), log(D)
        log_U_D = jnp.minimum(log(U), log_D)
        log_U_N = jnp.minimum(log_N, self._log_N_opt(log_U_D))
        log_D_eff = log_U_D + _log_worth(log_D - log_U_D, self.R_D_star)
        log_N_eff = log_U_N + _log_worth(log_N - log_U_N, self.R_N_star)
        size = jnp.exp(log(self.A) - self.alpha * log_N_eff)
        data = jnp.exp(log(self.B) - self.beta * log_D_eff)
        return self.E + size + data

    def _log_N_opt(self, log_D: Array) -> Array:
        """Log of the N for which D tokens are compute-optimal: (D G)^(beta/alpha) G."""
        ratio = log(self.alpha * self.A) - log(self.beta * self.B)
        log_G = ratio / (self.alpha + self.beta)
        return self.beta / self.alpha * (log_D + log_G) + log_G


def _log_worth(log_passes: Array, worth: Array) -> Array:
    """Log of how many fresh passes so many passes are worth: 1 + R* (1 - exp(-R / R*))."""
    # Beyond exp(50) passes nothing changes, and exp() would leave the range of single precision.
    repetitions = jnp.expm1(jnp.minimum(log_passes, 50.0))
    return jnp.log1p(-worth * jnp.expm1(-repetitions / worth))
