"""How probable: a statement under several laws, and a law given the runs."""

from scalingfit.evidence.hypotheses.marginal_likelihood import evidence
from scalingfit.evidence.hypotheses.nested import NestedFamily
from scalingfit.evidence.hypotheses.nested_test import NestedTest, nested_test
from scalingfit.evidence.hypotheses.stacked import StackedHypothesis, stacked_hypothesis

__all__ = [
    "NestedFamily",
    "NestedTest",
    "StackedHypothesis",
    "evidence",
    "nested_test",
    "stacked_hypothesis",
]
