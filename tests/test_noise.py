"""The noise models against SciPy and calculus."""

import itertools
import math
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad

from scalingfit._errors import InputError
from scalingfit.noise import NOISES, Noise, StudentT, noise

MEAN = 2.7


@pytest.fixture(autouse=True)
def _double_precision() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


def make(name: str, sigma: float = 0.05, nu: float = 3.5) -> Noise:
    values = {"sigma": sigma, "nu": nu}
    return NOISES[name](**{parameter: values[parameter] for parameter in NOISES[name].parameters()})


def family(name: str, nu: float = 3.5) -> Any:
    return {
        "student_t": stats.t(nu),
        "normal": stats.norm(),
        "laplace": stats.laplace(),
    }[name.removesuffix("_level")]


@pytest.mark.parametrize("name", NOISES)
@pytest.mark.parametrize("loss_se", [None, 0.1])
def test_densities_over_the_loss_integrate_to_one(name: str, loss_se: float | None) -> None:
    density = jax.jit(lambda L: jnp.exp(make(name).observe(MEAN, loss_se).log_prob(L)))
    low = 1e-9 if make(name).on_log else -300.0
    pieces = [low, MEAN - 0.5, MEAN, MEAN + 0.5, 300.0]
    total = sum(
        quad(lambda L: float(density(L)), *ends, limit=200)[0]
        for ends in itertools.pairwise(pieces)
    )
    assert total == pytest.approx(1.0, abs=1e-4)  # Student-t keeps 1e-5 beyond the ends


@pytest.mark.parametrize("name", NOISES)
def test_known_standard_errors_add_in_quadrature(name: str) -> None:
    scatter, se = make(name), np.array([0.0, 0.02, 0.3])
    losses = np.array([2.5, 2.75, 3.1])
    if scatter.on_log:
        spread = np.hypot(0.05, se / MEAN)
        expected = family(name).logpdf(np.log(losses / MEAN) / spread) - np.log(spread * losses)
    else:
        spread = np.hypot(0.05, se)
        expected = family(name).logpdf((losses - MEAN) / spread) - np.log(spread)
    np.testing.assert_allclose(scatter.observe(MEAN, se).log_prob(losses), expected, rtol=1e-12)


@pytest.mark.parametrize("name", NOISES)
@pytest.mark.parametrize("double", [True, False])
def test_samples_follow_the_density(name: str, double: bool) -> None:
    """Kolmogorov-Smirnov at a level of 1e-4; Student-t is drawn by Bailey's method."""
    for nu in (1.2, 3.5, 60.0) if "student" in name else (3.5,):
        scatter = make(name, nu=nu)
        with jax.enable_x64(double):
            drawn = scatter.about(2.0, 0.5).sample(jax.random.key(1), (20_000,))
        standard = (np.asarray(drawn, float) - 2.0) / 0.5
        assert stats.kstest(standard, family(name, nu).cdf).pvalue > 1e-4


def test_samples_take_the_shape_of_the_parameters() -> None:
    scatter = StudentT(sigma=jnp.full((3, 1), 0.01), nu=jnp.full((3, 1), 4.0))
    means = jnp.array([1.0, 2.0, 3.0, 4.0])
    assert scatter.observe(means).sample(jax.random.key(0)).shape == (3, 4)
    assert scatter.observe(means).sample(jax.random.key(0), (5,)).shape == (5, 3, 4)


def test_the_tail_is_never_heavier_than_cauchys() -> None:
    prior = StudentT.parameters()["nu"].prior
    assert prior is not None
    assert not prior.support(1.0)
    assert prior.support(1.001)
    low, high = 1 + np.exp(stats.norm(math.log(10.0), 1.0).ppf([0.05, 0.95]))
    assert (round(low), round(high)) == (3, 53)  # as the parameter's description says
    assert "from 3, heavy tails, to 53" in StudentT.parameters()["nu"].about


def test_noise_models_are_found_by_name() -> None:
    assert noise("student_t") is StudentT
    assert noise(StudentT) is StudentT
    assert sorted(NOISES) == [
        "laplace",
        "laplace_level",
        "normal",
        "normal_level",
        "student_t",
        "student_t_level",
    ]
    with pytest.raises(InputError, match="unknown noise model 'gaussian'; did you mean"):
        noise("gaussian")
    with pytest.raises(InputError, match="did you mean student_t"):
        noise("student")


def test_a_noise_model_is_a_pytree() -> None:
    doubled = jax.tree.map(lambda leaf: 2 * leaf, make("student_t"))
    assert isinstance(doubled, StudentT)
    assert (doubled.sigma, doubled.nu) == (0.1, 7.0)


@pytest.mark.parametrize("x64", [True, False])
def test_the_density_of_the_t_is_scipys_for_any_degrees_of_freedom(x64: bool) -> None:
    """To rounding; from eps^-0.5 degrees of freedom on it is the normal's, which is as near.

    Beyond them, differences of log gammas and logarithms of 1 + t^2 / df hold no digits of the
    answer: the sum over many runs would rise by thousands, and a climb would find it.
    """
    place = np.array([0.0, 0.5, 2.0, 4.0])
    eps = np.finfo(float if x64 else np.float32).eps
    with jax.enable_x64(x64):
        for nu in (1.001, 1.5, 3.0, 30.0, 0.9 * eps**-0.5):
            found = np.asarray(StudentT(sigma=1.0, nu=nu).about(0.0, 1.0).log_prob(place))
            np.testing.assert_allclose(found, stats.t.logpdf(place, nu), atol=nu * 64 * eps)
        for nu in (1e10, 1e16, 1e30):
            found = np.asarray(StudentT(sigma=1.0, nu=nu).about(0.0, 1.0).log_prob(place))
            # The next term of the t's series in 1 / nu, at the largest nu that is told apart.
            apart = (place**4 / 4 + place**2 / 2 + 0.25) * eps**0.5 + 64 * eps**0.5
            np.testing.assert_array_less(np.abs(found - stats.norm.logpdf(place)), apart)
