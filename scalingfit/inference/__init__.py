"""Runs and a law in, a posterior with a verdict out."""

from scalingfit.inference.against_priors import FAR_OUT, far_in_prior
from scalingfit.inference.bridge import Evidence, bridge
from scalingfit.inference.build import build, model_of
from scalingfit.inference.by_run import log_likelihood_by_run
from scalingfit.inference.density import (
    coordinates,
    log_density,
    log_likelihood,
    log_predictive,
    new_runs,
    predicted,
)
from scalingfit.inference.diagnostics import Diagnosis, Limits, ess
from scalingfit.inference.fit import check, fit, posterior_of, prior_predictive
from scalingfit.inference.fitted import functions, replicates
from scalingfit.inference.formula import declaration, exactly
from scalingfit.inference.group import Draws
from scalingfit.inference.hypothesis import OPTIMA, Hypothesis, hypothesis
from scalingfit.inference.load import load
from scalingfit.inference.model import Model, Prior
from scalingfit.inference.point import PointEstimate, point
from scalingfit.inference.posterior import QUANTILES, Posterior
from scalingfit.inference.priors import parse_priors
from scalingfit.inference.programs import (
    centre,
    group_size,
    landmarks_of,
    pack,
    padded,
    prior_values,
)
from scalingfit.inference.sampler import failures, sample, sampled, workplaces
from scalingfit.inference.settings import (
    SAMPLING,
    Sampling,
    Settings,
    checked,
    default_precision,
    settings_of,
)
from scalingfit.inference.statement import Statement
from scalingfit.inference.verdict import Verdict

__all__ = [
    "FAR_OUT",
    "OPTIMA",
    "QUANTILES",
    "SAMPLING",
    "Diagnosis",
    "Draws",
    "Evidence",
    "Hypothesis",
    "Limits",
    "Model",
    "PointEstimate",
    "Posterior",
    "Prior",
    "Sampling",
    "Settings",
    "Statement",
    "Verdict",
    "bridge",
    "build",
    "centre",
    "check",
    "checked",
    "coordinates",
    "declaration",
    "default_precision",
    "ess",
    "exactly",
    "failures",
    "far_in_prior",
    "fit",
    "functions",
    "group_size",
    "hypothesis",
    "landmarks_of",
    "load",
    "log_density",
    "log_likelihood",
    "log_likelihood_by_run",
    "log_predictive",
    "model_of",
    "new_runs",
    "pack",
    "padded",
    "parse_priors",
    "point",
    "posterior_of",
    "predicted",
    "prior_predictive",
    "prior_values",
    "replicates",
    "sample",
    "sampled",
    "settings_of",
    "workplaces",
]
