"""A backtest in words: scores by cut and by distance, and whether to trust the intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scalingfit.evidence.budgets import in_scale, scale_of
from scalingfit.evidence.scores import band
from scalingfit.evidence.tabulate import laid_out

if TYPE_CHECKING:
    from scalingfit.evidence.record import Record
    from scalingfit.evidence.track_record import Backtest

__all__ = ["conclude", "tables"]

NEAR = 0.05 + 1e-9
"""How far a coverage may be from what was stated to count as right; rounding is none of it."""
SCORES = ["forecasts", "log score", "CRPS", "RMSE", "RMSLE", "50", "80", "90", "95", "width 90",
          "law's", "widened 90"]  # fmt: skip


def tables(backtest: Backtest) -> list[str]:
    """Lines of two tables: scores by cut, or by domain of many tables, and by distance."""
    first = _by_domain(backtest) if len(backtest.tables) > 1 else _by_cut(backtest)
    by_distance = [
        [row["name"], _range(row), f"{row['distance']:.3g}x", *_cells(row)]
        for row in backtest.by_distance()
    ]
    return [
        *first,
        "",
        "The same by distance: times larger than the largest fitted run",
        *laid_out([["", "distance", "farthest", *SCORES], *by_distance]),
    ]


def _by_cut(backtest: Backtest) -> list[str]:
    measure, _ = scale_of(backtest.runs)
    rows = [
        [row["name"], _limit(row, measure), f"{row['distance']:.3g}x", *_cells(row)]
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


def conclude(name: str, record: Record) -> str:
    """Whether the intervals of a law can be trusted."""
    made, count = len(record.observed), record.count()
    share = float(record.held().mean())
    low, high = band(0.9, count)  # forecasts of one run are no independent ones
    rate, gain = record.discrepancy.rate, record.discrepancy.gain
    of = f" of {count} runs" if count < made else ""
    held = f"{name}: the 90 % intervals held {share:.0%} of {made} forecasts{of}"
    if low <= share <= high and abs(share - 0.9) <= NEAR:
        said = f"{held}, as they should on the whole{_worst(record)}."
    elif low <= share <= high:
        said = f"{held}, too few to tell: right intervals would hold {low:.0%} to {high:.0%}."
    elif share > high:
        said = f"{held}: they are wider than they need to be."
    else:
        said = f"{held}: plain extrapolation is over-confident."
    above = float(np.mean(record.pit > 0.5))
    few, many = band(0.5, count)
    if not few <= above <= many:
        side = "high" if above < few else "low"
        said += f" The forecasts are too {side}: {above:.0%} of the losses came out above them."
    if rate > 0 and gain > 2:
        wide = float(record.held(wide=True).mean())
        said += (
            f" A further relative error of {rate:.2g} for each factor of ten beyond the fitted "
            f"runs raises the log score by {gain:.1f}"
        )
        others = "horizons" if len(np.unique(record.table)) == 1 else "tables"
        learned = np.any(record.wide_log_score != record.log_score)
        said += (
            f"; learned from the other {others}, it brings {share:.0%} to {wide:.0%}"
            f"{_off(wide, low, high)}{_worst(record, wide=True)}."
            if learned
            else "."
        )
    return said


def _off(share: float, low: float, high: float) -> str:
    """What is wrong with a coverage that should lie between two, if anything is."""
    if share > high:
        return ", on the whole wider than need be"
    return ", still too few" if share < low else ""


def _worst(record: Record, *, wide: bool = False) -> str:
    """The distance at which the 90 % intervals hold the fewest, where that is clearly too few."""
    found = []
    for row, chosen in record.by_distance():
        share = float(record.held(wide=wide)[chosen].mean())
        if share < band(0.9, record.count(chosen))[0]:
            found.append((share, f", but only {share:.0%} of those at {_range(row)}"))
    return min(found)[1] if found else ""


def _limit(row: dict[str, Any], measure: str) -> str:
    if row["cut"] is None:
        return "all cuts"
    return f"cut {row['cut'] + 1}" if row["limit"] is None else in_scale(measure, row["limit"])


def _range(row: dict[str, Any]) -> str:
    if row["to"] is None:
        return f"beyond {row['from']:g}x"
    return f"{row['from']:g}-{row['to']:g}x"


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
