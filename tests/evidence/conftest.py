"""Runs with known answers, and fits of them that several tests share."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import scalingfit
from scalingfit import backtest, compare
from scalingfit.evidence import Backtest, Comparison
from scalingfit.inference import Posterior
from scalingfit.runs import Runs
from tests.simulated import BOTH, EXACT, fit_of, simulated

PNG = b"\x89PNG\r\n\x1a\n"


def over_confident(comparison: Comparison) -> Comparison:
    """The comparison with intervals of Chinchilla's law that cover no larger run."""
    heavy = comparison.candidates["chinchilla"]
    assert heavy.future is not None
    missed = dataclasses.replace(heavy.future, ends=heavy.future.ends * 1.5)
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
    return compare(runs, BOTH, "normal", cuts=[1e20, 6e20], **EXACT)


@pytest.fixture(scope="session")
def tested(runs: Runs) -> Backtest:
    return backtest(runs, BOTH, "normal", cuts=[1e20, 6e20], **EXACT)


@pytest.fixture
def file(runs: Runs, tmp_path: Path) -> str:
    path = tmp_path / "runs.csv"
    runs.to_pandas().rename(columns={"N": "params", "D": "tokens", "L": "loss"}).to_csv(path)
    return str(path)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Any], dict[str, Any]]:
    """Let a verb return what was made beforehand; the dictionary shows what it was asked."""

    def install(verb: str, found: Any) -> dict[str, Any]:
        asked: dict[str, Any] = {}

        def pretend(*given: Any, **options: Any) -> Any:
            asked.update(options, given=given)
            return found

        monkeypatch.setitem(vars(scalingfit), verb, pretend)
        return asked

    return install
