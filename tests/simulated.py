"""Runs and fits with known answers, for tests of several rooms."""

from types import SimpleNamespace
from typing import Any

import numpy as np

from scalingfit import law
from scalingfit.inference import (
    Limits,
    Posterior,
    Settings,
    build,
    posterior_of,
    prior_values,
    sample,
)
from scalingfit.noise import Normal
from scalingfit.runs import Runs

SETTINGS = Settings(draws=300, retries=0, limits=Limits(ess=100))
QUICK: dict[str, Any] = {"draws": 300, "retries": 0, "limits": Limits(ess=100)}
EXACT: Any = {**QUICK, "law_error": None}
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


def bent() -> Runs:
    """Runs of a power law that bends by 3 %, ten times its scatter.

    Of one input, so that fits with the law's error are compiled fast.
    """
    X = np.geomspace(1e5, 1e9, 24)
    scatter = 0.003 * np.random.default_rng(0).standard_normal(24)
    return Runs.from_columns(
        {"X": X, "L": (0.5 + 20 * X**-0.3) * np.exp(0.03 * np.sin(np.log10(X)) + scatter)}
    )


def scattered(name: str) -> Any:
    """What a hypothesis reads of a posterior, with draws about a published point or the prior's."""
    rng = np.random.default_rng(0)
    model = build(law(name), Normal)
    if published := law(name).published:
        point = next(iter(published.values())).values
    else:
        point = {k: float(np.median(prior_values(model)[k])) for k in law(name).parameters()}
    drawn = law(name)(
        **{k: v * np.exp(0.05 * rng.standard_normal((4, 50))) for k, v in point.items()}
    )
    N = np.geomspace(1e8, 1e10, 20)
    runs = Runs.from_columns({"N": N, "D": 20 * N, "L": np.linspace(3.5, 2.2, 20)})
    sampled = SimpleNamespace(energy=np.zeros((4, 50)))
    return SimpleNamespace(
        law=drawn, noise=None, draws=drawn.values(), runs=runs, model=model, sampled=sampled,
        provenance={},
    )  # fmt: skip


def fit_of(runs: Runs) -> Posterior:
    """Chinchilla's law under normal noise, with few draws."""
    model = build(law("chinchilla"), Normal)
    return posterior_of(model, runs, sample(model, [runs], SETTINGS)[0], SETTINGS)
