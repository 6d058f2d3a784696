"""Kaplan's law and Chinchilla's as corners of one family, against closed forms and simulation."""

import dataclasses
import importlib
import re
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpyro.distributions as dist
import pytest
from scipy.integrate import quad
from scipy.stats import lognorm

from scalingfit import law
from scalingfit._errors import InputError
from scalingfit.evidence import (
    Comparison,
    NestedFamily,
    NestedTest,
    evidence,
    nested_test,
)
from scalingfit.evidence.hypotheses.nested_test import STRONG
from scalingfit.inference import Evidence, Settings, build, posterior_of, sample
from scalingfit.noise import Normal
from scalingfit.result import Interval
from scalingfit.runs import Runs
from tests.simulated import EXACT, SETTINGS, simulated


def family_of(**draws: Any) -> NestedFamily:
    """A family whose posterior has these draws; the prior is the law's own."""
    model = build(law("nested"), Normal)
    values = {name: np.asarray(value, float) for name, value in draws.items()}
    fit: Any = SimpleNamespace(
        draws=values, model=model, verdict=SimpleNamespace(ok=True, status="ok")
    )
    return NestedFamily(fit)


def test_prior_probabilities_are_those_of_direct_draws() -> None:
    """E, q and beta drawn from their distributions by NumPy; a thousand draws of ours scatter."""
    rng = np.random.default_rng(0)
    E, q = np.abs(2.0 * rng.standard_normal(10**6)), rng.uniform(0, 1.5, 10**6)
    beta = np.exp(np.log(0.25) + 0.7 * rng.standard_normal(10**6))
    additive = np.where(beta < 1, q > (1 + beta) / 2, q < (1 + beta) / 2)
    exact = {"chinchilla": additive.mean(), "kaplan": np.mean(~additive & (E < 0.5))}
    exact["neither"] = 1 - sum(exact.values())
    family = family_of(E=[[1.0]], q=[[1.0]], beta=[[0.3]])
    parameters, sides = (table.columns for table in family.tables)
    for name, found in zip(sides["side"].values, sides["prior"].values, strict=True):
        share = exact[str(name)]
        assert found == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / 1000))
    for draws, interval in zip((E, q), parameters["prior"].values, strict=True):
        assert isinstance(interval, Interval)
        low, middle, high = interval
        assert np.mean(draws < low) == pytest.approx(0.05, abs=0.03)
        assert np.mean(draws < middle) == pytest.approx(0.5, abs=0.065)
        assert np.mean(draws < high) == pytest.approx(0.95, abs=0.03)


def test_every_draw_has_one_side() -> None:
    """By hand: q = 1; q = beta, below and above half a nat; q = 0.6, a little nearer to beta."""
    found = family_of(
        E=[[1.7, 0.1, 1.7, 0.1]], q=[[1.0, 0.2, 0.2, 0.6]], beta=[[0.3, 0.2, 0.2, 0.3]]
    )
    assert found.sides() == {"chinchilla": 0.25, "kaplan": 0.5, "neither": 0.25}
    assert found.conclusion.startswith(
        "In the family of both laws it is open how the terms combine: mostly they combine as in K"
    )
    text = str(found)
    assert re.search(r"E  0.900 \[0.100, 1.700\]  1.\d+ \[", text)
    assert re.search(r"as nearly in Kaplan's law +0.5 +0.\d+", text)


@pytest.mark.parametrize(
    ("log", "said"),
    [
        (2.0, "cannot distinguish the corners: from even odds, Chinchilla's corner is 7.39 times"),
        (-4.0, "Kaplan's corner is 54.6 times as probable as Chinchilla's"),
        (700.0, "Chinchilla's corner is 10^304 times"),
        (0.5, "But the whole family is 90 times as probable as that corner"),
    ],
)
def test_odds_follow_from_evidence(log: float, said: str) -> None:
    found = NestedTest(
        {"family": family_of(E=[[1.0]], q=[[1.0]], beta=[[0.3]]).posterior},
        {
            "family": Evidence(5.0, 0.1),
            "chinchilla": Evidence(log, 0.3),
            "kaplan": Evidence(0, 0.4),
        },
    )
    assert found.log_bayes_factor == Evidence(log, 0.5)
    weights = {"family": np.exp(5.0 - log), "chinchilla": 1.0, "kaplan": np.exp(-log)}
    for name, weight in weights.items():
        assert found.probabilities[name] == pytest.approx(weight / sum(weights.values()))
    assert said in found.conclusion
    assert ("whole family" in found.conclusion) == (5.0 - max(log, 0.0) >= STRONG)
    # With errors, and held to be exact: both are told.
    evidence = {"family": Evidence(0, 0), "chinchilla": Evidence(9, 0), "kaplan": Evidence(0, 0)}
    fits = dict.fromkeys(evidence, found.posteriors["family"])
    both = NestedTest(fits, found.evidence, NestedTest(fits, evidence))
    assert said in both.conclusion
    assert "Of laws that are held to be exact: given these runs and even odds beforehand, Chin" in (
        both.conclusion
    )
    models: Any = both.tables[-1].records()
    assert models[1]["exact_log_evidence"] == 9
    assert models[1]["exact_probability"] == pytest.approx(1 / (1 + 2 * np.exp(-9)))
    assert models[1]["log_evidence"] == log


def test_a_bayes_factor_of_one_dimension_is_that_of_quadrature() -> None:
    """A power law with its exponent pinned at two values, one coefficient free: to 1 %."""
    rng = np.random.default_rng(5)
    X = np.logspace(6, 9, 12)
    L = (0.5 + 20.0 * X**-0.3) * np.exp(0.05 * rng.standard_normal(12))
    runs = Runs.from_columns({"X": X, "L": L})

    def exact(c: float) -> float:
        def integrand(log_beta: float) -> float:
            term = (log_beta - c * np.log(1e6)) / 4.0
            mean = 0.5 + np.exp(log_beta) * X**-c
            height = lognorm.logpdf(L, 0.05, scale=mean).sum() - 30.0
            return float(np.exp(height - 0.5 * term**2) / (4.0 * np.sqrt(2 * np.pi)))

        top = np.log(20.0) + (c - 0.3) * np.log(10**7.5)
        return float(np.log(quad(integrand, top - 2, top + 2, epsabs=0, points=[top])[0]))

    def bridged(c: float) -> float:
        model = build(law("power"), Normal, {"E": 0.5, "c": c, "sigma": 0.05})
        assert model.dim == 1
        settings = Settings(draws=1000)
        return evidence(posterior_of(model, runs, sample(model, [runs], settings)[0], settings)).log

    assert bridged(0.3) - bridged(0.31) == pytest.approx(exact(0.3) - exact(0.31), abs=0.01)


def test_runs_of_chinchillas_law_lie_on_its_side(runs: Runs) -> None:
    model = build(law("nested"), Normal)
    found = NestedFamily(posterior_of(model, runs, sample(model, [runs], SETTINGS)[0], SETTINGS))
    assert found.sides()["chinchilla"] > 0.95
    E, q = (np.quantile(draws, [0.05, 0.95]) for draws in (found.E, found.q))
    assert E[0] > 0.5
    assert q[0] < 1 < q[1]
    assert "the terms of N and D combine as in Chinchilla's law" in found.conclusion


def test_corners_have_the_priors_and_the_noise_of_the_family_that_was_compared(
    comparison: Comparison, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The family's fit is used again; its corners differ from it by their pins alone."""
    asked: dict[str, Any] = {}

    def pretend(models: Any, runs: Runs, settings: Settings) -> dict[str, Any]:
        asked.update(models=models, settings=settings)
        return {name: SimpleNamespace(model=model) for name, model in models.items()}

    module = importlib.import_module("scalingfit.evidence.hypotheses.nested_test")
    monkeypatch.setattr(module, "fit_each", pretend)
    monkeypatch.setattr(module, "evidence", lambda fit: None)
    beta = dist.LogNormal(np.log(0.3), 0.1)
    nested: Any = SimpleNamespace(model=build(law("nested"), Normal, {"beta": beta, "alpha": 0.35}))
    first = comparison.candidates["chinchilla"]
    candidates = {**comparison.candidates, "nested": dataclasses.replace(first, posterior=nested)}
    found = dataclasses.replace(comparison, candidates=candidates).nested_test()
    assert found.posteriors["family"] is nested
    assert set(asked["models"]) == {"chinchilla", "kaplan"}
    assert asked["settings"] == comparison.settings
    assert {model.noise for model in asked["models"].values()} == {Normal}
    assert asked["models"]["chinchilla"].priors == {"alpha": 0.35, "beta": beta, "q": 1.0}
    assert asked["models"]["kaplan"].priors == {"alpha": 0.35, "E": 1e-9, "q": beta, "beta": "q"}
    # Without the family among the laws, its own priors and the noise of the best.
    comparison.nested_test()
    assert asked["models"]["family"] is build(law("nested"), Normal)
    with pytest.raises(InputError, match="unknown argument settings"):
        nested_test(runs, settings=SETTINGS)  # type: ignore[call-arg]


@pytest.mark.slow
@pytest.mark.parametrize("truth", ["chinchilla", "kaplan"])
def test_the_corner_that_made_the_runs_is_chosen(truth: str) -> None:
    """0.5 % scatter tells them apart; the family, which holds both, comes second."""
    found = nested_test(simulated(truth), "normal", **EXACT)
    other = {"chinchilla": "kaplan", "kaplan": "chinchilla"}[truth]
    assert found.probabilities[truth] > found.probabilities["family"] > found.probabilities[other]
    sign = {"chinchilla": 1, "kaplan": -1}[truth]
    assert sign * found.log_bayes_factor.log > 10 * found.log_bayes_factor.error
    assert sign * found.log_bayes_factor.log > 3
    # Kaplan's side also asks for E below half a nat, which small exponents leave rather open.
    sides = found.family.sides()
    assert max(sides, key=lambda name: sides[name]) == truth
    assert sides[other] < 0.05
    assert found.odds.startswith("Given these runs and even odds beforehand")
    assert found.conclusion in str(found)
