"""Comparisons with parts replaced."""

from scalingfit.evidence import Comparison, ScoredForecasts


def ahead_of(comparison: Comparison, name: str) -> ScoredForecasts:
    """A law's forecasts of larger runs."""
    found = comparison.candidates[name].future
    assert found is not None
    return found
