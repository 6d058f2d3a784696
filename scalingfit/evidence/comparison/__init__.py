"""Which law: how well each predicts runs that were left out, and what they say together."""

from scalingfit.evidence.comparison.answers import Answers
from scalingfit.evidence.comparison.candidate import Candidate
from scalingfit.evidence.comparison.compare import compare
from scalingfit.evidence.comparison.exponents import PLAIN, Exponents, exponents_by_law
from scalingfit.evidence.comparison.result import Comparison
from scalingfit.evidence.comparison.stacked import Stacked

__all__ = [
    "PLAIN",
    "Answers",
    "Candidate",
    "Comparison",
    "Exponents",
    "Stacked",
    "compare",
    "exponents_by_law",
]
