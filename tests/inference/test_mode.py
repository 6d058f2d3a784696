"""The search for the mode, on functions whose mode is known."""

from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize

import scalingfit as sf
from scalingfit.declare import Array
from scalingfit.inference import build, pack
from scalingfit.inference.mode import SOFTEST, Whitening, find_mode
from scalingfit.noise import StudentT
from scalingfit.runs import Runs


@pytest.fixture(autouse=True)
def _double_precision() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


def climb(log_density: Callable[[Array], Array], *starts: list[float]) -> Whitening:
    found = jax.jit(lambda begin: find_mode(log_density, begin)[0])(jnp.asarray(starts))
    arrays: Whitening = jax.tree.map(np.asarray, found)
    return arrays


def covariance(found: Whitening) -> np.ndarray:
    factor = np.asarray(found.factor)
    return np.asarray(factor @ factor.T)


def test_a_quadratic_is_solved_exactly() -> None:
    rng = np.random.default_rng(0)
    root = rng.standard_normal((4, 4))
    precision, peak = root @ root.T + np.eye(4), rng.standard_normal(4)

    def density(x: Array) -> Array:
        return 3.0 - 0.5 * (x - peak) @ precision @ (x - peak)

    found = climb(density, [0.0, 0.0, 0.0, 0.0], [5.0, -5.0, 5.0, -5.0])
    np.testing.assert_allclose(found.mode, peak, atol=1e-8)
    np.testing.assert_allclose(covariance(found), np.linalg.inv(precision), rtol=1e-8, atol=1e-10)
    assert float(found.log_density) == pytest.approx(3.0, abs=1e-12)
    assert float(found.agreeing) == 1.0
    assert not found.repaired


@pytest.mark.parametrize("stiffness", [1e2, 1e3])
def test_a_curved_ridge_is_followed_to_its_top(stiffness: float) -> None:
    def density(x: Array) -> Array:
        return -stiffness * (x[1] - x[0] ** 2) ** 2 - (1 - x[0]) ** 2

    found = climb(density, [-1.2, 1.0], [0.0, 0.0], [2.0, -1.0])
    np.testing.assert_allclose(found.mode, [1.0, 1.0], atol=1e-4)
    curvature = np.array([[8 * stiffness + 2, -4 * stiffness], [-4 * stiffness, 2 * stiffness]])
    np.testing.assert_allclose(covariance(found), np.linalg.inv(curvature), rtol=1e-2)


def test_a_saddle_repels() -> None:
    """The start lies just beside the saddle at the origin, between modes at x = -2 and 2."""

    def density(x: Array) -> Array:
        return -((x[0] ** 2 - 4) ** 2) - x[1] ** 2

    found = climb(density, [-1e-3, 0.5])
    np.testing.assert_allclose(found.mode, [-2.0, 0.0], atol=1e-6)
    assert not found.repaired


def test_the_best_of_several_modes_is_taken_and_the_share_that_found_it_told() -> None:
    def density(x: Array) -> Array:
        near, far = -0.5 * jnp.sum((x - 3) ** 2), -0.5 * jnp.sum((x + 3) ** 2) - 2
        return jnp.logaddexp(near, far)

    found = climb(density, [-3.5, -3.0], [-2.5, -3.0], [2.5, 3.0], [-3.0, -2.5])
    np.testing.assert_allclose(found.mode, [3.0, 3.0], atol=1e-6)
    assert float(found.agreeing) == 0.25


def test_the_integral_about_each_mode_is_told_once() -> None:
    """Normal densities of unit height: the integral of the second is a quarter of the first."""

    def density(x: Array) -> Array:
        first = -0.5 * jnp.sum((x - 3) ** 2)
        second = -0.5 * jnp.sum((2 * (x + 3)) ** 2) - 0.01
        return jnp.logaddexp(first, second)

    starts = jnp.array([[2.0, 3.0], [-3.0, -2.5], [3.0, 2.5], [-3.5, -3.0]])
    _, places, integrals = jax.jit(lambda begin: find_mode(density, begin))(starts)
    np.testing.assert_allclose(places, [[3, 3], [3, 3], [-3, -3], [-3, -3]], atol=1e-6)
    assert np.isneginf(integrals).tolist() == [False, True, False, True]
    assert float(integrals[2] - integrals[0]) == pytest.approx(np.log(0.25) - 0.01, abs=1e-6)


def test_a_flat_end_is_no_mode() -> None:
    integrals = jax.jit(lambda begin: find_mode(lambda x: -(x[0] ** 2) + 0 * x[1], begin))(
        jnp.array([[1.0, 1.0], [1.0, 50.0]])
    )[2]
    assert np.isneginf(integrals).all()


@pytest.mark.parametrize("power", [0.0, 0.01])
def test_curvature_that_is_not_positive_is_repaired_and_said(power: float) -> None:
    """The second coordinate is flat, or curved the wrong way at its mode (a cusp)."""

    def density(x: Array) -> Array:
        return -50.0 * x[0] ** 2 - power * jnp.sqrt(jnp.abs(x[1] - 1.0))

    found = climb(density, [2.0, 1.5])
    assert found.repaired
    assert np.isfinite(found.factor).all()
    eigenvalues = np.linalg.eigvalsh(covariance(found))
    np.testing.assert_allclose(eigenvalues, [0.01, SOFTEST**2], rtol=1e-6)


@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_a_density_without_a_value_ends_the_search(value: float) -> None:
    found = climb(lambda x: value * jnp.sum(jnp.exp(x)), [0.0, 0.0], [1.0, 1.0])
    assert float(found.log_density) == -np.inf


def test_a_start_without_a_value_does_not_spoil_the_others() -> None:
    """Square roots of negative numbers are NaN to the left of zero."""

    def density(x: Array) -> Array:
        return jnp.sum(jnp.sqrt(x) - x)

    found = climb(density, [-1.0, 1.0], [1.0, 2.0])
    np.testing.assert_allclose(found.mode, [0.25, 0.25], atol=1e-6)


def test_the_mode_of_the_published_points_is_scipys(epoch_240: Runs) -> None:
    model = build(sf.law("chinchilla"), StudentT)
    data = jax.tree.map(jnp.asarray, pack(model, epoch_240, 240, "float64"))
    value_and_slope = jax.jit(jax.value_and_grad(lambda z: -model.log_density(z, data)))
    published = sf.law("chinchilla").published["besiroglu-2024"].values
    start = model.unconstrain({**published, "sigma": 0.01, "nu": 5.0}, data.centre)
    scipys = minimize(value_and_slope, np.asarray(start), jac=True, method="BFGS", tol=1e-6)

    found = jax.jit(lambda z: find_mode(lambda at: model.log_density(at, data), z)[0])(start[None])
    assert float(found.log_density) == pytest.approx(-scipys.fun, abs=1e-6)
    in_sds = np.linalg.solve(np.asarray(found.factor), scipys.x - np.asarray(found.mode))
    assert np.abs(in_sds).max() < 1e-3
