"""A comparison as lines of text: a table of the laws, and the runs that are hard to foretell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from scalingfit._errors import listed

if TYPE_CHECKING:
    from scalingfit.evidence.comparison import Comparison
    from scalingfit.evidence.standing import Standing

__all__ = ["far_runs", "laid_out", "table"]

NAMED = 5  # runs with a high k that are named one by one

HEAD = ["", "elpd", "se", "diff", "se", "p", "weight", "high k", "future/run", "log evidence"]


def table(comparison: Comparison) -> list[str]:
    """A line for each law, the best first, below a header."""
    rows = [HEAD, *(_cells(name, item) for name, item in comparison.standings.items())]
    return [f"{len(comparison.runs)} runs, leaving out each {comparison.unit}", *laid_out(rows)]


def laid_out(rows: Sequence[list[str]]) -> list[str]:
    """Cells as lines: the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows
    ]


def far_runs(comparison: Comparison) -> list[str]:
    """Which runs have a high k, the highest first; a line for each law that has any."""
    lines = []
    for name in comparison.standings:
        far = [row for row in comparison.high_k() if row["name"] == name]
        if not far:
            continue
        far.sort(key=lambda row: -np.nan_to_num(row["k"], nan=np.inf))
        said = listed((f"{_rows(row['rows'])} ({row['k']:.2f})" for row in far), NAMED)
        done = (
            ", left out by a fit of its own" if len(far) == 1 else ", each left out by its own fit"
        )
        refitted = all(row["refitted"] for row in far)
        lines.append(f"high Pareto k, {name}: {said}{done if refitted else ''}")
    return lines


def _rows(numbers: Sequence[int]) -> str:
    """One run, or a group of them, by their row numbers."""
    if len(numbers) == 1:
        return f"row {numbers[0]}"
    return f"rows {numbers[0]} and {len(numbers) - 1} more"


def _cells(name: str, standing: Standing) -> list[str]:
    loo, found = standing.loo, standing.evidence
    ahead = standing.future
    return [
        name,
        f"{loo.elpd:.1f}",
        f"{loo.se:.1f}",
        f"{standing.difference:.1f}",
        f"{standing.difference_se:.1f}",
        f"{loo.p:.1f}",
        f"{standing.weight:.2f}",
        str(int(np.sum(~(loo.k <= loo.limit)))),
        "-" if ahead is None else f"{ahead.log_score.mean():.2f}",
        f"{found.log:.2f} ± {found.error:.2f}",
    ]
