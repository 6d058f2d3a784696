"""A budget of training beside a demand to serve: what it adds, and what a smaller model saves."""

from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

import scalingfit.allocation.solver as solver
from scalingfit._errors import InputError
from scalingfit._text import engineering, quantity
from scalingfit.allocation import (
    Costs,
    SixND,
    WithInference,
    cheapest,
    choose,
    forecast,
    frontier,
)
from scalingfit.catalog import law

POINT = law("chinchilla").published["besiroglu-2024"].law
C, SERVED = 1e23, 3e12


def test_the_budget_is_that_of_training() -> None:
    found = frontier(POINT, C, inference_tokens=SERVED)
    plain = solver.solve(POINT, np.array([C]), SixND())
    assert pytest.approx(plain.N) == found.N
    assert found.draws["serving"] == pytest.approx(2 * found.N * SERVED)
    assert found.draws["total"] == pytest.approx(C + 2 * found.N * SERVED)
    assert "training" not in found.draws  # which is C


def test_the_leaner_run_reaches_the_same_loss_at_the_least_cost_of_both() -> None:
    found = frontier(POINT, C, inference_tokens=SERVED)
    E, alpha, beta, A, B = (float(value) for value in POINT.values().values())

    def total(log_n: Any) -> Any:
        N = np.exp(log_n)
        D = (B / (found.L[0] - E - A / N**alpha)) ** (1 / beta)
        return 6 * N * D + 2 * N * SERVED

    low = np.log((A / (found.L[0] - E)) ** (1 / alpha) * 1.001)
    best = minimize_scalar(
        total, bounds=(low, np.log(found.N[0])), method="bounded", options={"xatol": 1e-9}
    )
    assert found.draws["N_lean"] == pytest.approx(np.exp(best.x), rel=1e-5)
    assert found.draws["total_lean"] == pytest.approx(best.fun, rel=1e-9)
    assert found.draws["saved"] == pytest.approx(1 - best.fun / found.draws["total"], rel=1e-6)
    assert POINT.loss(found.draws["N_lean"], found.draws["D_lean"]) == pytest.approx(found.L)
    least = cheapest(POINT, float(found.L[0]), inference_tokens=SERVED)
    assert least.draws["C"] == pytest.approx(found.draws["total_lean"], rel=1e-9)


def test_the_answer_says_what_it_saves(posterior: Any) -> None:
    found = frontier(posterior, C, inference_tokens=SERVED)
    share = np.median(found.draws["saved"])
    assert f"cost {100 * share:.3g} % less over the model's life" in str(found)
    assert "serving [FLOP]" in str(found)
    assert frontier(posterior, C).conclusion == ""


def test_the_leaner_run_is_looked_at_as_the_best_split_is(posterior: Any) -> None:
    near = float(np.max(6 * posterior.runs.N * posterior.runs.D))
    found = frontier(posterior, near, inference_tokens=SERVED)
    assert frontier(posterior, near).reach.times == 0
    (note,) = (str(note) for note in found.notes if "the leaner run" in str(note))
    farthest = np.median(found.draws["D_lean"] / found.draws["N_lean"])
    assert found.reach.times == pytest.approx(
        farthest / np.max(posterior.runs.D / posterior.runs.N), rel=0.05
    )
    assert "D/N " in note
    assert "D_lean" in str(found)


def test_what_the_leaner_run_saves_is_told_in_flop_and_money(posterior: Any) -> None:
    costs = Costs.of("h100", mfu=0.4, price=2.0)
    found = frontier(posterior, C, inference_tokens=SERVED, costs=costs)
    saved = found.draws["total"] - found.draws["total_lean"]
    assert found.draws["saved_flop"] == pytest.approx(saved)
    assert found.draws["saved_dollars"] == pytest.approx(costs.money(saved))
    said = (
        f"({quantity('C', np.median(saved))} FLOP, ${engineering(np.median(costs.money(saved)))})"
    )
    assert said in found.conclusion
    hours = str(frontier(posterior, C, inference_tokens=SERVED, costs=Costs.of("h100", mfu=0.4)))
    assert "saved [h]" in hours
    assert "saved [h]" not in str(found)


def test_a_budget_of_both_is_another_count(posterior: Any) -> None:
    both = frontier(posterior, C, counting=WithInference(SixND(), SERVED))
    assert both.draws["training"] + both.draws["serving"] == pytest.approx(C)
    assert both.draws["total"] == pytest.approx(C)
    assert "saved" not in both.draws


def test_messages_name_what_was_typed(posterior: Any) -> None:
    both = frontier(posterior, C, counting=WithInference(SixND(), SERVED))
    (far,) = (str(note.text) for note in both.notes if note.code == "beyond_runs")
    assert far.startswith("training C ")
    assert "; D 1.07T is" in far
    beside = frontier(posterior, C, inference_tokens=SERVED)
    assert "C 1e23 is" in str(beside.notes)


def test_what_serving_is_counted_with_is_far_by_its_training_too(posterior: Any) -> None:
    both = frontier(posterior, [1e25, 1e22], counting=WithInference(SixND(), SERVED))
    runs = posterior.runs
    trained = float(6 * np.median(both.N[..., 0]) * np.median(both.D[..., 0]))
    assert both.reach.times == pytest.approx(trained / np.max(6 * runs.N * runs.D))
    (note,) = (note for note in both.notes if note.code == "far_beyond_runs")
    assert "2 of 2 budgets lie beyond the runs; the farthest: training C " in str(note)
    assert "; elsewhere D/N " in str(note)  # of the small budget, which nothing else is far of
    least = cheapest(posterior, 2.0, inference_tokens=SERVED)
    assert "training C " in str(least.notes)


def test_tokens_per_parameter_far_beyond_the_runs_are_said(posterior: Any) -> None:
    lean = cheapest(posterior, 2.4, inference_tokens=1e15)
    assert "D/N " in str(lean.notes)


def test_models_that_can_be_built_show_what_serving_them_costs(posterior: Any) -> None:
    found = choose(posterior, C, [1e9, 1e10], inference_tokens=SERVED)
    assert found.asked["D"] == pytest.approx(C / 6 / found.asked["N"])
    assert found.asked["serving"] == pytest.approx(2 * found.asked["N"] * SERVED)
    assert found.asked["total"] == pytest.approx(C + found.asked["serving"])


def test_budgets_may_be_dollars(posterior: Any) -> None:
    costs = Costs.of("h100", mfu=0.4, price=2.0)
    found = frontier(posterior, "$1M", costs=costs)
    assert costs.money(found.C) == pytest.approx(1e6)
    with pytest.raises(InputError, match="the hardware is not known"):
        frontier(posterior, "$1M")


def test_every_answer_comes_in_hours_and_dollars(posterior: Any) -> None:
    costs = Costs.of("h100", mfu=0.4, price=2.0)
    C = np.array([1e22, 1e23])
    dollars = costs.money(C)
    assert frontier(posterior, C, costs=costs).asked["dollars"] == pytest.approx(dollars)
    assert choose(posterior, C, 1e9, costs=costs).asked["dollars"] == pytest.approx(dollars)
    least = cheapest(posterior, 2.2, costs=costs).draws
    assert least["dollars"] == pytest.approx(costs.money(least["C"]))
    run = forecast(posterior, N=1e9, D=2e10, costs=costs)
    assert run.asked["dollars"] == pytest.approx(costs.money(np.array([6 * 1e9 * 2e10])))
    hours = frontier(posterior, C, costs=Costs.of("h100", mfu=0.4)).asked
    assert "dollars" not in hours
    assert hours["hours"] == pytest.approx(C / (989.4e12 * 0.4 * 3600))
