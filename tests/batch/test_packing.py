"""What a store loses of a fit, and what not."""

import dataclasses
from typing import Any

import numpy as np
import pytest

import scalingfit as sf
from scalingfit.batch.packing import STEP, STEP_OF_STATS, pack, unpack
from scalingfit.batch.tasks import Order
from scalingfit.inference import Posterior
from scalingfit.inference.diagnostics import Diagnosis
from tests.batch.small import simulated
from tests.damage import damaged
from tests.report import standin


def again(fit: Posterior) -> Posterior:
    return unpack(pack("x", fit), Order("x", fit.model, fit.runs))


def with_values(fit: Posterior, **values: np.ndarray) -> Posterior:
    drawn = {**fit.sampled.values, **values}
    return dataclasses.replace(fit, sampled=dataclasses.replace(fit.sampled, values=drawn))


@pytest.fixture(scope="module")
def fit() -> Posterior:
    """Draws as correlated as those of a fit: along A and alpha, by 0.99999."""
    fit = standin.posterior()
    common = np.random.default_rng(0).standard_normal(fit.sampled.energy.shape)
    values = fit.sampled.values
    alpha = values["alpha"] * np.exp(0.1 * common)
    return with_values(fit, alpha=alpha, A=values["A"] * np.exp(20 * (alpha - alpha.mean())))


def principal(values: dict[str, np.ndarray], like: dict[str, np.ndarray]) -> np.ndarray:
    """Draws along the principal axes of others, in their standard deviations there."""
    line, base = (np.log(np.stack([*each.values()])).reshape(len(each), -1)
                  for each in (values, like))  # fmt: skip
    sd = base.std(axis=1, keepdims=True)
    centre = base.mean(axis=1, keepdims=True)
    variances, axes = np.linalg.eigh(np.corrcoef(base))
    found: np.ndarray = axes.T @ ((line - centre) / sd) / np.sqrt(variances)[:, None]
    return found


def test_draws_move_by_half_a_step_along_principal_axes(fit: Posterior) -> None:
    before, after = fit.sampled.values, again(fit).sampled.values
    moved = principal(after, before) - principal(before, before)
    # Axes are kept in single precision, which turns them by as much.
    assert np.abs(moved).max() <= STEP / 2 * 1.01
    # Uniform: of no bias, and a variance of the square of the step over 12.
    error = STEP / np.sqrt(12 * moved.shape[1])
    assert np.abs(moved.mean(axis=1)).max() < 5 * error
    assert moved.std(axis=1) == pytest.approx(STEP / np.sqrt(12), rel=0.15)


def test_what_the_sampler_told_is_rounded_as_stated(fit: Posterior) -> None:
    before, after = fit.sampled, again(fit).sampled
    for name, steps in {"log_density": 0.5, "energy": 1.0, "acceptance": 0.5}.items():
        moved = getattr(after, name) - getattr(before, name)
        assert np.abs(moved).max() <= steps * STEP_OF_STATS, name


def test_all_else_comes_back(fit: Posterior) -> None:
    found = again(fit)
    assert (found.verdict, found.provenance, found.sampled.record) == (
        fit.verdict, fit.provenance, fit.sampled.record,
    )  # fmt: skip
    for name in ("leapfrogs", "diverging", "step_size"):
        before, after = getattr(fit.sampled, name), getattr(found.sampled, name)
        np.testing.assert_array_equal(after, before)
        assert after.dtype == before.dtype
    for field in dataclasses.fields(Diagnosis):
        before, after = (getattr(one.sampled.diagnosis, field.name) for one in (fit, found))
        np.testing.assert_array_equal(after, before)


def test_equal_draws_are_packed_alike(fit: Posterior) -> None:
    copied = with_values(fit, **{name: value.copy() for name, value in fit.sampled.values.items()})
    assert pack("x", fit) == pack("x", copied)


@pytest.mark.parametrize("method", ["auto", "nuts"])
def test_ten_thousand_fits_take_less_than_300_megabytes(method: str) -> None:
    """By the default number of draws, of the exact law with the default noise: seven parameters."""
    made = sf.refit({0: simulated(32, seed=0)}, law_error=None, method=method)[0]
    assert made.sampled.record["method"] == {"auto": "importance", "nuts": "nuts"}[method]
    assert len(made.model.sites) == 7
    assert 10_000 * len(pack("x" * 64, made)) < 300e6


def test_draws_stay_in_the_support_of_their_prior(fit: Posterior) -> None:
    """Where draws crowd at the edge of a prior, half a step would lead beyond."""
    crowded = 1 - np.random.default_rng(0).exponential(1e-4, fit.sampled.energy.shape)
    found = again(with_values(fit, beta=crowded)).sampled.values["beta"]
    assert found.max() <= crowded.max() < 1
    assert found.min() >= crowded.min()


def test_signs_and_constants_come_back(fit: Posterior) -> None:
    shape = fit.sampled.energy.shape
    signed = np.random.default_rng(0).standard_normal(shape)
    found = again(with_values(fit, beta=signed, sigma=np.full(shape, 0.012345))).sampled.values
    np.testing.assert_allclose(found["beta"], signed, atol=3 * STEP)
    np.testing.assert_array_equal(found["sigma"], 0.012345)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_dead_fit_is_kept_to_the_last_bit(fit: Posterior, value: float) -> None:
    spoiled = fit.sampled.values["alpha"].copy()
    spoiled[1, 3:] = value
    energy = fit.sampled.energy.copy()
    energy[2] = value
    dead = with_values(fit, alpha=spoiled)
    dead = dataclasses.replace(dead, sampled=dataclasses.replace(dead.sampled, energy=energy))
    found = again(dead).sampled
    for name, draws in dead.sampled.values.items():
        np.testing.assert_array_equal(found.values[name], draws)
    np.testing.assert_array_equal(np.isfinite(found.energy), np.isfinite(energy))


@pytest.mark.fault("store", "bytes of a fit changed, lost or added (200 copies)", "each refused")
def test_no_damaged_fit_is_believed(fit: Posterior) -> None:
    for kind, copy in damaged(pack("x", fit), 200):
        with pytest.raises(ValueError, match="does not match its digest"):
            unpack(copy, Order("x", fit.model, fit.runs))
        assert kind


@pytest.mark.fault("store", "a fit under the name of another", "refused")
def test_another_fit_is_refused(fit: Posterior) -> None:
    kaplan: Any = standin.posterior(law="kaplan", point="kaplan-2020-table-2")
    for identity, model in (("y", fit.model), ("x", kaplan.model)):
        with pytest.raises(ValueError, match="another fit"):
            unpack(pack("x", fit), Order(identity, model, fit.runs))
