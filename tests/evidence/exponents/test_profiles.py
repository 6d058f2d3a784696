"""IsoFLOP profiles and envelopes on surfaces whose optimum is known."""

from typing import Any

import numpy as np
import pytest

from scalingfit import law
from scalingfit._errors import InputError
from scalingfit.evidence import (
    envelope,
    isoflop,
    profiles,
)
from scalingfit.evidence.exponents.budgets import grouped
from scalingfit.runs import Runs
from tests.evidence.exponents.surfaces import EXPONENT, MIXED, POINT, mixed, optimum, surface


def test_minima_lie_where_the_law_says() -> None:
    found = profiles(surface(1e-4))
    assert found.used.all()
    np.testing.assert_allclose(found.log_N.mean(axis=0), np.log(optimum(found.C)), atol=0.03)
    np.testing.assert_allclose(
        np.exp(found.log_L.mean(axis=0)),
        POINT.loss(optimum(found.C), found.C / 6 / optimum(found.C)),
        rtol=5e-4,
    )


def test_a_cubic_has_less_bias_than_a_parabola() -> None:
    """Where the two sides differ (Czech et al. 2026, arXiv 2603.22339), parabolas are off."""
    uneven = law("chinchilla")(E=1.69, A=4e3, B=10.0, alpha=0.465, beta=0.155)
    runs = surface(1e-5, point=uneven, reach=8)
    true = np.log(optimum(np.logspace(18, 21, 7), uneven))
    cubic = profiles(runs, window=1.0).log_N.mean(axis=0) - true
    parabola = []
    for group in grouped(runs):
        x = np.log(runs.N[group])
        second, first, _ = np.polyfit(x - x.mean(), np.log(runs.L[group]), 2)
        parabola.append(x.mean() - first / (2 * second))
    assert np.abs(np.array(parabola) - true).min() > 3 * np.abs(cubic).max()


def test_intervals_of_the_exponent_hold_it_as_often_as_they_say() -> None:
    inside = 0
    for seed in range(40):
        low, _, high = isoflop(profiles(surface(0.005, seed), draws=300, seed=seed)).interval
        inside += bool(low <= EXPONENT <= high)
    # Binomial(40, 0.9): 36 with standard deviation 1.9; wider than stated is no error.
    assert inside >= 30


def test_a_bad_run_moves_little() -> None:
    runs = surface(0.001)
    L = np.array(runs.L)
    L[30] *= 1.05
    bad = Runs.from_columns({**runs.columns, "L": L})
    middle = isoflop(profiles(bad)).interval.median
    assert middle == pytest.approx(EXPONENT, abs=0.02)


def test_budgets_without_a_minimum_inside_are_named_and_take_no_part() -> None:
    runs = surface(0.001)
    low = runs.C < 2e18
    kept = runs.take(~low | (0.6 * optimum(runs.C) > runs.N))
    found = profiles(kept)
    assert not found.used[0]
    exponent = isoflop(found)
    assert exponent.budgets == 6
    few, note = exponent.notes  # the first budget is left with four sizes
    assert (few.code, note.code) == ("few_sizes", "minimum_at_edge")
    assert str(note.text).startswith("the minimum may lie at an end of the sizes at C 1e18 (in ")
    assert str(note.text).endswith("% of the draws): these take no part")
    assert exponent.interval.median == pytest.approx(EXPONENT, abs=0.03)
    with pytest.raises(InputError, match="have their minimum inside"):
        isoflop(profiles(runs.take(0.6 * optimum(runs.C) > runs.N)))


@pytest.mark.parametrize("count", [3, 4])
def test_few_sizes_have_minima_in_intervals_as_wide_as_they_must_be(count: int) -> None:
    inside = []
    for seed in range(12):
        found = profiles(
            surface(0.005, seed, count=count, reach=3, off_centre=1.25), draws=300, seed=seed
        )
        low, high = np.quantile(found.log_N, [0.05, 0.95], axis=0)
        inside.append(
            np.mean((low <= np.log(optimum(found.C))) & (np.log(optimum(found.C)) <= high))
        )
        (note,) = found.notes
        assert note.code == "few_sizes"
    # 84 intervals, at least 0.9 each: below 0.8 lies three standard deviations away.
    assert np.mean(inside) > 0.8
    rows: Any = [row for row in found.tables[0].records() if row["used"]]
    for row in rows:
        assert row["N"]["q50"] * row["D"]["q50"] == pytest.approx(row["C"] / 6, rel=1e-3)
    assert len(rows) >= 3
    assert isoflop(found).interval.low < EXPONENT < isoflop(found).interval.high


@pytest.mark.parametrize("count", [3, 4])
def test_budgets_of_few_sizes_join_those_of_more_and_sharpen_the_exponent(count: int) -> None:
    true = MIXED.beta / (MIXED.alpha + MIXED.beta)
    for seed in range(6):
        runs = mixed({1e18: 5, 3e18: 5, 1e19: 5, 3e19: count, 1e20: count}, seed)
        every, some = (isoflop(profiles(runs, least=least)) for least in (3, 5))
        assert (every.budgets, some.budgets) == (5, 3)
        assert isoflop(profiles(runs)).interval == every.interval
        assert every.interval.low < true < every.interval.high
        assert np.ptp(every.interval) < 0.8 * np.ptp(some.interval)
        (note,) = every.notes
        assert note.code == "few_sizes"
        assert str(note.text).startswith("fewer than 5 sizes were trained at C 3e19, 1e20: ")


def test_budgets_of_one_or_two_sizes_are_listed_without_a_minimum_and_named() -> None:
    runs = mixed({1e18: 1, 3e18: 5, 1e19: 5, 3e19: 2, 1e20: 5})
    found = profiles(runs)
    np.testing.assert_allclose(found.C, [1e18, 3e18, 1e19, 3e19, 1e20])
    every: Any = found.as_json()["profiles"]
    assert [row["used"] for row in every] == [False, True, True, False, True]
    assert [row["runs"] for row in every] == [1, 5, 5, 2, 5]
    for row in (every[0], every[3]):
        assert row["N"] is row["D"] is row["L"] is row["at_edge"] is None
    exponent = isoflop(found)
    assert exponent.budgets == 3
    (note,) = exponent.notes
    assert note.code == "too_few_sizes"
    assert note.text == (
        "too few sizes were trained at C 3e19 (2 sizes), 1e18 (1 size): these take no part; "
        "a budget needs 3"
    )
    assert str(note.text) in str(found)
    full = profiles(runs.take(np.isin(runs.C, [3e18, 1e19, 1e20])))
    np.testing.assert_array_equal(found.log_N[:, found.used], full.log_N)


def test_the_envelope_names_the_budgets_that_it_leaves_out() -> None:
    found = envelope(mixed({1e18: 5, 3e18: 5, 1e19: 5, 3e19: 4, 1e20: 2}))
    assert found.budgets == 3
    (note,) = found.notes
    assert "C 3e19 (4 sizes), 1e20 (2 sizes): these take no part" in str(note.text)
    assert str(note.text).endswith("a budget needs 5")


def test_runs_on_no_budget_are_counted_in_one_note_and_fill_no_table() -> None:
    alone = dict.fromkeys(np.geomspace(1e21, 1e24, 30).tolist(), 1)
    found = profiles(mixed({3e17: 2, 1e18: 5, 1e19: 5, 1e20: 5, **alone}))
    np.testing.assert_allclose(found.C, [1e18, 1e19, 1e20])
    (note,) = found.notes
    assert note.code == "too_few_sizes"
    assert "at C 3e17 (2 sizes), 1e21 (1 size), " in str(note.text)
    assert ", and 26 more: these take no part; a budget needs 3" in str(note.text)


def test_a_minimum_at_an_end_is_none_in_the_table() -> None:
    runs = surface(0.001)
    found = profiles(runs.take((runs.C > 2e18) | (0.6 * optimum(runs.C) > runs.N)))
    every: Any = found.as_json()["profiles"]
    first, *others = every
    assert first["N"] is first["D"] is first["L"] is None
    assert not first["used"]
    assert all(row["N"] and row["used"] for row in others)


def test_the_envelope_is_a_line_through_the_best_sizes() -> None:
    runs = surface(0.0, count=33)
    assert np.median(envelope(runs).a) == pytest.approx(EXPONENT, abs=0.01)
    few = runs.take(runs.C < 5e18)
    with pytest.raises(InputError, match="three budgets"):
        envelope(few)


def test_stragglers_make_no_budget() -> None:
    """One run alone is the best of its budget, wherever its size lies."""
    runs = surface(0.0, count=33)
    C = np.array([1e16, 1e25])
    N = np.array([1e8, 1e8])
    alone = {"N": N, "D": C / 6 / N, "C": C, "L": np.asarray(POINT.loss(N, C / 6 / N))}
    joined = Runs.from_columns({name: np.append(runs[name], alone[name]) for name in runs.columns})
    np.testing.assert_array_equal(envelope(joined).a, envelope(runs).a)
    with pytest.raises(InputError, match="three budgets with 5 sizes each") as refusal:
        envelope(joined, budgets=[1e16, 1e18, 1e25])
    assert "sizes of each budget: 1, 33, 1" in str(refusal.value)


def test_runs_that_miss_their_budget_are_moved_to_it() -> None:
    """Sizes above the optimum with too little compute and those below with too much: as counting
    without embeddings makes them. Left where they are, they would shift every minimum."""
    exact = surface(0.0)
    tilt = (exact.N / optimum(exact.C)) ** -0.04
    C = exact.C * tilt
    D = C / 6 / exact.N
    runs = Runs.from_columns(
        {"N": exact.N, "D": D, "C": C, "L": np.asarray(POINT.loss(exact.N, D))}
    )
    found = profiles(runs)
    np.testing.assert_allclose(found.log_N.mean(axis=0), np.log(optimum(found.C)), atol=0.03)
    assert np.median(envelope(runs).a) == pytest.approx(EXPONENT, abs=0.02)
