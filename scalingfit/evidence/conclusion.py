"""What may be concluded from a comparison, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from scalingfit.evidence.comparison import Comparison

__all__ = ["conclude"]


def conclude(comparison: Comparison) -> list[str]:
    """A sentence on the laws, one on their forecasts, and one on fits that failed, if any."""
    best, *others = comparison.standings
    gaps = {
        name: f"{-standing.difference:.1f} ± {standing.difference_se:.1f}"
        for name, standing in comparison.standings.items()
    }
    close = [name for name in others if comparison.standings[name].indistinct]
    if close:
        apart = " or ".join(f"{name} ({gaps[name]} in elpd)" for name in close)
        said = [f"These runs cannot tell {best} from {apart}: use them stacked."]
    else:
        said = [
            f"These runs favour {best}: its elpd is {gaps[others[0]]} above that of {others[0]}."
        ]
    if comparison.cuts:
        said.append(_conclude_future(comparison))
    failed = [
        name for name, fit in comparison.posteriors.items() if fit.verdict.status == "not converged"
    ]
    if failed:
        said.append(f"But {' and '.join(failed)} did not converge: do not rely on this.")
    return said


def _conclude_future(comparison: Comparison) -> str:
    scores = {
        name: [ahead.log_score for ahead in standing.future]
        for name, standing in comparison.standings.items()
    }
    best = max(scores, key=lambda name: float(np.mean(np.concatenate(scores[name]))))
    sums = {name: [float(cut.sum()) for cut in found] for name, found in scores.items()}
    winners = [max(zip(cut, sums, strict=True))[1] for cut in zip(*sums.values(), strict=True)]
    who = f"{best} also" if best == comparison.best else f"But {best}"
    return (
        f"{who} foretells larger runs from smaller ones best on the whole, and at "
        f"{winners.count(best)} of {len(winners)} cuts; the 90 % intervals of {best} held "
        f"{_inside(comparison, best):.0%} of these."
    )


def _inside(comparison: Comparison, name: str) -> float:
    """Share of all forecasts of larger runs that lie in their 90 % interval."""
    held = [
        (ahead.quantiles[0] <= losses) & (losses <= ahead.quantiles[2])
        for cut, ahead in zip(comparison.cuts, comparison.standings[name].future, strict=True)
        for losses in [comparison.runs["L"][cut.test]]
    ]
    return float(np.mean(np.concatenate(held)))
