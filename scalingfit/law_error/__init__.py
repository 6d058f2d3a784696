"""A law is not exact: its error, a smooth random function of the inputs.

Losses scatter about ``law(x) exp(delta(x))``, with ``delta`` a Gaussian process over ``x``, the
decimal logarithms of the law's inputs (Kennedy & O'Hagan 2001, J. R. Stat. Soc. B 63, 425). Its
covariance is ``tau**2`` times

    K(x, x') = sum over l in 0.5, 1, 2, 4 decades of  l**2 exp(-|x - x'|**2 / (2 l**2)),

so it is smooth, has slopes of one size at every length, is small between runs and grows with the
distance from them. A field of one length would return to its prior far away, too narrow there.

Half of the prior says that the law is exact, ``tau = 0``: without that, runs that follow a law are
extrapolated as though they did not (Brynjarsdottir & O'Hagan 2014, Inverse Problems 30, 114007).
Where the scatter is on the loss itself, which may then be negative, ``delta`` is added to the law.

Rows of one run, such as its checkpoints, share more than the law and its error: an effect of the
run, normal with the scale ``omega``. Rows that differ in their seed are runs of their own, which
share the law and its error alone.
"""

from scalingfit.law_error.draws import ErrorDraws
from scalingfit.law_error.kernel import LENGTHS, covariance
from scalingfit.law_error.landmarks import MOST_LANDMARKS, Landmarks, landmarks
from scalingfit.law_error.law import law_with_error
from scalingfit.law_error.prior import LAW_ERROR, LawError, run_effect

__all__ = [
    "LAW_ERROR",
    "LENGTHS",
    "MOST_LANDMARKS",
    "ErrorDraws",
    "Landmarks",
    "LawError",
    "covariance",
    "landmarks",
    "law_with_error",
    "run_effect",
]
