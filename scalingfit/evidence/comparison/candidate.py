"""One law of a comparison: how well it predicts, and when it is better than another."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
from numpy.typing import NDArray

from scalingfit.evidence.comparison.leave_out import LeaveOut
from scalingfit.evidence.forecasts import ScoredForecasts
from scalingfit.inference import Evidence, Posterior

__all__ = ["CLEAR", "Candidate", "is_better"]

Floats = NDArray[np.float64]

CLEAR, ALIKE = 2.0, 4.0
"""A law is better where its elpd is higher by two standard errors, and by 4: below that the
normal approximation fails (Sivula et al. 2025, arXiv 2008.10296). A standard error from few groups
is itself uncertain: Student's t with one degree of freedom less than groups asks for more of them
at the same probability, 2.1 for 24 runs and 4.5 for three groups. Where one run makes both the
difference and its standard error, as an outlier does between a normal and a heavy-tailed scatter,
the ranks of all decide (Wilcoxon 1945, Biometrics Bull. 1, 80), if the others differ by 4 too."""


@dataclasses.dataclass(frozen=True)
class Candidate:
    """How one candidate does.

    Attributes
    ----------
    posterior : Posterior
    loo : LeaveOut
        Leaving out each run, or each group of runs.
    future : ScoredForecasts, optional
        Forecasts of the runs beyond each cut; None without cuts.
    evidence : Evidence
        Log marginal likelihood.
    weight : float
        In the stacked prediction.
    difference, difference_se : float
        elpd less that of the best candidate, and the standard error of that, from the scatter
        between groups.
    behind : array, shape (group,)
        How much each group's elpd is below that of the best candidate.
    """

    posterior: Posterior
    loo: LeaveOut
    future: ScoredForecasts | None
    evidence: Evidence
    weight: float
    difference: float
    difference_se: float
    behind: Floats

    def by_cut(self) -> Floats:
        """Mean log score of the runs beyond each cut, shape (cut,)."""
        if self.future is None:
            return np.empty(0)
        scores, cut = self.future.log_score, self.future.cut
        return np.array([scores[cut == number].mean() for number in np.unique(cut)])

    @property
    def indistinct(self) -> bool:
        """Whether the runs cannot tell it from the best."""
        return not is_better(self.behind)


def is_better(ahead: Floats) -> bool:
    """Whether a law is clearly better than another.

    Parameters
    ----------
    ahead : array, shape (group,)
        How much its elpd is above the other's, by run or group of runs left out.
    """
    groups, difference = len(ahead), float(ahead.sum())
    if groups < 2 or difference <= ALIKE:
        return False
    if difference > _clear(groups) * np.sqrt(groups) * np.std(ahead, ddof=1):
        return True
    from scipy.stats import norm, wilcoxon

    others = difference - ahead.max()
    return bool(others > ALIKE and wilcoxon(ahead, alternative="greater").pvalue < norm.sf(CLEAR))


@functools.cache
def _clear(groups: int) -> float:
    """How many standard errors from so many groups are as improbable as `CLEAR` of the normal."""
    from scipy.stats import norm, t

    return float(t.ppf(norm.cdf(CLEAR), groups - 1))
