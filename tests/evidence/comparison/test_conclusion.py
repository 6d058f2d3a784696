"""What a comparison says, and what it warns of."""

import dataclasses
import re
from typing import Any

import numpy as np
import numpyro.distributions as dist
import pytest

from scalingfit.allocation import Forecast
from scalingfit.cli._spelling import COMMAND_LINE
from scalingfit.evidence import Comparison, Stacked, compare
from scalingfit.evidence.comparison.stacked import stack
from scalingfit.runs import Runs
from tests.evidence.comparison.compared import ahead_of
from tests.evidence.conftest import over_confident
from tests.simulated import BOTH, EXACT, simulated


def test_it_is_said_whether_the_law_matters(comparison: Comparison) -> None:
    said = comparison.answers(10 * comparison.runs.C.max()).conclusion
    assert comparison.conclusion.endswith(said)


def test_a_stack_of_over_confident_laws_is_noted(comparison: Comparison) -> None:
    """Intervals of the heavy law that no larger run is in; how much better the best forecasts."""
    assert "over-confident" not in str(comparison)
    assert "a run above kaplan)" in comparison.conclusion
    wrong = over_confident(comparison)
    assert "its 90 % intervals covered 0% of them." in wrong.conclusion
    assert "! chinchilla: 90 % intervals covered 0% of larger runs forecast" in str(wrong)
    before, after = (str(found.forecast(N=1e11, D=2e12)) for found in (comparison, wrong))
    said = "covered 0% of larger runs forecast from smaller ones: beyond the runs expect more"
    assert said in after
    assert "of larger runs" not in before


def test_a_lead_in_forecasts_within_its_error_is_none(comparison: Comparison) -> None:
    """Scores of one law with a scatter that its mean does not stand out of."""
    ahead = ahead_of(comparison, "kaplan")
    rng = np.random.default_rng(0)
    scatter = rng.normal(0.0, 5.0, len(ahead.log_score))
    beside = dataclasses.replace(ahead, log_score=ahead.log_score + scatter)
    candidates = {
        name: dataclasses.replace(candidate, future=ahead if name == "kaplan" else beside)
        for name, candidate in comparison.candidates.items()
    }
    said = dataclasses.replace(comparison, candidates=candidates).conclusion
    assert "Forecasts of larger runs from smaller ones do not distinguish" in said
    assert "best overall" not in said


def test_a_law_that_its_prior_holds_back_is_noted(comparison: Comparison, runs: Runs) -> None:
    """A fit is scored with its prior: one that has hardly a draw where the runs pull is named."""
    assert "to where the prior" not in str(comparison)
    narrow = {"kaplan": {"alpha_D": dist.LogNormal(0.0, 0.05)}}
    found = compare(runs, BOTH, "normal", priors=narrow, cuts=[6e20], **EXACT)
    said = r"! kaplan: the runs pull alpha_D( and .*)? to where the prior has less than 1%"
    assert re.search(said, str(found))
    assert "priors={'kaplan': {'alpha_D': ...}}" in str(found)
    assert "--prior kaplan.alpha_D=..." in found.text(COMMAND_LINE)


def with_k(comparison: Comparison, k: np.ndarray, refitted: tuple[int, ...], **kept: Any) -> Any:
    """The comparison with other values of k for Chinchilla's law, and no high ones elsewhere."""
    candidates = {
        name: dataclasses.replace(
            item,
            loo=dataclasses.replace(
                item.loo,
                k=k if name == "chinchilla" else np.zeros(len(k)),
                refitted=refitted if name == "chinchilla" else (),
            ),
        )
        for name, item in comparison.candidates.items()
    }
    return dataclasses.replace(comparison, candidates=candidates, **kept)


def test_runs_of_high_k_are_named(comparison: Comparison) -> None:
    k = np.zeros(36)
    assert with_k(comparison, k, ()).as_json()["high_k"] == []
    assert "High Pareto k" not in str(with_k(comparison, k, ()))
    k[[4, 17, 30]] = 0.8, np.nan, 1.2
    found = with_k(comparison, k, (4, 17, 30))
    rows, high = comparison.runs.row_numbers, found.as_json()["high_k"]
    assert [(row["name"], row["group"], row["rows"]) for row in high] == [
        ("chinchilla", at, [rows[at]]) for at in (17, 30, 4)
    ]
    assert all(row["refitted"] for row in high)
    for at, value in ((17, "nan"), (30, "1.20"), (4, "0.80")):
        assert re.search(rf"chinchilla +row {rows[at]} +{value} +by a fit without it", str(found))
    k[:8] = np.linspace(0.71, 0.78, 8)
    text = str(with_k(comparison, k, ()))
    assert re.search(rf"row {rows[5]} +0.76 +by importance weights", text)
    k[8:12] = 0.9
    assert "and 4 more" in str(with_k(comparison, k, ()))


def test_groups_of_high_k_are_named_by_their_rows(comparison: Comparison) -> None:
    groups = np.repeat(np.arange(6), 6)
    found = with_k(comparison, np.array([0.0, 0, 0, 1.0, 0, 0]), (3,), groups=groups)
    (row,) = found.as_json()["high_k"]
    assert row["rows"] == comparison.runs.row_numbers[18:24].tolist()
    assert re.search(r"chinchilla +rows 19 and 5 more +1.00 +by a fit without it", str(found))


def test_stacked_answers_mix_the_laws(comparison: Comparison) -> None:
    half = {"chinchilla": 0.75, "kaplan": 0.25}
    stacked = stack(half, lambda name: comparison.posteriors[name].forecast(N=1e11, D=2e12))
    mixed = stacked.mixture.draws["mean"]
    each = {name: answer.draws["mean"] for name, answer in stacked.each.items()}
    assert mixed.shape[1] == 1600  # three quarters need all 1200 draws of one law
    expected = sum(half[name] * each[name].mean() for name in half)
    scatter = np.std(each["kaplan"]) / np.sqrt(400)
    assert mixed.mean() == pytest.approx(expected, abs=5 * scatter)
    (within,), (between,) = stacked.spread("mean")
    assert np.hypot(within, between) == pytest.approx(np.log(mixed).std(), rel=0.05)
    assert between > within
    assert "within / between" in str(comparison.forecast(N=1e11, D=2e12))
    assert len(comparison.frontier([1e22, 1e23]).mixture) == 2


def test_the_spread_between_laws_is_shown_however_small() -> None:
    """Two laws of equal weight, their losses 1e-5 apart: 0.5e-5 to either side."""
    rng = np.random.default_rng(0)
    mean = 2.0 * np.exp(0.01 * rng.standard_normal((4, 100, 1)))
    asked = {"N": np.array([1e9]), "D": np.array([2e10])}
    near = {
        name: Forecast(asked=asked, draws={"mean": mean * factor}, provenance={})
        for name, factor in (("one", 1.0), ("other", np.exp(1e-5)))
    }
    found = Stacked(near["one"], near, {"one": 0.5, "other": 0.5})
    _, (between,) = found.spread("mean")
    assert between == pytest.approx(0.5e-5, rel=1e-6)
    assert "/ 5e-06" in str(found)
    # An exponent may be negative, and is a slope of logarithms itself: its spread is its own.
    slopes = {"one": np.array([[[-0.2], [0.4]]]), "other": np.array([[[0.3], [0.9]]])}
    each = {
        name: Forecast(asked=asked, draws={"a": draws}, provenance={})
        for name, draws in slopes.items()
    }
    within, between = Stacked(each["one"], each, {"one": 0.5, "other": 0.5}).spread("a")
    assert [within.item(), between.item()] == pytest.approx([0.3, 0.25])


def test_a_law_of_next_to_no_weight_takes_no_part_and_is_named(comparison: Comparison) -> None:
    weights = {"chinchilla": 0.999, "kaplan": 0.001}
    found = stack(weights, lambda name: comparison.posteriors[name].forecast(N=1e10, D=2e11))
    assert found.weights == {"chinchilla": 1.0}
    assert "! kaplan: takes no part, at a weight of 0.001" in str(found)
    assert found.spread("mean")[1] == 0
    assert "/ 0\n" in str(found)


def test_runs_that_cannot_tell_are_not_forced_to() -> None:
    few = simulated("chinchilla", 18, scatter=0.2, seed=1)
    found = compare(few, BOTH, "normal", future=False, refit=False, **EXACT)
    assert not found.decided
    assert found.conclusion.startswith("These runs cannot distinguish")
    assert "use them stacked." in found.conclusion
    alone = {
        name: dataclasses.replace(candidate, weight=float(name == found.best))
        for name, candidate in found.candidates.items()
    }
    said = dataclasses.replace(found, candidates=alone).conclusion
    assert f"the stack is {found.best} alone, so look at each." in said
