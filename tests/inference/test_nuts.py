"""The sampler against densities whose quantiles are known.

One program runs all densities as fits of one batch; each picks its own by number.
"""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from arviz_stats.base import array_stats
from scipy import stats

from scalingfit.declare import Array
from scalingfit.inference import nuts
from scalingfit.inference.chain import MAX_DEPTH, Chain, begin

RHO = 0.9
EDGE = 0.5


def normal(x: Array) -> Array:
    return -0.5 * jnp.sum(x**2)


def correlated(x: Array) -> Array:
    return -0.5 * (x[0] ** 2 - 2 * RHO * x[0] * x[1] + x[1] ** 2) / (1 - RHO**2)


def heavy(x: Array) -> Array:
    """Independent Student-t with 5 degrees of freedom."""
    return -3.0 * jnp.sum(jnp.log1p(x**2 / 5))


def funnel(x: Array) -> Array:
    """The first coordinate sets the scale of the second: its log has standard deviation 1/2."""
    return -0.5 * (x[0] ** 2 + x[1] ** 2 * jnp.exp(-x[0]) + x[0])


def cliff(x: Array) -> Array:
    """A normal that ends at an edge; beyond it there is no density."""
    return jnp.where(x[0] < EDGE, -0.5 * jnp.sum(x**2), -jnp.inf)


def absent(x: Array) -> Array:
    return jnp.nan * jnp.sum(x)


def flat(x: Array) -> Array:
    """Improper: no trajectory ever turns back."""
    return 0.0 * jnp.sum(x)


DENSITIES = (normal, correlated, heavy, funnel, cliff, absent, flat)
PROPER: dict[str, tuple[Any, Any]] = {
    "normal": (stats.norm(), stats.norm()),
    "correlated": (stats.norm(), stats.norm()),
    "heavy": (stats.t(5), stats.t(5)),
    "funnel": (stats.norm(), None),
}
CHAINS, DRAWS, AIM = 4, 1500, 0.8


def choose(x: Array, which: Array) -> Array:
    chosen: Array = jax.lax.switch(which, DENSITIES, x)
    return chosen


@jax.jit
def segment(*arguments: Any) -> tuple[Chain, Array, Array]:
    return nuts.segment(choose, *arguments)


def sample(
    which: np.ndarray, position: np.ndarray, log_step: np.ndarray, adapt: int, stop: int, seed: int
) -> tuple[np.ndarray, Chain]:
    """Rows of the first `stop` transitions, (fit, chain, draw, dim + 5), and the chains' state."""
    keys = jax.random.split(jax.random.key(seed), position.shape[:2])
    chains = begin(position, log_step)
    aim = np.full(len(which), AIM)
    parts: list[np.ndarray] = []
    while not parts or np.any(np.asarray(chains.finished) < stop):
        number, limits = np.int32(len(parts)), (np.int32(adapt), np.int32(stop))
        chains, rows, turns = segment(chains, which, keys, number, *limits, aim)
        parts.append(np.asarray(rows)[: int(turns)])
    rows = np.moveaxis(np.concatenate(parts), 0, 2)
    picked = [[of[of[:, nuts.Row.leapfrogs] > 0][:stop] for of in fit] for fit in rows]
    return np.array(picked), chains


def number_of(name: str) -> int:
    return [density.__name__ for density in DENSITIES].index(name)


@pytest.fixture(autouse=True, scope="module")
def _double_precision() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="module")
def made() -> dict[str, np.ndarray]:
    """Rows by density, each (chain, draw, dim + 5), after a warm-up that sets the step size."""
    names = [*PROPER, "cliff"]
    which = np.array([number_of(name) for name in names], np.int32)
    position = np.random.default_rng(1).uniform(-1, 0.4, (len(which), CHAINS, 2))
    warm, chains = sample(which, position, np.zeros(position.shape[:2]), 300, 300, seed=2)
    step = np.array(chains.average_log_step)
    rows, _ = sample(which, warm[:, :, -1, :2], step, 0, DRAWS, seed=3)
    return dict(zip(names, rows, strict=True))


def assert_probability(event: np.ndarray, probability: float) -> None:
    """Within four Monte-Carlo standard errors; `event` is (chain, draw)."""
    size = array_stats.ess(event.astype(float), method="mean")
    error = np.sqrt(probability * (1 - probability) / size)
    assert abs(event.mean() - probability) < 4 * error


@pytest.mark.parametrize("name", PROPER)
@pytest.mark.parametrize("level", [0.05, 0.25, 0.5, 0.75, 0.95])
def test_quantiles_are_those_of_the_density(
    made: dict[str, np.ndarray], name: str, level: float
) -> None:
    for axis, family in enumerate(PROPER[name]):
        if family is not None:
            assert_probability(made[name][..., axis] <= family.ppf(level), level)


def test_the_funnels_scaled_coordinate_is_normal(made: dict[str, np.ndarray]) -> None:
    scaled = made["funnel"][..., 1] * np.exp(-made["funnel"][..., 0] / 2)
    for level in (0.1, 0.5, 0.9):
        assert_probability(scaled <= stats.norm.ppf(level), level)


@pytest.mark.parametrize(
    ("name", "moments"),
    [
        ("normal", [[1.0, 0.0], [0.0, 1.0]]),
        ("correlated", [[1.0, RHO], [RHO, 1.0]]),
        ("heavy", [[5 / 3, 0.0], [0.0, 5 / 3]]),
    ],
)
def test_means_and_covariances(
    made: dict[str, np.ndarray], name: str, moments: list[list[float]]
) -> None:
    draws = made[name][..., :2]
    products = (
        {0: draws[..., 0], 1: draws[..., 1]},
        {(i, j): draws[..., i] * draws[..., j] for i, j in ((0, 0), (0, 1), (1, 1))},
    )
    for quantity, expected in [
        *((values, 0.0) for values in products[0].values()),
        *((values, moments[i][j]) for (i, j), values in products[1].items()),
    ]:
        error = array_stats.mcse(quantity, method="mean")
        assert abs(quantity.mean() - expected) < 4 * error


def test_draws_started_in_the_density_stay_in_it() -> None:
    """Sharper than long chains: many exact starts, a coarse step, few transitions."""
    names, many, rng = ("correlated", "heavy", "normal"), 800, np.random.default_rng(5)
    which = np.array([number_of(name) for name in names], np.int32)
    position = rng.standard_normal((3, many, 2))
    position[0, :, 1] = RHO * position[0, :, 0] + np.sqrt(1 - RHO**2) * position[0, :, 1]
    position[1] = rng.standard_t(5, (many, 2))
    log_step = np.tile(np.log([[0.4], [1.2], [1.4]]), (1, many))
    rows, _ = sample(which, position, log_step, 0, 5, seed=6)
    assert 0.5 < rows[..., nuts.Row.acceptance].mean() < 0.95  # the step is no formality
    for fit, name in enumerate(names):
        last = rows[fit, :, -1]
        for axis, family in enumerate(PROPER[name]):
            assert stats.kstest(last[:, axis], family.cdf).pvalue > 1e-4
    tilted = rows[0, :, -1, 0] - rows[0, :, -1, 1]
    assert stats.kstest(tilted / np.sqrt(2 - 2 * RHO), "norm").pvalue > 1e-4


@pytest.mark.parametrize("name", PROPER)
def test_acceptance_is_near_its_aim(made: dict[str, np.ndarray], name: str) -> None:
    assert abs(made[name][..., nuts.Row.acceptance].mean() - AIM) < 0.1


@pytest.mark.parametrize("name", PROPER)
def test_the_log_density_and_the_energy_belong_to_the_draw(
    made: dict[str, np.ndarray], name: str
) -> None:
    rows = made[name]
    value = jax.vmap(jax.vmap(DENSITIES[number_of(name)]))(jnp.asarray(rows[..., :2]))
    np.testing.assert_allclose(rows[..., nuts.Row.log_density], value, rtol=1e-10, atol=1e-12)
    kinetic = rows[:, 1:, nuts.Row.energy] + rows[:, :-1, nuts.Row.log_density]
    assert stats.kstest(kinetic[:, ::7].ravel(), stats.chi2(2, scale=0.5).cdf).pvalue > 1e-4


@pytest.mark.parametrize("name", ["normal", "correlated", "heavy"])
def test_smooth_densities_do_not_diverge(made: dict[str, np.ndarray], name: str) -> None:
    assert made[name][..., nuts.Row.diverging].sum() == 0


def test_a_cliff_is_flagged_and_never_crossed(made: dict[str, np.ndarray]) -> None:
    rows = made["cliff"]
    assert rows[..., nuts.Row.diverging].mean() > 0.01
    assert rows[..., 0].max() < EDGE
    below = stats.norm.ppf(0.5 * stats.norm.cdf(EDGE))
    assert_probability(rows[..., 0] <= below, 0.5)


def test_a_chain_that_begins_where_there_is_no_density_goes_nearer_to_the_mode() -> None:
    which = np.array([number_of("cliff"), number_of("normal")], np.int32)
    position = np.full((2, CHAINS, 2), 40.0)
    position[1] = 0.3
    rows, _ = sample(which, position, np.zeros((2, CHAINS)), 100, 400, seed=8)
    assert rows[0, ..., 0].max() < EDGE
    assert np.isfinite(rows).all()
    assert np.all(np.ptp(rows[0, ..., 0], axis=-1) > 1.0)  # every chain moves


@pytest.fixture(scope="module")
def hopeless() -> np.ndarray:
    """Three transitions where there is no density, and three where it is flat."""
    which = np.array([number_of("absent"), number_of("flat")] * 2 + [number_of("flat")], np.int32)
    position = np.zeros((len(which), CHAINS, 2))
    return sample(which, position, np.zeros(position.shape[:2]), 0, 3, seed=4)[0]


def test_where_there_is_no_density_every_transition_diverges_and_nothing_moves(
    hopeless: np.ndarray,
) -> None:
    rows = hopeless[0]
    assert np.all(rows[..., nuts.Row.diverging] == 1)
    assert np.all(rows[..., :2] == 0)
    assert not np.isfinite(rows[..., nuts.Row.energy]).any()


def test_a_trajectory_that_never_turns_stops_at_the_cap(hopeless: np.ndarray) -> None:
    rows = hopeless[1]
    assert np.all(rows[..., nuts.Row.leapfrogs] == 2**MAX_DEPTH - 1)
    assert rows[..., nuts.Row.diverging].sum() == 0


def reference_turns(momenta: list[np.ndarray]) -> bool:
    """Whether any aligned subtree of these leaves turns, by recursion instead of checkpoints."""
    if len(momenta) == 1:
        return False
    half = len(momenta) // 2
    if reference_turns(momenta[:half]) or reference_turns(momenta[half:]):
        return True
    span = np.sum(momenta, axis=0) - 0.5 * (momenta[0] + momenta[-1])
    return bool(span @ momenta[0] <= 0 or span @ momenta[-1] <= 0)


def test_checkpoints_see_the_turns_that_recursion_sees() -> None:
    check: Callable[..., Any] = jax.jit(nuts._check)
    rng, seen = np.random.default_rng(8), set()
    for drift in (0.0, 0.3, 1.0, 2.0, 3.0) * 8:
        momenta = list(rng.standard_normal((16, 3)) + drift)
        kept, total, turned = jnp.zeros((2, MAX_DEPTH, 3)), np.zeros(3), []
        for leaf, momentum in enumerate(momenta):
            total = total + momentum
            kept, turning = check(kept, jnp.int32(leaf), momentum, total)
            turned.append(bool(turning))
        for depth in range(5):
            expected = reference_turns(momenta[: 2**depth])
            assert any(turned[: 2**depth]) == expected
            seen.add((depth, expected))
    assert {(depth, True) for depth in range(1, 5)} | {(4, False)} <= seen
