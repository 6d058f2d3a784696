"""Forecast scores against closed forms; forecasts of runs whose law is known."""

import dataclasses
import importlib
import json
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import norm

import scalingfit as sf
from scalingfit._errors import InputError
from scalingfit.catalog import noise
from scalingfit.evidence import (
    Backtest,
    ScoredForecasts,
    backtest,
    band,
    candidates,
    coverage,
)
from scalingfit.evidence.forecasts.backtest import _unstacked
from scalingfit.evidence.forecasts.conclusion import conclude
from scalingfit.evidence.forecasts.forecasting import Task
from scalingfit.evidence.forecasts.held_out import (
    Component,
    HeldOutRuns,
    LawForecasts,
    StackedForecasts,
)
from scalingfit.evidence.forecasts.horizons import horizons
from scalingfit.evidence.forecasts.scores import crps, intervals, pit
from scalingfit.evidence.forecasts.stacking import Weights, best_weights, stack_forecasts
from scalingfit.noise import At, Normal
from scalingfit.runs import Runs
from tests.simulated import BOTH, EXACT, QUICK, bent, simulated


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


def held_with(rate: float, seed: int = 0, rows: int = 300) -> LawForecasts:
    """Forecasts by an exactly known law whose truth drifts away from it."""
    rng = np.random.default_rng(seed)
    distance = 10 ** rng.uniform(0.2, 2, rows)
    drift = rate * np.log10(distance) * rng.standard_normal(rows)
    observed = 3 * np.exp(drift + 0.01 * rng.standard_normal(rows))
    sigma = jnp.full((500, rows), 0.01)
    cut = (np.arange(rows) % 3).astype(np.int64)
    places = HeldOutRuns(
        observed=observed,
        distance=distance,
        limit=np.ones(rows),
        largest=np.full(rows, 5.0),
        cut=cut,
        table=np.zeros(rows, np.int64),
        row=np.arange(rows),
    )
    return LawForecasts(runs=places, noise=Normal(sigma=sigma), at=At(np.full((500, rows), 3.0)))


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


def test_a_law_that_lacks_an_input_is_refused_before_any_fit(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = importlib.import_module("scalingfit.evidence.forecasts.backtest")
    monkeypatch.setattr(module, "forecast_held_out", lambda *_: pytest.fail("a law was fitted"))
    with pytest.raises(InputError, match="these runs lack X") as refusal:
        backtest(runs, ["kaplan_size", "power"])
    assert "they have: N, D, C, L\n" in str(refusal.value)


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


def test_weights_meet_the_conditions_of_the_best() -> None:
    """At a maximum over the simplex no law has more than its share of the mixture's density."""
    rng = np.random.default_rng(0)
    scores, share = rng.normal(0.0, 1.0, (4, 60)), rng.uniform(0.5, 2.0, 60)
    scores[3] -= 5
    weights = best_weights(scores, share)
    assert weights.sum() == pytest.approx(1)
    density = np.exp(scores)
    gain = (density / (weights @ density)) @ share / share.sum()
    assert np.all(gain <= 1 + 1e-3)
    assert gain[weights > 0.01] == pytest.approx(1, abs=1e-3)
    assert weights[3] < 0.01
    # One law that is always best has all the weight, and equal ones share it.
    scores[0] = scores.max(axis=0) + 1
    assert best_weights(scores, share)[0] > 0.999
    assert best_weights(np.zeros((2, 5)), np.ones(5)) == pytest.approx([0.5, 0.5])


def test_a_mixture_is_the_mixture_of_the_densities() -> None:
    """Two normals of weight 0.3 and 0.7 on the first half of the runs, one on the other."""
    low, high = held_with(0.0, rows=40), held_with(0.0, rows=40)
    high = dataclasses.replace(high, at=At(np.full((20_000, 40), 3.3)), noise=Normal(
        sigma=jnp.full((20_000, 40), 0.02)
    ))  # fmt: skip
    low = dataclasses.replace(low, at=At(np.full((20_000, 40), 3.0)), noise=Normal(
        sigma=jnp.full((20_000, 40), 0.01)
    ))  # fmt: skip
    half, whole = np.arange(20), np.arange(40)
    share = np.where(whole < 20, 0.7, 1.0)
    # The one's forecasts are in the opposite order.
    backward = HeldOutRuns(**{name: values[::-1] for name, values in vars(low.runs).items()})
    parts = [
        Component(
            dataclasses.replace(low, runs=backward), whole[::-1][:20], half, np.full(20, 0.3)
        ),
        Component(high, whole, whole, share),
    ]
    mixed = StackedForecasts(low.runs, parts)
    y = low.runs.observed
    densities = [norm.pdf(np.log(y), np.log(m), s) / y for m, s in ((3.0, 0.01), (3.3, 0.02))]
    exact = np.log(np.where(whole < 20, 0.3 * densities[0], 0.0) + share * densities[1])
    np.testing.assert_allclose(mixed.scores, exact, rtol=1e-6)
    new = mixed.new_runs(seed=1)
    below = np.mean(new < 3.15, axis=0)
    # Means are 0.095 apart in log loss, which is five standard deviations of the wider one.
    error = 5 * np.sqrt(0.21 / 20_000)
    assert np.all(np.abs(below - (1 - share)) < error + 0.01)
    assert np.all(mixed.means[:, 20:] == 3.3)
    assert np.abs(np.mean(mixed.means[:, :20] == 3.0, axis=0) - 0.3).max() < error


def test_laws_are_stacked_by_their_forecasts_within_the_fitted_runs() -> None:
    """Curves of two domains, one with a floor and one without, which get different weights."""
    rng = np.random.default_rng(6)
    X = np.tile(np.logspace(5, 8, 24), 4)
    floor = np.repeat([0.5, 0.6, 0.0, 0.0], 24)
    L = (floor + 30 * X**-0.35) * np.exp(0.002 * rng.standard_normal(96))
    labels = {
        "curve": np.repeat(["a", "b", "c", "d"], 24),
        "kind": np.repeat(["floor", "floor", "none", "none"], 24),
        "split": np.where(X < 5e6, "train", "test"),
    }
    curves = Runs.from_columns({"X": X, "L": L}, labels=labels)
    found = backtest(
        curves, ["power_m1", "power"], "normal", by="curve", held_out="split", domain="kind",
        stack=True, **EXACT,
    )  # fmt: skip
    assert found.domains == ("floor", "floor", "none", "none")
    weights = {each.domain: each.weights for each in found.weights}
    assert all(sum(each.values()) == pytest.approx(1) for each in weights.values())
    assert weights["floor"]["power"] > 0.9
    assert weights["none"]["power_m1"] > weights["floor"]["power_m1"]
    assert set(found.records) == {"power_m1", "power", "stacked"}
    by_domain: Any = found.as_json()["by_domain"]
    rows = {(row["domain"], row["name"]): row for row in by_domain}
    assert len(rows) == 6
    for row in rows.values():
        assert row["tables"] == 2
    one, other = (rows["floor", name] for name in ("stacked", "power"))
    assert one["rmsle"] == pytest.approx(other["rmsle"], rel=0.2)
    # Of the loss over the largest fitted one; each curve counts once.
    record = found.records["power"]
    by_hand = []
    for place, curve in enumerate("ab"):
        train = (labels["curve"] == curve) & (labels["split"] == "train")
        largest = L[train].max()
        by_hand.append(np.mean(record.log_score[record.table == place]) + np.log(largest))
    assert other["log_score"] == pytest.approx(np.mean(by_hand))
    text = str(found)
    assert "Forecasts within 4 tables, each fitted by itself" in text
    assert json.loads(json.dumps(found.as_json()))["weights"][0]["domain"] == "floor"


def test_rolling_cuts_are_stacked_each_by_its_past(runs: Runs) -> None:
    found = backtest(runs, BOTH, "normal", cuts=[1e20, 6e20], stack=True, **EXACT)
    assert [each.cut for each in found.weights] == [0, 1]
    stacked, law = found.records["stacked"], found.records["chinchilla"]
    np.testing.assert_array_equal(stacked.observed, law.observed)
    later = found.weights[1].weights["chinchilla"]
    inside = stacked.cut == 1
    other = found.records["kaplan"].log_score[inside]
    exact = np.logaddexp(np.log(later) + law.log_score[inside], np.log1p(-later) + other)
    np.testing.assert_allclose(stacked.log_score[inside], exact, rtol=1e-6)


def test_a_law_that_misses_a_table_is_not_stacked_in_its_domain() -> None:
    """By hand-made forecasts: of two domains of one table each a law knows the second alone."""
    X = np.logspace(5, 8, 12)
    runs = Runs.from_columns({"X": X, "L": 0.5 + 20 * X**-0.3})
    tasks = [Task.each(place, place, runs, horizons(runs, 5, cuts=[1e7]))[0] for place in (0, 1)]

    def held(places: list[HeldOutRuns], mean: float) -> LawForecasts:
        together = HeldOutRuns.together(places)
        shape = (50, len(together.observed))
        return LawForecasts(
            together, noise("normal")(sigma=np.full(shape, 0.1)), At(np.full(shape, mean))
        )

    outer = [task.held_out for task in tasks]
    inner = [inside.held_out for task in tasks if (inside := task.within()) is not None]
    both, second = (
        (held(outer, 0.7), held(inner, 0.7)),
        (held(outer[1:], 0.6), held(inner[1:], 0.6)),
    )
    mixed, weights = stack_forecasts(
        tasks, ["one", "two"], {"both": both[0], "second": second[0]},
        {"both": both[1], "second": second[1]},
    )  # fmt: skip
    assert mixed is not None
    assert [(each.domain, set(each.weights)) for each in weights] == [
        ("one", {"both"}), ("two", {"both", "second"}),
    ]  # fmt: skip
    count, share = len(outer[0].observed), weights[1].weights["second"]
    scores = both[0].scores
    np.testing.assert_allclose(mixed.scores[:count], scores[:count])
    exact = np.logaddexp(np.log1p(-share) + scores[count:], np.log(share) + second[0].scores)
    np.testing.assert_allclose(mixed.scores[count:], exact)
    nothing, none = stack_forecasts(
        tasks, ["one", "one"], {"second": second[0]}, {"second": second[1]}
    )
    assert nothing is None
    assert none == ()


def test_cuts_that_fit_one_budget_are_not_stacked_and_named() -> None:
    budgets = np.repeat([1e18, 1e19, 1e20], 9)
    N = np.sqrt(budgets / 120) * np.tile(np.geomspace(0.3, 3, 9), 3)
    law = sf.law("chinchilla").published["besiroglu-2024"].law
    D = budgets / (6 * N)
    runs = Runs.from_columns({"N": N, "D": D, "C": budgets, "L": np.asarray(law.loss(N, D))})
    first, second = Task.each(None, 0, runs, horizons(runs, 7, cuts=[1e18, 1e19]))
    assert first.within() is None
    inside = second.within()
    assert inside is not None
    assert runs.C[inside.horizon.train].tolist() == [1e18] * 9
    assert runs.C[inside.horizon.test].tolist() == [1e19] * 9
    models = candidates(BOTH, "normal")
    said = _unstacked([first, second], [second], models, [None], [])
    first_note, second_note = said
    text = "not stacked at 1 of 2 cuts (1e18): all that is fitted is of one"
    assert str(first_note.text).startswith(text)
    assert second_note.of == "cut 2"
    assert second_note.text == "not stacked: no law has enough runs in all of its tables"
    (note,) = _unstacked([second], [second], models, [None], [Weights(None, 1, {"kaplan": 1.0})])
    assert note.text == "stacked without chinchilla, for which some table has too few runs"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"domain": "kind"}, "'kind' is of tables, and there is one"),
        ({"stack": True}, "nothing to stack: one law"),
        ({"by": "curve", "domain": "kinds"}, "kinds"),
        ({"by": "curve", "domain": "odd"}, "is of several values of 'odd'"),
    ],
)
def test_what_cannot_be_stacked_is_refused_before_any_fit(
    monkeypatch: pytest.MonkeyPatch, asked: dict[str, Any], said: str
) -> None:
    module = importlib.import_module("scalingfit.evidence.forecasts.backtest")
    X = np.tile(np.logspace(5, 8, 12), 2)
    labels = {"curve": np.repeat(["a", "b"], 12), "odd": np.tile(["x", "y"], 12)}
    curves = Runs.from_columns({"X": X, "L": 0.5 + 20 * X**-0.3}, labels=labels)
    monkeypatch.setattr(module, "forecast_held_out", lambda *_: pytest.fail("a law was fitted"))
    with pytest.raises(InputError, match=said):
        backtest(curves, "power", **asked)
