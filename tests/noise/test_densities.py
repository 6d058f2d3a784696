"""The noise models' densities and draws against SciPy and calculus."""

import dataclasses
import itertools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad

from scalingfit.noise import Noise
from tests.noise.oracles import MEAN, NOISES, log_scatter, log_sum, make, place, scale_of


@pytest.mark.parametrize("name", NOISES)
@pytest.mark.parametrize("loss_se", [None, 0.1])
def test_densities_over_the_loss_integrate_to_one(name: str, loss_se: float | None) -> None:
    model = make(name)
    density = jax.jit(lambda L: jnp.exp(model.observe(place(model, loss_se)).log_prob(L)))
    low = 1e-9 if model.on_log else -300.0
    pieces = [low, MEAN - 0.5, MEAN, MEAN + 0.5, 300.0]
    total = sum(
        quad(lambda L: float(density(L)), *ends, limit=200)[0]
        for ends in itertools.pairwise(pieces)
    )
    assert total == pytest.approx(1.0, abs=1e-4)  # Student-t keeps 1e-5 beyond the ends


@pytest.mark.parametrize("name", NOISES)
def test_densities_are_scipys(name: str) -> None:
    model, losses = make(name), np.array([0.9, 2.5, 2.7, 2.75, 3.1, 9.0])
    found = model.observe(place(model)).log_prob(losses)
    if model.on_log:
        expected = log_scatter(name)(np.log(losses / MEAN)) - np.log(losses)
    else:
        expected = log_scatter(name)(losses - MEAN)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("name", NOISES)
@pytest.mark.parametrize("ratio", [0.1, 1.0, 10.0])
def test_known_errors_are_normal_beside_the_scatter(name: str, ratio: float) -> None:
    """The convolution of both, to 0.1 %, out to fifteen standard deviations."""
    model, scale = make(name), scale_of(name)
    error = ratio * scale
    residuals = math.hypot(scale, error) * np.array([-15.0, -4.0, -1.0, 0.0, 0.5, 2.0, 8.0, 15.0])
    losses = MEAN * np.exp(residuals) if model.on_log else MEAN + residuals
    unit = np.where(model.on_log, MEAN, 1.0)
    found = model.observe(place(model, error * unit)).log_prob(losses)
    found = found + np.log(losses) if model.on_log else found
    expected = [log_sum(log_scatter(name), error, residual) for residual in residuals]
    np.testing.assert_allclose(found, expected, atol=1e-3, rtol=1e-6)


@pytest.mark.parametrize("nu", [1.01, 1.3, 2.0, 5.0, 12.0, 30.0, 200.0, 1e6])
def test_the_mixture_of_normals_is_the_t(nu: float) -> None:
    """With an error of nothing: to 0.1 %, to 150 scales or where it is e^-25 of its peak."""
    residuals = np.concatenate([np.linspace(0, 8, 81), np.geomspace(8, 150, 60)])
    expected = stats.t.logpdf(residuals, nu)
    seen = expected > expected[0] - 25
    model = make("student_t", sigma=1.0, nu=nu)
    found = np.asarray(model.about(0.0, 1.0, 0.0).log_prob(residuals))
    np.testing.assert_allclose(found[seen], expected[seen], atol=1e-3)


@pytest.mark.parametrize("name", NOISES)
def test_slopes_are_right_where_a_loss_has_no_error(name: str) -> None:
    """And where it has: a table may know the errors of some losses alone."""
    errors, losses = jnp.array([0.0, 0.0, 0.1]), jnp.array([2.7, 2.9, 2.8])
    start = make(name), jnp.full(3, MEAN)

    @jax.jit
    def total(model: Noise, mean: Any) -> Any:
        at = dataclasses.replace(place(model, errors), mean=mean)
        return jnp.sum(model.observe(at).log_prob(losses))

    step = jax.tree.map(lambda leaf: 1e-6 * jnp.ones_like(leaf), start)
    ahead, behind = (
        total(*jax.tree.map(lambda leaf, d, s=sign: leaf + s * d, start, step)) for sign in (1, -1)
    )
    along = jax.tree.map(lambda slope, d: jnp.sum(slope * d), jax.grad(total, (0, 1))(*start), step)
    assert 2 * sum(jax.tree.leaves(along)) == pytest.approx(float(ahead - behind), rel=1e-4)
    at_the_law = jax.hessian(lambda mean: total(start[0], mean))(losses)
    assert np.isfinite(at_the_law).all()


@pytest.mark.parametrize("name", NOISES)
@pytest.mark.parametrize("loss_se", [None, 0.2])
@pytest.mark.parametrize("double", [True, False])
def test_samples_follow_the_density(name: str, loss_se: float | None, double: bool) -> None:
    """Kolmogorov-Smirnov at a level of 1e-4."""
    model = make(name)
    with jax.enable_x64(double):
        drawn = model.observe(place(model, loss_se)).sample(jax.random.key(1), (20_000,))
    losses = np.linspace(1e-3 if model.on_log else -12.0, 60.0, 200_001)
    density = np.exp(model.observe(place(model, loss_se)).log_prob(losses))
    reached = np.cumsum((density[1:] + density[:-1]) / 2 * np.diff(losses))

    def below(loss: Any) -> Any:
        return np.interp(loss, losses[1:], reached)

    assert stats.kstest(np.asarray(drawn, float), below).pvalue > 1e-4


@pytest.mark.parametrize("nu", [1.2, 3.5, 60.0])
@pytest.mark.parametrize("double", [True, False])
def test_draws_of_the_t_are_baileys(nu: float, double: bool) -> None:
    with jax.enable_x64(double):
        about = make("student_t", sigma=0.5, nu=nu).about(2.0, 0.5, None)
        drawn = about.sample(jax.random.key(1), (20_000,))
    standard = (np.asarray(drawn, float) - 2.0) / 0.5
    assert stats.kstest(standard, stats.t(nu).cdf).pvalue > 1e-4


@pytest.mark.parametrize("loss_se", [None, 0.2])
@pytest.mark.parametrize("name", NOISES)
def test_samples_take_the_shape_of_the_parameters(name: str, loss_se: float | None) -> None:
    model = jax.tree.map(lambda value: jnp.full((3, 1), value), make(name))
    at = place(model, loss_se)
    means = jnp.array([1.0, 2.0, 3.0, 4.0])
    about = model.observe(dataclasses.replace(at, mean=means))
    assert about.sample(jax.random.key(0)).shape == (3, 4)
    assert about.sample(jax.random.key(0), (5,)).shape == (5, 3, 4)
    assert about.log_prob(means).shape == (3, 4)


@pytest.mark.parametrize("name", NOISES)
@pytest.mark.parametrize("loss_se", [None, 0.1])
def test_single_precision_agrees(name: str, loss_se: float | None) -> None:
    model, losses = make(name), np.array([0.9, 2.5, 2.7, 2.75, 3.1, 9.0])
    expected = model.observe(place(model, loss_se)).log_prob(losses)
    with jax.enable_x64(False):
        single = model.observe(place(model, loss_se)).log_prob(losses)
    np.testing.assert_allclose(single, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("x64", [True, False])
def test_the_density_of_the_t_is_scipys_for_any_degrees_of_freedom(x64: bool) -> None:
    """To rounding; from eps^-0.5 degrees of freedom on it is the normal's, which is as near.

    Beyond them, differences of log gammas and logarithms of 1 + t^2 / df hold no digits of the
    answer: the sum over many runs would rise by thousands, and a climb would find it.
    """
    residuals = np.array([0.0, 0.5, 2.0, 4.0])
    eps = float(np.finfo(float if x64 else np.float32).eps)

    def found(nu: float) -> Any:
        about = make("student_t", sigma=1.0, nu=nu).about(0.0, 1.0, None)
        return np.asarray(about.log_prob(residuals))

    with jax.enable_x64(x64):
        for nu in (1.001, 1.5, 3.0, 30.0, 0.9 * eps**-0.5):
            expected = stats.t.logpdf(residuals, nu)
            np.testing.assert_allclose(found(nu), expected, atol=nu * 64 * eps)
        for nu in (1e10, 1e16, 1e30):
            # The next term of the t's series in 1 / nu, at the largest nu that is told apart.
            apart = (residuals**4 / 4 + residuals**2 / 2 + 0.25) * eps**0.5 + 64 * eps**0.5
            np.testing.assert_array_less(np.abs(found(nu) - stats.norm.logpdf(residuals)), apart)
