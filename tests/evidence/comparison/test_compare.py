"""Comparisons against ArviZ, against exact fits, and against the laws that made the runs."""

import dataclasses
import importlib
import json
import re
import warnings
from typing import Any

import arviz_base
import arviz_stats
import numpy as np
import numpyro.distributions as dist
import pytest
from scipy.special import logsumexp
from scipy.stats import binom, lognorm

import scalingfit as sf
from scalingfit import law
from scalingfit._errors import InputError
from scalingfit.allocation import Forecast
from scalingfit.cli._spelling import COMMAND_LINE
from scalingfit.evidence import NINETY, Comparison, ScoredForecasts, Stacked, candidates, compare
from scalingfit.evidence.comparison.candidate import is_better
from scalingfit.evidence.comparison.compare import rank
from scalingfit.evidence.comparison.leave_out import held_out, leave_each
from scalingfit.evidence.comparison.stacked import stack
from scalingfit.inference import Posterior, build, posterior_of, sample
from scalingfit.noise import Normal
from scalingfit.runs import Runs, clusters
from tests.evidence.conftest import over_confident
from tests.simulated import BOTH, EXACT, QUICK, SETTINGS, bent, simulated


def ahead_of(comparison: Comparison, name: str) -> ScoredForecasts:
    """A law's forecasts of larger runs."""
    found = comparison.candidates[name].future
    assert found is not None
    return found


def arvizs(tree: Any) -> Any:
    """ArviZ's PSIS-LOO, without its warnings on values of k, which are not judged here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return arviz_stats.loo(tree, pointwise=True)


def test_leaving_out_one_run_is_arvizs(posterior: Posterior) -> None:
    ours = leave_each(posterior, np.arange(36), SETTINGS, refit=False)
    theirs = arvizs(posterior.to_arviz())
    np.testing.assert_allclose(ours.elpd_i, theirs.elpd_i, rtol=1e-12)
    np.testing.assert_allclose(ours.k, theirs.pareto_k, rtol=1e-12)
    assert ours.elpd == pytest.approx(theirs.elpd, rel=1e-12)
    assert ours.se == pytest.approx(theirs.se, rel=1e-12)
    assert ours.p == pytest.approx(theirs.p, rel=1e-9)


def test_leaving_out_groups_is_arvizs_on_sums(posterior: Posterior, runs: Runs) -> None:
    groups = clusters(runs.C)
    assert sorted(set(groups.tolist())) == [0, 1, 2, 3, 4, 5]
    ours = leave_each(posterior, groups, SETTINGS, refit=False)
    each = posterior.log_likelihood()
    sums = np.stack([each[..., groups == g].sum(-1) for g in range(6)], axis=-1)
    tree = arviz_base.from_dict(
        {"posterior": posterior.sampled.values, "log_likelihood": {"L": sums}}
    )
    theirs = arvizs(tree)
    np.testing.assert_allclose(ours.elpd_i, theirs.elpd_i, rtol=1e-9)


def test_fits_without_a_run_agree_with_importance_sampling(
    posterior: Posterior, runs: Runs
) -> None:
    """Two independent ways to the same number, for runs whose k is low."""
    psis = leave_each(posterior, np.arange(36), SETTINGS, refit=False)
    easy = np.flatnonzero(psis.k < 0.4)[:6]
    exact, _ = held_out(posterior.model, runs, [np.arange(36) == i for i in easy], SETTINGS)
    found = [float(logsumexp(d[:, 0]) - np.log(len(d))) for d in exact]
    np.testing.assert_allclose(found, psis.elpd_i[easy], atol=0.15)


def test_runs_are_left_out_of_fits_with_an_error() -> None:
    """The same two ways where the law has an error, whose draws weights and fits alike carry."""
    runs = bent()
    posterior = sf.fit(runs, "power", "normal", **QUICK)
    assert posterior.sampled.record["exact"] < 0.01
    psis = leave_each(posterior, np.arange(24), SETTINGS, refit=False)
    easy = np.flatnonzero(psis.k < 0.5)[:4]
    left, _ = held_out(posterior.model, runs, [np.arange(24) == i for i in easy], SETTINGS)
    for run, (density,) in zip(easy, (d.T for d in left), strict=True):
        found = logsumexp(density) - np.log(len(density))
        error = np.std(np.exp(density - found)) / np.sqrt(len(density) / 4)
        # Weights are about as uneven as these densities.
        assert psis.elpd_i[run] == pytest.approx(found, abs=5 * np.hypot(error, error))
    # It is the law's error that tells a run from its neighbours: without it they are misses.
    exact = leave_each(
        sf.fit(runs, "power", "normal", **EXACT), np.arange(24), SETTINGS, refit=False
    )
    assert psis.elpd > exact.elpd + 10


def test_groups_that_cannot_be_reweighted_are_fitted_exactly(
    posterior: Posterior, runs: Runs
) -> None:
    """Half the table left out at once: against a fit of the other half and SciPy's density."""
    groups = clusters(runs.C) // 3
    ours = leave_each(posterior, groups, SETTINGS)
    assert ours.refitted == (0, 1)
    below, above = runs.take(groups == 0), runs.take(groups == 1)
    values = sample(posterior.model, [below], SETTINGS)[0].values
    E, A, B, alpha, beta, sigma = (
        values[name].reshape(-1, 1) for name in ("E", "A", "B", "alpha", "beta", "sigma")
    )
    mean = E + A * above.N**-alpha + B * above.D**-beta
    joint = np.sum(lognorm.logpdf(above.L, sigma, scale=mean), axis=-1)
    exact = logsumexp(joint) - np.log(len(joint))
    error = np.std(np.exp(joint - exact)) / np.sqrt(len(joint) / 4)
    assert ours.elpd_i[1] == pytest.approx(exact, abs=5 * error)
    assert ours.arviz.elpd == pytest.approx(ours.elpd)


def test_weights_are_arvizs(comparison: Comparison) -> None:
    assert sum(comparison.weights.values()) == pytest.approx(1)
    theirs = arviz_stats.compare(
        {name: item.loo.arviz for name, item in comparison.candidates.items()}, round_to="none"
    )
    assert list(theirs.index) == list(comparison.candidates)
    for name, item in comparison.candidates.items():
        assert item.weight == pytest.approx(theirs.weight[name], abs=1e-3)
        assert item.difference == pytest.approx(theirs.elpd_diff[name], abs=1e-9)
        assert item.difference_se == pytest.approx(theirs.dse[name], abs=1e-9)


def test_it_is_said_whether_the_law_matters(comparison: Comparison) -> None:
    said = comparison.answers(10 * comparison.runs.C.max()).conclusion
    assert comparison.conclusion.endswith(said)


def test_the_law_that_made_the_runs_is_found(comparison: Comparison) -> None:
    assert comparison.best == "chinchilla"
    assert comparison.decided
    assert comparison.conclusion.startswith("These runs favour chinchilla")
    assert comparison.weights["chinchilla"] > 0.9
    first, second = comparison.candidates.values()
    assert first.evidence.log > second.evidence.log + 10


def test_future_runs_are_forecast_from_past_ones_only(comparison: Comparison, runs: Runs) -> None:
    for number, cut in enumerate(comparison.cuts):
        ahead = ahead_of(comparison, "chinchilla")
        chosen = ahead.cut == number
        density, middle = ahead.log_score[chosen], ahead.point[chosen]
        low, high = ahead.ends[NINETY][:, chosen]
        assert runs.C[cut.train].max() < runs.C[cut.test].min()
        assert density.shape == (cut.test.sum(),)
        # Runs of normal scatter s have log density at most -log(s sqrt(2 pi) L) each.
        top = -np.log(0.005 * np.sqrt(2 * np.pi) * runs.L[cut.test])
        assert density.sum() < top.sum() + 10
        # No 90 % interval of a new run is narrower than that of its scatter alone.
        assert np.all(np.log(high / low) > 0.9 * 2 * 1.645 * 0.005)
        assert np.all((low < middle) & (middle < high))


def test_future_runs_have_the_density_of_a_fit_to_the_past(
    comparison: Comparison, runs: Runs
) -> None:
    """A fit to the smaller runs alone, and the normal density over its draws, by SciPy."""
    cut, ahead = comparison.cuts[0], ahead_of(comparison, "chinchilla")
    past, later = runs.take(cut.train), runs.take(cut.test)
    model = build(law("chinchilla"), Normal)
    fit = posterior_of(model, past, sample(model, [past], SETTINGS)[0], SETTINGS)
    mean = np.asarray(fit.law.expand(1).loss(later.N, later.D)).reshape(-1, len(later))
    sigma = np.ravel(fit.draws["sigma"])[:, None]
    density = lognorm.logpdf(later.L, sigma, scale=mean)
    expected = logsumexp(density, axis=0) - np.log(np.shape(density)[0])
    weight = np.exp(density - np.max(density, axis=0))
    # Of draws that are worth a third of their number, in either fit.
    error = np.sqrt(2 * 3 / len(weight)) * weight.std(axis=0) / weight.mean(axis=0)
    assert np.max(np.abs(ahead.log_score[ahead.cut == 0] - expected) / error) < 4.5


def test_every_law_is_compared_with_every_noise(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = compare(runs, BOTH, ["normal", "laplace"], future=False, refit=False, **EXACT)
    names = {f"{each}, {noise}" for each in BOTH for noise in ("normal", "laplace")}
    assert set(found.candidates) == names
    assert sum(found.weights.values()) == pytest.approx(1.0)
    assert found.best.startswith("chinchilla")
    for name, fit in found.posteriors.items():
        assert f"{fit.model.law.name}, {fit.model.noise.name}" == name
    assert set(found.frontier([1e21]).weights) <= names
    best = found.posteriors[found.best]
    asked: list[Any] = []
    monkeypatch.setattr(
        importlib.import_module("scalingfit.evidence.comparison.result"),
        "nested_test",
        lambda runs, noise, **options: asked.append((runs, noise, options["priors"])),
    )
    found.nested_test()
    assert asked == [(runs, best.model.noise, None)]


def test_priors_go_to_their_law_under_every_noise() -> None:
    models = candidates(BOTH, ["normal", "laplace"], {"chinchilla": {"beta": 0.3658}})
    assert len(models) == 4
    for name, model in models.items():
        assert model.priors == ({"beta": 0.3658} if name.startswith("chinchilla") else {})


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


def test_a_comparison_can_be_read_and_saved(comparison: Comparison) -> None:
    text = str(comparison)
    assert "36 runs, leaving out each run" in text
    parsed = json.loads(json.dumps(comparison.as_json()))
    assert parsed["best"] == "chinchilla"
    assert len(parsed["cuts"]) == 2
    each = parsed["pointwise"]["kaplan"]
    assert len(each["k"]) == 36
    assert sum(each["elpd"]) == pytest.approx(comparison.candidates["kaplan"].loo.elpd)
    assert [row["fitted"] for row in parsed["cuts"]] == [18, 24]
    frame = comparison.to_pandas().set_index("name")
    assert frame["elpd"]["chinchilla"] > frame["elpd"]["kaplan"]


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


def test_few_groups_decide_little() -> None:
    """Two standard errors hold as often as the normal's, 95.4 %, whatever the number of groups."""
    rng = np.random.default_rng(0)
    for groups in (3, 6, 24):
        gaps = 100 * rng.standard_normal((20_000, groups))  # far above the least difference
        errors = np.sqrt(groups * gaps.var(axis=1))
        wrong = [is_better(*pair, groups) for pair in zip(gaps.sum(axis=1), errors, strict=True)]
        assert np.mean(wrong) == pytest.approx(0.0228, abs=4 * np.sqrt(0.0228 / 20_000))
    assert not is_better(1e3, 1.0, 1)


def test_few_or_uneven_groups_are_named(runs: Runs) -> None:
    found = compare(
        runs, BOTH, "normal", budgets=np.unique(runs.C)[:3], future=False, refit=False, **EXACT
    )
    # Three budgets of six runs, and eighteen runs by themselves.
    assert found.unit == "budget"
    assert sorted(np.bincount(found.groups).tolist()) == [1] * 18 + [6] * 3
    assert not {"few_groups", "uneven_groups"} & {note.code for note in found.notes}
    # What importance sampling could not leave out are budgets, not runs.
    high = [str(note.text) for note in found.notes if note.code == "high_k"]
    assert high
    assert all(re.match(r"\d groups have Pareto k above", text) for text in high)
    wide = Runs.from_columns(runs.columns, labels={"half": np.repeat(["a", "b", "c"], [24, 6, 6])})
    found = compare(wide, BOTH, "normal", leave_out="half", future=False, refit=False, **EXACT)
    few, uneven, *_ = found.notes
    assert (few.code, uneven.code) == ("few_groups", "uneven_groups")
    assert "only 3 groups are left out, one for each half" in str(few.text)
    assert "one half holds 24 of 36 runs" in str(uneven.text)
    one = Runs.from_columns(runs.columns, labels={"family": ["a"] * 36})
    with pytest.raises(InputError, match="all 36 runs are of one family"):
        compare(one, BOTH, leave_out="family")


def test_checkpoints_of_one_run_are_no_runs_of_their_own(runs: Runs) -> None:
    for label, repeated in (("run_id", False), ("family", True), ("run_id", True)):
        names = np.arange(36) // (2 if repeated else 1)
        table = Runs.from_columns(runs.columns, labels={label: names.astype(str)})
        found = compare(table, BOTH, "normal", future=False, refit=False, **EXACT)
        whole = label == "run_id" and repeated
        assert found.unit == ("run_id" if whole else "run")
        assert len(found.candidates["kaplan"].loo.elpd_i) == (18 if whole else 36)


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


def test_misuse_is_refused(runs: Runs) -> None:
    with pytest.raises(InputError, match="nothing to compare"):
        compare(runs, ["chinchilla"])
    with pytest.raises(InputError, match="listed twice"):
        compare(runs, ["chinchilla", "chinchilla"])
    with pytest.raises(InputError, match="not among the laws"):
        compare(runs, BOTH, priors={"kaplam": {}})
    with pytest.raises(InputError, match="unknown argument steps"):
        compare(runs, BOTH, steps=3)  # type: ignore[call-arg]
    with pytest.raises(InputError, match="weights"):
        compare(runs.with_weight(np.full(36, 2.0)), BOTH)
    with pytest.raises(InputError, match="leave runs out by"):
        compare(runs, BOTH, leave_out="seed")
    with pytest.raises(InputError, match=r"at least 7 runs(?s:.*)there are 0 up to 1e10;"):
        compare(runs, BOTH, cuts=[1e10])


def test_a_table_that_cannot_be_cut_is_compared_all_the_same(runs: Runs) -> None:
    """All runs are of one budget; cuts that are named are refused nevertheless."""
    C = np.full(36, 1e20)
    alike = Runs.from_columns({"N": runs.N, "D": C / 6 / runs.N, "C": C, "L": runs.L})
    found = compare(alike, BOTH, "normal", refit=False, **EXACT)
    assert list(found.cuts) == []
    assert all(item.future is None for item in found.candidates.values())
    (note,) = (note for note in found.notes if note.code == "no_cuts")
    assert str(note.text).startswith("no larger runs to forecast: ")
    assert "at least 7 runs to fit" in str(note.text)
    assert f"! {note.text}" in str(found)
    with pytest.raises(InputError, match="of 36 runs there are 36 up to"):
        compare(alike, BOTH, cuts=[1e20])
    with pytest.raises(InputError, match="no run lies within 10 % of the budgets 1e21"):
        compare(alike, BOTH, budgets=[1e20, 1e21])


@pytest.mark.slow
@pytest.mark.parametrize("truth", BOTH)
def test_the_truth_is_preferred_over_a_hundred_tables(truth: str) -> None:
    """Of 100 tables with 0.5 % scatter the truth is declared better in at least 90 and the other
    law at most twice. With 5 % scatter few tables can tell: the truth is highest more often than a
    coin's side is once in 1000, and the wrong law is *declared* better in at most 8 (5 % and three
    standard errors less what two-sidedness takes away)."""
    coin = int(binom.ppf(0.999, 100, 0.5))
    for scatter, most_wrong in ((0.005, 2), (0.05, 8)):
        tables = [simulated(truth, 24, scatter=scatter, seed=seed) for seed in range(100)]
        posteriors = {}
        for name in BOTH:
            model = build(law(name), Normal)
            draws = sample(model, tables, SETTINGS)
            posteriors[name] = [
                posterior_of(model, table, fit, SETTINGS)
                for table, fit in zip(tables, draws, strict=True)
            ]
        right = wrong = highest = 0
        for at in range(100):
            left = {
                name: leave_each(posteriors[name][at], np.arange(24), SETTINGS, refit=False)
                for name in BOTH
            }
            (best, _), (_, row) = rank(left).items()
            decided = is_better(-row["elpd_diff"], row["dse"], 24)
            highest += best == truth
            right += decided and best == truth
            wrong += decided and best != truth
        assert highest > coin
        assert right >= 90 or scatter > 0.005
        assert wrong <= most_wrong
