"""The solver against closed forms, published optima and SciPy."""

import functools
import itertools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize, minimize_scalar

from scalingfit._arrays import Number
from scalingfit.allocation import (
    Custom,
    NonEmbedding,
    SixND,
    WithEmbedding,
    WithInference,
    cheapest,
    counting,
    frontier,
    non_embedding,
    with_embedding,
)
from scalingfit.allocation.solver import solve
from scalingfit.catalog import law
from scalingfit.declare import Law

BUDGETS = np.array([1e19, 1e21, 5.76e23, 3.8e25])
Chinchilla = law("chinchilla")


def closed_form(values: Any, C: Any) -> Any:
    """N*, a and L* of Hoffmann et al. 2022, equation 4."""
    E, A, B, alpha, beta = (
        np.asarray(values[name])[..., None] for name in ("E", "A", "B", "alpha", "beta")
    )
    a = beta / (alpha + beta)
    G = (alpha * A / (beta * B)) ** (1 / (alpha + beta))
    L = E + (A * G**-alpha + B * G**beta) * (C / 6) ** -(alpha * a)
    return G * (C / 6) ** a, a, L


# Besiroglu et al. 2024 and Muennighoff et al. 2023, the unrounded log-parameters in their code.
UNROUNDED = {
    "besiroglu": (6.17795598, 7.64273236, 0.59711196, 0.34781303, 0.36585412),
    "muennighoff": (6.255414, 7.3049974, 0.6254804, 0.3526596, 0.3526596),
}


def unrounded(name: Any) -> Any:
    a, b, e, alpha, beta = UNROUNDED[name]
    return Chinchilla(E=np.exp(e), A=np.exp(a), B=np.exp(b), alpha=alpha, beta=beta)


@pytest.mark.parametrize(
    ("point", "ratios", "N"),
    [
        (Chinchilla.published["hoffmann-2022"].law, [32, 50, 92.6, 139], 3.22e10),
        (Chinchilla.published["hoffmann-2022-unrounded"].law, [22.7, 33.9, 58.9, 84.8], 4.036e10),
        (unrounded("besiroglu"), [24.2, 21.5, 18.3, 16.5], 7.236e10),
        (unrounded("muennighoff"), [19.6, 19.6, 19.6, 19.6], 6.996e10),
    ],
)
def test_published_constants_give_their_known_optima(
    point: Any, ratios: list[Any], N: float
) -> None:
    found = solve(point, BUDGETS, SixND())
    np.testing.assert_allclose(found.D / found.N, ratios, rtol=0.005)
    assert found.N[2] == pytest.approx(N, rel=0.001)


def test_many_draws_meet_the_closed_form(chinchilla: Callable[..., Law]) -> None:
    # Many draws, because root finding that fails does so on one draw in a thousand.
    draws = chinchilla((4, 2500), spread=0.1)
    found = solve(draws, BUDGETS, SixND())
    N, a, L = closed_form(draws.values(), BUDGETS)
    assert found.N.shape == (4, 2500, 4)
    assert found.N.dtype == np.float64
    assert np.max(np.abs(found.N / N - 1)) < 1e-12
    assert np.max(np.abs(found.D * 6 * N / BUDGETS - 1)) < 1e-12
    assert np.max(np.abs(found.L / L - 1)) < 1e-14
    assert np.max(np.abs(found.a - a)) < 1e-10
    assert np.max(np.abs(found.a + found.b - 1)) < 1e-10
    assert not found.lowest.any()
    assert not found.highest.any()


@settings(deadline=None, max_examples=100)
@given(
    alpha=st.floats(0.05, 1.0),
    beta=st.floats(0.05, 1.0),
    size=st.floats(-3, 1),
    data=st.floats(-3, 1),
    C=st.floats(1e17, 1e27),
)
def test_any_constants_meet_the_first_order_condition(
    alpha: Any, beta: Any, size: Any, data: Any, C: Any
) -> None:
    # The terms are 10^size and 10^data at N = 1e9 and D = 3e10.
    A, B = 10**size * 1e9**alpha, 10**data * 3e10**beta
    found = solve(Chinchilla(E=1.7, A=A, B=B, alpha=alpha, beta=beta), np.array([C]), SixND())
    N = closed_form({"E": 1.7, "A": A, "B": B, "alpha": alpha, "beta": beta}, C)[0]
    if 1 < N < C / 6:
        gain = beta * B * found.D**-beta
        assert alpha * A * found.N**-alpha == pytest.approx(gain, rel=1e-11)
        np.testing.assert_allclose(found.N, N, rtol=1e-10)
    else:
        assert (found.lowest | found.highest).all()


def test_leaves_of_any_shape_agree(chinchilla: Callable[..., Law]) -> None:
    draws = chinchilla((3, 2, 5))
    one = jax.tree.map(lambda leaf: leaf[2, 1, 3], draws)
    assert solve(draws, BUDGETS, SixND()).N[2, 1, 3] == pytest.approx(
        solve(one, BUDGETS, SixND()).N, rel=1e-13
    )


def test_another_number_of_budgets_changes_nothing(chinchilla: Callable[..., Law]) -> None:
    few, many = (solve(chinchilla((4, 5)), BUDGETS[:n], SixND()) for n in (3, 4))
    assert few.N.shape == (4, 5, 3)
    assert np.array_equal(few.N, many.N[..., :3])


def test_configuration_is_left_alone(chinchilla: Callable[..., Law]) -> None:
    solve(chinchilla(), BUDGETS, SixND())
    assert not jax.config.jax_enable_x64


# Pearce & Song 2024: the constants of Epoch's and of Hoffmann's fit, as in their script.
PEARCE = {
    "epoch": {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658},
    "chinchilla": {"E": 1.6934, "A": 406.4, "B": 410.7, "alpha": 0.3392, "beta": 0.2849},
}


@pytest.mark.parametrize("constants", PEARCE)
def test_non_embedding_optimum_is_pearce_and_songs(constants: str) -> None:
    omega = 47491.0
    values = PEARCE[constants]
    A, B, alpha, beta = (values[name] for name in ("A", "B", "alpha", "beta"))
    N = np.logspace(2.9, 9.2, 20)
    size = (N + omega * N ** (1 / 3)) ** ((1 + alpha) / beta)
    slope = (N + omega / 3 * N ** (1 / 3)) ** (-1 / beta)
    C = 6 * N * slope * size * (beta * B / (alpha * A)) ** (1 / beta)
    found = solve(Chinchilla(**values), C, NonEmbedding(omega))
    assert non_embedding(found.N, omega) == pytest.approx(N, rel=1e-8)
    # d log N_E / d log C, against the derivative of the analytic curve.
    root = N ** (2 / 3)
    steep = (1 + alpha) * (root + omega / 3) / (root + omega)
    inverse = 1 + (steep - (root + omega / 9) / (root + omega / 3)) / beta
    assert found.a == pytest.approx(1 / inverse, rel=1e-6)
    assert found.a + found.b == pytest.approx(1.0)


@pytest.mark.parametrize(("constants", "published"), [("epoch", 0.7805), ("chinchilla", 0.7388)])
def test_the_exponent_of_the_counted_n_is_pearce_and_songs(
    constants: str, published: float
) -> None:
    """Over the budgets of Pearce & Song's script; theirs is a line through the best of 20 models,
    whose raggedness is worth 0.006 (see the test of `choose` on the same models)."""
    C = np.logspace(12.95, 20.7, 100)
    a = solve(Chinchilla(**PEARCE[constants]), C, NonEmbedding()).a
    log_c = np.log(C)
    log_n = np.concatenate([[0.0], np.cumsum(0.5 * (a[1:] + a[:-1]) * np.diff(log_c))])
    assert np.polyfit(log_c, log_n, 1)[0] == pytest.approx(published, abs=0.006)


def test_a_function_is_solved_like_the_rule_it_states(chinchilla: Callable[..., Law]) -> None:
    draws = chinchilla((2, 3))
    rule = Custom(lambda N, D: 6 * N * D)
    by_rule, by_function = solve(draws, BUDGETS, SixND()), solve(draws, BUDGETS, rule)
    np.testing.assert_allclose(by_function.N, by_rule.N, rtol=1e-10)
    assert by_function.a == pytest.approx(by_rule.a, rel=1e-8)


@pytest.mark.parametrize("unit", [8.64e19, 1e-9])
def test_a_cost_may_be_in_any_unit(unit: float) -> None:
    """Petaflop days, or nanoflop: the optimum is the same, and so is the way back."""
    point, C = law("chinchilla").published["hoffmann-2022"].law, np.array([1e18, 1e24])

    def cost(N: Number, D: Number, unit: float) -> Number:
        return 6 * N * D / unit

    known, found = (
        solve(point, C / each, counting(functools.partial(cost, unit=each))) for each in (1.0, unit)
    )
    for name in ("N", "D", "L", "a", "b"):
        np.testing.assert_allclose(getattr(found, name), getattr(known, name), rtol=1e-6)
    back = cheapest(point, found.L, counting=lambda N, D: 6 * N * D / unit)
    np.testing.assert_allclose(back.draws["C"] * unit, C, rtol=1e-5)


def test_fit_on_non_embedding_parameters_pays_for_the_embedding() -> None:
    omega = 47491.0
    point = unrounded("besiroglu")
    found = solve(point, BUDGETS, WithEmbedding(omega))
    assert 6 * with_embedding(found.N, omega) * found.D == pytest.approx(BUDGETS)
    # dL = 0 along the budget, where d log D = -(d log N_T / d log N_E) d log N_E.
    dearer = (found.N + omega / 3 * np.cbrt(found.N)) / with_embedding(found.N, omega)
    size = point.alpha * point.A * found.N**-point.alpha
    assert size == pytest.approx(dearer * point.beta * point.B * found.D**-point.beta, rel=1e-10)


def test_serving_meets_the_first_order_condition() -> None:
    served = 1e13
    point = unrounded("besiroglu")
    found = solve(point, np.array([1e24, 1e25]), WithInference(SixND(), served))
    size = point.alpha * point.A * found.N**-point.alpha
    data = point.beta * point.B * found.D**-point.beta
    # Sardana et al. 2024, arXiv 2401.00448: the condition behind equation 12.
    assert size / data == pytest.approx(1 + served / (3 * found.D), rel=1e-10)


@pytest.mark.parametrize("U", [1e9, 1e10, 1e11])
def test_data_constrained_optimum_is_scipys(U: float) -> None:
    point = law("data_constrained").published["muennighoff-2023"].law
    C = np.array([1e20, 1e21, 1e22])
    found = solve(point, C, SixND(), extras={"U": np.full(3, U)})
    for row, budget in enumerate(C):
        with jax.enable_x64(True):
            best = min(
                (
                    minimize_scalar(
                        lambda x, C=budget: float(point.loss(np.exp(x), C / 6 / np.exp(x), U)),
                        bounds=(low, low + 1),
                        method="bounded",
                        options={"xatol": 1e-10},
                    )
                    for low in np.arange(16.0, 30.0)
                ),
                key=lambda result: result.fun,
            )
        assert found.L[row] <= best.fun * (1 + 1e-14)
        assert found.L[row] == pytest.approx(best.fun, rel=1e-12)


def test_unlimited_unique_tokens_leave_chinchillas_optimum() -> None:
    point = law("data_constrained").published["muennighoff-2023"].law
    C = np.array([1e20, 5.76e23, 1e25])
    found = solve(point, C, SixND(), extras={"U": np.full(3, 1e18)})
    N, _, L = closed_form(point.values(), C)
    np.testing.assert_allclose(found.N, N, rtol=1e-10)
    np.testing.assert_allclose(found.L, L, rtol=1e-13)
    np.testing.assert_allclose(found.D / found.N, 19.6, rtol=0.005)
    # With fewer, each token is seen more often, and by a smaller model.
    scarce = solve(point, C, SixND(), extras={"U": N * 19.6 / [5.0, 10.0, 20.0]})
    assert np.all(scarce.N < N)
    assert np.all(scarce.L > L)


Vocabulary = law("vocabulary")


def test_a_size_in_two_parts_is_split_where_each_saves_the_same() -> None:
    rng = np.random.default_rng(0)
    values = Vocabulary.published["tao-2024"].values
    draws = {k: v * np.exp(0.02 * rng.standard_normal((200, 1))) for k, v in values.items()}
    law = Vocabulary(**{name: draw[:, 0] for name, draw in draws.items()})
    C = np.array([1e18, 1e24])
    found = solve(law, C, SixND())
    N_nv, N_v = found.parts["N_nv"], found.parts["N_v"]
    np.testing.assert_allclose(found.N, N_nv + N_v, rtol=1e-14)
    # One parameter more saves the same in either part, and what its tokens would.
    saved = draws["beta"] * draws["B"] * found.D ** -draws["beta"] / found.N
    for N, alpha, A in ((N_nv, "alpha1", "A1"), (N_v, "alpha2", "A2")):
        np.testing.assert_allclose(
            draws[alpha] * draws[A] * N ** (-draws[alpha] - 1), saved, rtol=1e-11
        )
    # So vocabularies grow more slowly than the rest.
    grown = np.log(N_v[:, 1] / N_v[:, 0]) / np.log(N_nv[:, 1] / N_nv[:, 0])
    np.testing.assert_allclose(grown, ((1 + draws["alpha1"]) / (1 + draws["alpha2"]))[:, 0])
    assert np.all(grown < 1)
    for row, budget in enumerate(C):  # the first draw, with SciPy's search in the plane

        def loss(logs: Any, C: Any = budget) -> Any:
            sizes = np.exp(logs)
            E, alpha1, alpha2, beta, A1, A2, B = (draw[0, 0] for draw in draws.values())
            data = B * (C / 6 / sizes.sum()) ** -beta
            return -E + A1 * sizes[0] ** -alpha1 + A2 * sizes[1] ** -alpha2 + data

        best = minimize(loss, np.log([1e8, 1e7]), method="Nelder-Mead", options={"xatol": 1e-6})
        assert best.success
        assert found.L[0, row] == pytest.approx(best.fun, abs=1e-9)
        np.testing.assert_allclose(np.log([N_nv[0, row], N_v[0, row]]), best.x, atol=1e-3)


def test_the_largest_model_allowed_binds(chinchilla: Callable[..., Law]) -> None:
    found = solve(chinchilla((2, 3)), BUDGETS, SixND(), max_params=1e10)
    assert np.all(found.N <= 1e10)
    assert np.array_equal(found.highest[0, 0], [False, False, True, True])
    assert found.a[..., 2:] == pytest.approx(0.0, abs=1e-10)
    assert found.b[..., 2:] == pytest.approx(1.0)


KAPLAN = law("kaplan_steps").published["kaplan-2020-table-3"].law
ROUNDED = {"alpha_N": 5e-4, "alpha_S": 5e-3, "alpha_B": 5e-3, "N_c": 5e11, "S_c": 50, "B_star": 5e6}
"""Half a unit in the last digit of each of his constants."""

PF_DAY = 8.64e19


def kaplans_exponents(point: Any) -> Any:
    """Of N, batch and S: Kaplan et al. 2020, arXiv 2001.08361, equations 1.7 and 1.8."""
    alpha_C = 1 / (1 / point.alpha_S + 1 / point.alpha_B + 1 / point.alpha_N)
    return np.array([alpha_C / point.alpha_N, alpha_C / point.alpha_B, alpha_C / point.alpha_S])


def kaplans_optimum(point: Any, N: Any) -> Any:
    """C, L, batch and S where N is best at the critical batch size, after his appendix B.

    Along a budget N S_min B_crit(L) is fixed, and L is least where alpha_N times the first term of
    the law is alpha_S times the second.
    """
    first = (point.N_c / N) ** point.alpha_N
    second = point.alpha_N / point.alpha_S * first
    L = first + second
    batch = point.B_star / L ** (1 / point.alpha_B)
    S = 2 * point.S_c * second ** (-1 / point.alpha_S)
    return 6 * N * S * batch, L, batch, S


def test_kaplans_frontier_has_his_exponent() -> None:
    # At a vanishing batch size the budget is C_min.
    C = np.array([1e20, 1e22, 1e24])
    found = solve(KAPLAN, C, SixND(), extras={"batch": np.full(3, 1e-3)})
    a = kaplans_exponents(KAPLAN)[0]
    assert found.a == pytest.approx(a, rel=1e-6)
    assert found.b == pytest.approx(1 - a, rel=1e-6)
    # At the critical batch size the same model and loss cost twice as much.
    critical = solve(KAPLAN, 2 * C, SixND())
    np.testing.assert_allclose(critical.N, found.N, rtol=1e-5)
    np.testing.assert_allclose(critical.L, found.L, rtol=1e-6)
    np.testing.assert_allclose(critical.D, 2 * found.D, rtol=1e-5)


def test_kaplans_frontier_at_the_critical_batch_size_is_his_closed_form() -> None:
    rng = np.random.default_rng(0)
    scattered = {k: v * np.exp(0.1 * rng.standard_normal(50)) for k, v in KAPLAN.values().items()}
    N = np.geomspace(1e6, 1e12, 50)
    point = law("kaplan_steps")(**scattered)
    C, L, batch, S = kaplans_optimum(point, N)
    # Each draw at its own budget: the diagonal.
    found = frontier(point, C, batch="critical")
    mine = {name: np.diagonal(values) for name, values in found.draws.items()}
    for name, value in {"N": N, "L": L, "batch": batch, "S": S, "D": S * batch}.items():
        assert mine[name] == pytest.approx(value, rel=1e-8)
    exponents = np.array([mine[name] for name in ("a", "batch_exponent", "S_exponent")])
    assert exponents == pytest.approx(kaplans_exponents(point), rel=1e-6)
    # And the law by itself, told that batch size and those steps, has that loss.
    with jax.enable_x64(True):
        assert np.asarray(point.loss(N, S, batch)) == pytest.approx(L, rel=1e-12)
    assert found.provenance["batch"] == "critical"
    assert list(found.asked) == ["C"]


def test_kaplans_laws_do_not_give_his_trends() -> None:
    # Appendix A of Kaplan et al. 2020, arXiv 2001.08361, drawn through the best models found at
    # each budget: C is C_min in PF-days, half of what training at the critical batch size costs.
    C = np.array([1e-6, 1.0])
    found = frontier(KAPLAN, 2 * PF_DAY * C, batch="critical").draws
    mine = {"N": found["N"], "batch": found["batch"], "S": found["S"] / 2, "D": found["D"]}
    trends = {"N": (1.3e9, 0.73), "batch": (2e6, 0.24), "S": (5.4e3, 0.03), "D": (2e10, 0.27)}
    ratios = {name: mine[name] / (k * C**power) for name, (k, power) in trends.items()}
    # The law has fewer parameters, trained for longer, the more so the larger the budget.
    expected = {"N": (0.882, 0.450), "batch": (0.818, 0.936), "S": (1.42, 2.44), "D": (1.26, 2.46)}
    for name, ratio in ratios.items():
        assert ratio == pytest.approx(expected[name], rel=0.005), name
    exponents = [found[name][0] for name in ("a", "batch_exponent", "S_exponent")]
    assert exponents == pytest.approx([0.681, 0.250, 0.069], abs=5e-4)


def test_rounding_does_not_make_kaplans_laws_give_his_trends() -> None:
    either = [(value - ROUNDED[k], value + ROUNDED[k]) for k, value in KAPLAN.values().items()]
    corners = [
        law("kaplan_steps")(**dict(zip(ROUNDED, v, strict=True)))
        for v in itertools.product(*either)
    ]
    exponents = np.array([kaplans_exponents(point) for point in corners])
    # His trends have 0.73, 0.24 and 0.03, printed to two digits.
    assert exponents.min(axis=0) == pytest.approx([0.6754, 0.2442, 0.0679], abs=1e-4)
    assert exponents.max(axis=0) == pytest.approx([0.6869, 0.2555, 0.0702], abs=1e-4)
    # Nor is it the scale: at 1 PF-day N lies between 0.39 and 0.52 times his 1.3e9, ...
    at_one = [float(frontier(p, 2 * PF_DAY, batch="critical").N[0]) / 1.3e9 for p in corners]
    assert (min(at_one), max(at_one)) == pytest.approx((0.390, 0.520), abs=0.001)
    # ... and only below 1e-5 PF-days could it be his.
    at_least = [float(frontier(p, 2e-6 * PF_DAY, batch="critical").N[0]) for p in corners]
    assert min(at_least) < 1.3e9 * 1e-6**0.73 < max(at_least)
