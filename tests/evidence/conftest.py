"""Runs with known answers, and fits of them that several tests share."""

import dataclasses

import pytest

from scalingfit import backtest, compare
from scalingfit.evidence import Backtest, Comparison, Discrepancy
from scalingfit.inference import Posterior
from scalingfit.runs import Runs
from tests.simulated import BOTH, QUICK, fit_of, simulated


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
    return fit_of(runs)


@pytest.fixture(scope="session")
def comparison(runs: Runs) -> Comparison:
    return compare(runs, BOTH, "normal", cuts=[1e20, 6e20], **QUICK)


@pytest.fixture(scope="session")
def tested(runs: Runs) -> Backtest:
    return backtest(runs, BOTH, "normal", cuts=[1e20, 6e20], **QUICK)
