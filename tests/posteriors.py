"""Posteriors whose draws are normal about a known law, and runs that they may come from."""

from types import SimpleNamespace
from typing import Any

import numpy as np

from scalingfit.catalog import law, noise
from scalingfit.law_error import ErrorDraws, Landmarks, landmarks, law_with_error
from scalingfit.runs import Runs

POINT = law("chinchilla").published["besiroglu-2024"]


def posterior_of(
    runs: Runs, sigma: float = 0.003, nu: float = 8.0, draws: int = 4000, tau: float = 0.0
) -> Any:
    """The normal approximation of a posterior about the published point, given runs.

    The log loss is linear in the logarithms of the parameters, with a weak prior on these, and in
    the law's error, whose scale is known; the noise tells as much as Student's t.
    """
    names = list(POINT.values)
    values = np.array([POINT.values[name] for name in names])

    def log_loss(shift: Any) -> Any:
        moved = dict(zip(names, values * np.exp(shift), strict=True))
        point = type(POINT.law)(**moved)
        return np.log(point.E + point.A / runs.N**point.alpha + point.B / runs.D**point.beta)

    step = 1e-5
    jacobian = np.stack(
        [(log_loss(step * one) - log_loss(-step * one)) / (2 * step) for one in np.eye(5)], axis=1
    )
    places = np.log10(np.stack([runs.N, runs.D], axis=1))
    own = landmarks(places) if tau else Landmarks(places[:0], np.zeros((len(runs), 0)), np.eye(0))
    # Unknown are normal numbers of scale one: half the logarithms, and what makes the error.
    shown = np.hstack([0.5 * jacobian, tau * own.factor])
    spread = sigma * np.sqrt((nu + 3) / (nu + 1))
    precision = shown.T @ shown / spread**2 + np.eye(shown.shape[1])
    factor = np.linalg.inv(np.linalg.cholesky(precision))
    shape = (4, draws // 4)
    unknown = np.random.default_rng(0).standard_normal((*shape, len(factor))) @ factor
    shifts, errors = 0.5 * unknown[..., :5], tau * unknown[..., 5:] @ own.own.T
    leaves = dict(zip(names, np.moveaxis(values * np.exp(shifts), -1, 0), strict=True))
    law = type(POINT.law)(**leaves)
    if tau:
        scale = np.full(shape, tau)
        error = ErrorDraws.given(own.places, errors, scale, places, additive=False)
        law = law_with_error(law, error)
    return SimpleNamespace(
        law=law,
        noise=noise("student_t")(sigma=np.full(shape, sigma), nu=np.full(shape, nu)),
        runs=runs,
        provenance={"data": "abc"},
    )


def grid(budgets: Any = (1e19, 1e20, 1e21), sizes: int = 6) -> Runs:
    """An isoFLOP grid whose losses nobody reads."""
    C = np.repeat(budgets, sizes)
    N = np.concatenate([0.3 * np.sqrt(one / 120) * np.geomspace(1, 10, sizes) for one in budgets])
    return Runs.from_columns({"N": N, "D": C / (6 * N), "C": C, "L": np.full(len(C), 3.0)})
