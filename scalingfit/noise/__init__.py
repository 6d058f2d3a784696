"""How observed losses scatter about a law.

Each noise model is a frozen dataclass and a pytree, like a law: its leaves are its parameters with
priors, and its methods say how a loss is distributed where the law has a given loss.

On log loss, ``sigma`` is a relative error: 0.01 is one percent of the loss. Replicated training
runs of language models differ by a few tenths of a percent to a percent, and figures digitised
from papers by about one percent, so the prior has its median at one percent and reaches from
0.1 % to 10 %. It vanishes at zero, and the tail of the Student-t never becomes heavier than
Cauchy's: with as few as eight runs and five parameters the likelihood would otherwise diverge
where the law passes exactly through some of the runs and ignores the others.

Known standard errors of losses, and errors of inputs, are normal errors beside the model's own
scatter: the density is that of the sum.
"""

from scalingfit.noise._base import At, Noise, alike, anchor, level, scatter
from scalingfit.noise.error_in_inputs import ErrorInN, ErrorInNAndD
from scalingfit.noise.laplace import Laplace, LaplaceLevel
from scalingfit.noise.normal import Normal, NormalLevel
from scalingfit.noise.one_sided import OneSided
from scalingfit.noise.outlier_mixture import OutlierMixture
from scalingfit.noise.scatter_with_design import ScatterWithDesign
from scalingfit.noise.scatter_with_loss import ScatterWithLoss
from scalingfit.noise.student_t import StudentT, StudentTLevel

__all__ = [
    "At",
    "ErrorInN",
    "ErrorInNAndD",
    "Laplace",
    "LaplaceLevel",
    "Noise",
    "Normal",
    "NormalLevel",
    "OneSided",
    "OutlierMixture",
    "ScatterWithDesign",
    "ScatterWithLoss",
    "StudentT",
    "StudentTLevel",
    "alike",
    "anchor",
    "level",
    "scatter",
]
