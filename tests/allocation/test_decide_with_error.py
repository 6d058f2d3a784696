"""Decisions under a law with an error: each draw is a function, judged by brute force."""

from typing import Any

import jax
import numpy as np
import pytest

import scalingfit as sf
from scalingfit.allocation import SixND, WithInference, decide, returns
from scalingfit.law_error import ErrorDraws, law_with_error
from tests.posteriors import grid, posterior_of

FINE, DECADE = 8001, np.log(10.0)


@pytest.fixture(scope="module")
def posterior() -> Any:
    return posterior_of(grid(), draws=400, tau=0.01)


def losses(law: Any, N: Any, C: float) -> Any:
    """Of every draw, at sizes (size,) and a budget, shape (draw, size)."""
    with jax.enable_x64(True):
        return np.asarray(law.expand(1).loss(N=N, D=C / (6 * N)))


def test_regret_and_overspend_are_those_of_brute_force(posterior: Any) -> None:
    C, plan = 1e21, 5e9
    some = np.arange(0, 400, 50)
    law = posterior.law.take(some)
    N = np.exp(np.linspace(np.log(5e7), np.log(2e11), FINE))
    least = losses(law, N, C)
    size = N[np.argmin(least, axis=1)]
    found = decide(law, C, plan)
    L = losses(law, np.array([plan]), C)[:, 0]
    # A step of the grid is 0.1 % of N: its least loss is high by less than 1e-7.
    assert found.regret[:, 1] == pytest.approx(L - least.min(axis=1), abs=1e-6)
    optimum = np.median(posterior_size(law.exact, C))
    within = np.abs(np.log(size / optimum)) < DECADE
    assert within.sum() >= 6
    equal = C / found.overspend[:, 1]
    for draw in np.flatnonzero(within):
        at = losses(law.take(np.array([draw])), N, equal[draw])
        assert at.min() == pytest.approx(L[draw], abs=1e-6)
    # Nothing nearer to the budget has that loss.
    for share in (0.25, 0.5, 0.75):
        between = [
            losses(law.take(np.array([draw])), N, C * (equal[draw] / C) ** share).min()
            for draw in np.flatnonzero(within)
        ]
        assert np.all(np.array(between) <= L[within] + 1e-6)


def posterior_size(law: Any, C: float) -> Any:
    """The closed form of Chinchilla's optimum."""
    G = (law.alpha * law.A / (law.beta * law.B)) ** (1 / (law.alpha + law.beta))
    return G * (C / 6) ** (law.beta / (law.alpha + law.beta))


def test_an_error_of_nothing_changes_nothing() -> None:
    exact = posterior_of(grid(), draws=400)
    shape = exact.law.E.shape
    places = np.log10(np.stack([exact.runs.N, exact.runs.D], axis=1))
    none = ErrorDraws.given(
        places[:3], np.zeros((*shape, 3)), np.zeros(shape), places, additive=False
    )
    plans = ["20tpp", "hoffmann-2022"]
    one, other = (
        decide(law, [1e21, 1e24], plans) for law in (exact.law, law_with_error(exact.law, none))
    )
    assert np.allclose(other.N, one.N, rtol=1e-4)
    assert other.regret == pytest.approx(one.regret, abs=1e-9)
    assert other.wasted == pytest.approx(one.wasted, rel=1e-4)


def test_what_a_plan_costs_hangs_on_the_error(posterior: Any) -> None:
    found = decide(posterior_of(grid(), draws=2000, tau=0.02), 1e22)
    (hinge,) = found.hinges[:1]
    assert hinge is not None
    name, share = hinge
    assert name == "error"
    assert 0.2 < share <= 1
    assert {hinge[0] for hinge in decide(posterior_of(grid()), 1e22).hinges if hinge} <= set(
        sf.law("chinchilla").parameters()
    )


def test_far_from_the_runs_it_says_what_plans_are_judged_against(posterior: Any) -> None:
    near, far = decide(posterior, 1e20, "20tpp"), decide(posterior, 1e26, ["20tpp", 50e9])
    codes = {note.code for note in far.notes}
    assert {"undetermined", "searched", "unsearched"} <= codes
    assert not {note.code for note in near.notes} & {"undetermined", "unsearched"}
    # A plan below all that was searched is the best there is.
    below = [note for note in far.notes if note.code == "unsearched"]
    row = [note.of.split(" at ")[0] for note in below].index("50.0B")
    plan = far.plans.index("50.0B")
    assert np.mean(far.regret[..., plan] == 0) == pytest.approx(below[row].share, abs=1e-12)


def test_the_price_of_a_loss_is_a_difference_of_frontiers(posterior: Any) -> None:
    C, step = 1e21, 1e-3
    found = returns(posterior, C, times=1)
    less, more = (sf.frontier(posterior, C * np.exp(side * step)).L[..., 0] for side in (-1, 1))
    slope = (more - less) / (2 * step)
    # Where two optima compete the slope jumps; nowhere else does it bend by a part in a hundred.
    same = np.isclose(-C / found.price[..., 0], slope, rtol=0.01, atol=1e-7)
    assert np.mean(same) > 0.97


def test_far_from_the_runs_returns_say_what_they_do_not_know(posterior: Any) -> None:
    codes = {note.code for note in returns(posterior, 1e26, times=1).notes}
    assert {"undetermined", "no_gain"} <= codes


def test_any_number_of_draws_serves_tokens(posterior: Any) -> None:
    some = posterior.law.take(np.arange(3))
    found = sf.frontier(some, [1e20, 1e21], inference_tokens=1e12).draws
    lean = {"N": found["N_lean"], "D": found["D_lean"]}
    with jax.enable_x64(True):
        reached = np.asarray(some.expand(1).loss(**lean))
    assert reached == pytest.approx(found["L"], rel=1e-6)
    assert np.all(found["total_lean"] <= found["total"] * (1 + 1e-6))


def test_a_budget_that_hardly_pays_for_serving_is_split(posterior: Any) -> None:
    # Where the largest possible model is nearly the best, nothing is asked of a larger one.
    C, served = 1e18, 1e12
    found = sf.frontier(posterior, C, counting=WithInference(SixND(), served))
    assert np.all(np.isfinite(found.L))
    assert np.all(C / (2 * served) > found.N)
    cost = 6 * found.N * found.D + 2 * found.N * served
    assert cost == pytest.approx(np.full_like(cost, C), rel=1e-9)


@pytest.mark.parametrize("most", [1e7, 1e8, 1e9])
def test_where_serving_takes_nearly_all_the_best_is_that_of_a_dense_search(
    posterior: Any, most: float
) -> None:
    """Near the size whose serving costs the budget, D falls by decades while N hardly moves."""
    C, law = 1e22, posterior.law.take(np.arange(0, 400, 4))
    served = C / (2 * most)
    found = sf.frontier(law, C, counting=WithInference(SixND(), served))
    D = np.geomspace(found.D.min() / 3, found.D.max() * 3, 8001)
    N = C / (6 * D + 2 * served)
    with jax.enable_x64(True):
        losses = np.asarray(law.expand(1).loss(N=N, D=D))
    inside = np.argmin(losses, axis=1) % (len(D) - 1) > 0
    assert inside.mean() > 0.5
    # A step of the grid moves log D by less than 0.002, and a least loss by its square.
    assert found.L[inside, 0] == pytest.approx(losses[inside].min(axis=1), abs=1e-5)
    with jax.enable_x64(True):
        own = np.asarray(law.expand(1).loss(N=found.N, D=found.D))
    assert own == pytest.approx(found.L, rel=1e-6)
