"""The error of a law: its process, its landmarks and its functions."""

import dataclasses

import jax
import numpy as np
import pytest

import scalingfit as sf
from scalingfit.law_error import LENGTHS, ErrorDraws, LawError, landmarks, law_with_error

DRAWS = 4000


def covariance(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    squared = ((x[:, None] - y[None]) ** 2).sum(axis=-1)
    return np.asarray(sum(each**2 * np.exp(-squared / (2 * each**2)) for each in LENGTHS))


@pytest.fixture
def designs() -> np.ndarray:
    """Decimal logarithms of N and D of 60 runs."""
    return np.random.default_rng(0).uniform([7.5, 9.0], [10.0, 11.5], (60, 2))


def test_landmarks_tell_all_errors(designs: np.ndarray) -> None:
    known = landmarks(designs)
    assert len(known.places) < len(designs)
    left = covariance(designs, designs) - known.factor @ known.factor.T
    assert np.abs(np.diag(left)).max() < 1e-4
    np.testing.assert_allclose(known.own @ known.own.T, covariance(known.places, known.places))


def functions(designs: np.ndarray, tau: float = 0.02, seed: int = 1) -> ErrorDraws:
    """Draws of an error that is zero at all landmarks."""
    known = landmarks(designs)
    errors = np.zeros((4, DRAWS // 4, len(known.places)))
    scale = np.full(errors.shape[:2], tau)
    return ErrorDraws.given(known.places, errors, scale, designs, additive=False, seed=seed)


def test_functions_have_the_process_beyond_landmarks(designs: np.ndarray) -> None:
    """The spread given the landmarks is that of Gaussian conditioning, exactly known."""
    known, top = landmarks(designs), designs.max(axis=0)
    places = np.array([top + 0.5, top + 1.0, top + 3.0, [top[0] + 1, designs[:, 1].min()]])
    across = covariance(places, known.places)
    told = across @ np.linalg.solve(covariance(known.places, known.places), across.T)
    exact = 0.02 * np.sqrt(np.diag(covariance(places, places) - told))
    with jax.enable_x64(True):
        found = np.asarray(functions(designs).expand(1).at(*10.0**places.T))
    spread = found.std(axis=(0, 1))
    # 4 % of the frequencies, as documented, in each of two standard errors; and 4000 draws.
    assert np.abs(spread / exact - 1).max() < 2 * (0.04 + 1 / np.sqrt(2 * DRAWS))
    assert np.abs(found.mean(axis=(0, 1)) / exact).max() < 4 / np.sqrt(DRAWS)


def test_functions_pass_through_what_is_known(designs: np.ndarray) -> None:
    known = landmarks(designs)
    errors = np.random.default_rng(2).normal(0, 0.01, (2, 3, len(known.places)))
    tau = np.full((2, 3), 0.02)
    error = ErrorDraws.given(known.places, errors, tau, designs, additive=False)
    with jax.enable_x64(True):
        found = np.asarray(error.expand(1).at(*10.0**known.places.T))
    np.testing.assert_allclose(found, errors, atol=1e-7)


def test_both_ways_of_summing_agree(designs: np.ndarray) -> None:
    """All draws at the same places, and each draw at places of its own."""
    error = functions(designs).expand(1)
    N, D = 10.0 ** np.random.default_rng(3).uniform(7, 12, (2, 5))
    with jax.enable_x64(True):
        shared = np.asarray(error.at(N, D))
        own = np.asarray(error.at(np.broadcast_to(N, shared.shape), D))
    np.testing.assert_allclose(shared, own, atol=1e-10)


def test_a_law_with_its_error_is_a_law(designs: np.ndarray) -> None:
    chinchilla = sf.law("chinchilla")
    point = chinchilla.published["besiroglu-2024"].law
    shape = (4, DRAWS // 4)
    law = chinchilla(**{name: np.full(shape, value) for name, value in point.values().items()})
    error = functions(designs)
    full = law_with_error(law, error)
    assert isinstance(full, chinchilla)
    assert (full.inputs(), full.size, full.name, full.shape) == (
        ("N", "D"),
        ("N",),
        "chinchilla",
        shape,
    )
    assert law.exact is law
    N, D = np.array([1e9, 1e11]), np.array([2e10, 2e12])
    with jax.enable_x64(True):
        found = np.asarray(full.expand(1).loss(N=N, D=D))
        ratio = np.exp(np.asarray(error.expand(1).at(N, D)))
    np.testing.assert_allclose(found, point.loss(N, D) * ratio)
    nothing = dataclasses.replace(error, weights=0 * error.weights, amplitudes=0 * error.amplitudes)
    exact = law_with_error(law, nothing).take(np.arange(3))
    with jax.enable_x64(True):
        np.testing.assert_allclose(exact.expand(1).loss(N, D), [point.loss(N, D)] * 3)


def test_the_prior_is_wider_where_the_unit_of_the_loss_is_unknown() -> None:
    assert LawError().tau(True).scale < LawError().tau(False).scale
