"""Many fits as tables: each by itself, and how they differ."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import NamedTuple

from scalingfit.batch.answers import FEW
from scalingfit.inference import QUANTILES, Posterior
from scalingfit.noise import Noise
from scalingfit.result import Column, Interval, Table

__all__ = ["Row", "fits_table", "spread_table"]

STATISTICS = ("mean", "sd", "ess_bulk", "ess_tail", "rhat")

type Spread = Mapping[str, Mapping[str, Interval]]


class Row(NamedTuple):
    """A fit that was asked for.

    Attributes
    ----------
    label : hashable
    model : str
    status : str
        In a word or two.
    why : str
        What is said of a fit that is not ok.
    fit : Posterior or None
        None where there is none.
    """

    label: Hashable
    model: str
    status: str
    why: str
    fit: Posterior | None


def fits_table(rows: Sequence[Row]) -> Table:
    """One row a fit, those that were not made included, of which people get a few."""
    several = len({row.model for row in rows}) > 1
    samplers = [{} if row.fit is None else row.fit.provenance["sampler"] for row in rows]
    columns = {
        "fit": Column([row.label for row in rows], [str(row.label) for row in rows]),
        "model": Column([row.model for row in rows], hidden=not several),
        "status": Column([row.status for row in rows]),
        "why": Column([row.why for row in rows], hidden=True),
        "rows": Column(
            [None if row.fit is None else len(row.fit.runs) for row in rows], hidden=True
        ),
        **{
            key: Column([sampler.get(key) for sampler in samplers], hidden=True)
            for key in ("method", "attempts", "leapfrogs_per_draw")
        },
        **_parameters(rows, shown=not several),
    }
    limit = 0 if _made(rows) > FEW else None
    return Table("fits", "fit", columns, _title(rows), labels=1, limit=limit)


def spread_table(rows: Sequence[Row], spreads: Mapping[str, Spread]) -> Table:
    """One row a parameter of each model that has several fits."""
    found = [
        (model, name, row["across"], row["within"])
        for model, spread in spreads.items()
        for name, row in spread.items()
    ]
    models, names, across, within = zip(*found, strict=True) if found else ((), (), (), ())
    columns = {
        "parameter": Column(names, heading=""),
        "model": Column(models, hidden=len({row.model for row in rows}) <= 1),
        "across": Column(across, [*map(_written, across)], "across fits"),
        "within": Column(within, [*map(_written, within)], "within a fit"),
    }
    title = _title(rows) if _made(rows) > FEW else ""
    return Table("spread", "parameter", columns, title, labels=1)


def _made(rows: Sequence[Row]) -> int:
    return sum(row.fit is not None for row in rows)


def _title(rows: Sequence[Row]) -> str:
    """What was fitted, in words."""
    fits = [(row.model, row.fit) for row in rows if row.fit is not None]
    names = dict.fromkeys(_named(model, fit.model.noise) for model, fit in fits)
    return f"{'; '.join(names)}: median [5 %, 95 %]" if names else ""


def _parameters(rows: Sequence[Row], *, shown: bool) -> dict[str, Column]:
    """A column for every parameter and statistic that any of the models has."""
    summaries = [{} if row.fit is None else row.fit.summary() for row in rows]
    names = dict.fromkeys(name for summary in summaries for name in summary)
    columns = {}
    for name in names:
        found = [
            Interval(*(summary[name][key] for key in QUANTILES)) if name in summary else None
            for summary in summaries
        ]
        columns[name] = Column(found, [*map(_written, found)], hidden=not shown)
    for name in names:
        for key in STATISTICS:
            values = [summary[name][key] if name in summary else None for summary in summaries]
            columns[f"{name}_{key}"] = Column(values, hidden=True)
    return columns


def _named(model: str, noise: type[Noise]) -> str:
    """A model by law and noise; its name has the noise where there are several."""
    return model if noise.name in model.split(", ") else f"{model}, {noise.name} noise"


def _written(found: Interval | None) -> str:
    """An interval with three digits; one number where a parameter is pinned."""
    if found is None:
        return "-"
    low, middle, high = (f"{end:.3g}" for end in found)
    return middle if low == high else f"{middle} [{low}, {high}]"
