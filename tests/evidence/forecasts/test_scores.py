"""Scores of forecasts, against closed forms."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from scalingfit.evidence import (
    Backtest,
    ScoredForecasts,
    band,
    coverage,
)
from scalingfit.evidence.forecasts.conclusion import conclude
from scalingfit.evidence.forecasts.scores import crps, intervals, pit
from scalingfit.noise import At
from scalingfit.runs import Runs
from tests.evidence.forecasts.held import held_with


def test_crps_is_the_closed_form_of_the_normal() -> None:
    """Gneiting & Raftery 2007, equation 5: s (z (2 Phi(z) - 1) + 2 phi(z) - 1/sqrt(pi))."""
    rng = np.random.default_rng(0)
    spread, observed = 0.3, np.array([1.0, 1.4, 0.1, 2.5])
    draws = 1 + spread * rng.standard_normal((40_000, 4))
    z = (observed - 1) / spread
    exact = spread * (z * (2 * norm.cdf(z) - 1) + 2 * norm.pdf(z) - 1 / np.sqrt(np.pi))
    # The score of one draw scatters by less than 2 s.
    np.testing.assert_allclose(crps(draws, observed), exact, atol=5 * 2 * spread / 200)


def test_crps_is_unbiased_for_few_draws() -> None:
    rng = np.random.default_rng(1)
    draws = rng.standard_normal((3, 100_000))
    exact = 2 * norm.pdf(0) - 1 / np.sqrt(np.pi)
    assert np.mean(crps(draws, np.zeros(100_000))) == pytest.approx(exact, abs=5 / np.sqrt(100_000))


def test_one_infinite_draw_leaves_the_crps_finite() -> None:
    draws = np.random.default_rng(2).standard_normal((50, 1))
    draws[7] = 100.0
    far = crps(draws, np.zeros(1))
    draws[7] = np.inf
    np.testing.assert_allclose(crps(draws, np.zeros(1)), far)
    draws[8] = np.inf
    assert crps(draws, np.zeros(1)) == [np.inf]


def test_coverage_and_pit_of_right_forecasts() -> None:
    rng = np.random.default_rng(2)
    draws = rng.standard_normal((2000, 3000))
    observed = rng.standard_normal(3000)
    found = coverage(intervals(draws), observed)
    for share, level in zip(found, (0.5, 0.8, 0.9, 0.95), strict=True):
        assert abs(share - level) < 4 * np.sqrt(level * (1 - level) / 3000)
    assert np.std(pit(draws, observed)) == pytest.approx(np.sqrt(1 / 12), rel=0.03)
    assert band(0.9, 100) == pytest.approx((0.84, 0.95))


def test_the_log_score_is_the_normal_density() -> None:
    held = held_with(0.05, rows=20)
    observed = held.runs.observed
    exact = norm.logpdf(np.log(observed), np.log(3), 0.01) - np.log(observed)
    np.testing.assert_allclose(held.scores, exact, rtol=1e-6)


def test_draws_of_an_infinite_loss_take_nothing_from_the_others() -> None:
    """A law that may rise can predict more than the largest number."""
    held = held_with(0.05, rows=20)
    means = held.means.copy()
    means[:100] = np.inf
    partly = dataclasses.replace(held, at=At(means))
    np.testing.assert_allclose(partly.scores, held.scores + np.log(0.8))
    new = partly.new_runs()
    assert np.all(np.isposinf(new[:100]))
    assert np.all(np.isfinite(new[100:]))
    ends = intervals(new, [0.5, 0.9])
    assert np.all(np.isfinite(ends[0]))
    assert np.all(np.isposinf(ends[1, 1]))


def coverage_of(row: dict[str, Any]) -> dict[str, float]:
    """By level in percent."""
    prefix = "coverage_"
    return {key.removeprefix(prefix): row[key] for key in row if key.startswith(prefix)}


def recorded(inside: Any, **given: Any) -> ScoredForecasts:
    """Forecasts of which some lay in their 90 % intervals."""
    count = len(inside)
    usual = vars(ScoredForecasts.of(held_with(0.0, rows=count))) | {
        "pit": (np.arange(count) + 0.5) / count,
        "distance": np.full(count, 1.5),
    }
    record = ScoredForecasts(**usual | given)
    around, above = np.array([[-1.0], [1.0]]), np.array([[1.0], [2.0]])
    ends = record.observed + np.where(inside, around, above)
    return dataclasses.replace(record, ends=np.broadcast_to(ends, (4, 2, count)))


@pytest.mark.parametrize(
    ("inside", "of", "said"),
    [
        (7, 12, "58% of 12 forecasts: they are over-confident"),
        (8, 12, "67% of 12 forecasts, too few to tell: right intervals would cover 67% to 100%"),
        (12, 12, "100% of 12 forecasts, too few to tell"),
        (11, 12, "92% of 12 forecasts, as they should"),
        (19, 20, "95% of 20 forecasts, as they should"),
        (100, 100, "100% of 100 forecasts: they are wider than they need to be"),
    ],
)
def test_few_forecasts_are_no_comfort(inside: int, of: int, said: str) -> None:
    record = recorded(np.arange(of) < inside)
    assert said in conclude("law", record)
    assert "too low" not in conclude("law", record)
    record = dataclasses.replace(record, pit=np.linspace(0.6, 0.9, of))
    assert "The forecasts are too low: 100% of the losses were above them." in conclude(
        "law", record
    )


def test_intervals_that_are_right_overall_alone_are_named() -> None:
    """Of 100 forecasts 90 are inside, but half of the 20 farthest."""
    distance = np.where(np.arange(100) >= 80, 4.0, 1.5)
    record = recorded(np.arange(100) < 90, distance=distance)
    said = conclude("law", record)
    assert "90% of 100 forecasts, as they should overall, but only 50% of those at 2-5x." in said


def test_scores_by_distance_are_those_of_the_normal(runs: Runs) -> None:
    """The forecast is log-normal about 3 with sd 0.01 throughout, so that all is known."""
    held = held_with(0.03)
    found = Backtest(runs, {"law": ScoredForecasts.of(held)}, (None,))
    rows: Any = found.as_json()["by_distance"]
    assert [(row["from"], row["to"]) for row in rows] == [(1, 2), (2, 5), (5, 10), (10, None)]
    assert sum(row["runs"] for row in rows) == 300
    for row in rows:
        distance = held.runs.distance
        kept = (distance > row["from"]) & (distance <= (row["to"] or np.inf))
        y = held.runs.observed[kept]
        z = np.log(y / 3) / 0.01
        assert row["runs"] == len(y)
        assert row["log_score"] == pytest.approx(np.mean(norm.logpdf(z) - np.log(0.01 * y)))
        for level, share in coverage_of(row).items():
            # The ends are quantiles of 500 draws: their standard error is below 0.1 sd.
            inside = [
                np.mean(np.abs(z) < norm.ppf(0.5 + float(level) / 200) + e) for e in (-0.3, 0.3)
            ]
            assert inside[0] <= share <= inside[1]
        assert row["width_90"] == pytest.approx(2 * 1.645 * 0.01, rel=0.1)
        assert row["rmse"] == pytest.approx(np.sqrt(np.mean((y - 3) ** 2)), rel=0.02)
        assert row["rmsle"] == pytest.approx(0.01 * np.sqrt(np.mean(z**2)), rel=0.02)
        exact = z * (2 * norm.cdf(z) - 1) + 2 * norm.pdf(z) - 1 / np.sqrt(np.pi)
        # Of the normal with sd 0.03; skewness is of the order of 0.01 of it.
        assert row["crps"] == pytest.approx(0.03 * np.mean(exact), rel=0.05)
    # The errors grow with distance and the intervals do not: what the bins are for.
    assert rows[0]["coverage_90"] > rows[-1]["coverage_90"] + 0.2
    assert "beyond 10x" in str(found)
