"""Which law, and can it be trusted: comparison, backtests, calibration, and published exponents."""

from scalingfit.evidence.backtest import Backtest, backtest
from scalingfit.evidence.bridge import Evidence, evidence
from scalingfit.evidence.calibrate import Calibration, calibrate
from scalingfit.evidence.compare import Comparison, compare
from scalingfit.evidence.corners import Corners, corners
from scalingfit.evidence.discrepancy import Discrepancy
from scalingfit.evidence.exponents import Exponents, exponents
from scalingfit.evidence.family import Family
from scalingfit.evidence.hypothesis import Hypothesis, hypothesis
from scalingfit.evidence.isoflop import Exponent, envelope, isoflop
from scalingfit.evidence.profiles import Profiles, profiles
from scalingfit.evidence.reconcile import reconcile
from scalingfit.evidence.reconciliation import Reconciliation
from scalingfit.evidence.recount import exponent_without_embeddings, recount
from scalingfit.evidence.stack import Stacked
from scalingfit.evidence.stacked_hypothesis import StackedHypothesis

__all__ = [
    "Backtest",
    "Calibration",
    "Comparison",
    "Corners",
    "Discrepancy",
    "Evidence",
    "Exponent",
    "Exponents",
    "Family",
    "Hypothesis",
    "Profiles",
    "Reconciliation",
    "Stacked",
    "StackedHypothesis",
    "backtest",
    "calibrate",
    "compare",
    "corners",
    "envelope",
    "evidence",
    "exponent_without_embeddings",
    "exponents",
    "hypothesis",
    "isoflop",
    "profiles",
    "reconcile",
    "recount",
]
