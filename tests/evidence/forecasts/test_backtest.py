"""Backtests: what they find, say, and refuse."""

import importlib
import json
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

import scalingfit as sf
from scalingfit._errors import InputError
from scalingfit.evidence import (
    Backtest,
    ScoredForecasts,
    backtest,
    band,
)
from scalingfit.evidence.forecasts.scores import intervals
from scalingfit.runs import Runs
from tests.evidence.forecasts.held import held_with
from tests.simulated import BOTH, EXACT, QUICK, bent, simulated


def test_the_right_law_forecasts_within_its_intervals(tested: Backtest) -> None:
    """Cuts share runs, so the binomial bound is widened to the number of independent runs."""
    record = tested.records["chinchilla"]
    assert len(record.observed) == 30
    assert record.count() == 18  # the second cut forecasts runs that the first one does
    assert record.covered().mean() >= band(0.9, 18)[0]
    assert tested.best == "chinchilla"
    assert record.crps.mean() < tested.records["kaplan"].crps.mean()
    assert np.all(record.law_ends[2, 1] - record.law_ends[2, 0] < np.ptp(record.ends[2], axis=0))


@pytest.mark.parametrize(("rate", "said"), [(0.1, "over-confident"), (0.0, "as they should")])
def test_over_confidence_is_named(runs: Runs, rate: float, said: str) -> None:
    record = ScoredForecasts.of(held_with(rate))
    conclusion = Backtest(runs, {"law": record}, (None,)).conclusion
    assert said in conclusion


def test_a_law_that_lacks_an_input_is_refused_before_any_fit(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = importlib.import_module("scalingfit.evidence.forecasts.backtest")
    monkeypatch.setattr(module, "forecast_held_out", lambda *_: pytest.fail("a law was fitted"))
    with pytest.raises(InputError, match="these runs lack X") as refusal:
        backtest(runs, ["kaplan_size", "power"])
    assert "they have: N, D, C, L\n" in str(refusal.value)


def test_a_law_with_too_few_runs_at_a_cut_is_left_out_there(runs: Runs) -> None:
    """Six runs below the first cut are enough for four parameters, not for five."""
    fewer = runs.take([0, 2, 4, 6, 8, 10, *range(12, 36)])
    found = backtest(fewer, BOTH, "normal", cuts=[runs.C[6] * 1.01, 1e20], **EXACT)
    assert set(found.records["chinchilla"].cut.tolist()) == {1}
    assert set(found.records["kaplan"].cut.tolist()) == {0, 1}
    said = "left out at 1 of 2 cuts (1.26e19), which fit fewer than the 7 runs"
    assert found.notes[0].of == "chinchilla"
    assert str(found.notes[0].text).startswith(said)
    assert found.best == "chinchilla"  # by the cut that both were fitted to
    with pytest.raises(InputError, match="at least 6 runs to fit"):
        backtest(fewer, BOTH, cuts=[1e18])


def test_a_backtest_can_be_read_and_saved(tested: Backtest) -> None:
    assert "RMSLE" in str(tested)
    parsed = json.loads(json.dumps(tested.as_json()))
    assert [row["cut"] for row in parsed["scores"]] == [0, 1, None, 0, 1, None]
    assert {row["name"] for row in parsed["by_distance"]} == {"chinchilla", "kaplan"}
    assert {"coverage_90", "law_width_90"} <= set(tested.to_pandas().columns)
    arrays, record = tested.to_xarray(), tested.records["kaplan"]
    assert dict(arrays.sizes) == {"candidate": 2, "forecast": 30, "level": 4, "end": 2}
    at = arrays.sel(candidate="kaplan")
    np.testing.assert_array_equal(at["log_score"], record.log_score)
    np.testing.assert_array_equal(at["ends"].sel(level=0.9, end="high"), record.ends[2, 1])
    np.testing.assert_array_equal(arrays["row"], record.row)


def test_what_is_scored_is_what_a_forecast_delivers() -> None:
    """With the law's error: one distribution, whoever asks for it."""
    runs = bent()
    X = runs["X"]
    found = backtest(runs, ["power"], "normal", cuts=[X[15]], method="nuts", **QUICK)
    record = found.records["power"]
    quick: Any = QUICK
    fit = sf.fit(runs.take(np.arange(16)), "power", "normal", **quick)
    assert 0 < fit.sampled.record["exact"] < 0.99  # so draws have errors, or have none
    delivered = fit.forecast(X=X[16:])
    np.testing.assert_allclose(record.law_ends, intervals(delivered.mean.reshape(-1, 8)))
    # New runs scatter by the noise of the same draws, at random.
    wide = np.diff(intervals(delivered.new_run.reshape(-1, 8)), axis=1)
    np.testing.assert_allclose(np.diff(record.ends, axis=1), wide, rtol=0.15)
    y = runs["L"][16:]
    sigma = fit.noise.sigma.reshape(-1, 1)
    density = norm.pdf(np.log(y), np.log(delivered.mean.reshape(-1, 8)), sigma) / y
    np.testing.assert_allclose(record.log_score, np.log(density.mean(axis=0)))


def test_curves_are_forecast_one_by_one() -> None:
    rng = np.random.default_rng(5)
    X = np.tile(np.logspace(5, 8, 16), 3)
    floor = np.repeat([0.3, 0.5, 0.7], 16)
    L = (floor + 30 * X**-0.35) * np.exp(0.003 * rng.standard_normal(48))
    split = np.where(X < 3e6, "train", "test")
    curves = Runs.from_columns(
        {"X": X, "L": L}, labels={"curve": np.repeat(["a", "b", "c"], 16), "split": split}
    )
    found = backtest(curves, ["power"], "normal", by="curve", held_out="split", **EXACT)
    record = found.records["power"]
    assert found.sources == ("a", "b", "c")
    assert len(record.observed) == np.sum(split == "test")
    (row,) = found.as_json()["by_domain"]  # type: ignore[misc, str-unpack]
    assert row["rmsle"] < 0.05  # type: ignore[index, call-overload, operator]
    assert row["tables"] == 3  # type: ignore[index, call-overload]
    pooled = backtest(curves, ["power"], "normal", held_out="split", **EXACT)
    (note,) = (*pooled.notes, *found.notes)
    said = "split cuts each of the 3 values of curve, and all are forecast as one table"
    assert str(note.text).startswith(said)
    assert str(note.text).endswith('by="curve"')
    with pytest.raises(InputError, match="must say train or test"):
        backtest(curves, ["power"], held_out="curve")
    late = curves.take(np.argsort(-curves["X"]))
    wrong = Runs.from_columns(
        {"X": late["X"], "L": late["L"]},
        labels={"split": np.where(np.arange(48) < 3, "train", "test")},
    )  # the largest three, which are too few
    with pytest.raises(InputError, match="of 48 runs there are 3 up to"):
        backtest(wrong, ["power"], held_out="split")
    with pytest.raises(InputError, match="no group of 'curve' can be cut"):
        backtest(curves, ["power"], by="curve", cuts=[1e3])


def test_a_table_too_small_to_cut_is_named() -> None:
    small = simulated("chinchilla", 6)
    with pytest.raises(InputError, match="at least 7 runs to fit"):
        backtest(small, **EXACT)
