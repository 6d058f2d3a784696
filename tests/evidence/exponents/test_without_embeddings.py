"""Counts without embeddings, and the exponents that they give."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from scalingfit import law
from scalingfit._errors import InputError
from scalingfit.allocation import frontier, non_embedding
from scalingfit.evidence import (
    envelope,
    exponent_without_embeddings,
    isoflop,
    profiles,
    without_embeddings,
)
from scalingfit.evidence.exponents.budgets import grouped
from scalingfit.evidence.exponents.reconcile import (
    _over_kaplans_sizes,
)
from scalingfit.evidence.exponents.without_embeddings import KAPLAN_SIZES
from scalingfit.inference import Posterior
from scalingfit.runs import Runs
from tests.evidence.exponents.surfaces import EXPONENT, POINT, slope, surface


def test_counting_without_embeddings_gives_kaplans_exponent(posterior: Posterior) -> None:
    """Pearce & Song's script gives 0.7805 for Besiroglu et al.'s constants (FORMULAS: 3)."""

    # A law by itself stands in for a posterior of one draw.
    exactly: Any = SimpleNamespace(law=POINT, noise=None, runs=posterior.runs, provenance={})
    assert exponent_without_embeddings(exactly).a == pytest.approx([0.7805], abs=0.005)
    found = exponent_without_embeddings(posterior)
    assert 0.70 < np.median(found.a) < 0.85


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
