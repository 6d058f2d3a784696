"""What counts as one budget: no cut parts it, and neighbours do not chain a table together."""

from pathlib import Path

import numpy as np
import pytest

from scalingfit import datasets
from scalingfit._errors import InputError
from scalingfit.evidence.budgets import WITHIN, among, budget_of, clusters
from scalingfit.evidence.horizons import horizons
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
    with pytest.raises(InputError, match="there is no cut"):
        horizons(jittered(0.02, budgets=np.array([1e20])), least=3)


def test_published_budgets_do_not_chain(data_dir: Path) -> None:
    """Neighbours of Chinchilla's 245 runs are less than 25 % apart nearly throughout."""
    runs = datasets.load("epoch_chinchilla")
    sizes = np.bincount(clusters(runs.C))
    assert sizes.max() < 40
    named = budget_of(runs, BUDGETS)
    for number, budget in enumerate(BUDGETS):
        assert np.all(np.abs(np.log(runs.C[named == number] / budget)) <= np.log(WITHIN))
    assert np.bincount(named + 1)[1:].min() >= 5


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
