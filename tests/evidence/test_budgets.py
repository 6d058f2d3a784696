"""What counts as one budget: no cut parts it, and neighbours do not chain a table together."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scalingfit import datasets
from scalingfit._errors import InputError
from scalingfit.evidence.budgets import WITHIN, among, budget_of, clusters
from scalingfit.evidence.horizons import horizons, moved
from scalingfit.runs import Runs

BUDGETS = np.array([6e18, 1e19, 3e19, 6e19, 1e20, 3e20, 6e20, 1e21, 3e21])


def jittered(scatter: float, seed: int = 0, budgets: np.ndarray = BUDGETS) -> Runs:
    """Six runs of each budget, which miss it by up to the scatter."""
    rng = np.random.default_rng(seed)
    C = np.repeat(budgets, 6) * np.exp(scatter * rng.uniform(-1, 1, 6 * len(budgets)))
    N = np.sqrt(C / 120)
    return Runs.from_columns({"N": N, "D": C / 6 / N, "C": C, "L": np.linspace(4, 2, len(C))})


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


@pytest.mark.parametrize("scatter", [0.0, 1e-4, 0.02, 0.09])
def test_default_cuts_keep_budgets_whole(scatter: float) -> None:
    found = horizons(jittered(scatter, budgets=np.logspace(18.5, 21.5, 6)), least=7)
    counts = [int(cut.train.sum()) for cut in found]
    # Where gaps differ by more than a percent, the widest near a share is taken.
    assert counts == [12, 18, 24, 30] if scatter < 0.01 else set(counts) <= {12, 18, 24, 30}
    for cut in found:
        # Budgets lie a factor of 4 apart, less what their runs miss them by.
        assert cut.distance[cut.test].min() >= 10**0.6 * np.exp(-2 * scatter) * (1 - 1e-9)


def test_cuts_of_the_ladder_fall_between_budgets() -> None:
    """Its steps are whole numbers, so that runs of one budget differ by up to 0.2 %."""
    runs = datasets.load("ladder")
    near = runs.take((runs.C > 1.9e11) & (runs.D > 1.5 * runs.N) & (runs.D < 400 * runs.N))
    for table in (runs, near):
        for cut in horizons(table, least=7):
            assert cut.distance[cut.test].min() > 3


def test_one_budget_alone_cannot_be_cut() -> None:
    with pytest.raises(InputError, match="no cut between budgets has that"):
        horizons(jittered(0.02, budgets=np.array([1e20])), least=3)


def test_named_cuts_keep_budgets_whole() -> None:
    """Cuts at the budgets' own names, of which some runs lie above; one between two stays."""
    runs = jittered(0.09)
    found = horizons(runs, least=6, cuts=[1e19, 1.01e19, 2e20, 3e20])
    assert [int(cut.train.sum()) for cut in found] == [12, 30, 36]
    assert [cut.asked for cut in found] == [(1e19, 1.01e19), (), (3e20,)]
    first, second = moved(found)
    assert first.startswith("a cut at 1e19, 1.01e19 would part a budget, and was moved to its end:")
    assert "the 36 runs up to" in second
    with pytest.raises(InputError, match="of 54 runs there are 54 up to"):
        horizons(runs, least=6, cuts=[3e21])


def test_cuts_keep_the_budgets_that_the_table_or_the_user_names() -> None:
    """By a column, neighbours a factor of 1.5 apart are one; budgets that overlap have no end."""
    runs = jittered(0.0, budgets=np.array([1e19, 1.5e19, 1e20, 1.5e20, 1e21]))
    names = np.repeat(["small", "large", "largest"], [12, 12, 6])
    named = Runs.from_columns(runs.columns, labels={"budget": names})
    assert [int(cut.train.sum()) for cut in horizons(runs, least=6)] == [12, 18, 24]
    assert [int(cut.train.sum()) for cut in horizons(named, least=6)] == [12, 24]
    assert [int(cut.train.sum()) for cut in horizons(named, 6, [1.2e19, 1.2e20])] == [12, 24]
    mixed = Runs.from_columns(runs.columns, labels={"budget": np.tile([1, 2, 3], 10)})
    with pytest.raises(InputError, match="no cut between budgets"):
        horizons(mixed, least=6)
    # Of the budgets that the user names, the others' runs are each by itself.
    close = jittered(0.05, budgets=np.array([1e19, 1e20, 1e21]))
    (cut,) = horizons(close, 6, [1e20], budgets=[1e19])
    assert cut.train.sum() == np.sum(close.C <= 1e20)
    (cut,) = horizons(close, 6, [1e20], budgets=[1e20])
    assert cut.train.sum() == 12


def test_cuts_of_a_learning_curve_stay_where_they_are() -> None:
    """Steps are no compute: neighbours within 10 % make no budget."""
    steps = np.arange(1000.0, 2000.0, 10.0)
    curve = Runs.from_columns({"X": steps, "L": np.linspace(3, 2, 100)})
    (cut,) = horizons(curve, 6, [1505])
    assert (cut.train.sum(), cut.limit, moved([cut])) == (51, 1500, [])


@pytest.mark.parametrize("cuts", [["a"], "1e20", [], [0.0], [-1e20], [np.nan]])
def test_cuts_are_positive_numbers(cuts: Any) -> None:
    with pytest.raises(InputError, match="cuts must be"):
        horizons(jittered(0.02), least=6, cuts=cuts)


def test_published_budgets_do_not_chain(published: Path) -> None:
    """Neighbours of Chinchilla's 245 runs are less than 25 % apart nearly throughout."""
    runs = datasets.load("epoch_chinchilla")
    sizes = np.bincount(clusters(runs.C))
    assert sizes.max() < 40
    named = budget_of(runs, BUDGETS)
    for number, budget in enumerate(BUDGETS):
        assert np.all(np.abs(np.log(runs.C[named == number] / budget)) <= np.log(WITHIN))
    assert np.bincount(named + 1)[1:].min() >= 5
    # Of the 13 runs within 10 % of 1e20, two lie above it.
    (cut,) = horizons(runs, 7, [1e20], budgets=BUDGETS)
    assert cut.train.sum() == np.sum(runs.C <= 1e20) + 2
    assert np.sum(cut.train & (named == 4)) == np.sum(named == 4) == 13


def test_a_column_says_which_budget_a_run_belongs_to() -> None:
    runs = jittered(0.02)
    names = [f"{C:.0e}" if C > 7e18 else None for C in np.repeat(BUDGETS, 6)]
    named = Runs.from_columns(runs.columns, labels={"budget": names, "seed": np.tile([1, 2], 27)})
    np.testing.assert_array_equal(budget_of(named), np.repeat(np.arange(-1, 8), 6))
    assert len(set(among(named, "budget"))) == 8 + 6  # those without one are left out by themselves
    assert among(named, "seed") == [1, 2] * 27
    assert len(set(among(named, "budget", BUDGETS[:3]))) == 3 + 36
    with pytest.raises(InputError, match="leave runs out by"):
        among(named, "family")
    with pytest.raises(InputError, match="budgets are given"):
        among(named, "seed", BUDGETS)


@pytest.mark.parametrize("budgets", [["a"], "1e20", [], [0.0], [-1e20], [np.nan]])
def test_budgets_are_positive_numbers(budgets: Any) -> None:
    with pytest.raises(InputError, match="budgets must be"):
        budget_of(jittered(0.02), budgets)


def test_budgets_without_runs_are_named() -> None:
    runs = jittered(0.02)
    assert len(set(among(runs, "budget", BUDGETS))) == 9
    with pytest.raises(
        InputError, match=r"10 % of the budgets 2e19, 5e21\n(?s:.*)go from 5.* to 3"
    ):
        among(runs, "budget", [5e21, 1e19, 2e19])
