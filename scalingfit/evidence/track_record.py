"""How forecasts did: scores against distance, coverage, and what a law misses beyond its runs."""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from scalingfit.evidence.discrepancy import Discrepancy, Held, Learned
from scalingfit.evidence.scoreboard import NINETY, conclude, tables
from scalingfit.evidence.scores import LEVELS, coverage, crps, intervals, pit
from scalingfit.runs import Runs

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Backtest", "Record"]

Floats = NDArray[np.float64]

DISTANCES = (1.0, 2.0, 5.0, 10.0, np.inf)
"""Bounds of the bins of `Backtest.by_distance`: times the scale of the largest fitted run."""

SLACK = 0.01
"""A budget that is a hundredth above a bound is at it: runs hardly ever meet theirs exactly."""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Record:
    """All forecasts of one law, each of shape (run,) over the runs that were held out.

    Attributes
    ----------
    observed : array
        What happened.
    point : array
        Median forecast.
    distance, limit : array
        How many times larger the run is than the largest that was fitted; the scale of that.
    cut, table : array of int
        Which cut of which table.
    log_score, crps, pit : array
        Of a new run: log density (more is better), CRPS (less is better), and the share of draws
        below what happened (uniform if right).
    ends : array, shape (level, 2, run)
        Central intervals of a new run at `LEVELS`.
    law_ends : array, shape (level, 2, run)
        Of the law's loss, without the scatter of a run.
    wide_ends : array, shape (level, 2, run)
        Of a new run with the discrepancy that the other horizons suggest.
    wide_log_score : array
    discrepancy : Discrepancy
        Learned from all of them.
    """

    observed: Floats
    point: Floats
    distance: Floats
    limit: Floats
    cut: NDArray[np.int64]
    table: NDArray[np.int64]
    log_score: Floats
    crps: Floats
    pit: Floats
    ends: Floats
    law_ends: Floats
    wide_ends: Floats
    wide_log_score: Floats
    discrepancy: Discrepancy

    @classmethod
    def of(cls, held: Held, learned: Learned, seed: int = 0) -> Record:
        """Score forecasts."""
        observed, draws = held.observed, held.new_runs(seed=seed)
        return cls(
            observed=observed,
            point=np.median(draws, axis=0),
            distance=held.distance,
            limit=held.limit,
            cut=held.cut,
            table=held.table,
            log_score=held.log_score(),
            crps=crps(draws, observed),
            pit=pit(draws, observed),
            ends=intervals(draws),
            law_ends=intervals(held.mean),
            wide_ends=intervals(held.new_runs(learned.rate, seed)),
            wide_log_score=learned.log_score,
            discrepancy=learned.discrepancy,
        )

    def by_distance(self) -> list[tuple[dict[str, float | None], NDArray[np.bool_]]]:
        """Bins of `DISTANCES` with forecasts: "from" and "to", and which forecasts they have."""
        bins = np.digitize(self.distance / (1 + SLACK), DISTANCES[1:-1], right=True)
        found = []
        for at in np.unique(bins):
            low, high = DISTANCES[at], DISTANCES[at + 1]
            ends = {"from": low, "to": high if np.isfinite(high) else None}
            found.append((ends, bins == at))
        return found

    def scores(self, chosen: NDArray[np.bool_]) -> dict[str, Any]:
        """Scores over some of the forecasts, ready for JSON."""
        observed, point = self.observed[chosen], self.point[chosen]
        squared = np.log(np.maximum(point, 1e-300) / np.maximum(observed, 1e-300)) ** 2
        tables = self.table[chosen]
        each = [float(np.sqrt(squared[tables == t].mean())) for t in np.unique(tables)]
        ends = self.ends[..., chosen]
        return {
            "runs": int(chosen.sum()),
            "limit": _one(self.limit[chosen]),
            "distance": float(self.distance[chosen].max()),
            "log_score": float(self.log_score[chosen].mean()),
            "crps": float(self.crps[chosen].mean()),
            "rmse": float(np.sqrt(np.mean((point - observed) ** 2))),
            "rmsle": float(np.sqrt(squared.mean())),
            "rmsle_by_table": float(np.mean(each)),
            "coverage": _levels(coverage(ends, observed)),
            "width90": _width(self.ends[NINETY][:, chosen], point),
            "law_coverage": _levels(coverage(self.law_ends[..., chosen], observed)),
            "law_width90": _width(self.law_ends[NINETY][:, chosen], point),
            "wide_coverage": _levels(coverage(self.wide_ends[..., chosen], observed)),
            "wide_width90": _width(self.wide_ends[NINETY][:, chosen], point),
            "wide_log_score": float(self.wide_log_score[chosen].mean()),
        }


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Backtest:
    """What `backtest` returns: ``print`` it for scores by cut, and whether to trust the intervals.

    Attributes
    ----------
    runs : Runs
    records : mapping of str to Record
        By the candidate's name.
    tables : tuple
        Names of the tables that were forecast; ``(None,)`` for one table.
    messages : tuple of str
    """

    runs: Runs
    records: Mapping[str, Record]
    tables: tuple[Any, ...]
    messages: tuple[str, ...]

    @property
    def discrepancy(self) -> dict[str, Discrepancy]:
        """By candidate: what to widen forecasts by; ``.forecast(posterior, N=..., D=...)``."""
        return {name: record.discrepancy for name, record in self.records.items()}

    @property
    def best(self) -> str:
        """The candidate with the highest mean log score over the cuts that all were fitted to."""
        made = {
            name: list(zip(record.table.tolist(), record.cut.tolist(), strict=True))
            for name, record in self.records.items()
        }
        common = set.intersection(*map(set, made.values())) or set.union(*map(set, made.values()))

        def score(name: str) -> float:
            kept = np.array([pair in common for pair in made[name]])
            return float(self.records[name].log_score[kept].mean())

        return max(self.records, key=score)

    @property
    def conclusion(self) -> str:
        """Whether the intervals can be trusted, in words; a line for each law."""
        return "\n".join(conclude(name, record) for name, record in self.records.items())

    def summary(self) -> list[dict[str, Any]]:
        """One dictionary for each candidate and cut, and one for all cuts ("cut" None)."""
        rows = []
        for name, record in self.records.items():
            every: dict[int | None, Any] = {
                int(cut): record.cut == cut for cut in np.unique(record.cut)
            }
            every[None] = record.cut >= 0
            rows += [{"name": name, "cut": k, **record.scores(v)} for k, v in every.items()]
        return rows

    def by_distance(self) -> list[dict[str, Any]]:
        """One dictionary for each candidate and bin of `DISTANCES` that has forecasts.

        Scores over the forecasts whose distance is above "from" and at most "to" (None: no bound),
        give or take `SLACK`; the first bin also has those of runs that are no larger than what was
        fitted.
        """
        return [
            {"name": name, **ends, **record.scores(chosen)}
            for name, record in self.records.items()
            for ends, chosen in record.by_distance()
        ]

    def to_pandas(self) -> pd.DataFrame:
        """The summary as a frame, with columns such as ``coverage_90``."""
        import pandas as pd

        flat = []
        for row in self.summary():
            nested = {name: value for name, value in row.items() if isinstance(value, dict)}
            plain = {name: value for name, value in row.items() if name not in nested}
            for name, value in nested.items():
                plain |= {f"{name}_{level}": share for level, share in value.items()}
            flat.append(plain)
        return pd.DataFrame(flat)

    def as_json(self) -> dict[str, Any]:
        """A dictionary ready for JSON."""
        return {
            "runs": {"count": len(self.runs), "digest": self.runs.digest},
            "tables": len(self.tables),
            "scores": self.summary(),
            "by_distance": self.by_distance(),
            "discrepancy": {name: dataclasses.asdict(d) for name, d in self.discrepancy.items()},
            "best": self.best,
            "conclusion": self.conclusion,
            "messages": list(self.messages),
        }

    def __str__(self) -> str:
        notes = [f"! {message}" for message in self.messages]
        return "\n".join([*tables(self), *notes, self.conclusion])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"


def _levels(shares: Floats) -> dict[str, float]:
    return {f"{100 * level:g}": float(s) for level, s in zip(LEVELS, shares, strict=True)}


def _width(ends: Floats, point: Floats) -> float:
    """Mean width of an interval relative to the forecast: its sharpness."""
    return float(np.mean((ends[1] - ends[0]) / np.abs(point)))


def _one(values: Floats) -> float | None:
    return float(values[0]) if np.all(values == values[0]) else None
