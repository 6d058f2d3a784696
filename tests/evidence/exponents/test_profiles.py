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
from scalingfit.evidence.exponents.profiles import grouped
from scalingfit.runs import Runs
from tests.evidence.exponents.surfaces import EXPONENT, POINT, optimum, surface


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
    found = profiles(kept, least=3)
    assert not found.used[0]
    exponent = isoflop(found)
    assert exponent.budgets == 6
    few, note = exponent.notes  # the first budget is left with four sizes
    assert (few.code, note.code) == ("few_sizes", "minimum_at_edge")
    assert str(note.text).startswith("the minimum may lie at an end of the sizes at C 1e18 (in ")
    assert str(note.text).endswith("% of the draws): these take no part")
    assert exponent.interval.median == pytest.approx(EXPONENT, abs=0.03)
    with pytest.raises(InputError, match="have their minimum inside"):
        isoflop(profiles(runs.take(0.6 * optimum(runs.C) > runs.N), least=3))


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


def test_a_minimum_at_an_end_is_none_in_the_table() -> None:
    runs = surface(0.001)
    found = profiles(runs.take((runs.C > 2e18) | (0.6 * optimum(runs.C) > runs.N)), least=3)
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
