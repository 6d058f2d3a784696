"""The test of uniform ranks is exact, and its band holds what it says."""

import itertools

import numpy as np
import pytest
from scipy.stats import binom

from scalingfit.evidence.calibration.uniformity import band, counts_below, p_value

VALUES, COUNT = 4, 5


@pytest.fixture(scope="module")
def every() -> list[np.ndarray]:
    """All tables of ranks that there can be, equally likely where ranks are uniform."""
    return [np.array(ranks) for ranks in itertools.product(range(VALUES), repeat=COUNT)]


def test_counts() -> None:
    ranks = np.array([0, 0, 1, 3])
    assert counts_below(ranks, VALUES).tolist() == [2, 3, 3]


def test_p_values_are_exact(every: list[np.ndarray]) -> None:
    # Equal tables of counts have equal p-values, but for rounding.
    found = np.round([p_value(ranks, VALUES) for ranks in every], 9)
    values, times = np.unique(found, return_counts=True)
    assert len(values) >= 5
    np.testing.assert_allclose(values, np.cumsum(times) / len(every), atol=1e-8)


@pytest.mark.parametrize("level", [0.5, 0.9, 0.99])
def test_a_band_is_the_least_that_holds_its_share(every: list[np.ndarray], level: float) -> None:
    low, high = band(level, COUNT, VALUES)
    counts = np.stack([counts_below(ranks, VALUES) for ranks in every])
    inside = np.all((counts >= low) & (counts <= high), axis=1)
    assert inside.mean() >= level
    # What is inside is what the test does not reject at that level.
    found = np.array([p_value(ranks, VALUES) for ranks in every])
    np.testing.assert_array_equal(inside, found > 1 - level + 1e-9)


def test_bands_of_many_ranks_hold_them_as_often_as_they_say() -> None:
    rng = np.random.default_rng(0)
    low, high = band(0.9, 200, 100)
    counts = np.stack([counts_below(rng.integers(0, 100, 200), 100) for _ in range(2000)])
    inside = int(np.sum(np.all((counts >= low) & (counts <= high), axis=1)))
    least, most = np.asarray(binom.ppf([1e-4, 1 - 1e-4], 2000, 0.9))
    assert least <= inside <= most
    # One rank alone is in it more often, and the band is widest in the middle.
    width = high - low
    assert width[49] == width.max()
