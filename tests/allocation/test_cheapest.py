"""The least cost of a loss."""

from typing import Any

import numpy as np
import pytest
from scipy.optimize import brentq

from scalingfit._errors import InputError
from scalingfit._text import engineering
from scalingfit.allocation import (
    Answer,
    Costs,
    SixND,
    WithInference,
    cheapest,
    choose,
    frontier,
)
from scalingfit.declare import Law
from tests.allocation.answers import POINT, notes_of, rows_of


def sardana(point: Any, L: float, served: float) -> tuple[float, float]:
    """N and D of Sardana et al. 2024, arXiv 2401.00448, equation 12."""

    def residual(log_d: float) -> float:
        D = np.exp(log_d)
        training = (point.beta * point.B / point.alpha + point.B) * D**-point.beta
        serving = served * point.beta * point.B / (3 * point.alpha) * D ** (-point.beta - 1)
        return float(training + serving + point.E - L)

    D = np.exp(brentq(residual, np.log(1e6), np.log(1e25), xtol=1e-14))
    return (point.A / (L - point.E - point.B * D**-point.beta)) ** (1 / point.alpha), D


@pytest.mark.parametrize("served", [1e9, 1e12, 1e13, 1e15])
@pytest.mark.parametrize("L", [2.0, 2.4])
def test_least_cost_is_sardanas(L: float, served: float) -> None:
    found = cheapest(POINT, L, inference_tokens=served)
    N, D = sardana(POINT, L, served)
    assert found.draws["N"][0] == pytest.approx(N, rel=1e-8)
    assert found.draws["D"][0] == pytest.approx(D, rel=1e-8)
    assert found.draws["C"][0] == pytest.approx(6 * N * D + 2 * N * served, rel=1e-8)


def test_least_cost_inverts_the_frontier(posterior: Any) -> None:
    losses = frontier(posterior, [1e21, 1e24]).L
    for row, C in enumerate((1e21, 1e24)):
        L = losses[0, 7, row]
        found = cheapest(posterior, L)
        assert found.draws["C"].shape == (4, 50, 1)
        cost = found.tables[0].shown()[1][1].split()[0]  # FLOP have no suffix, as everywhere
        assert float(cost) == pytest.approx(np.median(found.draws["C"]), rel=0.005)
        assert found.draws["C"][0, 7, 0] == pytest.approx(C, rel=1e-8)


def test_training_and_serving_are_told_apart(posterior: Any) -> None:
    costs = Costs.of("h100", mfu=0.4, price=2.0)
    L = float(np.quantile(posterior.law.E, 0.9))  # in a few draws out of reach
    found = cheapest(posterior, [2.4, L], inference_tokens=1e12, costs=costs)
    draws = found.draws
    reached = np.isfinite(draws["N"])
    assert not reached.all()
    for name, alone in (("training", 6 * draws["N"] * draws["D"]), ("serving", 2e12 * draws["N"])):
        assert draws[name][reached] == pytest.approx(alone[reached])
        assert np.all(np.isinf(draws[name][~reached]))
        assert draws[f"{name}_dollars"][reached] == pytest.approx(costs.money(alone[reached]))
    assert draws["total"] == pytest.approx(draws["C"])
    shown = str(found)
    for heading in ("training [FLOP]", "serving [FLOP]", "total [FLOP]", "serving [$]"):
        assert heading in shown
    assert "serving" not in cheapest(posterior, 2.4).draws


@pytest.mark.parametrize("served", [None, 1e12])
def test_least_cost_with_the_largest_model_allowed(served: float | None) -> None:
    L, largest = 2.2, 2e9
    assert cheapest(POINT, L, inference_tokens=served).draws["N"] > largest
    found = cheapest(POINT, [L, 2.8], max_params=largest, inference_tokens=served)
    # The limit binds, and the law at N = largest tells D.
    left = L - POINT.E - POINT.A / largest**POINT.alpha
    D = (POINT.B / left) ** (1 / POINT.beta)
    assert found.draws["N"][0] == largest
    assert found.draws["D"][0] == pytest.approx(D, rel=1e-8)
    cost = 6 * largest * D + 2 * largest * (served or 0.0)
    assert found.draws["C"][0] == pytest.approx(cost, rel=1e-8)
    # It does not bind for a loss that a smaller model reaches at less cost.
    free = cheapest(POINT, 2.8, inference_tokens=served)
    assert found.draws["N"][1] == pytest.approx(free.draws["N"][0], rel=1e-8)
    assert notes_of(found) == ("L 2.20: in 100 % of the draws max_params (2.00B) binds",)
    with pytest.raises(InputError, match=r"100M parameters(.|\n)*or raise max_params"):
        cheapest(POINT, L, max_params=1e8)


@pytest.mark.parametrize("served", [-1e12, np.nan])
def test_less_than_nothing_cannot_be_served(served: float) -> None:
    def chosen(point: Law, C: float, **more: Any) -> Answer:
        return choose(point, C, [1e9], **more)

    for ask in (frontier, cheapest, chosen):
        with pytest.raises(InputError, match="inference_tokens must be positive"):
            ask(POINT, 1e22, inference_tokens=served)
        with pytest.raises(InputError, match="has served ="):
            ask(POINT, 1e22, counting=WithInference(SixND(), served))


def test_a_loss_out_of_reach_is_counted_and_not_averaged(posterior: Any) -> None:
    L = float(np.quantile(posterior.law.E, 0.3))
    found = cheapest(posterior, L)
    reachable = posterior.law.E < L
    assert not np.isfinite(found.draws["C"][..., 0][~reachable]).any()
    assert rows_of(found)[0]["N"]["q95"] is None
    assert notes_of(found)[0].startswith(f"L {engineering(L)}: in ")
    with pytest.raises(InputError, match="no budget reaches the loss"):
        cheapest(posterior, 1.0)
