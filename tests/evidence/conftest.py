"""Runs with known answers, and fits of them that several tests share."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import scalingfit
from scalingfit import backtest, compare, law
from scalingfit.evidence import Backtest, Comparison, Discrepancy
from scalingfit.inference import Limits, Posterior, Settings, build, posterior_of, sample
from scalingfit.noise import Normal
from scalingfit.runs import Runs

SETTINGS = Settings(draws=300, retries=0, limits=Limits(ess=100))
QUICK = {"draws": 300, "retries": 0, "limits": Limits(ess=100)}
BOTH = ["chinchilla", "kaplan"]
PNG = b"\x89PNG\r\n\x1a\n"
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


def over_confident(comparison: Comparison, rate: float) -> Comparison:
    """The comparison with intervals of Chinchilla's law that cover no larger run."""
    heavy = comparison.candidates["chinchilla"]
    assert heavy.future is not None
    missed = dataclasses.replace(
        heavy.future, ends=heavy.future.ends * 1.5, discrepancy=Discrepancy(rate, 30.0)
    )
    candidate = dataclasses.replace(heavy, future=missed)
    return dataclasses.replace(
        comparison, candidates={**comparison.candidates, "chinchilla": candidate}
    )


def scattered(name: str) -> Any:
    """What a hypothesis reads of a posterior, with draws about a published point."""
    rng = np.random.default_rng(0)
    point = next(iter(law(name).published.values()))
    values = {k: v * np.exp(0.05 * rng.standard_normal((4, 50))) for k, v in point.values.items()}
    drawn = law(name)(**values)
    N = np.geomspace(1e8, 1e10, 20)
    runs = Runs.from_columns({"N": N, "D": 20 * N, "L": np.linspace(3.5, 2.2, 20)})
    model = build(law(name), Normal)
    sampled = SimpleNamespace(energy=np.zeros((4, 50)))
    return SimpleNamespace(
        law=drawn, noise=None, draws=drawn.values(), runs=runs, model=model, sampled=sampled,
        provenance={},
    )  # fmt: skip


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
