"""Every noise model at one place, and what SciPy makes of it there."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import logsumexp

from scalingfit.catalog import noises
from scalingfit.declare import Parameter
from scalingfit.noise import At, Noise


def _middle(declared: Parameter) -> float:
    """About the median of the prior."""
    return float(np.median(declared.prior_given({}).sample(jax.random.key(0), (101,))))


MEAN = 2.7
INPUTS = {"N": np.log(1e9), "D": np.log(4e10)}
SLOPES = {"N": -0.3, "D": 0.2}
NOISES = noises()
VALUES = {
    "sigma": 0.05,
    "nu": 3.5,
    "outlier_share": 0.1,
    "outlier_scale": 6.0,
    "excess": 0.08,
    "kappa": 2.0,
    "middle": np.log(3.0),
    "ratio_power": -0.4,
    "compute_power": 0.1,
    "middle_ratio": np.log(20.0),
    "middle_compute": np.log(1e20),
    "s_N": 0.2,
    "s_D": 0.3,
}
VALUES |= {
    name: _middle(declared)
    for cls in NOISES.values()
    for name, declared in cls.parameters().items()
    if name not in VALUES
}

Values = Mapping[str, float]
Density = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def make(name: str, **values: float) -> Noise:
    """A model at the values above, or at others."""
    cls = NOISES[name]
    needed = {*cls.parameters(), *cls.anchors()}
    return cls(**{each: value for each, value in {**VALUES, **values}.items() if each in needed})


def place(noise: Noise, loss_se: Any = None) -> At:
    """Where its losses are observed."""
    return At(np.asarray(MEAN), INPUTS, {name: SLOPES[name] for name in noise.along}, loss_se)


def scale_of(name: str, **values: float) -> float:
    """The scale of the scatter there, written out."""
    v = {**VALUES, **values}
    ratio, compute = INPUTS["D"] - INPUTS["N"], INPUTS["D"] + INPUTS["N"]
    by_N, by_D = (v[f"s_{x}"] * SLOPES[x] / MEAN for x in "ND")
    scales = {
        "scatter_with_loss": v["sigma"] * (MEAN / 3.0) ** v["kappa"],
        "scatter_with_design": v["sigma"]
        * np.exp(v["ratio_power"] * (ratio - v["middle_ratio"]))
        * np.exp(v["compute_power"] * (compute - v["middle_compute"])),
        "error_in_n": np.hypot(v["sigma"], by_N),
        "error_in_n_and_d": np.sqrt(v["sigma"] ** 2 + by_N**2 + by_D**2),
    }
    return float(scales.get(name, v["sigma"]))


def log_scatter(name: str, **values: float) -> Density:
    """Log density of a residual, on the scale of the scatter, without known errors."""
    v, scale = {**VALUES, **values}, scale_of(name, **values)
    return SCATTERS.get(name.removesuffix("_level"), _student_t)(v, scale)


def _student_t(v: Values, scale: float) -> Density:
    return stats.t(v["nu"], scale=scale).logpdf


def _outlier_mixture(v: Values, scale: float) -> Density:
    wide = stats.norm(scale=scale * v["outlier_scale"])
    shares = np.log([1 - v["outlier_share"], v["outlier_share"]])
    return lambda r: logsumexp(
        [shares[0] + stats.norm(scale=scale).logpdf(r), shares[1] + wide.logpdf(r)], axis=0
    )


SCATTERS: Mapping[str, Callable[[Values, float], Density]] = {
    "normal": lambda v, scale: stats.norm(scale=scale).logpdf,
    "laplace": lambda v, scale: stats.laplace(scale=scale).logpdf,
    "one_sided": lambda v, scale: stats.exponnorm(v["excess"] / scale, scale=scale).logpdf,
    "outlier_mixture": _outlier_mixture,
}
"""By SciPy, of the models that are not Student's t; each takes a line."""


def log_sum(density: Density, error: float, residual: float) -> float:
    """Log density of a scatter plus a normal error: the convolution, summed on a fine grid."""
    # The peaks are at no scatter and at no error; both are resolved, and so is all in between.
    away = np.geomspace(1e-7, 60.0, 60_000)
    centres = np.array([0.0, residual])
    grid = np.unique(np.concatenate([centres, *(c + s * away for c in centres for s in (-1, 1))]))
    each = density(grid) + stats.norm(scale=error).logpdf(residual - grid)
    # The trapezoidal rule in logarithms.
    width = np.log(np.diff(grid)) - np.log(2)
    return float(logsumexp([each[1:] + width, each[:-1] + width]))
