"""One law of a comparison: how well it predicts, and when it is better than another."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
from numpy.typing import NDArray

from scalingfit.evidence.comparison.leave_out import LeaveOut
from scalingfit.evidence.forecasts import ScoredForecasts
from scalingfit.inference import Evidence, Posterior

__all__ = ["Candidate", "is_better"]

Floats = NDArray[np.float64]

CLEAR, ALIKE = 2.0, 4.0
"""A law is better where its elpd is higher by two standard errors, and by 4: below that the
normal approximation fails (Sivula et al. 2025, arXiv 2008.10296). A standard error from few groups
is itself uncertain: Student's t with one degree of freedom less than groups asks for more of them
at the same probability, 2.1 for 24 runs and 4.5 for three groups."""


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
    """

    posterior: Posterior
    loo: LeaveOut
    future: ScoredForecasts | None
    evidence: Evidence
    weight: float
    difference: float
    difference_se: float

    def by_cut(self) -> Floats:
        """Mean log score of the runs beyond each cut, shape (cut,)."""
        if self.future is None:
            return np.empty(0)
        scores, cut = self.future.log_score, self.future.cut
        return np.array([scores[cut == number].mean() for number in np.unique(cut)])

    @property
    def indistinct(self) -> bool:
        """Whether the runs cannot tell it from the best."""
        return not is_better(-self.difference, self.difference_se, len(self.loo.elpd_i))


def is_better(difference: float, error: float, groups: int) -> bool:
    """Whether a law is clearly better than another.

    Parameters
    ----------
    difference, error : float
        In elpd, and its standard error by ArviZ, where the variance is a mean over the groups.
    groups : int
        How many runs, or groups of runs, were left out in turn.
    """
    if groups < 2:
        return False
    unbiased = error * np.sqrt(groups / (groups - 1))
    return bool(difference > max(ALIKE, _clear(groups) * unbiased))


@functools.cache
def _clear(groups: int) -> float:
    """How many standard errors from so many groups are as improbable as `CLEAR` of the normal."""
    from scipy.stats import norm, t

    return float(t.ppf(norm.cdf(CLEAR), groups - 1))
