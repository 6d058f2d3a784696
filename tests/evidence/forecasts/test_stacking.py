"""Laws that are stacked by their forecasts."""

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
    backtest,
    candidates,
)
from scalingfit.evidence.forecasts.backtest import _unstacked
from scalingfit.evidence.forecasts.forecasting import Task
from scalingfit.evidence.forecasts.held_out import (
    Component,
    HeldOutRuns,
    LawForecasts,
    StackedForecasts,
)
from scalingfit.evidence.forecasts.horizons import horizons
from scalingfit.evidence.forecasts.stacking import Weights, best_weights, stack_forecasts
from scalingfit.noise import At, Normal
from scalingfit.runs import Runs
from tests.evidence.forecasts.held import held_with
from tests.simulated import BOTH, EXACT


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
