"""Importance sampling, against densities whose answers are known."""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from arviz_stats.base.array import array_stats
from scipy import optimize, stats

from scalingfit.inference import importance
from scalingfit.inference.bridge import Evidence
from scalingfit.inference.importance import Proposal, Weighted, smooth, weigh

DIM = 3


@pytest.fixture(autouse=True)
def _in_float64() -> Iterator[None]:
    with jax.enable_x64():
        yield


def weighed(log_density: Any, dim: int = DIM, seed: int = 0) -> Weighted:
    """The draws of one fit."""

    return weigh(_program(log_density), dim, [np.random.default_rng(seed)], 400.0)[0]


@functools.cache
def _program(log_density: Any) -> Any:
    def evaluate(places: Any, proposal: Any) -> Any:
        position, proposed = proposal.placed(places)
        height = log_density(position)
        return position, {"last": position[..., -1]}, height, height - proposed

    compiled = jax.jit(jax.vmap(evaluate))
    return lambda *given: jax.tree.map(np.asarray, compiled(*given))


def normal(x: Any) -> Any:
    return -0.5 * jnp.sum(x**2, axis=-1)


def banana(x: Any) -> Any:
    """A normal in (x_0, bent_back, x_2): curved, yet of known moments."""
    return normal(jnp.stack([x[..., 0], bent_back(x), x[..., 2]], axis=-1))


def bent_back(x: Any) -> Any:
    return x[..., 1] - 0.5 * x[..., 0] ** 2


def skewed(x: Any) -> Any:
    """Logarithms of Gamma(2) variables: an exponential tail to the left, a sharp one to the right.

    In the coordinates of their Laplace approximation: mode log 2, curvature 2.
    """
    y = np.log(2) + x / np.sqrt(2)
    return jnp.sum(2 * y - jnp.exp(y), axis=-1)


def quantiles_agree(one: Weighted, values: np.ndarray, family: Any) -> None:
    """Within four Monte-Carlo standard errors, at both ends and in the middle."""
    count = one.ess
    for level in (0.05, 0.5, 0.95):
        below = float(one.weight @ (values < family.ppf(level)))
        assert abs(below - level) < 4 * np.sqrt(level * (1 - level) / count)


def test_a_normal_needs_one_round() -> None:
    found = weighed(normal)
    assert found.sure
    assert len(found.weight) == importance.ROUNDS[0]
    assert found.weight.sum() == pytest.approx(1.0)
    quantiles_agree(found, found.position[:, 0], stats.norm())


@pytest.mark.parametrize("target", [banana, skewed])
def test_curved_and_skewed_posteriors_are_followed(target: Callable[..., Any]) -> None:
    """Mostly; and where draws are held to be sure, they are right."""
    sure = [found for seed in range(10) if (found := weighed(target, seed=seed)).sure]
    assert len(sure) >= 8
    for found in sure:
        x = found.position
        if target is banana:
            quantiles_agree(found, x[:, 0], stats.norm())
            quantiles_agree(found, bent_back(x), stats.norm())
        else:
            quantiles_agree(found, np.log(2) + x[:, 2] / np.sqrt(2), stats.loggamma(2))


@pytest.mark.parametrize(
    ("target", "integral"),
    [
        (normal, 1.5 * np.log(2 * np.pi)),
        (banana, 1.5 * np.log(2 * np.pi)),
        (skewed, 1.5 * np.log(2)),
    ],
)
def test_weights_tell_the_integral(target: Callable[..., Any], integral: float) -> None:
    found = weighed(target)
    assert found.sure
    assert found.evidence.error < 0.05
    assert found.evidence.log == pytest.approx(integral, abs=4 * found.evidence.error)


def test_what_does_not_pass_twice_is_not_sure() -> None:
    """A narrow neck hides a wide tail: rounds go on until it has been followed."""
    found = weighed(lambda x: jnp.logaddexp(normal(x), normal((x - 3.0) / 2.0) - 3 * np.log(2.0)))
    assert found.sure
    assert len(found.weight) > importance.ROUNDS[0]
    quantiles_agree(found, found.position[:, 0], Halves())


class Halves:
    """Equal shares of N(0, 1) and N(3, 2)."""

    def ppf(self, level: float) -> float:
        def above(x: float) -> float:
            return float(stats.norm.cdf(x) + stats.norm.cdf(x, 3, 2)) / 2 - level

        return float(optimize.brentq(above, -10, 20))


def test_what_cannot_be_reached_fails() -> None:
    """Independent tails of one degree of freedom in many dimensions; and no numbers at all."""
    assert not weighed(lambda x: -jnp.sum(jnp.log1p(x**2), axis=-1), dim=12).sure
    assert not weighed(lambda x: jnp.full(x.shape[:-1], jnp.nan)).sure


def test_resampled_draws_follow_the_weights() -> None:
    found = weighed(skewed)
    values, log_density = found.resample(np.random.default_rng(1), (4, 1000))
    last = values["last"]
    assert last.shape == log_density.shape == (4, 1000)
    heights = dict(zip(found.position[:, -1], found.log_density, strict=True))
    assert all(heights[x] == height for x, height in zip(last.flat, log_density.flat, strict=True))
    mean = found.weight @ found.position[:, -1]
    spread = np.sqrt(found.weight @ (found.position[:, -1] - mean) ** 2)
    # Systematic resampling adds less than independent choices would.
    assert abs(last.mean() - mean) < 4 * spread / np.sqrt(4000)


@pytest.mark.parametrize("tail", [0.1, 0.4, 0.9])
@pytest.mark.parametrize("count", [100, 2048, 16384])
def test_weights_are_smoothed_as_arviz_does(tail: float, count: int) -> None:
    random = np.random.default_rng(count)
    log_weight = tail * random.standard_exponential(count) + 700.0
    weight, khat = smooth(log_weight)
    expected, expected_khat = array_stats.psislw(-log_weight)
    assert khat == pytest.approx(float(expected_khat), rel=1e-10)
    np.testing.assert_allclose(weight, np.exp(expected) / np.exp(expected).sum(), rtol=1e-9)


def test_draws_without_a_density_weigh_nothing() -> None:
    random = np.random.default_rng(0)
    log_weight = random.standard_normal(2048)
    log_weight[::3] = -np.inf
    weight, khat = smooth(log_weight)
    assert np.all(weight[::3] == 0)
    assert weight.sum() == pytest.approx(1.0)
    assert khat < 0.7


def test_equal_weights_have_no_tail_to_fit() -> None:
    weight, khat = smooth(np.zeros(2048))
    np.testing.assert_allclose(weight, 1 / 2048)
    assert np.isnan(khat)


def test_weights_are_against_the_density_of_the_mixture() -> None:
    """Up to a constant, which all draws of one round share, and which is known."""
    random = np.random.default_rng(0)
    weight = random.dirichlet(np.ones(500))
    places, ess = random.standard_normal((500, DIM)), 1 / np.sum(weight**2)
    found = Weighted(places, {}, weight, weight, 0.1, ess, Evidence(np.nan, np.nan))
    proposal = Proposal.around(found, random)
    position, found = jax.tree.map(
        np.asarray, proposal.placed(jnp.asarray(proposal.draw(random, 256)))
    )
    centres, shape = proposal.centres @ proposal.factor.T, proposal.factor @ proposal.factor.T
    components = [stats.multivariate_t(centre, shape, df=importance.TAIL) for centre in centres]
    proposed = np.log(np.mean([each.pdf(position) for each in components], axis=0))
    np.testing.assert_allclose(found + proposal.log_constant, proposed, atol=1e-9)


def test_where_one_draw_weighs_all_nothing_is_warned_and_nothing_passes() -> None:
    """The other weights lie at the edge of float64, where k overflows."""
    random = np.random.default_rng(0)
    log_weight = 5 * random.standard_exponential(2048) - 750
    log_weight[0] = 0.0
    found = importance._weighted(random.standard_normal((2048, DIM)), {}, log_weight, log_weight)
    assert not found.passes(400.0)
