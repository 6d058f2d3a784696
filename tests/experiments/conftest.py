"""A posterior whose draws are normal about a known law, and runs that it may come from."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from scalingfit.catalog import law
from scalingfit.noise import StudentT
from scalingfit.runs import Runs

POINT = law("chinchilla").published["besiroglu-2024"]


def posterior_of(runs: Runs, sigma: float = 0.003, nu: float = 8.0, draws: int = 4000) -> Any:
    """The normal approximation of a posterior about the published point, given runs.

    The log loss is linear in the logarithms of the parameters, with a weak prior on these, and
    noise that tells as much as Student's t.
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
    spread = sigma * np.sqrt((nu + 3) / (nu + 1))
    precision = jacobian.T @ jacobian / spread**2 + np.eye(5) / 0.5**2
    factor = np.linalg.inv(np.linalg.cholesky(precision))
    shifts = np.random.default_rng(0).standard_normal((4, draws // 4, 5)) @ factor
    leaves = dict(zip(names, np.moveaxis(values * np.exp(shifts), -1, 0), strict=True))
    shape = (4, draws // 4)
    return SimpleNamespace(
        law=type(POINT.law)(**leaves),
        noise=StudentT(sigma=np.full(shape, sigma), nu=np.full(shape, nu)),
        runs=runs,
        provenance={"data": "abc"},
    )


def grid(budgets: Any = (1e19, 1e20, 1e21), sizes: int = 6) -> Runs:
    """An isoFLOP grid whose losses nobody reads."""
    C = np.repeat(budgets, sizes)
    N = np.concatenate([0.3 * np.sqrt(one / 120) * np.geomspace(1, 10, sizes) for one in budgets])
    return Runs.from_columns({"N": N, "D": C / (6 * N), "C": C, "L": np.full(len(C), 3.0)})


@pytest.fixture(scope="session")
def posterior() -> Any:
    return posterior_of(grid())
