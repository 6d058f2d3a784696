"""Draws of the prior, and losses from them."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
import numpyro.distributions as dist
import pytest
from scipy import stats

import scalingfit as sf
from scalingfit._errors import InputError
from scalingfit.inference import build
from scalingfit.noise import StudentT
from scalingfit.runs import Runs
from tests.inference.models import CHINCHILLA


@pytest.fixture(autouse=True)
def _double_precision() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


def test_prior_draws_follow_the_prior() -> None:
    model = build(CHINCHILLA, StudentT, {"E": dist.Normal(1.8, 0.1)})
    drawn = model.prior_draws(jax.random.key(1), 4000)
    A_term = np.log(drawn["A"]) - drawn["alpha"] * math.log(1e9)
    for values, family in (
        (drawn["E"], stats.norm(1.8, 0.1)),
        (A_term, stats.norm(math.log(0.35), 1.5)),
        (drawn["nu"], stats.lognorm(1.0, loc=1, scale=10.0)),
    ):
        assert stats.kstest(np.asarray(values), family.cdf).pvalue > 1e-4


def test_prior_predictive_scatters_about_the_law() -> None:
    truth = {"E": 1.8, "A": 480.0, "B": 2100.0, "alpha": 0.35, "beta": 0.37, "sigma": 0.02}
    drawn = sf.prior_predictive(
        {"N": [1e8, 1e9], "D": 2e10}, noise="normal", priors=truth, draws=4000
    )
    assert set(drawn) == {"L"}
    law = CHINCHILLA(**{k: v for k, v in truth.items() if k != "sigma"})
    for column, N in zip(drawn["L"].T, (1e8, 1e9), strict=True):
        about = stats.norm(math.log(law.loss(N, 2e10)), 0.02)
        assert stats.kstest(np.log(column), about.cdf).pvalue > 1e-4


def test_prior_predictive_names_the_inputs_it_needs() -> None:
    with pytest.raises(InputError, match="the inputs N, D of chinchilla, not N"):
        sf.prior_predictive({"N": 1e9})
    given: Any = "chinchilla"
    with pytest.raises(InputError, match="not str"):
        sf.prior_predictive(given)


def test_prior_predictive_takes_a_table(simulated: Callable[..., Runs]) -> None:
    runs = simulated(6)
    inputs = {name: runs[name] for name in ("N", "D")}
    drawn, expected = (sf.prior_predictive(given, draws=3) for given in (runs, inputs))
    np.testing.assert_array_equal(drawn["L"], expected["L"])
    assert drawn["L"].shape == (3, 6)


def test_priors_are_described_with_their_numbers() -> None:
    shifted = dist.TransformedDistribution(
        dist.Exponential(2.0), dist.transforms.AffineTransform(1.0, 3.0)
    )
    priors = {
        "E": dist.TruncatedNormal(1.8, 0.1, low=0.0),
        "beta": "alpha",
        "A": 400,
        "sigma": shifted,
    }
    lines = build(CHINCHILLA, StudentT, priors).describe_priors()
    assert lines["E"] == "TruncatedNormal(loc=1.8, scale=0.1, low=0)"
    assert lines["alpha"] == "LogNormal(loc=-1.04982, scale=0.5)"
    assert lines["beta"] == "tied to alpha"
    assert lines["A"] == "pinned at 400.0"
    assert lines["B"] == "B/D^beta at D=3e+10 ~ LogNormal(log 0.4, 1.5)"
    assert lines["sigma"] == "Exponential(rate=2) through AffineTransform(1, 3)"
