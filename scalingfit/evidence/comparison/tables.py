"""The tables of a comparison: its candidates, the runs that weigh most, and the cuts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from scalingfit.evidence.comparison.candidate import Candidate
from scalingfit.evidence.forecasts import Horizon
from scalingfit.result import Column, Table
from scalingfit.runs import Runs

__all__ = ["by_cut", "high_k", "scores"]

NAMED = 10
"""Left-out groups with a high Pareto k that people get; machines get all."""

type Candidates = Mapping[str, Candidate]


def scores(candidates: Candidates, title: str) -> Table:
    """Each candidate: expected log score of what is left out, weight, forecasts and evidence."""
    each = [*candidates.values()]
    loos, evidence = [one.loo for one in each], [one.evidence for one in each]
    high = [int(np.sum(~(loo.k <= loo.limit))) for loo in loos]
    future = [None if one.future is None else float(one.future.log_score.mean()) for one in each]
    logs = [f"{found.log:.2f} ± {found.error:.2f}" for found in evidence]
    columns = {
        "name": Column([*candidates], heading=""),
        "elpd": Column.of([loo.elpd for loo in loos], ".1f"),
        "elpd_se": Column.of([loo.se for loo in loos], ".1f", "se"),
        "difference": Column.of([one.difference for one in each], ".1f", "diff"),
        "difference_se": Column.of([one.difference_se for one in each], ".1f", "se"),
        "p": Column.of([loo.p for loo in loos], ".1f"),
        "weight": Column.of([one.weight for one in each], ".2f"),
        "high_k": Column.of(high, "d", "high k"),
        "k_max": Column([float(np.max(loo.k)) for loo in loos], hidden=True),
        "refitted": Column([len(loo.refitted) for loo in loos], hidden=True),
        "future": Column.of(future, ".2f", "future/run"),
        "log_evidence": Column([found.log for found in evidence], logs, "log evidence"),
        "log_evidence_error": Column([found.error for found in evidence], hidden=True),
        "verdict": Column([one.posterior.verdict.status for one in each], hidden=True),
    }
    return Table("candidates", "candidate", columns, title, labels=1)


def high_k(candidates: Candidates, runs: Runs, groups: NDArray[np.int64]) -> Table:
    """The groups whose importance weights could not be trusted, the highest k first."""
    found = [
        (name, int(group), float(each.loo.k[group]), int(group) in each.loo.refitted)
        for name, each in candidates.items()
        for group in np.flatnonzero(~(each.loo.k <= each.loo.limit))
    ]
    found.sort(key=lambda row: -np.nan_to_num(row[2], nan=np.inf))
    names, left_out, k, refitted = zip(*found, strict=True) if found else ((), (), (), ())
    rows = [runs.row_numbers[groups == group].tolist() for group in left_out]
    how = ["by a fit without it" if done else "by importance weights" for done in refitted]
    columns = {
        "name": Column(names, heading=""),
        "group": Column(left_out, hidden=True),
        "rows": Column(rows, [*map(_rows, rows)], ""),
        "k": Column.of(k, ".2f", "Pareto k"),
        "refitted": Column(refitted, how, "left out"),
    }
    return Table("high_k", "group", columns, "High Pareto k", labels=2, limit=NAMED)


def by_cut(candidates: Candidates, cuts: Sequence[Horizon]) -> Table:
    """Log scores of the runs beyond each cut; machines alone get them."""
    scores = {name: each.by_cut() for name, each in candidates.items()}
    columns = {
        "limit": Column([cut.limit for cut in cuts]),
        "fitted": Column([int(cut.train.sum()) for cut in cuts]),
        "beyond": Column([int(cut.test.sum()) for cut in cuts]),
        "log_score": Column(
            [{name: score[number] for name, score in scores.items()} for number in range(len(cuts))]
        ),
    }
    return Table("cuts", "cut", columns, limit=0)


def _rows(numbers: Sequence[int]) -> str:
    """One run, or a group of them, by their row numbers."""
    if len(numbers) == 1:
        return f"row {numbers[0]}"
    return f"rows {numbers[0]} and {len(numbers) - 1} more"
