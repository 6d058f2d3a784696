"""Each law against its paper."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

from scalingfit.catalog import law
from tests.models import RANGES, RUNS, inputs, point, prior_draws


@pytest.fixture(autouse=True)
def _double_precision() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


def test_kaplan_with_unlimited_data_or_parameters_is_a_power_law_in_the_other() -> None:
    kaplan = point("kaplan", "kaplan-2020-table-2")
    N, D = np.geomspace(1e5, 1e12, 20), np.geomspace(1e7, 1e13, 20)
    np.testing.assert_allclose(kaplan.loss(N, 1e60), (6.4e13 / N) ** 0.076, rtol=1e-9)
    np.testing.assert_allclose(kaplan.loss(1e60, D), (1.8e13 / D) ** 0.103, rtol=1e-9)
    direct = ((6.4e13 / N) ** (0.076 / 0.103) + 1.8e13 / D) ** 0.103
    np.testing.assert_allclose(kaplan.loss(N, D), direct, rtol=1e-12)


def test_chinchilla_with_unlimited_data_or_parameters_keeps_the_other_term() -> None:
    N, D = np.geomspace(1e5, 1e12, 20), np.geomspace(1e7, 1e13, 20)
    for name in ("chinchilla", "nested"):
        law = point(name, "hoffmann-2022")
        np.testing.assert_allclose(law.loss(N, 1e60), 1.69 + 406.4 / N**0.34, rtol=1e-9)
        np.testing.assert_allclose(law.loss(1e60, D), 1.69 + 410.7 / D**0.28, rtol=1e-9)
        assert law.loss(1e60, 1e60) == pytest.approx(1.69, rel=1e-9)
    # Repeated for ever, U tokens are worth U (1 + R_D_star) fresh ones (to a model below N_opt).
    repeated = point("data_constrained", "muennighoff-2023")
    worth = D * (1 + repeated.R_D_star)
    fresh = repeated.loss(1e5, worth, worth)
    np.testing.assert_allclose(repeated.loss(1e5, 1e60, D), fresh, rtol=1e-9)


def test_kaplan_overfits_by_two_percent_at_the_data_the_paper_asks_for() -> None:
    """Equation 4.4: D of at least 5e3 N^0.74 keeps the loss within 0.02 of unlimited data."""
    kaplan, N = point("kaplan", "kaplan-2020-table-2"), np.geomspace(1e6, 1e10, 5)
    excess = kaplan.loss(N, 5e3 * N**0.74) / kaplan.loss(N, 1e60) - 1
    np.testing.assert_allclose(excess, 0.02, rtol=0.15)


def test_kaplan_in_one_quantity() -> None:
    assert point("kaplan_size", "kaplan-2020-eq-1.1").loss(8.8e13) == pytest.approx(1)
    assert point("kaplan_data", "kaplan-2020-eq-1.2").loss(5.4e13 / 2) == pytest.approx(2**0.095)
    pf_day = 1e15 * 24 * 3600
    compute = point("kaplan_compute", "kaplan-2020-eq-1.3")
    assert compute.loss(pf_day) == pytest.approx(3.1e8**0.05, rel=1e-12)
    fixed = point("kaplan_compute", "kaplan-2020-fixed-batch")
    assert fixed.loss(1e3 * pf_day) == pytest.approx(1.6e4**0.057, rel=1e-12)


def test_kaplan_steps_solves_its_equation() -> None:
    steps: Any = prior_draws("kaplan_steps").expand(1)
    N, S, batch = inputs("kaplan_steps").values()
    L = steps.loss(N, S, batch)
    S_min = steps.minimum_steps(L, S, batch)
    right = (steps.N_c / N) ** steps.alpha_N + (steps.S_c / S_min) ** steps.alpha_S
    np.testing.assert_allclose(L, right, rtol=1e-11)


def test_kaplan_trades_steps_against_tokens() -> None:
    steps: Any = point("kaplan_steps", "kaplan-2020-table-3")
    N, S, batch = 1e8, 1e5, np.geomspace(1e4, 1e8, 9)
    L = steps.loss(N, S, batch)
    S_min, C_min = steps.minimum_steps(L, S, batch), steps.minimum_compute(L, N, S, batch)
    tokens, tokens_min = S * batch, C_min / (6 * N)
    np.testing.assert_allclose((S / S_min - 1) * (tokens / tokens_min - 1), 1, rtol=1e-9)
    critical = steps.critical_batch(L)
    np.testing.assert_allclose(steps.minimum_steps(L, S, critical), S / 2)
    np.testing.assert_allclose(steps.minimum_compute(L, N, S, critical), 3 * N * S * critical)
    unlimited = (6.5e13 / N) ** 0.077 + (2.1e3 / S) ** 0.76
    assert steps.loss(N, S, 1e30) == pytest.approx(unlimited, rel=1e-12)


@pytest.mark.parametrize("name", ["kaplan_steps", "power_m4"])
def test_implicit_laws_have_exact_curvature(name: str) -> None:
    """Against central differences of the gradient, in the logarithms of the parameters."""
    given = {
        k: math.sqrt(low * high) for k, (low, high) in RANGES.items() if k in law(name).inputs()
    }
    names = list(law(name).parameters())
    middle = jnp.asarray([np.log(np.median(v)) for v in prior_draws(name).values().values()])

    def loss(logs: Any) -> Any:
        return law(name)(**dict(zip(names, jnp.exp(logs), strict=True))).loss(**given)

    gradient, step = jax.jit(jax.grad(loss)), 1e-5
    shifts = step * np.eye(len(names))
    differences = [(gradient(middle + s) - gradient(middle - s)) / (2 * step) for s in shifts]
    curvature = jax.jit(jax.hessian(loss))(middle)
    np.testing.assert_allclose(curvature, differences, atol=1e-8 * np.abs(curvature).max() + 1e-9)


def test_nested_holds_chinchilla_and_kaplan() -> None:
    given = {"N": inputs("nested")["N"], "D": inputs("nested")["D"]}
    for key in ("hoffmann-2022",):
        ours, theirs = point("nested", key), point("chinchilla", key)
        np.testing.assert_allclose(ours.loss(**given), theirs.loss(**given), rtol=1e-10)
    for drawn in (prior_draws("kaplan").expand(1),):
        nested = law("nested")(
            E=0.0,
            q=drawn.alpha_D,
            alpha=drawn.alpha_N,
            beta=drawn.alpha_D,
            A=drawn.N_c**drawn.alpha_N,
            B=drawn.D_c**drawn.alpha_D,
        )
        np.testing.assert_allclose(nested.loss(**given), drawn.loss(**given), rtol=1e-10)
    ours, theirs = point("nested", "kaplan-2020-table-2"), point("kaplan", "kaplan-2020-table-2")
    np.testing.assert_allclose(ours.loss(**given), theirs.loss(**given), rtol=1e-10)


def test_over_training_is_chinchilla_with_one_exponent() -> None:
    drawn, given = prior_draws("over_training").expand(1), inputs("over_training")
    shrunk = 6 ** (drawn.alpha / 2)
    chinchilla = law("chinchilla")(
        E=drawn.E, alpha=drawn.alpha, beta=drawn.alpha, A=drawn.a / shrunk, B=drawn.b / shrunk
    )
    np.testing.assert_allclose(drawn.loss(**given), chinchilla.loss(**given), rtol=1e-10)


def test_over_training_is_a_power_law_in_compute_at_fixed_tokens_per_parameter() -> None:
    gadre = point("over_training", "muennighoff-2023")
    N = np.geomspace(1e7, 1e11, 5)
    for M in (5.0, 20.0, 640.0):
        slope = np.diff(np.log(gadre.loss(N, M * N) - gadre.E)) / np.diff(np.log(6 * M * N**2))
        np.testing.assert_allclose(slope, -gadre.alpha / 2, rtol=1e-9)


def test_power_laws_nest() -> None:
    X, m1 = inputs("power")["X"], prior_draws("power_m1").expand(1)
    values = m1.values()
    np.testing.assert_allclose(law("power")(E=0.0, **values).loss(X), m1.loss(X), rtol=1e-12)
    m3 = law("power_m3")(gamma=1e-30, **values)
    np.testing.assert_allclose(m3.loss(X), m1.loss(X), rtol=1e-12)
    X = np.geomspace(1e3, 1e9, RUNS)
    m2 = law("power")(E=0.3, beta=2.0, c=0.4)
    m4 = law("power_m4")(E=0.3, beta=2.0, c=0.4, span=3.0, a=1e-11)
    np.testing.assert_allclose(m4.loss(X), m2.loss(X), rtol=1e-10)


def test_power_m4_solves_its_equation() -> None:
    drawn, X = prior_draws("power_m4").expand(1), np.geomspace(1e0, 1e13, 100)
    L, L_0 = np.asarray(drawn.loss(X)), np.asarray(drawn.E + drawn.span)
    share = (L - drawn.E) / drawn.span
    inside = np.asarray((share > 1e-4) & (share < 1 - 1e-4))
    assert inside.mean() > 0.3  # beyond, differences from the ends are lost to rounding
    E, a, log_beta, c, log_X = np.broadcast_arrays(
        drawn.E, drawn.a, np.log(drawn.beta), drawn.c, np.log(X)
    )
    left = np.log((L - E)[inside]) - a[inside] * np.log((L_0 - L)[inside])
    np.testing.assert_allclose(left, (log_beta - c * log_X)[inside], atol=1e-9)
    logistic = law("power_m4")(E=0.3, span=3.0, a=1.0, c=0.4, beta=2.0)
    t = 2.0 / X**0.4
    np.testing.assert_allclose(logistic.loss(X), (0.3 + 3.3 * t) / (1 + t), rtol=1e-12)


def test_broken_is_the_formula_of_the_paper() -> None:
    once, twice = prior_draws("broken").expand(1), prior_draws("broken_twice").expand(1)
    X = inputs("broken")["X"]

    def bnsl(a: Any, b: Any, c0: Any, *breaks: tuple[Any, Any, Any]) -> Any:
        y = b * X**-c0
        for c, d, f in breaks:
            power = (X / d) ** (1 / f)
            y = y * np.where(np.isfinite(power), 1 + power, np.nan) ** (-c * f)
        return a + y

    with np.errstate(over="ignore", invalid="ignore"):
        one = bnsl(once.a, once.b, once.c0, (once.c1, once.d1, once.f1))
        first, second = (
            (twice.c1, twice.d1, twice.f1),
            (twice.c2, twice.d1 * twice.apart, twice.f2),
        )
        two = bnsl(twice.a, twice.b, twice.c0, first, second)
    for found, expected in ((once.loss(X), one), (twice.loss(X), two)):
        ours, direct = np.asarray(found), np.asarray(expected)
        sound = np.isfinite(direct)  # the direct form overflows at sharp breaks
        assert sound.mean() > 0.8
        np.testing.assert_allclose(ours[sound], direct[sound], rtol=1e-9)


def test_broken_laws_nest() -> None:
    once, X = prior_draws("broken").expand(1), inputs("broken")["X"]
    values: dict[str, Any] = {**once.values(), "c1": 0.0}
    straight = law("broken")(**values)
    power = law("power")(E=once.a, beta=once.b, c=once.c0)
    np.testing.assert_allclose(straight.loss(X), power.loss(X), rtol=1e-10)
    twice = law("broken_twice")(**once.values(), c2=0.0, apart=10.0, f2=0.3)
    np.testing.assert_allclose(twice.loss(X), once.loss(X), rtol=1e-12)


def test_broken_fits_four_digit_addition(data_dir: Path) -> None:
    """Figure 4: the simulated curve of the authors' code follows the measured one."""
    runs = pd.read_csv(data_dir / "bnsl_4digit_addition.csv")
    simulated = point("broken", "caballero-2022-addition").loss(runs.x_train_examples.to_numpy())
    assert np.sqrt(np.mean((np.log(simulated) - np.log(runs.loss)) ** 2)) < 0.05


def huber(residuals: Any, delta: float = 1e-3) -> float:
    size = np.abs(np.asarray(residuals))
    return float(np.sum(np.where(size <= delta, size**2 / 2, delta * (size - delta / 2))))


def test_data_constrained_reaches_the_published_objective(data_dir: Path) -> None:
    runs = pd.read_csv(data_dir / "muennighoff_data_constrained.csv")
    runs = runs[runs.in_final_fit_182 == 1]
    columns = runs.params, runs.tokens, runs.unique_tokens
    N, D, U = (column.to_numpy(float) for column in columns)
    predicted = point("data_constrained", "muennighoff-2023").loss(N, D, U)
    objective = huber(np.log(predicted) - np.log(runs.loss.to_numpy()))
    assert objective == pytest.approx(0.015825936570763588, rel=1e-7)


def test_data_constrained_is_chinchilla_without_repetition() -> None:
    ours = point("data_constrained", "muennighoff-2023")
    chinchilla = law("chinchilla")(
        **{k: v for k, v in ours.values().items() if not k.startswith("R_")}
    )
    D = np.geomspace(1e8, 1e13, 11)
    N = D / 30  # at these constants D / N = 19.6 is compute-optimal at every budget
    np.testing.assert_allclose(ours.loss(N, D, D), chinchilla.loss(N, D), rtol=1e-12)
    np.testing.assert_allclose(ours.loss(N, D, 9 * D), chinchilla.loss(N, D), rtol=1e-12)
    assert np.all(ours.loss(N, 4 * D, D) > chinchilla.loss(N, 4 * D))
    assert np.all(ours.loss(N, 1e30, D) > ours.loss(N, 17 * D, 17 * D))


def test_data_constrained_agrees_with_a_direct_transcription() -> None:
    drawn, given = prior_draws("data_constrained").expand(1), inputs("data_constrained")
    N, D, U = given.values()
    alpha, beta, A, B = (np.asarray(getattr(drawn, k)) for k in ("alpha", "beta", "A", "B"))
    G = (alpha * A / (beta * B)) ** (1 / (alpha + beta))
    U_D = np.minimum(U, D)
    U_N = np.minimum(N, (U_D * G) ** (beta / alpha) * G)
    R_D, R_N = np.maximum(D / U_D - 1, 0), np.maximum(N / U_N - 1, 0)
    D_eff = U_D + U_D * drawn.R_D_star * (1 - np.exp(-R_D / drawn.R_D_star))
    N_eff = U_N + U_N * drawn.R_N_star * (1 - np.exp(-R_N / drawn.R_N_star))
    direct = drawn.E + A / N_eff**alpha + B / D_eff**beta
    np.testing.assert_allclose(drawn.loss(N, D, U), direct, rtol=1e-8)


def test_transfer_multiplies_data_as_published() -> None:
    """Section 6.2: one character to a model of 175e9 parameters is worth 3.7e8 and 4.1e9."""
    scratch = {"alpha_N": 0.08, "alpha_D": 0.1, "N_c": 1e13, "D_c": 1e13}
    for k, alpha, published in ((1.9e4, 0.18, 3.7e8), (2.1e5, 0.096, 4.1e9)):
        transfer: Any = law("transfer")(k=k, alpha=alpha, beta=0.38, **scratch)
        assert transfer.transferred(175e9, 1.0) == pytest.approx(published, rel=0.06)
        low = ((1e13 / 1e9) ** 0.8 + 1e13 / (k * 1e4**alpha * 1e9**0.38)) ** 0.1  # equation 6.1
        assert transfer.loss(1e9, 1e4) == pytest.approx(low, rel=1e-3)
    nothing = law("transfer")(k=1e-30, alpha=0.18, beta=0.38, **scratch)
    kaplan, given = law("kaplan")(**scratch), inputs("kaplan")
    np.testing.assert_allclose(nothing.loss(given["N"], given["D"]), kaplan.loss(**given))


@pytest.mark.parametrize(
    ("router", "rmse"), [("S-Base", 0.0038), ("RL-R", 0.0081), ("Hash", 0.0055)]
)
def test_routed_fits_the_published_runs(router: str, rmse: float, data_dir: Path) -> None:
    runs = pd.read_csv(data_dir / "clark_routing_moe.csv")
    runs = runs[(runs.is_final_step == 1) & (runs.seed == 42) & (runs.k == 1)]
    runs = runs[(runs.routing_frequency == 0.5) & (runs.router_type == router)]
    routed = point("routed", f"clark-2022-{router.lower()}")
    N, experts = runs.params.to_numpy(), runs.num_experts.to_numpy(float)
    residuals = np.log10(routed.loss(N, experts)) - np.log10(runs.loss)
    assert np.sqrt(np.mean(residuals**2)) == pytest.approx(rmse, abs=5e-5)


def test_routed_experts_help_most_where_models_are_small() -> None:
    for published in law("routed").published.values():
        N, experts = np.geomspace(1e6, 1e10, 6)[:, None], np.geomspace(1, 4096, 13)
        losses = np.asarray(published.law.loss(N, experts))
        assert np.all(np.diff(losses, axis=0) < 0)
        assert np.all(np.diff(losses, axis=1) < 0)
        assert np.all(np.diff(losses[:, -1] / losses[:, 0]) > 0)
        assert published.law.E_start == pytest.approx(_effective_experts(published.law, 1.0))


def _effective_experts(routed: Any, experts: float) -> float:
    """Experts at which the formula without saturation, at N = 1e8, gives the same loss."""
    return float(10 ** ((np.log10(routed.loss(1e8, experts)) - routed.d) / routed.b))


def test_vocabulary_fits_the_published_runs_in_its_own_count_of_data(data_dir: Path) -> None:
    runs = pd.read_csv(data_dir / "vocab_scaling.csv")
    runs = runs[runs.in_approach3_fit == 1]
    vocabulary = point("vocabulary", "tao-2024")
    v = np.log(runs.vocab_size / 1000)
    counted = runs.characters * (0.00639222 * v**2 - 0.15811069 * v + 1.20470122)

    def unexplained(D: pd.Series) -> float:
        columns = runs.params_non_vocab, runs.params_vocab, D
        predicted = vocabulary.loss(*(column.to_numpy(float) for column in columns))
        return float(np.mean((np.asarray(predicted) - runs.loss) ** 2) / np.var(runs.loss))

    assert unexplained(counted) < 0.03
    assert unexplained(runs.tokens) > 0.5  # see the conventions of the published point
