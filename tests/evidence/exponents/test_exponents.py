"""IsoFLOP profiles and exponents on surfaces whose optimum is known, and on published runs."""

import dataclasses
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from scalingfit import law, read
from scalingfit._errors import InputError
from scalingfit.allocation import frontier, non_embedding
from scalingfit.cli._spelling import COMMAND_LINE
from scalingfit.evidence import (
    Exponent,
    envelope,
    exponent_without_embeddings,
    isoflop,
    profiles,
    reconcile,
    without_embeddings,
)
from scalingfit.evidence.exponents.profiles import grouped
from scalingfit.evidence.exponents.reconcile import (
    _beside_published,
    _disagreement,
    _over_kaplans_sizes,
    _stage,
)
from scalingfit.evidence.exponents.without_embeddings import KAPLAN_SIZES
from scalingfit.inference import Posterior
from scalingfit.runs import Runs
from tests.simulated import QUICK

POINT = law("chinchilla").published["besiroglu-2024"].law
EXPONENT = POINT.beta / (POINT.alpha + POINT.beta)


def surface(
    scatter: float,
    seed: int = 0,
    *,
    point: Any = POINT,
    off_centre: float = 1.0,
    reach: float = 4.0,
    count: int = 9,
    lowest: float = 1e18,
) -> Runs:
    """A law at seven budgets, sizes about the optimum; by default Besiroglu et al.'s."""
    rng = np.random.default_rng(seed)
    C = np.repeat(np.geomspace(lowest, 1e21, 7), count)
    N = optimum(C, point) * off_centre * reach ** np.tile(np.linspace(-1, 1, count), 7)
    D = C / (6 * N)
    L = np.asarray(point.loss(N, D)) * np.exp(scatter * rng.standard_normal(len(C)))
    return Runs.from_columns({"N": N, "D": D, "C": C, "L": L})


def optimum(C: np.ndarray, point: Any = POINT) -> np.ndarray:
    """Hoffmann et al. 2022, equation 4."""
    both = point.alpha + point.beta
    G = (point.alpha * point.A / (point.beta * point.B)) ** (1 / both)
    return np.asarray(G * (C / 6) ** (point.beta / both))


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


def test_counting_without_embeddings_gives_kaplans_exponent(posterior: Posterior) -> None:
    """Pearce & Song's script gives 0.7805 for Besiroglu et al.'s constants (FORMULAS: 3)."""

    # A law by itself stands in for a posterior of one draw.
    exactly: Any = SimpleNamespace(law=POINT, noise=None, runs=posterior.runs, provenance={})
    assert exponent_without_embeddings(exactly).a == pytest.approx([0.7805], abs=0.005)
    found = exponent_without_embeddings(posterior)
    assert 0.70 < np.median(found.a) < 0.85


def slope(omega: float, sizes: tuple[float, float]) -> float:
    """The slope by the closed first-order condition: of the loss along 6 N_E D, in log N_E."""
    counted = np.geomspace(*sizes, 20)
    N = counted + omega * np.cbrt(counted)
    rise = (counted + omega * np.cbrt(counted) / 3) / N  # d log N / d log N_E
    data = POINT.alpha * POINT.A * N**-POINT.alpha * rise / (POINT.beta * POINT.B)
    C = 6 * counted * data ** (-1 / POINT.beta)
    return float(np.polyfit(np.log(C), np.log(counted), 1)[0])


@pytest.mark.parametrize(("omega", "about"), [(255, 0.557), (20_000, 0.747), (47_491, 0.785)])
def test_the_exponent_without_embeddings_is_that_of_its_omega(omega: float, about: float) -> None:
    expected = slope(omega, KAPLAN_SIZES)
    assert expected == pytest.approx(about, abs=5e-4)
    found = exponent_without_embeddings(POINT, omega=omega)
    assert found.a == pytest.approx([expected], abs=5e-4)
    assert len(found.notes) == (omega == 47_491)  # of models far smaller than Chinchilla's


def test_sizes_that_no_solved_budget_has_as_its_optimum_are_refused() -> None:
    with pytest.raises(InputError, match=r"all sizes from N_E = 1\.00T to 100T"):
        exponent_without_embeddings(POINT, sizes=(1e12, 1e14))
    with pytest.raises(InputError, match=r"all draws cover N_E = 27\.5 to 1\.02T"):
        exponent_without_embeddings(POINT, sizes=(1.0, 1e9), omega=255)
    with pytest.raises(InputError, match="sizes run from 1e"):
        exponent_without_embeddings(POINT, sizes=(1e9, 1e3))
    with pytest.raises(InputError, match="omega must be positive"):
        exponent_without_embeddings(POINT, omega=-1)


def test_a_law_whose_optima_pass_other_sizes_has_no_exponent_over_kaplans() -> None:
    hungry: Any = law("chinchilla")(E=1.69, A=4e6, B=10.0, alpha=0.465, beta=0.155)
    stage = _over_kaplans_sizes(hungry, (0.73,), 255)
    assert set(stage.exponents.values()) == {None}
    said = str(stage.notes[0].text)
    assert "no exponent: in 100 % of the draws the optimum does not pass" in said


def test_recounting_turns_total_into_non_embedding_parameters(runs: Runs) -> None:
    counted = without_embeddings(runs)
    back = counted.N + 47491 * np.cbrt(counted.N)
    np.testing.assert_allclose(back, runs.N, rtol=1e-9)
    np.testing.assert_allclose(counted.C, 6 * counted.N * counted.D)
    np.testing.assert_array_equal(counted.L, runs.L)


def test_runs_without_a_parameter_left_are_refused(runs: Runs) -> None:
    small = Runs.from_columns({**runs.columns, "N": runs.N / 1e6})
    left = np.asarray(non_embedding(small.N, 255)) < 1
    assert 0 < left.sum() < len(left)
    with pytest.raises(InputError, match=rf"left in {left.sum()} of {len(left)} runs") as refusal:
        without_embeddings(small, 255)
    assert "state the omega of these models" in str(refusal.value)


def recounted_optimum(C: np.ndarray) -> np.ndarray:
    """Log of the best N_E for budgets of 6 N_E D, by the solver."""
    budgets = np.geomspace(C.min() / 2, C.max() * 2, 200)
    best = frontier(POINT, budgets, counting="6ND-non-embedding").N
    return np.interp(np.log(C), np.log(budgets), np.log(non_embedding(best)))


def test_budgets_that_a_recount_spreads_wide_are_left_out_and_named() -> None:
    """Moved to one compute their minima would be too low; the others' are right."""
    bias = []
    for seed in range(8):
        counted = without_embeddings(surface(0.003, seed, lowest=1e17))
        factors = [counted.C[group].max() / counted.C[group].min() for group in grouped(counted)]
        assert [factor > 2 for factor in factors] == [True, True] + 5 * [False]
        found = profiles(counted, draws=300, seed=seed)
        assert found.used.all()
        bias.append(found.log_N.mean(axis=0) - recounted_optimum(found.C))
    assert np.shape(bias) == (8, 5)
    error = np.std(bias, axis=0, ddof=1) / np.sqrt(8)
    assert np.all(np.abs(np.mean(bias, axis=0)) < 4 * error)  # Student's t with 7: one in 200
    named = "at C 4.73e16 (a factor of 4.18), 3.03e17 (a factor of 2.24): these take no part"
    for exponent in (isoflop(found), envelope(counted)):
        assert exponent.budgets == 5
        assert named in str(exponent.notes[0].text)
    few = counted.take(counted.C < 2e19)
    with pytest.raises(InputError, match="only 2 budgets have runs within a factor of 2"):
        profiles(few)


def test_recounted_runs_keep_their_budgets() -> None:
    """The exponent is that of the optimum under the other count, which the solver gives too."""
    runs = surface(1e-4, count=13)
    counted = without_embeddings(runs)
    assert [len(group) for group in grouped(counted)] == [13] * 7
    assert (
        len(set(without_embeddings(counted).labels["budget"].tolist())) == 7
    )  # kept a second time
    C = np.exp([np.log(counted.C[group]).mean() for group in grouped(counted)])
    true = recounted_optimum(C)
    found = profiles(counted)
    np.testing.assert_allclose(found.C, C)
    np.testing.assert_allclose(found.log_N.mean(axis=0), true, atol=0.03)
    slope = np.polyfit(np.log(C), true, 1)[0]
    assert slope > EXPONENT + 0.02
    assert isoflop(found).interval.median == pytest.approx(slope, abs=0.005)
    named = Runs.from_columns(runs.columns, labels={"budget": np.repeat(list("abcdefg"), 13)})
    assert without_embeddings(named).labels["budget"].tolist() == named.labels["budget"].tolist()
    few = without_embeddings(runs, budgets=[1e18, 1e19])
    budgets = few.labels["budget"].astype(float)
    assert sorted(set(budgets[budgets > 0].round(-16))) == [1e18, 1e19]


def test_stages_are_reconciled() -> None:
    stages = {"total": surface(0.003), "shifted": surface(0.003, 1, off_centre=1.2)}
    found = reconcile(stages, noise="normal", published={"total": 0.51}, **QUICK)
    for stage in found.stages.values():
        for method in ("law", "isoflop"):
            found_by = stage.exponents[method]
            assert found_by is not None
            low, _, high = found_by.interval
            assert low - 0.02 < EXPONENT < high + 0.02
    assert "0.510" in str(found)
    assert 0.01 < found.probability("total", "shifted") < 0.99
    assert found.to_pandas().set_index("stage").loc["total", "published"] == [0.51]
    middle = found.to_xarray()["a"].sel(stage="total", approach="law", quantile=0.5)
    by_law = found.stages["total"].exponents["law"]
    assert by_law is not None
    assert middle == by_law.interval.median
    with pytest.raises(InputError, match="none of the stages"):
        reconcile(stages, published={"totel": 0.5})


def about(middle: float, width: float) -> Exponent:
    """An exponent that is known to a width."""
    draws = middle + width * np.random.default_rng(int(1e6 * middle)).standard_normal(2000)
    return Exponent(draws, np.zeros(2000), 5)


def test_ways_that_disagree_are_noted() -> None:
    """Exponents about 0.5 and 0.6, once each known to 0.01 and once to 0.2."""
    (note,) = _disagreement(about(0.6, 0.01), about(0.5, 0.01))
    assert str(note.text).startswith("law and isoflop disagree, 0.600 [0.58")
    assert not _disagreement(about(0.6, 0.2), about(0.5, 0.2))
    assert not _disagreement(None, about(0.5, 0.01))


def test_published_exponents_outside_the_intervals_are_noted() -> None:
    found = {"law": about(0.6, 0.01), "isoflop": about(0.5, 0.2), "envelope": None}
    assert _beside_published(found, (0.6,)) == []
    (note,) = _beside_published(found, (0.6, 0.5))
    assert note.text == "the published 0.500 lies outside the 90 % interval of law"
    (note,) = _beside_published(found, (0.95,))
    assert str(note.text).endswith("of law and isoflop")


def test_one_budget_leaves_no_slope(posterior: Posterior, runs: Runs) -> None:
    one = dataclasses.replace(posterior, runs=runs.take(runs.C.max() == runs.C))
    stage = _stage(one, None, (), (), 0)
    assert stage.exponents == {"law": None, "isoflop": None, "envelope": None}
    assert any("one budget leaves no slope" in str(note.text) for note in stage.notes)


@pytest.mark.parametrize("omega", [None, 20_000])
def test_stages_are_recounted_by_the_omega_that_is_stated(omega: float | None) -> None:
    """Chinchilla's own is no match for models half the size of its smallest, and this is said."""
    found = reconcile({"all": surface(0.003)}, noise="normal", recounted=True, omega=omega, **QUICK)
    total, counted, kaplans = found.stages.values()
    assert [row["runs"] for row in found.tables[0].records()] == [63, 63, 0]
    last = found.tables[0].records()[2]
    assert (last["isoflop"], last["envelope"], last["published"]) == (None, None, [0.73])
    assert re.search(r"over Kaplan's sizes +law alone  0\.\d{3} \[", str(found))
    used = omega or 47_491
    np.testing.assert_allclose(
        counted.posterior.runs["N"], non_embedding(total.posterior.runs["N"], used)
    )
    by_law = kaplans.exponents["law"]
    assert by_law is not None
    low, _, high = by_law.interval
    assert low - 0.02 < slope(used, KAPLAN_SIZES) < high + 0.02
    assert "omega" not in {note.code for note in total.notes}
    for stage in (counted, kaplans):
        assert ("omega" in {note.code for note in stage.notes}) == (omega is None)


def test_budgets_without_runs_are_refused_before_any_fit() -> None:
    """A budget of one stage need not be one of another."""
    with pytest.raises(InputError, match="within 10 % of the budgets 1e25"):
        reconcile({"low": surface(0.0), "high": surface(0.0, lowest=1e20)}, budgets=[1e18, 1e25])


def test_a_stage_that_cannot_be_fitted_is_named_before_any_fit() -> None:
    runs = surface(0.0)
    columns = {**runs.columns, "L": runs.L - 10}
    one = Runs.from_columns(columns, allow_negative_loss=True)
    with pytest.raises(InputError, match=r"stage 'one' cannot be fitted: ") as refusal:
        reconcile({"all": runs, "one": one})
    assert str(refusal.value).endswith("leave it out of the stages.")
    typed = refusal.value.spelled(COMMAND_LINE)
    assert typed.endswith("leave it out of the stages: --stages all.")


def test_an_omega_needs_a_recount() -> None:
    with pytest.raises(InputError, match="omega is of the recount"):
        reconcile({"all": surface(0.003)}, omega=255)


def test_porians_ladder_comes_out(data_dir: Path) -> None:
    """Porian et al. 2024, arXiv 2406.19146, figure 1, RefinedWeb: from Kaplan's to Chinchilla's."""
    runs = read(
        data_dir / "porian_isoflop.csv",
        N="params", D="tokens", L="loss", C="flops", labels=["experiment"],
    )  # fmt: skip
    ladder = [
        ("base|long|kaplan|kaplan|train", 0.835),
        ("base|long|kaplan|standard|val", 0.706),
        ("base|short|kaplan|standard|val", 0.602),
        ("base|short|chinchilla|standard|val", 0.571),
        ("tuned|short|const|standard|val", 0.497),
    ]
    stages = runs.split("experiment")
    found = [isoflop(profiles(stages[f"RefinedWeb|{key}"])) for key, _ in ladder]
    middles = [exponent.interval.median for exponent in found]
    assert middles == sorted(middles, reverse=True)
    # Another estimator on the same points: within its own interval and the published one's 0.015.
    for exponent, (_, published) in zip(found, ladder, strict=True):
        low, _, high = exponent.interval
        assert low - 0.015 <= published <= high + 0.015
