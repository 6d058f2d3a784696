"""Runs and a law in, a posterior with a verdict out."""

from scalingfit.inference.diagnostics import Limits, Verdict
from scalingfit.inference.files import load
from scalingfit.inference.fit import fit, prior_predictive
from scalingfit.inference.posterior import Posterior

__all__ = ["Limits", "Posterior", "Verdict", "fit", "load", "prior_predictive"]
