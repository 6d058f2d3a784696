"""How the best size grows with compute: profiles, envelope, and why published exponents differ."""

from scalingfit.evidence.exponents.isoflop import Exponent, envelope, isoflop
from scalingfit.evidence.exponents.profiles import Profiles, profiles
from scalingfit.evidence.exponents.reconcile import reconcile
from scalingfit.evidence.exponents.result import METHODS, Reconciliation, Stage
from scalingfit.evidence.exponents.without_embeddings import (
    exponent_without_embeddings,
    without_embeddings,
)

__all__ = [
    "METHODS",
    "Exponent",
    "Profiles",
    "Reconciliation",
    "Stage",
    "envelope",
    "exponent_without_embeddings",
    "isoflop",
    "profiles",
    "reconcile",
    "without_embeddings",
]
