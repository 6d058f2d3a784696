"""Whole fits: published data, and what a posterior gives."""

import dataclasses
import inspect
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest

import scalingfit as sf
from scalingfit.allocation import cheapest, choose, forecast, frontier
from scalingfit.inference import Limits, Posterior, hypothesis
from scalingfit.runs import Runs
from tests.inference.small_fits import QUICK, assert_same_distribution


def mean_of(posterior: Posterior, name: str) -> float:
    return float(posterior.draws[name].mean())


def share_for_parameters(posterior: Posterior) -> np.ndarray:
    """Exponent a of N*(C) ~ C^a."""
    draws = posterior.draws
    return np.asarray(draws["beta"] / (draws["alpha"] + draws["beta"]))


def tokens_per_parameter(law: Any, C: float) -> np.ndarray:
    """Hoffmann et al. 2022, equation 4."""
    G = (law.alpha * law.A / (law.beta * law.B)) ** (1 / (law.alpha + law.beta))
    a = law.beta / (law.alpha + law.beta)
    return np.asarray((C / 6) ** (1 - 2 * a) / G**2)


def test_the_published_points_give_the_published_law(posterior_240: Posterior) -> None:
    for name, low, high in (
        ("alpha", 0.335, 0.355),
        ("beta", 0.345, 0.378),
        ("E", 1.77, 1.84),
    ):
        assert low < mean_of(posterior_240, name) < high
    share = share_for_parameters(posterior_240)
    assert 0.495 < share.mean() < 0.525
    assert 0.007 < share.std() < 0.016


def test_the_fit_passes_its_diagnostics_cheaply(posterior_240: Posterior) -> None:
    assert posterior_240.sampled.diagnosis.passes(Limits()), posterior_240.verdict
    for row in posterior_240.summary().values():
        assert row["rhat"] <= 1.01
        assert min(row["ess_bulk"], row["ess_tail"]) >= 400
    assert posterior_240.sampled.diverging.sum() == 0
    assert posterior_240.sampled.leapfrogs.mean() <= 10


def test_the_plan_for_chinchillas_budget_is_chinchilla(posterior_240: Posterior) -> None:
    """The refit's 18.3 tokens a parameter lies inside, Hoffmann's own 92.6 far outside."""
    ratio = tokens_per_parameter(posterior_240.law, 5.76e23)
    assert 14 < np.median(ratio) < 24
    low, high = np.quantile(ratio, [0.05, 0.95])
    refit = sf.law("chinchilla").published["besiroglu-2024"].law
    hoffmann = sf.law("chinchilla").published["hoffmann-2022"].law
    assert low < tokens_per_parameter(refit, 5.76e23) < high
    assert high < tokens_per_parameter(hoffmann, 5.76e23)


def test_five_bad_points_move_it_less_than_log_huber(
    posterior_240: Posterior, epoch_245: Runs
) -> None:
    """Log-Huber's exponent a moves from .5139 to .5646 when they are kept."""
    every = sf.fit(epoch_245, law_error=None)
    moved = share_for_parameters(every).mean() - share_for_parameters(posterior_240).mean()
    assert abs(moved) < 0.5646 - 0.5139


def test_the_seed_makes_the_draws(posterior_240: Posterior, epoch_240: Runs) -> None:
    again, other = (sf.fit(epoch_240, law_error=None, seed=seed) for seed in (0, 1))
    for name, draws in posterior_240.draws.items():
        np.testing.assert_array_equal(again.draws[name], draws)
        assert np.mean(other.draws[name] == draws) < 0.01
    assert_same_distribution(other.draws, posterior_240.draws)


def test_a_fit_leaves_the_configuration_alone(simulated: Callable[..., Runs]) -> None:
    before, threads = dict(jax.config.values), numpyro.enable_validation
    sf.fit(simulated(8), law_error=None, draws=100, warmup=30, retries=0)
    assert dict(jax.config.values) == before
    assert numpyro.enable_validation is threads
    assert jax.numpy.ones(1).dtype == np.float32


def test_an_import_leaves_the_configuration_alone() -> None:
    code = (
        "import jax, numpyro\n"
        "before = dict(jax.config.values)\n"
        "import scalingfit.inference, scalingfit.inference.point, scalingfit.catalog\n"
        "scalingfit.catalog.laws()\n"
        "assert dict(jax.config.values) == before"
    )
    root = Path(sf.__file__).parents[1]
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True)


@pytest.fixture(scope="module")
def small(simulated: Callable[..., Runs]) -> Posterior:
    """Alpha pinned, A and B tied, E with a prior of its own; standard errors known."""
    priors = {"alpha": 0.35, "B": "A", "E": dist.TruncatedNormal(1.8, 0.1, low=0.0)}
    runs = simulated(12, loss_se=np.full(12, 0.01))
    return sf.fit(runs, noise="normal", priors=priors, **QUICK)


def test_pinned_and_tied_parameters_come_back(small: Posterior) -> None:
    assert np.all(small.law.alpha == 0.35)
    np.testing.assert_array_equal(small.law.A, small.law.B)
    assert small.law.A.shape == small.noise.sigma.shape == (4, 200)
    table = small.summary()
    assert np.isnan(table["alpha"]["ess_bulk"])
    assert table["E"]["q5"] < table["E"]["q50"] < table["E"]["q95"]
    assert {"alpha (pinned)", "B (= A)"} <= {row[0] for row in small.tables[0].shown()}
    assert small.provenance["priors"]["alpha"] == "pinned at 0.35"
    assert small.provenance["priors"]["E"].startswith("TruncatedNormal(loc=1.8, scale=0.1")


def test_log_likelihood_is_that_of_every_draw(small: Posterior) -> None:
    mean = small.law.E[..., None] + small.law.A[..., None] * (
        small.runs.N ** -small.law.alpha[..., None] + small.runs.D ** -small.law.beta[..., None]
    )
    spread = np.hypot(small.noise.sigma[..., None], 0.01 / mean)
    deviation = np.log(small.runs.L / mean) / spread
    expected = -0.5 * deviation**2 - np.log(spread * small.runs.L * np.sqrt(2 * np.pi))
    np.testing.assert_allclose(small.log_likelihood(), expected, rtol=1e-9, atol=1e-9)


def test_replicated_losses_scatter_as_the_model_says(small: Posterior) -> None:
    replicated = small.predictive(seed=3)
    assert replicated.shape == (4, 200, 12)
    np.testing.assert_array_equal(replicated, small.predictive(seed=3))
    assert not np.array_equal(replicated, small.predictive(seed=4))
    inside = np.mean(replicated > small.runs.L, axis=(0, 1))
    assert np.all((inside > 0.001) & (inside < 0.999))
    assert np.abs(small.residuals()).max() < 0.06


def test_frames_and_json(small: Posterior) -> None:
    frame = small.to_pandas().set_index("parameter")
    assert [*frame.index] == [*small.draws]
    np.testing.assert_allclose(frame["mean"]["beta"], small.law.beta.mean())
    assert np.isnan(frame["rhat"]["alpha"])
    arrays = small.to_xarray()
    assert arrays["beta"].dims == ("chain", "draw")
    np.testing.assert_array_equal(arrays["beta"].sel(chain=2), small.law.beta[2])
    record: Any = small.as_json()
    assert record["schema"] == 1
    assert record["runs"]["digest"] == small.runs.digest
    assert record["verdict"]["ok"] == small.verdict.ok
    assert [row["parameter"] for row in record["parameters"]] == [*small.draws]


@pytest.mark.parametrize(
    ("method", "verb"),
    [
        (Posterior.frontier, frontier),
        (Posterior.choose, choose),
        (Posterior.cheapest, cheapest),
        (Posterior.forecast, forecast),
        (Posterior.hypothesis, hypothesis),
    ],
)
def test_questions_take_the_same_as_a_method_and_as_a_verb(
    method: Callable[..., Any], verb: Callable[..., Any]
) -> None:
    _, *taken = inspect.signature(method).parameters.values()
    _, *same = inspect.signature(verb).parameters.values()
    assert taken == same
    assert inspect.signature(method).return_annotation == inspect.signature(verb).return_annotation


def test_stricter_limits_change_the_verdict_alone(simulated: Callable[..., Runs]) -> None:
    limits = dataclasses.replace(sf.Limits(), ess=1e6)
    posterior = sf.fit(simulated(12), noise="normal", limits=limits, **QUICK)
    assert posterior.verdict.status == "not converged"
    assert "ESS" in str(posterior.verdict)
