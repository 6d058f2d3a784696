"""Fits of laws with their error: the density's coordinates, the mixture, files."""

from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np
import pytest
from jax import numpy as jnp

import scalingfit as sf
from scalingfit.inference import Posterior
from scalingfit.inference.conditional import Conditional
from scalingfit.runs import Runs


@pytest.fixture(scope="module")
def exact_runs(simulated: Callable[..., Runs]) -> Runs:
    """Runs of an exact law."""
    return simulated(40, seed=3)


@pytest.fixture(scope="module")
def posterior(exact_runs: Runs) -> Posterior:
    return sf.fit(exact_runs)


def test_coordinates_of_the_error_are_conditional() -> None:
    """Given all else, and a normal scatter, the density in them is standard normal."""
    rng = np.random.default_rng(0)
    with jax.enable_x64(True):
        features, weight = rng.normal(size=(12, 5)), rng.uniform(0.5, 2, 12)
        residual, sigma, tau = rng.normal(size=12), 0.3, 0.7
        conditional = Conditional.given(jnp.asarray(features), jnp.asarray(weight))

        def height(white: np.ndarray) -> float:
            found, density = conditional.coefficients(residual, sigma, tau, jnp.asarray(white))
            error = np.asarray(conditional.basis @ found)
            return float(density - 0.5 * np.sum(weight * (residual - error) ** 2) / sigma**2)

        middle = height(np.zeros(5))
        for white in rng.normal(size=(4, 5)):
            assert height(white) - middle == pytest.approx(-0.5 * white @ white, abs=1e-9)
        # The integral over the coordinates is the marginal likelihood of the residuals.
        covariance = tau**2 * features @ features.T + np.diag(sigma**2 / weight)
        marginal = -0.5 * residual @ np.linalg.solve(covariance, residual)
        marginal -= 0.5 * np.linalg.slogdet(covariance)[1]
        found = middle + 0.5 * 5 * np.log(2 * np.pi) - 0.5 * np.sum(np.log(sigma**2 / weight))
        assert found == pytest.approx(marginal)


def test_draws_without_an_error_are_those_of_the_exact_law(
    exact_runs: Runs, posterior: Posterior
) -> None:
    without = posterior.sampled.values["tau"] == 0
    share = posterior.sampled.record["exact"]
    assert np.abs(without.mean() - share) <= 0.5 / without.shape[1]
    exact = sf.fit(exact_runs, law_error=None)
    for name, values in exact.draws.items():
        assert np.array_equal(posterior.draws[name][without], values[without])
    assert not posterior.sampled.errors[without].any()


def test_a_law_with_an_error_is_wider(posterior: Posterior) -> None:
    far = posterior.forecast(N=1e12, D=3e13).mean.std()
    exact = sf.fit(posterior.runs, law_error=None).forecast(N=1e12, D=3e13).mean.std()
    assert far > exact


def test_files_hold_the_error(posterior: Posterior, tmp_path: Path) -> None:
    posterior.save(tmp_path / "fit.nc")
    found = sf.load(tmp_path / "fit.nc")
    assert str(found) == str(posterior)
    for mine, theirs in zip(
        jax.tree.leaves(found.law_with_error),
        jax.tree.leaves(posterior.law_with_error),
        strict=True,
    ):
        assert np.array_equal(mine, theirs)
