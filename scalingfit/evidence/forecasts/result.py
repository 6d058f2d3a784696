"""How forecasts did: scores by cut, by distance and by domain, and whether to trust intervals."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Hashable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from scalingfit.evidence.forecasts.conclusion import conclude
from scalingfit.evidence.forecasts.scored import ScoredForecasts
from scalingfit.evidence.forecasts.scores import LEVELS
from scalingfit.evidence.forecasts.stacking import Weights
from scalingfit.result import Axes, Column, Labels, Note, Result, Table
from scalingfit.runs import Runs

__all__ = ["Backtest"]

type Scores = Mapping[str, float | None]

SHOWN = {
    "forecasts": ("d", "forecasts"),
    "log_score": (".2f", "log score"),
    "crps": (".2g", "CRPS"),
    "rmse": (".2g", "RMSE"),
    "rmsle": (".2g", "RMSLE"),
    **{f"coverage_{100 * level:g}": (".0%", f"{100 * level:g}") for level in LEVELS},
    "width_90": (".2g", "width 90"),
    "law_width_90": (".2g", "law's"),
}
"""The scores that people get, as they are written, and what stands above them."""

AVERAGED = {
    "tables": ("d", "tables"),
    "forecasts": ("d", "forecasts"),
    "rmsle": (".4f", "RMSLE"),
    "log_score": (".3f", "log score"),
    "coverage_90": (".0%", "90"),
    "width_90": (".2g", "width 90"),
    "weight": (".2f", "weight"),
}
"""The same of means over tables."""

POINTWISE = ("point", "log_score", "crps", "pit")


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Backtest(Result):
    """What `backtest` returns: ``print`` it for scores by cut, and whether to trust the intervals.

    Attributes
    ----------
    runs : Runs
    records : mapping of str to ScoredForecasts
        By the candidate's name.
    sources : tuple
        Names of the tables that were forecast; ``(None,)`` for one table.
    notes : sequence of Note
        What was left out, and which fits did not converge.
    domains : tuple
        The domain of each table; all None where none was asked for.
    weights : tuple of Weights
        Each law's weight in the record "stacked", for every domain and cut.
    """

    runs: Runs
    records: Mapping[str, ScoredForecasts]
    sources: tuple[Hashable, ...]
    notes: Sequence[Note] = ()
    domains: tuple[Hashable, ...] = (None,)
    weights: tuple[Weights, ...] = ()

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
    def tables(self) -> Sequence[Table]:
        """Scores by cut (of several tables people get those by domain), and by distance."""
        several = len(self.sources) > 1
        by_cut, by_domain, by_distance = self._by_cut(), self._by_domain(), self._by_distance()
        return (
            dataclasses.replace(by_cut, limit=0 if several else None),
            dataclasses.replace(by_domain, limit=None if several else 0),
            by_distance,
        )

    @property
    def conclusion(self) -> str:
        """Whether the intervals can be trusted; a line for each law."""
        return "\n".join(conclude(name, record) for name, record in self.records.items())

    @property
    def details(self) -> Mapping[str, object]:
        """The runs, the best law, and stacking weights."""
        return {
            "runs": {"count": len(self.runs), "digest": self.runs.digest},
            "sources": len(self.sources),
            "weights": [dataclasses.asdict(weights) for weights in self.weights],
            "best": self.best,
        }

    @property
    def arrays(self) -> Mapping[str, Axes]:
        """Every forecast: what was observed, its scores, and the central intervals of a new run."""
        keys, records = self._keys, [*self.records.values()]
        places = [[keys[key] for key in record.keys] for record in records]

        def shared(name: str) -> Axes:
            values = np.empty(len(keys))
            for record, place in zip(records, places, strict=True):
                values[place] = getattr(record, name)
            return Axes(("forecast",), values)

        def each(name: str, *axes: str) -> Axes:
            values = np.full(
                (len(records), *getattr(records[0], name).shape[:-1], len(keys)), np.nan
            )
            for number, (record, place) in enumerate(zip(records, places, strict=True)):
                values[number][..., place] = getattr(record, name)
            return Axes(("candidate", *axes, "forecast"), values)

        return {
            **{name: shared(name) for name in ("observed", "distance", "limit")},
            **{name: each(name) for name in POINTWISE},
            **{name: each(name, "level", "end") for name in ("ends", "law_ends")},
        }

    @property
    def coordinates(self) -> Mapping[str, Labels]:
        """The candidates, the table, cut and row of each forecast, and the intervals."""
        table, cut, row = zip(*self._keys, strict=True)
        return {
            "candidate": Labels("candidate", [*self.records]),
            "source": Labels("forecast", [str(self.sources[number]) for number in table]),
            "cut": Labels("forecast", cut),
            "row": Labels("forecast", row),
            "level": Labels("level", LEVELS),
            "end": Labels("end", ["low", "high"]),
        }

    @functools.cached_property
    def _keys(self) -> dict[tuple[int, int, int], int]:
        """Positions of all forecasts, whichever candidates made them."""
        every = {key for record in self.records.values() for key in record.keys}
        return {key: place for place, key in enumerate(sorted(every))}

    def _by_cut(self) -> Table:
        """Scores of each candidate at each cut, and over all cuts (cut None)."""
        found: list[tuple[str, int | None, NDArray[np.bool_]]] = []
        for name, record in self.records.items():
            found += [(name, int(cut), record.cut == cut) for cut in np.unique(record.cut)]
            found.append((name, None, record.cut >= 0))
        limits = [_one(self.records[name].limit[chosen]) for name, _, chosen in found]
        fitted = [
            self._fitted_to(cut, limit) for (_, cut, _), limit in zip(found, limits, strict=True)
        ]
        places = {
            "name": Column([name for name, _, _ in found], heading=""),
            "cut": Column([cut for _, cut, _ in found], hidden=True),
            "limit": Column(limits, fitted, "fitted to"),
        }
        scores = [self.records[name].scores(chosen) for name, _, chosen in found]
        title = "Forecasts of larger runs from smaller ones; coverage and relative widths"
        return _table("scores", "score", places, scores, title)

    def _fitted_to(self, cut: int | None, limit: float | None) -> str:
        if cut is None:
            return "all cuts"
        return f"cut {cut + 1}" if limit is None else self.runs.budgets.text(limit)

    def _by_distance(self) -> Table:
        """Scores of each candidate in each bin of distances that has forecasts."""
        found = [
            (name, distances, record.scores(chosen))
            for name, record in self.records.items()
            for distances, chosen in record.by_distance()
        ]
        bins = [distances for _, distances, _ in found]
        high = [None if np.isinf(distances.high) else distances.high for distances in bins]
        places = {
            "name": Column([name for name, _, _ in found], heading=""),
            "from": Column([distances.low for distances in bins], [*map(str, bins)], "distance"),
            "to": Column(high, hidden=True),
        }
        title = "The same by distance: times larger than the largest fitted run"
        return _table("by_distance", "score", places, [row for _, _, row in found], title)

    def _by_domain(self) -> Table:
        """Means over the tables of a domain; the weight is the mean over cuts.

        It is None where a law is not part of the stack.
        """
        names: list[str] = []
        domains: list[Hashable] = []
        scores: list[Scores] = []
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
                names.append(name)
                domains.append(domain)
                scores.append({**record.averaged(chosen), "weight": weight})
        shown = ["" if domain is None else str(domain) for domain in domains]
        places = {"name": Column(names, heading=""), "domain": Column(domains, shown)}
        title = (
            f"Forecasts within {len(self.sources)} tables, each fitted by itself; means over "
            "tables, log scores of the loss over the largest fitted"
        )
        return _table("by_domain", "score", places, scores, title, AVERAGED)


def _table(
    name: str,
    row: str,
    places: Mapping[str, Column],
    scores: Sequence[Scores],
    title: str,
    shown: Mapping[str, tuple[str, str]] = SHOWN,
) -> Table:
    """Scores beside what they are of; people get those that are `shown`."""
    values = {key: [each[key] for each in scores] for key in scores[0]}
    columns = {key: Column.of(values[key], *shown[key]) for key in shown}
    if "distance" in values:
        farthest = [f"{value:.3g}x" for value in values["distance"]]
        columns = {"distance": Column(values["distance"], farthest, "farthest")} | columns
    rest = {key: Column(values[key], hidden=True) for key in values if key not in columns}
    return Table(name, row, {**places, **columns, **rest}, title, labels=1)


def _one(values: NDArray[np.float64]) -> float | None:
    """The value, where there is but one."""
    return float(values[0]) if np.all(values == values[0]) else None
