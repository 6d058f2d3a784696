"""Where cuts fall: none parts a budget."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scalingfit import datasets
from scalingfit._errors import InputError
from scalingfit.evidence.forecasts import horizons, moved
from scalingfit.evidence.forecasts.horizons import within
from scalingfit.runs import Runs
from tests.budgets import BUDGETS, jittered


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
    runs = datasets.read("ladder")
    near = runs.take((runs.C > 1.9e11) & (runs.D > 1.5 * runs.N) & (runs.D < 400 * runs.N))
    for table in (runs, near):
        for cut in horizons(table, least=7):
            assert cut.distance[cut.test].min() > 3


def test_one_budget_alone_cannot_be_cut() -> None:
    with pytest.raises(InputError, match="no cut between budgets has that"):
        horizons(jittered(0.02, budgets=np.array([1e20])), least=3)


def test_runs_of_several_rows_are_held_out_whole() -> None:
    """Six sizes, eight checkpoints each: of a larger run nothing is fitted, and no early row is
    forecast, since it lies among what is."""
    N = np.repeat(np.geomspace(1e8, 1e9, 6), 8)
    D = 20 * N * np.tile(np.linspace(0.125, 1, 8), 6)
    labels = {"run_id": np.repeat([f"run {number}" for number in range(6)], 8)}
    runs = Runs.from_columns({"N": N, "D": D, "L": 2 + 1e3 / N**0.3}, labels=labels)
    scale, size, run = 6 * N * D, np.unique(N), np.arange(48) // 8
    found = horizons(runs, least=7, cuts=[6 * 20 * size[2] ** 2 * 1.2])
    (cut,) = found
    np.testing.assert_array_equal(cut.train, run <= 2)
    np.testing.assert_array_equal(cut.test, ~cut.train & (scale > scale[cut.train].max()))
    assert 0 < cut.test.sum() < np.sum(~cut.train)
    np.testing.assert_allclose(cut.distance, scale / scale[cut.train].max())
    (note,) = moved(found)
    assert note.code == "whole_runs"
    assert f"up to {np.sum(~cut.train & ~cut.test)} earlier rows" in str(note.text)
    inner = within(runs, cut)
    assert inner is not None
    np.testing.assert_array_equal(inner.train, run <= 1)
    assert not np.any(inner.test & ~cut.train)
    # Of one run alone there are rows to hold out, and nothing else.
    alone = runs.take(run == 5)
    assert alone.run_label == "run_id"
    (cut,) = horizons(alone, least=3, cuts=[scale[run == 5][3]])
    assert cut.train.tolist() == [True] * 4 + [False] * 4
    np.testing.assert_array_equal(cut.test, ~cut.train)


def test_named_cuts_keep_budgets_whole() -> None:
    """Cuts at the budgets' own names, of which some runs lie above; one between two stays."""
    runs = jittered(0.09)
    found = horizons(runs, least=6, cuts=[1e19, 1.01e19, 2e20, 3e20])
    assert [int(cut.train.sum()) for cut in found] == [12, 30, 36]
    assert [cut.asked for cut in found] == [(1e19, 1.01e19), (), (3e20,)]
    first, second = moved(found)
    assert str(first.text).startswith(
        "a cut at 1e19, 1.01e19 would part a budget, and was moved to its end:"
    )
    assert "the 36 runs up to" in str(second.text)
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
    assert (int(cut.train.sum()), cut.limit) == (51, 1500)
    assert moved([cut]) == []


@pytest.mark.parametrize("cuts", [["a"], "1e20", [], [0.0], [-1e20], [np.nan]])
def test_cuts_are_positive_numbers(cuts: Any) -> None:
    with pytest.raises(InputError, match="cuts must be"):
        horizons(jittered(0.02), least=6, cuts=cuts)


def test_a_cut_of_published_runs_keeps_its_budget_whole(published: Path) -> None:
    """Of Chinchilla's 13 runs within 10 % of 1e20, two lie above it."""
    runs = datasets.read("epoch_chinchilla")
    of_1e20 = runs.budgets.numbered(BUDGETS) == 4
    (cut,) = horizons(runs, 7, [1e20], budgets=BUDGETS)
    assert cut.train.sum() == np.sum(runs.C <= 1e20) + 2
    assert np.sum(cut.train & of_1e20) == np.sum(of_1e20) == 13
