"""Fits of laws with their error: coordinates of the density, draws, the mixture, files."""

import dataclasses
from pathlib import Path

import jax
import numpy as np
import pytest
from jax import numpy as jnp

import scalingfit as sf
from scalingfit.inference import Posterior, ess
from scalingfit.inference.conditional import Conditional
from scalingfit.runs import Runs
from tests.inference.gibbs import NAMES, sample_power
from tests.simulated import bent


@pytest.fixture(scope="module")
def straight() -> Runs:
    """Runs of a power law that does not bend."""
    X = np.geomspace(1e5, 1e9, 24)
    scatter = 0.003 * np.random.default_rng(0).standard_normal(24)
    return Runs.from_columns({"X": X, "L": (0.5 + 20 * X**-0.3) * np.exp(scatter)})


@pytest.fixture(scope="module")
def posterior(straight: Runs) -> Posterior:
    return sf.fit(straight, "power")


def test_coordinates_of_the_error_are_conditional() -> None:
    """Given all else, and a normal scatter, the density in them is standard normal."""
    rng = np.random.default_rng(0)
    with jax.enable_x64(True):
        features, weight = rng.normal(size=(12, 5)), rng.uniform(0.5, 2, 12)
        residual, sigma, tau = rng.normal(size=12), 0.3, 0.7
        conditional = Conditional.given(jnp.asarray(features), jnp.asarray(weight))

        def height(white: np.ndarray) -> float:
            found, density = conditional.coefficients(
                jnp.asarray(residual), sigma, tau, jnp.asarray(white)
            )
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


def test_draws_are_those_of_an_independent_sampler() -> None:
    """Another sampler, with the exact covariance and the precisions of a Student-t, in NumPy."""
    runs = bent()
    fit = sf.fit(runs, "power")
    erring = fit.sampled.values["tau"] > 0
    assert erring.mean() > 0.99  # the other sampler knows of no exact law
    theirs = sample_power(runs["X"], runs["L"], sweeps=600)
    diagnosis = dict(zip(fit.model.judged, fit.sampled.diagnosis.ess_bulk, strict=True))
    for name in NAMES:
        draws = fit.draws[name][erring]
        for share in (0.05, 0.5, 0.95):
            below = np.mean(draws < np.quantile(theirs[name], share))
            sizes = 1 / min(diagnosis[name], draws.size) + 1 / float(ess(theirs[name]))
            # Eighteen shares, each within four standard errors but for one in 16,000.
            assert below == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) * sizes)), name


def test_draws_without_an_error_are_those_of_the_exact_law(
    straight: Runs, posterior: Posterior
) -> None:
    without = posterior.sampled.values["tau"] == 0
    share = posterior.sampled.record["exact"]
    assert share > 0.5  # as it was beforehand: the runs are those of an exact law
    assert np.abs(without.mean() - share) <= 0.5 / without.shape[1]
    exact = sf.fit(straight, "power", law_error=None)
    for name, values in exact.draws.items():
        np.testing.assert_array_equal(posterior.draws[name][without], values[without])
    errors = posterior.sampled.errors
    assert errors is not None
    assert not errors[without].any()
    assert errors[~without].any()
    far = [fit.forecast(X=1e12).mean.std() for fit in (posterior, exact)]
    assert far[0] > far[1]


def test_the_exact_part_may_be_sampled_by_importance(straight: Runs, posterior: Posterior) -> None:
    """In a batch, and the mixture is the same as by NUTS alone."""
    made = sf.refit([straight], "power", draws=1000, progress=False).fits[0].sampled
    by_nuts = posterior.sampled
    assert made.evidence is not None
    assert by_nuts.evidence is not None
    apart = made.evidence.log - by_nuts.evidence.log
    error = np.hypot(made.evidence.error, by_nuts.evidence.error)
    assert abs(apart) < 4 * error
    share, theirs = made.record["exact"], by_nuts.record["exact"]
    assert abs(share - theirs) < 4 * error  # at most a quarter of it
    without, theirs_without = (one.values["tau"] == 0 for one in (made, by_nuts))
    # By weight, 444 draws are effective of those that are chosen from, or they would not pass.
    size = 1 / 444 + 1 / without.sum() + 1 / (share * by_nuts.diagnosis.ess_bulk.min())
    for name in by_nuts.values.keys() - {"tau"}:
        for level in (0.05, 0.5, 0.95):
            bound = np.quantile(by_nuts.values[name][theirs_without], level)
            below = np.mean(made.values[name][without] < bound)
            # Fifteen shares, each within four standard errors but for one in 16,000.
            assert below == pytest.approx(level, abs=4 * np.sqrt(level * (1 - level) * size)), name


def test_the_heading_tells_rows_from_runs(posterior: Posterior) -> None:
    assert posterior.title.startswith("power on 24 runs, ")
    for names, counted in (
        ([*"abcd"], "24 rows of 4 runs"),
        (["a", "b", None, None], "24 rows of 14 runs"),  # rows without a name are runs
        ([*"aaaa"], "24 rows of 1 run"),
    ):
        labels = {"run_id": np.repeat(np.array(names, object), 6)}
        rows = Runs.from_columns(posterior.runs.columns, labels=labels)
        title = dataclasses.replace(posterior, runs=rows).title
        assert title.startswith(f"power on {counted}, ")


def test_files_hold_the_error(posterior: Posterior, tmp_path: Path) -> None:
    posterior.save(tmp_path / "fit.nc")
    found = sf.load(tmp_path / "fit.nc")
    assert str(found) == str(posterior)
    pairs = zip(*(jax.tree.leaves(fit.law_with_error) for fit in (found, posterior)), strict=True)
    for mine, theirs in pairs:
        np.testing.assert_array_equal(mine, theirs)


GOLDEN = {
    "E": (1.467, 1.859, 2.255),
    "alpha": (0.235, 0.344, 0.486),
    "beta": (0.373, 0.509, 0.698),
    "sigma": (0.00289, 0.00334, 0.00384),
    "nu": (3.1, 4.98, 10.3),
    "tau": (0.0144, 0.0199, 0.0280),
    "N": (4.26e9, 6.33e9, 7.92e9),
    "L": (2.0876, 2.0986, 2.1130),
}
"""Quantiles by other code of the law with an error on Chinchilla's 240 runs, with 40 eigenvectors
in place of landmarks, of 4,000 draws, 3,392 of them effective; the optimum is at 1e22."""


@pytest.mark.slow
def test_draws_of_chinchillas_runs_are_those_of_other_code(epoch_240: Runs) -> None:
    fit = sf.fit(epoch_240)
    assert fit.sampled.record["exact"] < 0.001
    assert fit.verdict.status != "not converged"
    optimum = fit.frontier([1e22])
    draws = fit.draws | {name: optimum.draws[name][..., 0] for name in ("N", "L")}
    for name, quantiles in GOLDEN.items():
        for share, value in zip((0.05, 0.5, 0.95), quantiles, strict=True):
            below = np.mean(draws[name] < value)
            size = 1 / float(ess(draws[name])) + 1 / 3392
            # Four standard errors, and what three digits and fewer features leave open.
            error = 4 * np.sqrt(share * (1 - share) * size) + 0.01
            assert below == pytest.approx(share, abs=error), (name, share)
