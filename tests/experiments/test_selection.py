"""Choosing a batch, against linear algebra written out and against every batch there is."""

import itertools
import math

import numpy as np
import pytest

from scalingfit.experiments import Moments, Rules, select
from scalingfit.experiments.selection import least


def made(seed: int, draws: int = 300, candidates: int = 9, targets: int = 2) -> Moments:
    """Moments of a law linear in three parameters."""
    rng = np.random.default_rng(seed)
    theta = rng.standard_normal((draws, 3)) * [1.0, 0.5, 0.2]
    values = theta @ rng.standard_normal((3, candidates))
    wanted = theta @ rng.standard_normal((3, targets))
    return Moments.of(wanted, values, rng.uniform(0.01, 0.3, candidates))


def conditioned(moments: Moments, chosen: list[int]) -> np.ndarray:
    """Variances of the targets given runs: the joint covariance, conditioned as a whole."""
    draws = len(moments.targets)
    runs = moments.candidates[:, chosen]
    cross = moments.targets.T @ runs / draws
    known = runs.T @ runs / draws + np.diag(moments.noise[chosen])
    return np.asarray(
        moments.variance - np.einsum("ti,ij,tj->t", cross, np.linalg.inv(known), cross)
    )


@pytest.mark.parametrize("chosen", [[0], [3, 5], [2, 2, 2], [0, 1, 2, 3, 4, 5, 6, 7, 8, 8]])
def test_run_by_run_is_all_at_once(chosen: list[int]) -> None:
    moments = made(0)
    assert moments.given(chosen).variance == pytest.approx(conditioned(moments, chosen), rel=1e-9)


def test_a_gain_is_the_fall_of_the_variance() -> None:
    moments, weight = made(1), np.array([2.0, 0.5])
    state = moments.given([4])
    falls = [
        weight @ (state.variance - moments.given([4, one]).variance)
        for one in range(len(moments.noise))
    ]
    assert state.gain(weight) == pytest.approx(falls, rel=1e-9)


@pytest.mark.parametrize("seed", range(8))
def test_no_exchange_improves_the_batch_and_few_batches_are_better(seed: int) -> None:
    moments, weight = made(seed), np.array([1.0, 1.0])
    cost = np.random.default_rng(seed).uniform(0.5, 2.0, len(moments.noise))
    rules = Rules(budget=5.0, count=4, repeats=2)
    chosen = select(moments, weight, cost, rules)
    assert cost[chosen].sum() <= 5.0 * (1 + 1e-9)
    assert np.bincount(chosen).max() <= 2
    left = weight @ conditioned(moments, chosen)
    for place, other in itertools.product(range(len(chosen)), range(len(cost))):
        swapped = [*chosen[:place], other, *chosen[place + 1 :]]
        if cost[swapped].sum() <= 5.0 and np.bincount(swapped).max() <= 2:
            assert weight @ conditioned(moments, swapped) >= left * (1 - 1e-9)
    start = weight @ moments.variance
    every = [
        batch
        for size in range(1, 5)
        for batch in itertools.combinations_with_replacement(range(len(cost)), size)
        if cost[list(batch)].sum() <= 5.0 and np.bincount(batch).max() <= 2
    ]
    best = min(weight @ conditioned(moments, list(batch)) for batch in every)
    # Greedy alone keeps 1 - 1/e of the best gain where gains diminish.
    assert start - left >= (1 - 1 / math.e) * (start - best)


def test_independent_parameters_are_measured_where_they_matter_most() -> None:
    draws = np.random.default_rng(0).standard_normal((20_000, 3))
    values = draws * [3.0, 2.0, 1.0]
    moments = Moments.of(values.sum(axis=1, keepdims=True), values, np.full(3, 0.1))
    assert select(moments, np.ones(1), np.ones(3), Rules(2.0, 2, 1)) == [0, 1]


def test_noise_calls_for_replicates_up_to_the_limit() -> None:
    draws = np.random.default_rng(0).standard_normal((5000, 2))
    moments = Moments.of(draws[:, :1], draws, np.array([5.0, 5.0]))
    assert sorted(select(moments, np.ones(1), np.ones(2), Rules(4.0, 4, 3)))[:3] == [0, 0, 0]


def test_no_batch_is_worse_than_one_that_is_known() -> None:
    for seed in range(8):
        moments, weight = made(seed, candidates=30), np.ones(2)
        cost = np.random.default_rng(seed).uniform(0.5, 2.0, 30)
        rules = Rules(budget=5.0, count=4, repeats=1)
        batches = [list(batch) for batch in itertools.combinations(range(0, 30, 3), 3)]
        known = [batch for batch in batches if cost[batch].sum() <= 5.0]
        best = least(moments, weight, known)
        left = [weight @ conditioned(moments, each) for each in known]
        assert weight @ conditioned(moments, best) == pytest.approx(min(left), rel=1e-9)
        chosen = select(moments, weight, cost, rules, known)
        assert cost[chosen].sum() <= 5.0
        assert weight @ conditioned(moments, chosen) <= min(left) * (1 + 1e-9)


def test_what_must_be_in_a_batch_stays() -> None:
    moments = made(2)
    chosen = select(moments, np.ones(2), np.ones(9), Rules(9.0, 4, 1, first=(7, 8)))
    assert chosen[:2] == [7, 8]
    assert len(chosen) == 4
