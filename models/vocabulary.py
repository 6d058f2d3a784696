"""Loss with the vocabulary as a third quantity to choose."""

from __future__ import annotations

import math
from typing import ClassVar

from scalingfit.declare import Array, Law, Published, coefficient, dist, floor, parameter


class Vocabulary(Law):
    """L(N_nv, N_v, D) = -E + A1 / N_nv^alpha1 + A2 / N_v^alpha2 + B / D^beta.

    Tao et al. 2024, "Scaling Laws with Vocabulary: Larger Models Deserve Larger Vocabularies",
    arXiv 2407.13623, approach 3. N_nv parameters outside the vocabulary, N_v = V d parameters of
    V embeddings of width d, D training tokens. L is the unigram-normalised loss, nats per token
    beyond what the frequency of the token tells: it compares between vocabularies, and it is
    negative, so the scatter is on the loss and not on its logarithm.

    A budget pays for N_nv + N_v parameters. The best vocabulary at a given N_nv, as in the paper,
    is ``frontier(..., N_nv=...)``, and V is then N_v / d.
    """

    default_noise: ClassVar[str] = "student_t_level"
    size: ClassVar[tuple[str, ...]] = ("N_nv", "N_v")

    E: Array = floor(
        dist.Normal(5.7, 1.1),
        "what an unlimited model gains over token frequencies, nats: of the 6.5 to 7.7 nats of "
        "frequencies alone, at 4,000 to 256,000 tokens, 1.5 to 2 stay; 90 % from 3.9 to 7.5",
    )
    alpha1: Array = parameter(
        dist.LogNormal(math.log(0.4), 0.5),
        "exponent of N_nv: as other exponents of N, between 0.1 and 0.7",
    )
    alpha2: Array = parameter(
        dist.LogNormal(math.log(0.5), 0.5),
        "exponent of N_v: the paper's is 0.67",
    )
    beta: Array = parameter(
        dist.LogNormal(math.log(0.4), 0.5),
        "exponent of D: as other exponents of D, between 0.1 and 0.7",
    )
    A1: Array = coefficient(
        of="N_nv",
        power="alpha1",
        at=1e8,
        median=0.3,
        log_sd=1.5,
        about="coefficient of N_nv: 1e8 parameters cost a few tenths of a nat",
    )
    A2: Array = coefficient(
        of="N_v",
        power="alpha2",
        at=1e7,
        median=0.05,
        log_sd=1.5,
        about="coefficient of N_v: a vocabulary of 1e7 parameters costs some hundredths of a nat",
    )
    B: Array = coefficient(
        of="D",
        power="beta",
        at=1e9,
        median=1.5,
        log_sd=1.5,
        about="coefficient of D: training on only 1e9 tokens costs one or two nats",
    )

    published: ClassVar = {
        "tao-2024": Published(
            "Tao et al. 2024, arXiv 2407.13623, approach 3: the constants in the authors' "
            "repository (scaling-with-vocab), where alpha1 = beta",
            "L unigram-normalised. D is not the token count: the fit converts H characters by "
            "D = H (0.00639222 v^2 - 0.15811069 v + 1.20470122) with v = ln(V / 1000), where the "
            "authors' map from characters to tokens has v = ln(V); this D is 2.5 to 3 times the "
            "tokens",
            {
                "E": 5.5327846803337435,
                "alpha1": 0.44660634152009615,
                "alpha2": 0.6707374679896795,
                "beta": 0.44660634152009615,
                "A1": 1.8313851559554126 * 1e6**0.44660634152009615,
                "A2": 0.19584238398665638 * 1e6**0.6707374679896795,
                "B": 2.1241123120064955 * 1e9**0.44660634152009615,
            },
            total=True,
        ),
    }

    def loss(self, N_nv: Array, N_v: Array, D: Array) -> Array:
        size = self.A1 / N_nv**self.alpha1 + self.A2 / N_v**self.alpha2
        return -self.E + size + self.B / D**self.beta
