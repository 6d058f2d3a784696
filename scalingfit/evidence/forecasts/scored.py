"""All forecasts of one law: what happened, how probable it was, and scores of any of them."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scalingfit.evidence.forecasts.held_out import Forecasts, HeldOutRuns
from scalingfit.evidence.forecasts.scores import LEVELS, coverage, crps, inside, intervals, pit

__all__ = ["NINETY", "Distances", "ScoredForecasts"]

Floats = NDArray[np.float64]

NINETY = LEVELS.index(0.9)

DISTANCES = (1.0, 2.0, 5.0, 10.0, np.inf)
"""Bounds of the bins by distance: times the scale of the largest fitted run."""

EVERY = slice(None)

SLACK = 0.01
"""A budget that is a hundredth above a bound is at it: runs hardly ever meet theirs exactly."""


class Distances(NamedTuple):
    """A bin of distances: above one bound, and at most the other."""

    low: float
    high: float

    def __str__(self) -> str:
        if self.high == np.inf:
            return f"beyond {self.low:g}x"
        return f"{self.low:g}-{self.high:g}x"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class ScoredForecasts(HeldOutRuns):
    """All forecasts of one law, each of shape (run,) over the runs that were held out.

    Attributes
    ----------
    point : array
        Median forecast.
    log_score, crps, pit : array
        Of a new run: log density (more is better), CRPS (less is better), and the share of draws
        below what happened (uniform if right).
    ends : array, shape (level, 2, run)
        Central intervals of a new run at `LEVELS`.
    law_ends : array, shape (level, 2, run)
        Of the loss of the law with its error, without the scatter of a run.
    """

    point: Floats
    log_score: Floats
    crps: Floats
    pit: Floats
    ends: Floats
    law_ends: Floats

    @classmethod
    def of(cls, forecasts: Forecasts, seed: int = 0) -> ScoredForecasts:
        """Score forecasts."""
        observed = forecasts.runs.observed
        draws = forecasts.new_runs(seed)
        return cls(
            **vars(forecasts.runs),
            point=np.median(draws, axis=0),
            log_score=forecasts.scores,
            crps=crps(draws, observed),
            pit=pit(draws, observed),
            ends=intervals(draws),
            law_ends=intervals(forecasts.means),
        )

    def by_distance(self) -> list[tuple[Distances, NDArray[np.bool_]]]:
        """Bins of `DISTANCES` with forecasts, and which forecasts they have.

        Give or take `SLACK`; the first bin also has those of runs that are no larger than what was
        fitted.
        """
        bins = np.digitize(self.distance / (1 + SLACK), DISTANCES[1:-1], right=True)
        return [(Distances(DISTANCES[at], DISTANCES[at + 1]), bins == at) for at in np.unique(bins)]

    def count(self, chosen: NDArray[np.bool_] | slice = EVERY) -> int:
        """How many runs some of the forecasts are of: several cuts may forecast the same one."""
        return len({*zip(self.table[chosen].tolist(), self.row[chosen].tolist(), strict=True)})

    def covered(self) -> NDArray[np.bool_]:
        """Which losses lay in the 90 % intervals of a new run."""
        covered: NDArray[np.bool_] = inside(self.ends, self.observed)[NINETY]
        return covered

    def scores(self, chosen: NDArray[np.bool_]) -> dict[str, float]:
        """Scores over some of the forecasts, by name."""
        observed, point = self.observed[chosen], self.point[chosen]
        ends = self.ends[..., chosen]
        return {
            "forecasts": int(chosen.sum()),
            "runs": self.count(chosen),
            "distance": float(self.distance[chosen].max()),
            "log_score": float(self.log_score[chosen].mean()),
            "crps": float(self.crps[chosen].mean()),
            "rmse": float(np.sqrt(np.mean((point - observed) ** 2))),
            "rmsle": float(np.sqrt(np.mean(self._log_error()[chosen] ** 2))),
            **_levels("coverage", coverage(ends, observed)),
            "width_90": _width(self.ends[NINETY][:, chosen], point),
            **_levels("law_coverage", coverage(self.law_ends[..., chosen], observed)),
            "law_width_90": _width(self.law_ends[NINETY][:, chosen], point),
        }

    def averaged(self, chosen: NDArray[np.bool_]) -> dict[str, float]:
        """Scores averaged over tables, however long and however often cut, by name.

        Each is a mean over the cuts of a table first. The log score is of the loss in units of the
        largest that was fitted, so that tables of different units can be averaged.
        """
        fits, fit = np.unique(
            np.stack([self.table, self.cut])[:, chosen], axis=1, return_inverse=True
        )
        _, table = np.unique(fits[0], return_inverse=True)

        def each(values: NDArray[np.float64 | np.bool_]) -> Floats:
            return np.asarray(np.bincount(fit, values[chosen]) / np.bincount(fit))

        def mean(of_fits: Floats) -> float:
            return float(np.mean(np.bincount(table, of_fits) / np.bincount(table)))

        low, high = self.ends[NINETY]
        return {
            "tables": len(np.unique(fits[0])),
            "forecasts": int(chosen.sum()),
            "rmsle": mean(np.sqrt(each(self._log_error() ** 2))),
            "log_score": mean(each(self.log_score + np.log(self.largest))),
            "coverage_90": mean(each(self.covered())),
            "width_90": mean(each((high - low) / np.abs(self.point))),
        }

    def _log_error(self) -> Floats:
        low = 1e-300
        return np.asarray(np.log(np.maximum(self.point, low) / np.maximum(self.observed, low)))


def _levels(name: str, shares: Floats) -> dict[str, float]:
    return {f"{name}_{100 * level:g}": float(s) for level, s in zip(LEVELS, shares, strict=True)}


def _width(ends: Floats, point: Floats) -> float:
    """Mean width of an interval relative to the forecast: its sharpness."""
    return float(np.mean((ends[1] - ends[0]) / np.abs(point)))
