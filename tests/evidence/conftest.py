"""Runs with known answers, and fits of them that several tests share."""

import dataclasses

import numpy as np
import pytest

from scalingfit import backtest, compare, law
from scalingfit.evidence import Backtest, Comparison, Discrepancy
from scalingfit.inference import Limits, Posterior, Settings, build, posterior_of, sample
from scalingfit.noise import Normal
from scalingfit.runs import Runs

SETTINGS = Settings(draws=300, retries=0, limits=Limits(ess=100))
QUICK = {"draws": 300, "retries": 0, "limits": Limits(ess=100)}
BOTH = ["chinchilla", "kaplan"]
POINTS = {"chinchilla": "besiroglu-2024", "kaplan": "kaplan-2020-table-2"}


def simulated(name: str, count: int = 36, *, scatter: float = 0.005, seed: int = 0) -> Runs:
    """Runs of a published law at five budgets, with normal scatter on log loss."""
    rng = np.random.default_rng(seed)
    C = np.repeat(np.logspace(18.5, 21.5, 6), count // 6)
    N = np.sqrt(C / 120) * 10 ** np.tile(np.linspace(-0.8, 0.8, count // 6), 6)
    D = C / (6 * N)
    truth = law(name).published[POINTS[name]].law
    with np.errstate(all="raise"):
        mean = np.asarray(truth.loss(N, D), float)
    return Runs.from_columns(
        {"N": N, "D": D, "C": C, "L": mean * np.exp(scatter * rng.standard_normal(len(N)))}
    )


def too_sure(comparison: Comparison, rate: float) -> Comparison:
    """The comparison with forecasts by Chinchilla's law that no larger run lay in."""
    heavy = comparison.candidates["chinchilla"]
    assert heavy.future is not None
    missed = dataclasses.replace(
        heavy.future, ends=heavy.future.ends * 1.5, discrepancy=Discrepancy(rate, 30.0)
    )
    candidate = dataclasses.replace(heavy, future=missed)
    return dataclasses.replace(
        comparison, candidates={**comparison.candidates, "chinchilla": candidate}
    )


@pytest.fixture(scope="session")
def runs() -> Runs:
    return simulated("chinchilla")


@pytest.fixture(scope="session")
def posterior(runs: Runs) -> Posterior:
    model = build(law("chinchilla"), Normal)
    return posterior_of(model, runs, sample(model, [runs], SETTINGS)[0], SETTINGS)


@pytest.fixture(scope="session")
def comparison(runs: Runs) -> Comparison:
    return compare(runs, BOTH, "normal", cuts=[1e20, 6e20], **QUICK)


@pytest.fixture(scope="session")
def tested(runs: Runs) -> Backtest:
    return backtest(runs, BOTH, "normal", cuts=[1e20, 6e20], **QUICK)
