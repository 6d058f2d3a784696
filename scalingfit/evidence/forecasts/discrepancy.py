"""What a law misses beyond the runs: an error of the law itself that grows with distance.

A posterior says how sure one may be if the law is right. Where a table's own horizons show that
forecasts fail more often than they claim, the missing width is learned from them: the law's loss
is multiplied by exp(e), e normal with standard deviation ``rate * log10(distance)``, distance being
how many times larger a run is than the largest that was fitted.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalingfit._errors import InputError
from scalingfit._messages import Argument, Message, OnlyIn
from scalingfit.allocation import Answer, Costs, Forecast, Rule, forecast
from scalingfit.evidence.forecasts.held_out import RATES, Forecasts, beyond
from scalingfit.inference import Posterior
from scalingfit.result import Note
from scalingfit.runs import Runs

__all__ = ["Discrepancy", "Learned", "distance_of", "learn"]

Floats = NDArray[np.float64]

LOSSES = ("mean", "new_run", "L")
"""What answers call the losses among their draws."""


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
                remedy=Message(
                    "give what a backtest found, such as ",
                    OnlyIn("python", ("Discrepancy(0.01)",)),
                    OnlyIn("command line", (Argument("discrepancy", 0.01),)),
                    ".",
                ),
            )

    def sd(self, distance: ArrayLike) -> Floats:
        """Standard deviation of log loss, at distances of any shape."""
        return self.rate * beyond(distance)

    def forecast(
        self,
        posterior: Posterior,
        *,
        counting: Rule = "6ND",
        seed: int = 0,
        costs: Costs | None = None,
        **inputs: ArrayLike,
    ) -> Forecast:
        """Forecast losses with it; arguments as of `scalingfit.allocation.forecast`.

        Raises
        ------
        InputError
            Also where the points do not tell how much larger they are than the runs.
        """
        plain = forecast(posterior, counting=counting, seed=seed, costs=costs, **inputs)
        distance = distance_of(plain.asked, posterior.runs)
        if distance is None:
            name = posterior.runs.budgets.measure
            raise InputError(
                f"the points have no {name}, by which these runs are measured",
                remedy=Message(
                    "add ", Argument(name, kind="input"), ", or forecast without a discrepancy."
                ),
            )
        return self.widen(plain, distance, seed)

    def widen[Found: Answer](self, answer: Found, distance: Floats, seed: int = 0) -> Found:
        """Multiply the losses of an answer by the error; one of each draw is of all its rows.

        Parameters
        ----------
        answer : Forecast or Frontier
        distance : array, shape (row,) or (chain, draw, row)
            How many times larger than the largest run that was fitted.
        seed : int
        """
        random = np.random.default_rng(seed)
        draws = dict(answer.draws)
        error = random.standard_normal((*next(iter(draws.values())).shape[:-1], 1))
        losses = [name for name in LOSSES if name in draws]
        for name in losses:
            draws[name] = draws[name] * np.exp(self.sd(distance) * error)
        which = "the loss is " if len(draws) > len(losses) else ""
        text = (
            f"{which}widened by {self.rate:.3g} of log loss for each factor of ten beyond the "
            "largest run"
        )
        return dataclasses.replace(
            answer,
            draws=draws,
            notes=(*answer.notes, Note("widened", text)),
            provenance={**answer.provenance, "discrepancy": self.rate},
        )


def distance_of(asked: Mapping[str, Floats], runs: Runs) -> Floats | None:
    """How many times larger points are than the largest run; None where they do not tell."""
    name, largest = runs.budgets.measure, runs.budgets.largest
    if name in asked:
        return np.asarray(asked[name] / largest)
    if {"N", "D"} <= set(asked):
        return np.asarray(6 * asked["N"] * asked["D"] / largest)
    return None


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


def learn(forecasts: Forecasts, folds: NDArray[np.int64]) -> Learned:
    """Find the rate that maximises the log score of held-out runs; zero where none is needed.

    Parameters
    ----------
    forecasts : Forecasts
    folds : array of int, shape (run,)
        Forecasts of one fold are scored with the rate that the other folds suggest.
    """
    scores = forecasts.scores
    # What every draw predicts as infinite no error of the law makes likely.
    possible = np.where(np.isfinite(scores[0]), scores, 0.0)
    total = possible.sum(axis=1)
    best = int(np.argmax(total))
    chosen = np.zeros(len(folds), np.int64)
    if len(np.unique(folds)) > 1:
        for fold in np.unique(folds):
            inside = folds == fold
            chosen[inside] = np.argmax(total - possible[:, inside].sum(axis=1))
    return Learned(
        discrepancy=Discrepancy(float(RATES[best]), float(total[best] - total[0])),
        rate=RATES[chosen],
        log_score=scores[chosen, np.arange(len(folds))],
    )
