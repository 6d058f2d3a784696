"""What counts as one budget: neighbours do not chain a table together."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scalingfit import datasets
from scalingfit._errors import InputError
from scalingfit.runs import Runs, clusters, require_budgets
from scalingfit.runs.budgets import WITHIN
from tests.budgets import BUDGETS, jittered


def test_the_size_of_a_run_is_its_compute_where_that_is_known() -> None:
    D, L = np.array([1e9, 2e9]), np.array([3.0, 2.9])
    N = np.array([1e8, 1e8])
    both = Runs.from_columns({"N": N, "D": D, "L": L}).budgets
    assert (both.measure, both.largest, both.text(1.2e18)) == ("6ND", 1.2e18, "1.2e18")
    np.testing.assert_array_equal(both.scale, 6 * N * D)
    stated = Runs.from_columns({"N": N, "D": D, "C": 7 * N * D, "L": L}).budgets
    assert (stated.measure, stated.in_flop) == ("C", True)
    np.testing.assert_array_equal(stated.scale, 7 * N * D)
    one = Runs.from_columns({"D": D, "L": L}).budgets
    assert (one.measure, one.in_flop, one.text(2e9)) == ("D", False, "2.00B")
    with pytest.raises(InputError, match=r"size of these runs is unclear: .* are D, U"):
        Runs.from_columns({"D": D, "U": D, "L": L}).budgets  # noqa: B018


@pytest.mark.parametrize("scatter", [0.0, 1e-4, 0.02, 0.09])
def test_budgets_are_found_as_long_as_runs_lie_within_ten_percent(scatter: float) -> None:
    for seed in range(10):
        found = clusters(jittered(scatter, seed).C)
        np.testing.assert_array_equal(found, np.repeat(np.arange(9), 6))


def test_no_budget_is_wider_than_it_may_be() -> None:
    C = np.random.default_rng(0).permutation(np.geomspace(1e18, 1e22, 400))
    found = clusters(C)
    widths = [np.ptp(np.log(C[found == group])) for group in range(found.max() + 1)]
    assert max(widths) <= 2 * np.log(WITHIN)
    assert len(widths) >= np.log(1e4) / (2 * np.log(WITHIN))
    order = np.argsort(C)
    assert np.all(np.diff(found[order]) >= 0)


def test_published_budgets_do_not_chain(published: Path) -> None:
    """Neighbours of Chinchilla's 245 runs are less than 25 % apart nearly throughout."""
    runs = datasets.read("epoch_chinchilla")
    sizes = np.bincount(clusters(runs.C))
    assert sizes.max() < 40
    named = runs.budgets.numbered(BUDGETS)
    for number, budget in enumerate(BUDGETS):
        assert np.all(np.abs(np.log(runs.C[named == number] / budget)) <= np.log(WITHIN))
    assert np.bincount(named + 1)[1:].min() >= 5


def test_a_column_says_which_budget_a_run_belongs_to() -> None:
    runs = jittered(0.02)
    names = [f"{C:.0e}" if C > 7e18 else None for C in np.repeat(BUDGETS, 6)]
    named = Runs.from_columns(runs.columns, labels={"budget": names})
    np.testing.assert_array_equal(named.budgets.usual, np.repeat(np.arange(-1, 8), 6))


@pytest.mark.parametrize("budgets", [["a"], "1e20", [], [0.0], [-1e20], [np.nan]])
def test_budgets_are_positive_numbers(budgets: Any) -> None:
    with pytest.raises(InputError, match="budgets must be"):
        jittered(0.02).budgets.numbered(budgets)


def test_budgets_without_runs_are_named() -> None:
    runs = jittered(0.02)
    require_budgets(BUDGETS, runs.budgets)
    with pytest.raises(
        InputError, match=r"10 % of the budgets 2e19, 5e21\n(?s:.*)go from 5.* to 3"
    ):
        require_budgets([5e21, 1e19, 2e19], runs.budgets)
