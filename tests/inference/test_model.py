"""The density that is sampled, against SciPy and NumPyro."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
import numpyro.distributions as dist
import pytest
from numpyro.infer.util import log_density as numpyro_density
from scipy import stats

import scalingfit as sf
from scalingfit._errors import InputError
from scalingfit.catalog import noise, noises
from scalingfit.declare import Array, Law, parameter
from scalingfit.inference import Model, build, pack
from scalingfit.inference.model import Data
from scalingfit.noise import Normal, StudentT
from scalingfit.runs import Runs
from tests.inference.models import CHINCHILLA, COORDINATES, POINT, log_jacobian
from tests.noise.oracles import log_sum


@pytest.fixture(autouse=True)
def _double_precision() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="module")
def runs(simulated: Callable[..., Runs]) -> Runs:
    rng = np.random.default_rng(5)
    return simulated(20, loss_se=rng.uniform(0.005, 0.05, 20), weight=rng.uniform(0, 3, 20))


def plain_data(model: Model, runs: Runs) -> Data:
    return pack(model, runs, len(runs), "float64")


def near(values: dict[str, float], count: int) -> list[dict[str, float]]:
    """Points scattered by a tenth about one point."""
    rng = np.random.default_rng(3)
    return [
        {k: v * math.exp(0.1 * rng.standard_normal()) for k, v in values.items()}
        for _ in range(count)
    ]


def scipy_priors(values: dict[str, float], level: bool) -> dict[str, float]:
    """Log prior densities as models/chinchilla.py and noise.py state them."""
    sigma_sd, sigma_median = (1.5, 0.03) if level else (1.0, 0.01)
    return {
        "E": stats.lognorm.logpdf(values["E"], 0.7, scale=1.5),
        "alpha": stats.lognorm.logpdf(values["alpha"], 0.5, scale=0.35),
        "beta": stats.lognorm.logpdf(values["beta"], 0.5, scale=0.35),
        "A": stats.lognorm.logpdf(values["A"], 1.5, scale=0.35 * 1e9 ** values["alpha"]),
        "B": stats.lognorm.logpdf(values["B"], 1.5, scale=0.4 * 3e10 ** values["beta"]),
        "sigma": stats.lognorm.logpdf(values["sigma"], sigma_sd, scale=sigma_median),
        "nu": stats.lognorm.logpdf(values["nu"], 1.0, loc=1, scale=10.0),
    }


FAMILIES = [f"{name}{on}" for name in ("student_t", "normal", "laplace") for on in ("", "_level")]


def scipy_likelihood(values: dict[str, float], runs: Runs, noise: str) -> np.ndarray:
    """Known errors are normal, so that the density is a convolution."""
    mean = (
        values["E"]
        + values["A"] / runs.N ** values["alpha"]
        + values["B"] / runs.D ** values["beta"]
    )
    se = runs.columns.get("loss_se", np.zeros(len(runs)))
    family = {
        "student_t": stats.t(values["nu"]),
        "normal": stats.norm(),
        "laplace": stats.laplace(),
    }[noise.removesuffix("_level")]
    on_log = not noise.endswith("_level")
    sigma, residual = values["sigma"], np.log(runs.L / mean) if on_log else runs.L - mean
    error = se / mean if on_log else se

    def own(r: np.ndarray) -> np.ndarray:
        return np.asarray(family.logpdf(r / sigma) - np.log(sigma))

    if noise.startswith("normal"):
        density = stats.norm(scale=np.hypot(sigma, error)).logpdf(residual)
    elif np.any(error):
        density = np.array([log_sum(own, *each) for each in zip(error, residual, strict=True)])
    else:
        density = own(residual)
    return density - np.log(runs.L) if on_log else density


def scipy_density(
    values: dict[str, float], runs: Runs, noise: str, leave_out: tuple[str, ...] = ()
) -> float:
    priors = scipy_priors(values, noise.endswith("_level"))
    weight = runs.columns.get("weight", np.ones(len(runs)))
    likelihood = np.sum(weight * scipy_likelihood(values, runs, noise))
    return float(likelihood + sum(priors[name] for name in values if name not in leave_out))


def density_of_values(model: Model, values: dict[str, float], data: Data) -> float:
    """The model's log density over the parameters themselves: without the Jacobian."""
    place = model.unconstrain(values, data.centre)
    return float(model.log_density(place, data) - log_jacobian(model, place, data.centre))


@pytest.mark.parametrize("noise", FAMILIES)
@pytest.mark.parametrize("bare", [True, False], ids=["plain", "with loss_se and weight"])
def test_log_density_is_what_scipy_makes_of_it(runs: Runs, noise: str, bare: bool) -> None:
    if bare:
        runs = Runs.from_columns({name: runs[name] for name in ("N", "D", "L")})
    model = build(CHINCHILLA, noises()[noise])
    data = plain_data(model, runs)
    absent = tuple(POINT.keys() - model.sites)
    for values in near(POINT, 3):
        expected = scipy_density(values, runs, noise, leave_out=absent)
        found = density_of_values(model, values, data)
        # Known errors are added to the Student-t to 0.1 % of the density.
        off = 0.0 if bare or "student" not in noise else 1e-3 * runs.weight.sum()
        assert found == pytest.approx(expected, rel=1e-6 if "laplace" in noise else 1e-10, abs=off)


def test_pinned_tied_and_replaced_priors_change_their_own_terms_only(runs: Runs) -> None:
    runs = Runs.from_columns({name: runs[name] for name in ("N", "D", "L")})
    values = {**POINT, "beta": POINT["alpha"]}
    given = {"alpha": 0.35, "beta": "alpha", "E": dist.Normal(1.8, 0.1)}
    model = build(CHINCHILLA, StudentT, given)
    assert model.sites == ("E", "A", "B", "sigma", "nu")
    data = plain_data(model, runs)
    expected = scipy_density(values, runs, "student_t", leave_out=("alpha", "beta", "E"))
    expected += stats.norm.logpdf(values["E"], 1.8, 0.1)
    numbers = {site: float(value) for site, value in values.items()}
    assert density_of_values(model, numbers, data) == pytest.approx(expected, rel=1e-10)
    law, noise = model.complete_arrays(
        {name: np.full((2, 3), values[name]) for name in model.sites}
    )
    for name, value in {**law.values(), "sigma": noise.sigma}.items():
        np.testing.assert_array_equal(value, np.full((2, 3), values[name]))


def test_noise_can_be_tied_to_a_parameter_of_the_law(runs: Runs) -> None:
    model = build(CHINCHILLA, Normal, {"sigma": "E"})
    data = plain_data(model, runs)
    values = {**POINT, "sigma": POINT["E"]}
    expected = scipy_density(values, runs, "normal", leave_out=("sigma", "nu"))
    numbers = {site: float(value) for site, value in values.items()}
    assert density_of_values(model, numbers, data) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(("law", "priors"), COORDINATES)
def test_over_the_parameters_the_density_is_numpyros(
    simulated: Callable[..., Runs], law: str, priors: dict[str, Any]
) -> None:
    model = build(sf.law(law), noise(sf.law(law).default_noise), priors)
    runs = simulated(10)
    inputs = dict.fromkeys(model.law.inputs(), runs["D"])
    data = plain_data(model, Runs.from_columns({**inputs, "N": runs["N"], "L": runs["L"]}))
    place = model.unconstrain(model.prior_draws(jax.random.key(0), 1), data.centre)[:, 0]
    values, _ = model.constrain(place, data.centre)
    numpyros, _ = numpyro_density(model.sample, (data,), {}, values)
    numbers = {site: float(value) for site, value in values.items()}
    assert density_of_values(model, numbers, data) == pytest.approx(float(numpyros), rel=1e-12)


def test_padding_changes_neither_density_nor_gradient(runs: Runs) -> None:
    model = build(CHINCHILLA, StudentT)
    place = model.unconstrain(POINT, plain_data(model, runs).centre)
    of = jax.value_and_grad(model.log_density)
    bare, padded = (of(place, pack(model, runs, rows, "float64")) for rows in (20, 32))
    assert float(padded[0]) == pytest.approx(float(bare[0]), rel=1e-13)
    np.testing.assert_allclose(padded[1], bare[1], rtol=1e-9, atol=1e-9)


def test_a_weight_counts_repetitions(simulated: Callable[..., Runs]) -> None:
    model, runs = build(CHINCHILLA, Normal), simulated(6)
    weight = np.array([0, 1, 2, 3, 1, 1])
    weighed = plain_data(model, runs.with_weight(weight))
    repeated = plain_data(model, runs.take(np.repeat(np.arange(6), weight)))
    for name, value in weighed.centre.items():
        assert value == pytest.approx(repeated.centre[name], rel=1e-14)
    place = model.unconstrain(POINT, weighed.centre)
    assert float(model.log_density(place, weighed)) == pytest.approx(
        float(model.log_density(place, repeated)), rel=1e-12
    )


def test_equal_arguments_give_the_same_model() -> None:
    def make(**priors: Any) -> Model:
        return build(CHINCHILLA, StudentT, priors)

    assert make() is make()
    assert make(E=dist.LogNormal(0.5, 0.2)) is make(E=dist.LogNormal(0.5, 0.2))
    assert make(E=1.5, beta="alpha") is make(beta="alpha", E=np.float64(1.5))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (dist.LogNormal(0.5, 0.2), dist.LogNormal(0.5000001, 0.2)),
        (dist.LogNormal(0.5, 0.2), dist.Normal(0.5, 0.2)),
        (dist.TruncatedNormal(0.3, 0.1, low=0.0), dist.TruncatedNormal(0.4, 0.1, low=0.0)),
        (dist.TruncatedNormal(0.3, 0.1, low=0.0), dist.TruncatedNormal(0.3, 0.1, high=0.0)),
        (
            dist.TransformedDistribution(
                dist.Exponential(1.0), dist.transforms.AffineTransform(1.0, 1.0)
            ),
            dist.TransformedDistribution(
                dist.Exponential(1.0), dist.transforms.AffineTransform(2.0, 1.0)
            ),
        ),
        (1.5, 1.5000000001),
    ],
)
def test_different_priors_give_different_models(first: Any, second: Any) -> None:
    one, two = (build(CHINCHILLA, StudentT, {"E": prior}) for prior in (first, second))
    assert one is not two


@pytest.mark.parametrize(
    ("priors", "message"),
    [
        (
            {"gamma": 1.0},
            r"'gamma' is not a parameter of chinchilla .* E, alpha, beta, A, B, sigma",
        ),
        ({"alpha": "foo"}, r"'foo' is not a parameter that alpha could be tied to[^$]*or one of E"),
        ({"alpha": "beta"}, r"alpha can be tied to one of E .*not to 'beta'"),
        ({"E": "alpha"}, r"E can be tied to one of nothing"),
        ({"alpha": "E", "beta": "alpha"}, r"beta can be tied to one of E"),
        ({"E": dist.Poisson(3.0)}, "needs a continuous distribution over a scalar"),
        ({"E": dist.Normal(np.zeros(2), 1.0)}, r"of shape \(2,\)"),
        ({"E": True}, "takes a NumPyro distribution, a number"),
        ({"E": None}, "takes a NumPyro distribution, a number"),
        ({"E": math.nan}, "cannot be pinned at nan"),
        ({"E": math.inf}, "cannot be pinned at inf"),
        ({"sigma": 0.0}, r"sigma cannot be pinned at 0.0; its prior is LogNormal"),
        ({"A": -1}, r"A cannot be pinned at -1.0; its prior is A/N\^alpha"),
        ({"nu": 0.5}, r"nu cannot be pinned at 0.5"),
    ],
)
def test_priors_that_make_no_sense_are_refused(priors: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        build(CHINCHILLA, StudentT, priors)


def test_a_law_may_not_take_the_noises_names() -> None:
    class Rival(Law):
        """A law with a parameter that the noise has too."""

        sigma: Array = parameter(dist.LogNormal(0.0, 1.0), "not the scatter")

        def loss(self, N: Any) -> Any:
            return self.sigma / N

    with pytest.raises(InputError, match="'sigma', a name that the model needs for itself"):
        build(Rival, StudentT)
