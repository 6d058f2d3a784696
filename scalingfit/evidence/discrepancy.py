"""What a law misses beyond the runs: an error of the law itself that grows with distance.

A posterior says how sure one may be if the law is right. Where a table's own horizons show that
forecasts fail more often than they claim, the missing width is learned from them: the law's loss
is multiplied by exp(e), e normal with standard deviation ``rate * log10(distance)``, distance being
how many times larger a run is than the largest that was fitted.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from scalingfit._errors import InputError
from scalingfit.allocation.forecast import Forecast, forecast
from scalingfit.evidence.budgets import scale_of
from scalingfit.evidence.density import log_likelihood, new_runs
from scalingfit.inference.posterior import Posterior
from scalingfit.noise import Noise

__all__ = ["Discrepancy", "Held", "Learned", "learn"]

Floats = NDArray[np.float64]

RATES = np.concatenate([[0.0], np.geomspace(1e-4, 0.5, 38)])
"""Rates tried: relative error a factor of ten away."""


@dataclasses.dataclass(frozen=True)
class Discrepancy:
    """The relative error of a law that comes with distance.

    Attributes
    ----------
    rate : float
        Standard deviation of log loss at ten times the largest run that was fitted.
    gain : float
        By how much it raised the log score of the forecasts it was learned from.

    Raises
    ------
    InputError
        The rate is negative, or no finite number.
    """

    rate: float
    gain: float = 0.0

    def __post_init__(self) -> None:
        """Check the rate."""
        if not 0 <= self.rate < np.inf:
            raise InputError(
                f"a discrepancy of {self.rate:g} is no relative error",
                remedy="give what a backtest found, such as 0.01.",
            )

    def sd(self, distance: Any) -> Floats:
        """Standard deviation of log loss, at distances of any shape."""
        return np.asarray(self.rate * np.log10(np.maximum(distance, 1.0)))

    def forecast(self, posterior: Posterior, seed: int = 0, **inputs: Any) -> Forecast:
        """Forecast losses with it; arguments as of `scalingfit.allocation.forecast`.

        Raises
        ------
        InputError
            Also where the points do not tell how much larger they are than the runs.
        """
        plain = forecast(posterior, seed=seed, **inputs)
        name, fitted = scale_of(posterior.runs)
        asked = plain.asked
        if name in asked:
            size = asked[name]
        elif {"N", "D"} <= set(asked):
            size = 6 * asked["N"] * asked["D"]
        else:
            raise InputError(
                f"the points have no {name}, by which these runs are measured",
                remedy=f"add {name}=..., or forecast without a discrepancy.",
            )
        distance = size / fitted.max()
        return dataclasses.replace(
            plain,
            draws={kind: self.widen(draws, distance, seed) for kind, draws in plain.draws.items()},
            messages=(
                *plain.messages,
                f"widened by {self.rate:.3g} of log loss for each factor of ten beyond the "
                "largest run",
            ),
            provenance={**plain.provenance, "discrepancy": self.rate},
        )

    def widen(self, draws: Floats, distance: Floats, seed: int = 0) -> Floats:
        """Multiply losses by the error: draws of shape (..., run), distances (run,)."""
        error = np.random.default_rng(seed).standard_normal(draws.shape)
        return np.asarray(draws * np.exp(self.sd(distance) * error))


@dataclasses.dataclass(frozen=True, eq=False)
class Held:
    """Forecasts of runs that were held out; all horizons, one after the other.

    Attributes
    ----------
    mean : array, shape (draw, run)
        The law's loss.
    noise : Noise
        Leaves of shape (draw, run).
    observed : array, shape (run,)
    loss_se : array, shape (run,), or None
        Known standard errors of the observed losses.
    distance : array, shape (run,)
        Scale over the largest that was fitted, `limit`.
    limit : array, shape (run,)
    cut, table : array of int, shape (run,)
        Which cut of which table the forecast belongs to.
    """

    mean: Floats
    noise: Noise
    observed: Floats
    loss_se: Floats | None
    distance: Floats
    limit: Floats
    cut: NDArray[np.int64]
    table: NDArray[np.int64]

    def log_score(self, rate: float = 0.0) -> Floats:
        """Log predictive density of each run, (run,), with a discrepancy."""
        found = log_likelihood(self.noise, self.mean, self.observed, self._spread(rate))
        return np.asarray(logsumexp(found, axis=0) - np.log(len(found)))

    def new_runs(self, rate: float | Floats = 0.0, seed: int = 0) -> Floats:
        """Draws of the runs' losses, (draw, run), with a discrepancy."""
        return new_runs(self.noise, self.mean, self._spread(rate), seed)

    def _spread(self, rate: float | Floats) -> Floats:
        """Errors of the losses besides the noise, in units of the loss, (draw, run).

        The noise adds them to its own scatter in quadrature, which is exact for normal noise.
        """
        share = rate * np.log10(np.maximum(self.distance, 1.0))
        error = np.where(np.isfinite(self.mean), self.mean, 0.0) * share
        return np.hypot(error, 0.0 if self.loss_se is None else self.loss_se)


@dataclasses.dataclass(frozen=True, eq=False)
class Learned:
    """A discrepancy, and what it does for forecasts that it was not learned from.

    Attributes
    ----------
    discrepancy : Discrepancy
        Learned from all forecasts.
    rate : array, shape (run,)
        For each forecast the rate learned from the other horizons (other tables, where there are
        several); all zero where there is only one.
    log_score : array, shape (run,)
        Log predictive densities at these rates.
    """

    discrepancy: Discrepancy
    rate: Floats
    log_score: Floats


def learn(held: Held, folds: NDArray[np.int64]) -> Learned:
    """Find the rate that maximises the log score of held-out runs; zero where none is needed.

    Parameters
    ----------
    held : Held
    folds : array of int, shape (run,)
        Forecasts of one fold are scored with the rate that the other folds suggest.
    """
    scores = np.stack([held.log_score(rate) for rate in RATES])
    total = scores.sum(axis=1)
    best = int(np.argmax(total))
    chosen = np.zeros(len(folds), np.int64)
    if len(np.unique(folds)) > 1:
        for fold in np.unique(folds):
            inside = folds == fold
            chosen[inside] = np.argmax(total - scores[:, inside].sum(axis=1))
    return Learned(
        discrepancy=Discrepancy(float(RATES[best]), float(total[best] - total[0])),
        rate=RATES[chosen],
        log_score=scores[chosen, np.arange(len(folds))],
    )
