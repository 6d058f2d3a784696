"""What budgets return, and what one recipe is worth in compute of another."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import scalingfit.allocation.solver as solver
from scalingfit.allocation import Costs, SixND, cheapest, multiplier, returns
from scalingfit.catalog import law
from scalingfit.declare import Law

POINT = law("chinchilla").published["besiroglu-2024"].law
GAMMA = POINT.alpha * POINT.beta / (POINT.alpha + POINT.beta)


def test_returns_are_those_of_a_power_of_the_budget() -> None:
    # L* = E + K C^-gamma: the slope in ln C is -gamma (L* - E).
    found = returns(POINT, 1e23)
    assert found.C.tolist() == [1e23, 2e23, 1e24]
    rest = found.L - POINT.E
    assert found.doubling == pytest.approx(rest * (1 - 2**-GAMMA), rel=1e-9)
    assert found.price == pytest.approx(found.C / (GAMMA * rest), rel=1e-6)


def test_price_is_what_the_next_bit_of_loss_costs_by_the_cheapest_budget() -> None:
    found = returns(POINT, 1e23, times=1)
    step = 1e-5
    less = cheapest(POINT, float(found.L[0]) - step).draws["C"][0]
    assert (less - 1e23) / step == pytest.approx(found.price[0], rel=1e-3)


def test_returns_speak_of_money_and_of_what_lies_beyond(posterior: Any) -> None:
    costs = Costs.of("h100", mfu=0.4, price=2.0)
    found = returns(posterior, "$1M", costs=costs)
    assert costs.money(found.C) == pytest.approx([1e6, 2e6, 1e7])
    rows = json.loads(json.dumps(found.as_json(), allow_nan=False))["budgets"]
    assert rows[0]["price_money"]["q50"] == pytest.approx(
        np.median(costs.money(found.price[..., 0]))
    )
    assert "an extrapolation" in str(found)
    assert found.to_xarray()["doubling"].dims == ("chain", "draw", "budget")


def test_shared_exponents_have_one_multiplier_at_every_budget() -> None:
    # L = E + A/(rho_N N)^alpha + B/(rho_D D)^beta: m = rho_N rho_D.
    size, data = 1.7, 0.8
    better = type(POINT)(
        **{
            **POINT.values(),
            "A": POINT.A * size**-POINT.alpha,
            "B": POINT.B * data**-POINT.beta,
        }
    )
    budgets = [1e19, 1e22, 1e26]
    found = multiplier(better, POINT, budgets)
    assert found.factor == pytest.approx(size * data, rel=1e-7)
    assert multiplier(POINT, better, budgets).factor == pytest.approx(1 / (size * data), rel=1e-7)


def test_a_multiplier_that_does_not_exist_is_infinite_and_said() -> None:
    lower = type(POINT)(**{**POINT.values(), "E": POINT.E - 0.1})
    found = multiplier(lower, POINT, [1e21, 1e26])
    gap = solver.solve(lower, np.array([1e21, 1e26]), SixND()).L - POINT.E
    assert gap[0] > 0 > gap[1]
    K = (solver.solve(POINT, np.array([1e21]), SixND()).L - POINT.E) * 1e21**GAMMA
    assert found.factor[0] == pytest.approx(((gap[0] / K) ** (-1 / GAMMA) / 1e21).item(), rel=1e-6)
    assert found.missing.tolist() == [0.0, 1.0]
    assert "no compute takes the reference" in str(found)
    assert found.as_json()["budgets"][1]["multiplier"]["q50"] is None  # type: ignore[index,call-overload]


def test_floors_are_named_where_they_differ(posterior: Any, chinchilla: Callable[..., Law]) -> None:
    other = chinchilla((4, 50), seed=1)
    found = multiplier(posterior, other, 1e22)
    assert found.factor.shape == (200, 1)
    said = [str(note.text) for note in found.notes if note.code == "floors"]
    assert len(said) == 1
    assert "inferred, 1.8" in said[0]
    values: dict[str, Any] = {**other.values(), "E": np.full((4, 50), 1.6)}
    pinned = type(other)(**values)
    assert multiplier(pinned, pinned, 1e22).notes == []
    assert "given as 1.6" in str(multiplier(pinned, posterior, 1e22).notes)


def test_draws_of_unequal_number_are_paired_as_far_as_they_go(
    posterior: Any, chinchilla: Callable[..., Law]
) -> None:
    assert multiplier(posterior, chinchilla((2, 30)), 1e22).factor.shape == (60, 1)
    assert multiplier(posterior, POINT, 1e22).factor.shape == (200, 1)
    assert multiplier(POINT, posterior, 1e22).factor.shape == (200, 1)
