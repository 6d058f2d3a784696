"""Regret and overspend against closed forms, brute force and simulation."""

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest
from scipy.optimize import brentq, minimize_scalar
from scipy.stats import norm

import scalingfit.allocation.solver as solver
from scalingfit._errors import InputError
from scalingfit.allocation import (
    Costs,
    NonEmbedding,
    Shape,
    SixND,
    WithInference,
    decide,
    exact_flops,
)
from scalingfit.allocation.decide import BINS, first_order
from scalingfit.allocation.worth import Risk, Spending, best_size, equal_budget, worth
from scalingfit.catalog import law
from scalingfit.runs import Runs

POINT = law("chinchilla").published["besiroglu-2024"].law
BUDGETS = np.array([5.76e23, 3.8e25])


def golden() -> Any:
    """The law behind the golden numbers: its exponents, and N* and kappa at 5.76e23 FLOP."""
    alpha, beta, E, N, C = 0.3434, 0.3598, 1.8046, 7.22e10, 5.76e23
    R = 0.0202 / (alpha * beta)
    u, v = beta * R / (alpha + beta), alpha * R / (alpha + beta)
    D = C / (6 * N)
    return law("chinchilla")(E=E, A=u * N**alpha, B=v * D**beta, alpha=alpha, beta=beta)


def scattered(sd: float, draws: int, seed: int = 0) -> Any:
    """The golden law with log N* normal about its own: N* goes as A^(1 / (alpha + beta))."""
    point = golden()
    z = norm.ppf((np.random.default_rng(seed).permutation(draws) + 0.5) / draws).reshape(2, -1)
    A = point.A * np.exp((point.alpha + point.beta) * sd * z)
    full = {name: np.broadcast_to(value, A.shape) for name, value in point.values().items()}
    return type(point)(**{**full, "A": A})


def closed_form(point: Any, z: Any, C: Any) -> Any:
    """Regret and overspend of L = E + A/N^alpha + B/D^beta at N = N* exp(z)."""
    A, B, alpha, beta = (float(getattr(point, name)) for name in ("A", "B", "alpha", "beta"))
    G = (alpha * A / (beta * B)) ** (1 / (alpha + beta))
    N = G * (C / 6) ** (beta / (alpha + beta))
    u, v = A / N**alpha, B / (C / 6 / N) ** beta
    regret = u * np.expm1(-alpha * z) + v * np.expm1(beta * z)
    gamma = alpha * beta / (alpha + beta)
    return N * np.exp(z), regret, ((u + v + regret) / (u + v)) ** (1 / gamma)


@pytest.mark.parametrize("z", [-3.0, -0.7, -0.02, 0.02, 0.7, 3.0, 8.0])
def test_regret_and_overspend_are_the_closed_forms(z: float) -> None:
    N, regret, overspend = closed_form(POINT, z, BUDGETS)
    found = decide(POINT, BUDGETS, [(n, c / 6 / n) for n, c in zip(N, BUDGETS, strict=True)])
    assert found.regret[2:] == pytest.approx(regret, rel=1e-6)
    assert found.overspend[2:] == pytest.approx(overspend, rel=1e-7)
    assert found.overspend[:2] == pytest.approx(1.0, abs=1e-9)


def test_near_the_optimum_both_are_quadratic_in_log_n() -> None:
    point, z = golden(), np.array([-0.1, -0.05, 0.05, 0.1])
    best = solver.solve(point, BUDGETS[:1], SixND())
    found = decide(point, BUDGETS[0], [float(n) for n in best.N * np.exp(z)])
    kappa = point.alpha * point.beta * (best.L - point.E)
    # The next term is (beta - alpha) z / 3 of the first; the one after (alpha^2 + ...) z^2 / 12.
    assert found.regret[1:] == pytest.approx(kappa * z**2 / 2, rel=2e-3)
    assert found.overspend[1:] - 1 == pytest.approx((point.alpha + point.beta) * z**2 / 2, rel=2e-2)


def test_golden_numbers_of_published_plans() -> None:
    point = golden()
    best = solver.solve(point, BUDGETS, SixND())
    assert pytest.approx([7.22e10, 6.16e11], rel=2e-3) == best.N
    kappa = point.alpha * point.beta * (best.L - point.E)
    assert kappa == pytest.approx([0.0202, 0.00967], rel=2e-3)
    found = decide(point, BUDGETS, ["92.6tpp", "139tpp", "20tpp"])
    rows = {(C, plan): row for row, (C, plan) in enumerate(zip(found.C, found.plans, strict=True))}
    first, second = rows[5.76e23, "92.6tpp"], rows[3.8e25, "139tpp"]
    assert found.regret[first] == pytest.approx(0.0066, abs=5e-5)
    assert found.overspend[first] == pytest.approx(1.25, abs=5e-3)
    assert found.overspend[second] == pytest.approx(1.47, abs=5e-3)
    assert pytest.approx([18.4, 92.6, 139, 20, 16.7, 92.6, 139, 20], rel=3e-3) == found.D / found.N


def test_golden_numbers_of_the_best_plan() -> None:
    sd = np.log(8.04 / 6.46) / (2 * norm.ppf(0.95))
    law_draws = scattered(sd, 4000)
    found = decide(law_draws, 5.76e23)
    expected = 0.5 * (0.3434 + 0.3598) * sd**2
    assert expected == pytest.approx(0.0016, abs=5e-5)  # the golden .16 %
    assert found.overspend.mean() - 1 == pytest.approx(expected, rel=0.02)
    assert np.quantile(found.overspend, 0.95) - 1 == pytest.approx(0.0060, abs=2e-4)
    assert found.regret.mean() == pytest.approx(4.5e-5, abs=1e-6)
    assert found.within(0.01) == pytest.approx(0.99, abs=0.005)
    assert found.N[0] == pytest.approx(7.22e10, rel=2e-3)


def test_regret_is_brute_force_for_a_law_without_closed_form() -> None:
    nested = law("nested")(E=1.2, q=0.6, A=30.0, B=60.0, alpha=0.25, beta=0.3)
    C, N = 1e23, 4e9

    def loss(log_n: Any, log_c: Any) -> Any:
        size = 30.0 * np.exp(-0.25 * log_n)
        data = 60.0 * (np.exp(log_c - log_n) / 6) ** -0.3
        return 1.2 + (size ** (1 / 0.6) + data ** (1 / 0.6)) ** 0.6

    def least(log_c: Any) -> Any:
        options: Any = {"xatol": 1e-11}
        return minimize_scalar(
            loss, bounds=(10, 40), args=(log_c,), method="bounded", options=options
        ).fun

    found = decide(nested, C, N)
    L = loss(np.log(N), np.log(C))
    assert found.regret[1] == pytest.approx(L - least(np.log(C)), rel=1e-6)
    equal = brentq(lambda log_c: least(log_c) - L, np.log(C) - 9, np.log(C), xtol=1e-13)
    assert found.overspend[1] == pytest.approx(np.exp(np.log(C) - equal), rel=1e-6)


def test_overspend_is_brute_force_where_the_exponent_drifts() -> None:
    # Counted without embeddings, N* is no power of the budget.
    rule, C, N = NonEmbedding(), 1e20, 3e8
    E, alpha, beta, A, B = (float(value) for value in POINT.values().values())

    def loss(log_n: Any, log_c: Any) -> Any:
        D = np.exp(log_c) / float(rule.per_token(np.exp(log_n)))
        return E + A * np.exp(-alpha * log_n) + B * D**-beta

    def least(log_c: Any) -> Any:
        options: Any = {"xatol": 1e-11}
        return minimize_scalar(
            loss, bounds=(14, 30), args=(log_c,), method="bounded", options=options
        ).fun

    with jax.enable_x64(True):
        found = decide(POINT, C, N, counting=rule)
        L = loss(np.log(N), np.log(C))
        equal = brentq(lambda log_c: least(log_c) - L, np.log(C) - 9, np.log(C), xtol=1e-13)
    assert found.overspend[1] == pytest.approx(np.exp(np.log(C) - equal), rel=1e-6)


def test_nested_overspend_is_steeper_by_one_over_q() -> None:
    nested = law("nested")(E=1.2, q=0.5, A=30.0, B=60.0, alpha=0.25, beta=0.3)
    best = solver.solve(nested, BUDGETS[:1], SixND())
    z = 0.05
    found = decide(nested, BUDGETS[0], float(best.N[0] * np.exp(z)))
    assert found.overspend[1] - 1 == pytest.approx((0.25 + 0.3) / 0.5 * z**2 / 2, rel=0.02)


def test_equal_budgets_are_found_on_both_sides_and_missed_where_there_is_none() -> None:
    point = golden()
    budgets = Spending(BUDGETS, SixND(), {}, np.inf)
    for more, factor in ((False, 1e-5), (False, 0.3), (True, 7.0), (True, 1e5)):
        asked = solver.solve(point, BUDGETS * factor, SixND()).L
        found = equal_budget(point, asked, budgets, np.arange(2), more=more)
        assert found == pytest.approx(np.log(BUDGETS * factor), abs=1e-7)
    below = np.full(2, point.E)
    assert np.all(equal_budget(point, below, budgets, np.arange(2), more=True) == np.inf)


def test_value_of_perfect_information_is_what_simulation_finds() -> None:
    """Nature draws a law; the plan made without and with that knowledge is bought."""
    rng = np.random.default_rng(3)
    draws = scattered(0.4, 4000, seed=1)
    found = decide(draws, 5.76e23)
    alpha, beta = 0.3434, 0.3598
    # Simulated by closed form: ln N* is normal, so the overspend follows from z alone. The mean
    # that the plan balances is that of the regret, weighted by R*.
    z = np.log(found.N[0] / golden_n_star()) - 0.4 * rng.standard_normal(200_000)
    share = (beta * np.expm1(-alpha * z) + alpha * np.expm1(beta * z)) / (alpha + beta)
    wasted = 1 - (1 + share) ** (-(alpha + beta) / (alpha * beta))
    error = wasted.std() * np.sqrt(1 / 200_000 + 1 / 4000)
    assert found.wasted[0] / 5.76e23 == pytest.approx(wasted.mean(), abs=4 * error)


def golden_n_star() -> float:
    return float(solver.solve(golden(), BUDGETS[:1], SixND()).N[0])


def test_the_best_plan_makes_its_risk_least() -> None:
    draws = scattered(0.5, 400)
    budgets = Spending(BUDGETS[:1], SixND(), {}, np.inf)
    optimum = budgets.solve(draws)

    def of(N: Any) -> Any:
        return worth(draws, np.array([N]), budgets, np.zeros(1, int), optimum).regret.ravel()

    def cvar(values: Any) -> Any:
        tail = np.sort(values)[int(0.9 * len(values)) :]  # the worst 40 of 400
        return tail.mean()

    measures: dict[Risk, Callable[[Any], Any]] = {
        "mean": np.mean,
        "quantile": lambda v: np.quantile(v, 0.9),
        "cvar": cvar,
    }
    for name, measure in measures.items():
        N = best_size(draws, budgets, optimum, name, 0.9)[0]
        here = measure(of(N))
        for factor in (0.9, 0.99, 1.01, 1.1):
            assert here <= measure(of(N * factor)) * (1 + 1e-9), name


def test_plans_are_read_in_every_spelling(posterior: Any) -> None:
    shape = Shape(8192, 80, 64, 2048, 32000)
    found = decide(
        posterior, 1e24, ["70B", 70e9, "20tpp", "kaplan-2020", "70B:1.4T", "run 3", shape]
    )
    at = {plan: row for row, plan in enumerate(found.plans)}
    assert list(at) == ["best", "70.0B", "20tpp", "kaplan-2020", "64.7B", "70.0B:1.40T", "run 3"]
    assert found.D[at["20tpp"]] / found.N[at["20tpp"]] == pytest.approx(20)
    assert found.N[at["kaplan-2020"]] == pytest.approx(1.3e9 * (1e24 / 8.64e19) ** 0.73)
    assert found.C[at["70.0B:1.40T"]] == pytest.approx(6 * 70e9 * 1.4e12)
    row = posterior.runs.row_numbers == 3
    assert found.N[at["run 3"]] == posterior.runs.N[row]
    assert found.D[at["run 3"]] == pytest.approx(posterior.runs.D[row])
    assert found.C[at["64.7B"]] == 1e24


def test_a_published_rule_is_the_optimum_of_its_law(posterior: Any) -> None:
    found = decide(posterior, BUDGETS, "hoffmann-2022")
    published = law("chinchilla").published["hoffmann-2022"].law
    assert found.N[[1, 3]] == pytest.approx(solver.solve(published, BUDGETS, SixND()).N)


def test_plans_that_cannot_be_are_named_and_the_rest_is_answered(posterior: Any) -> None:
    found = decide(posterior, 1e20, ["1B", "400B", "1e22"], max_params=100e9)
    assert found.plans == ["best", "1.00B"]
    said = {note.of: str(note.text) for note in found.notes}
    assert "more than max_params" in said["400B at 1e20 FLOP"]
    with pytest.raises(InputError, match=r"did you mean hoffmann-2022"):
        decide(posterior, 1e20, "hofmann-2022")
    with pytest.raises(InputError, match="rows 1 to 20"):
        decide(posterior, 1e20, "run 21")


def test_plans_that_train_nothing_are_named_and_the_rest_is_answered(posterior: Any) -> None:
    empty: list[Any] = ["7B:0", "0B", "0:1B", "0tpp", (7e9, 0.0), -1.0]
    found = decide(posterior, [1e21, 1e22], [*empty, "20tpp"])
    assert list(found.plans) == ["best", "20tpp", "best", "20tpp"]
    left_out = {note.of: str(note.text) for note in found.notes if note.code == "left_out"}
    tokens = "left out, for it trains on less than one token"
    size = "left out, for it has less than one parameter"
    assert left_out == {
        "7.00B:0": tokens,
        "0": size,
        "0:1.00B": size,
        "0tpp": tokens,
        "-1.00": size,
    }


def test_tokens_that_no_model_leaves_are_no_plan(posterior: Any) -> None:
    found = decide(posterior, 1e13, "100T")
    assert found.plans == ["best"]
    assert "single token" in str(found.notes[0].text)


def test_money_and_hours_follow_the_waste(posterior: Any) -> None:
    costs = Costs.of("h100", mfu=0.4, price=2.0)
    found = decide(posterior, "$2M", "20tpp", costs=costs)
    assert costs.money(found.C[0]) == pytest.approx(2e6)
    share = 1 - 1 / found.overspend
    assert found.wasted == pytest.approx(found.C * share.mean(axis=(0, 1)))
    row = json.loads(json.dumps(found.as_json(), allow_nan=False))["plans"][1]
    assert row["wasted_money"] == pytest.approx(costs.money(found.wasted[1]))
    assert row["overspend"]["q50"] == pytest.approx(np.median(found.overspend[..., 1]))
    assert "[$]" in str(found)


def test_serving_counts_where_the_budget_pays_for_it(posterior: Any) -> None:
    rule = WithInference(SixND(), 5e12)
    whole = decide(posterior, 1e24, "30B", counting=rule)
    assert pytest.approx(rule.tokens(whole.N, 1e24)) == whole.D
    assert whole.N[0] < decide(posterior, 1e24).N[0]
    short = decide(posterior, 1e24, ["1T", "100000T"], counting=rule)
    (why, _) = (str(note.text) for note in short.notes if note.code == "left_out")
    assert "serving 1.00T parameters alone costs 1e25 FLOP, more than the budget" in why


def test_laws_of_further_inputs_take_them(posterior: Any) -> None:
    point = law("data_constrained").published["muennighoff-2023"].law
    found = decide(point, [1e21, 1e22], "20tpp", U=[1e9, 1e10])
    assert np.all(found.overspend >= 1)
    with pytest.raises(InputError, match="one budget after the other"):
        decide(point, [1e21, 1e22], "7B:1T", U=[1e9, 1e10])


def test_exact_counts_of_shapes(posterior: Any) -> None:
    shape = Shape(2048, 24, 16, 2048, 32000)
    found = decide(
        posterior,
        1e22,
        shape,
        counting=lambda N, D: float(exact_flops(shape)) / shape.parameters * N * D,
    )
    assert found.D[1] == pytest.approx(1e22 / exact_flops(shape))


def test_first_order_index_of_a_sum_and_of_a_square() -> None:
    rng = np.random.default_rng(0)
    x, y, idle = rng.standard_normal((3, 100_000))
    found = first_order(2 * x + y, {"x": x, "y": y, "idle": idle, "pinned": np.ones(100_000)})
    # Var = 4 + 1, of which bins keep what lies between them.
    density = norm.pdf(norm.ppf(np.linspace(0, 1, BINS + 1)))
    kept = np.mean((BINS * np.diff(density)) ** 2)
    assert found["x"] == pytest.approx(0.8 * kept, abs=0.005)
    assert found["y"] == pytest.approx(0.2 * kept, abs=0.005)
    assert found["idle"] == pytest.approx(0.0, abs=0.002)
    assert "pinned" not in found
    even = rng.uniform(-1.0, 1.0, 100_000)  # whose square has the variance 4 / 45
    square = first_order(even**2 + np.sqrt(2 / 45) * y, {"even": even})
    assert square["even"] == pytest.approx(2 / 3, abs=0.01)


def test_the_parameter_that_moves_the_optimum_is_named() -> None:
    found = decide(scattered(0.4, 4000), 5.76e23, "20tpp")
    assert [hinge[0] for hinge in found.hinges if hinge] == ["A", "A"]
    # All of it, but for what varies within bins: most of all in the tails of a square.
    assert min(hinge[1] for hinge in found.hinges if hinge) > 0.85


def test_what_lies_beyond_the_runs_is_said(posterior: Any) -> None:
    text = str(decide(posterior, 1e21, ["1000tpp"]))
    assert "D/N 1000 is 50 times the largest run (20.0)" in text
    assert decide(posterior, 1e20).notes == []


def test_draws_come_as_xarray(posterior: Any) -> None:
    found = decide(posterior, 1e21, "20tpp").to_xarray()
    assert found["overspend"].dims == ("chain", "draw", "plan")
    assert list(found["plan"].values) == ["best", "20tpp"]


def test_levels_are_shares() -> None:
    with pytest.raises(InputError, match="not a share"):
        decide(POINT, 1e21, level=90)


def test_a_decision_is_frozen(posterior: Any) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        decide(posterior, 1e21).risk = "cvar"  # type: ignore[misc]


def test_runs_of_other_inputs_have_no_tokens_per_parameter(posterior: Any) -> None:
    posterior.runs = Runs.from_columns({"N": posterior.runs.N, "L": posterior.runs.L})
    assert "D/N" not in str(decide(posterior, 1e24).notes)
