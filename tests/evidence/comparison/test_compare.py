"""Comparisons of laws: what they find, give, and refuse."""

import importlib
import json
from typing import Any

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import binom, lognorm

from scalingfit import law
from scalingfit._errors import InputError
from scalingfit.evidence import NINETY, Comparison, candidates, compare
from scalingfit.evidence.comparison.candidate import is_better
from scalingfit.evidence.comparison.compare import rank
from scalingfit.evidence.comparison.leave_out import leave_each
from scalingfit.inference import build, posterior_of, sample
from scalingfit.noise import Normal
from scalingfit.runs import Runs
from tests.evidence.comparison.compared import ahead_of
from tests.simulated import BOTH, EXACT, SETTINGS, simulated


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
            best, other = rank(left)
            decided = is_better(left[best].elpd_i - left[other].elpd_i)
            highest += best == truth
            right += decided and best == truth
            wrong += decided and best != truth
        assert highest > coin
        assert right >= 90 or scatter > 0.005
        assert wrong <= most_wrong
