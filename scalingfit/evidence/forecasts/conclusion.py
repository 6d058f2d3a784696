"""Whether the intervals of forecasts can be trusted, in a sentence or two."""

from __future__ import annotations

import numpy as np

from scalingfit.evidence.forecasts.scored import ScoredForecasts
from scalingfit.evidence.forecasts.scores import band

__all__ = ["conclude"]

NEAR = 0.05 + 1e-9
"""How far a coverage may be from what was stated to count as right; rounding is none of it."""


def conclude(name: str, scored: ScoredForecasts) -> str:
    """Whether the intervals of a law can be trusted."""
    made, count = len(scored.observed), scored.count()
    share = float(scored.covered().mean())
    low, high = band(0.9, count)  # forecasts of one run are no independent ones
    of = f" of {count} runs" if count < made else ""
    found = f"{name}: the 90 % intervals covered {share:.0%} of {made} forecasts{of}"
    if low <= share <= high and abs(share - 0.9) <= NEAR:
        said = f"{found}, as they should overall{_worst(scored)}."
    elif low <= share <= high:
        said = f"{found}, too few to tell: right intervals would cover {low:.0%} to {high:.0%}."
    elif share > high:
        said = f"{found}: they are wider than they need to be."
    else:
        said = f"{found}: they are over-confident."
    above = float(np.mean(scored.pit > 0.5))
    few, many = band(0.5, count)
    if not few <= above <= many:
        side = "high" if above < few else "low"
        said += f" The forecasts are too {side}: {above:.0%} of the losses were above them."
    return said


def _worst(scored: ScoredForecasts) -> str:
    """The distance at which the 90 % intervals cover least, where that is clearly too little."""
    found = []
    for distances, chosen in scored.by_distance():
        share = float(scored.covered()[chosen].mean())
        if share < band(0.9, scored.count(chosen))[0]:
            found.append((share, f", but only {share:.0%} of those at {distances}"))
    return min(found)[1] if found else ""
