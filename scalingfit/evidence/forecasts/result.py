"""How forecasts did: scores against distance, coverage, and what a law misses beyond its runs."""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from scalingfit._text import laid_out
from scalingfit.evidence.forecasts.conclusion import conclude, distances
from scalingfit.evidence.forecasts.discrepancy import Discrepancy
from scalingfit.evidence.forecasts.scored import ScoredForecasts
from scalingfit.evidence.forecasts.stacking import Weights
from scalingfit.runs import Budgets, Runs

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Backtest"]

SCORES = ["forecasts", "log score", "CRPS", "RMSE", "RMSLE", "50", "80", "90", "95", "width 90",
          "law's", "widened 90"]  # fmt: skip


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Backtest:
    """What `backtest` returns: ``print`` it for scores by cut, and whether to trust the intervals.

    Attributes
    ----------
    runs : Runs
    records : mapping of str to ScoredForecasts
        By the candidate's name.
    tables : tuple
        Names of the tables that were forecast; ``(None,)`` for one table.
    messages : tuple of str
    domains : tuple
        The domain of each table; all None where none was asked for.
    weights : tuple of Weights
        Each law's weight in the record "stacked", for every domain and cut.
    """

    runs: Runs
    records: Mapping[str, ScoredForecasts]
    tables: tuple[Any, ...]
    messages: tuple[str, ...]
    domains: tuple[Any, ...] = (None,)
    weights: tuple[Weights, ...] = ()

    @property
    def discrepancy(self) -> dict[str, Discrepancy]:
        """By candidate: what to widen forecasts by.

        ``.forecast(posterior, N=..., D=...)`` forecasts with it; so does ``.widen`` on an answer.
        """
        return {name: record.discrepancy for name, record in self.records.items()}

    @property
    def best(self) -> str:
        """The candidate with the highest mean log score over the cuts that all were fitted to."""
        made = {name: record.fits for name, record in self.records.items()}
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

    def by_domain(self) -> list[dict[str, Any]]:
        """One dictionary for each domain and candidate: means over its tables, and the weight.

        "weight" is the mean over cuts, and None where a law is not part of the stack.
        """
        rows = []
        for domain in dict.fromkeys(self.domains):
            inside = [place for place, of in enumerate(self.domains) if of == domain]
            sets = [each.weights for each in self.weights if each.domain == domain]
            for name, record in self.records.items():
                chosen = np.isin(record.table, inside)
                if not chosen.any():
                    continue
                part = any(name in weights for weights in sets)
                shares = [weights.get(name, 0.0) for weights in sets]
                weight = float(np.mean(shares)) if part else None
                rows.append(
                    {"domain": domain, "name": name, **record.averaged(chosen), "weight": weight}
                )
        return rows

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
            "by_domain": self.by_domain(),
            "weights": [dataclasses.asdict(weights) for weights in self.weights],
            "discrepancy": {name: dataclasses.asdict(d) for name, d in self.discrepancy.items()},
            "best": self.best,
            "conclusion": self.conclusion,
            "messages": list(self.messages),
        }

    def __str__(self) -> str:
        notes = [f"! {message}" for message in self.messages]
        return "\n".join([*_tables(self), *notes, self.conclusion])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"


def _tables(backtest: Backtest) -> list[str]:
    """Lines of two tables: scores by cut, or by domain of many tables, and by distance."""
    first = _by_domain(backtest) if len(backtest.tables) > 1 else _by_cut(backtest)
    by_distance = [
        [row["name"], distances(row), f"{row['distance']:.3g}x", *_cells(row)]
        for row in backtest.by_distance()
    ]
    return [
        *first,
        "",
        "The same by distance: times larger than the largest fitted run",
        *laid_out([["", "distance", "farthest", *SCORES], *by_distance]),
    ]


def _by_cut(backtest: Backtest) -> list[str]:
    rows = [
        [row["name"], _limit(row, backtest.runs.budgets), f"{row['distance']:.3g}x", *_cells(row)]
        for row in backtest.summary()
    ]
    return [
        "Forecasts of larger runs from smaller ones; coverage and relative widths",
        *laid_out([["", "fitted to", "farthest", *SCORES], *rows]),
    ]


def _by_domain(backtest: Backtest) -> list[str]:
    rows = [
        [
            row["name"],
            "" if row["domain"] is None else str(row["domain"]),
            str(row["tables"]),
            str(row["forecasts"]),
            f"{row['rmsle']:.4f}",
            f"{row['log_score']:.3f}",
            f"{row['coverage90']:.0%}",
            f"{row['width90']:.2g}",
            f"{row['wide_coverage90']:.0%}",
            "" if row["weight"] is None else f"{row['weight']:.2f}",
        ]
        for row in backtest.by_domain()
    ]
    head = ["", "domain", "tables", "forecasts", "RMSLE", "log score", "90", "width 90",
            "widened 90", "weight"]  # fmt: skip
    return [
        f"Forecasts within {len(backtest.tables)} tables, each fitted by itself; means over tables,"
        " log scores of the loss over the largest fitted",
        *laid_out([head, *rows]),
    ]


def _limit(row: dict[str, Any], budgets: Budgets) -> str:
    if row["cut"] is None:
        return "all cuts"
    return f"cut {row['cut'] + 1}" if row["limit"] is None else budgets.text(row["limit"])


def _cells(row: dict[str, Any]) -> list[str]:
    return [
        str(row["forecasts"]),
        f"{row['log_score']:.2f}",
        f"{row['crps']:.2g}",
        f"{row['rmse']:.2g}",
        f"{row['rmsle']:.2g}",
        *(f"{share:.0%}" for share in row["coverage"].values()),
        f"{row['width90']:.2g}",
        f"{row['law_width90']:.2g}",
        f"{row['wide_coverage']['90']:.0%}",
    ]
