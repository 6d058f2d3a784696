"""Every law through the engine: it recovers its own parameters, splits budgets, and is saved."""

import functools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import binom, norm

import scalingfit as sf
from benchmarks.sbc import design, ends, seed
from scalingfit.allocation import counting
from scalingfit.allocation.solver import solve
from scalingfit.catalog import law, laws, noise
from scalingfit.inference import (
    Draws,
    Limits,
    Model,
    Settings,
    build,
    posterior_of,
    prior_values,
    sample,
)
from scalingfit.inference.diagnostics import diagnose
from scalingfit.runs import Runs

LAWS = list(laws())
RUNS = 60


def every(names: Iterable[str], quick: Sequence[str]) -> list[Any]:
    """All names as test parameters; those that are not quick run with the long checks only."""
    return [n if n in quick else pytest.param(n, marks=pytest.mark.slow) for n in names]


def model_of(name: str) -> Model:
    return build(law(name), noise(law(name).default_noise))


def simulate(name: str, fits: int) -> tuple[dict[str, np.ndarray], list[Runs]]:
    """Parameters from the prior, shape (fit,), and a table of runs for each."""
    given = design(name, RUNS)
    priors = law(name).informed
    columns: dict[str, Any] = given
    drawn = sf.prior_predictive(columns, name, priors=priors, draws=fits, seed=seed(name))
    losses = drawn.pop("L")
    signed = not model_of(name).noise.on_log
    tables = [Runs.from_columns({**given, "L": L}, allow_negative_loss=signed) for L in losses]
    return drawn, tables


# Intervals of 90 % ask less of the draws than a verdict does.
LIMITS = Limits(rhat=1.05, ess=100, divergences=10)


@functools.cache
def recovered(name: str, fits: int, **sampling: Any) -> tuple[dict[str, np.ndarray], list[Draws]]:
    """True parameters from the prior, each (fit,), and fits to runs simulated with them.

    Every fit counts, whatever its diagnostics say: leaving some out would bias the coverage.
    """
    truth, tables = simulate(name, fits)
    model = build(law(name), noise(law(name).default_noise), law(name).informed)
    settings = Settings(method="auto", limits=LIMITS, **sampling)
    return truth, sample(model, tables, settings)


def assert_covered(truth: Mapping[str, np.ndarray], drawn: Sequence[Draws]) -> None:
    """Every 90 % interval covers as often as it says, up to what chance does once in 1000 laws."""
    hits = dict.fromkeys(truth, 0)
    for fit, draws in enumerate(drawn):
        for parameter, values in draws.values.items():
            low, high = np.quantile(values, [0.05, 0.95])
            hits[parameter] += bool(low <= truth[parameter][fit] <= high)
    chance = 1e-3 / len(hits) / 2
    low, high = np.asarray(binom.ppf([chance, 1 - chance], len(drawn), 0.9))
    outside = {name: count for name, count in hits.items() if not low <= count <= high}
    assert not outside, f"of {len(drawn)} intervals {low:g} to {high:g} should hold the truth"


def distance_ranks(
    truth: Mapping[str, np.ndarray], drawn: Sequence[Draws], width: float = 1.0
) -> np.ndarray:
    """The share of a fit's draws that lie farther from its middle than the truth, shape (fit,).

    Distances are Mahalanobis's in all parameters at once, positive ones by their logarithms. If
    the draws are the posterior's, the shares are uniform, since any function of parameters and
    runs ranks so (Modrak et al. 2023, arXiv 2211.02383); too narrow intervals lower them all.
    `width` scales the draws about their middle.
    """
    shares = []
    for fit, draws in enumerate(drawn):
        rows = []
        for name, values in draws.values.items():
            every = np.append(values.ravel(), truth[name][fit])
            rows.append(np.log(every) if np.all(every > 0) else every)
        offset = np.array(rows) - np.mean(np.array(rows)[:, :-1], axis=1, keepdims=True)
        offset[:, :-1] *= width
        # Draws that never moved have no inverse covariance, and lie no farther than the truth.
        inverse = np.linalg.pinv(np.cov(offset[:, :-1]), hermitian=True)
        distance = np.sum(offset * (inverse @ offset), axis=0)
        shares.append(np.mean(distance[:-1] > distance[-1]))
    return np.array(shares)


def chance_of_uniform(shares: np.ndarray) -> float:
    """How often the mean of uniform shares is as far from a half: 12 n times its variance is 1."""
    return float(2 * norm.sf(abs(shares.mean() - 0.5) * np.sqrt(12 * len(shares))))


def quick_shares(width: float = 1.0) -> np.ndarray:
    """Of 24 fits of each of three laws, which are independent of one another."""
    few = {"draws": 300, "retries": 1}
    laws = [recovered(name, fits=24, **few) for name in ("chinchilla", "power", "routed")]
    return np.concatenate([distance_ranks(*each, width) for each in laws])


def test_laws_recover_their_parameters() -> None:
    assert chance_of_uniform(quick_shares()) > 1e-3


@pytest.mark.parametrize("width", [0.8, 1.25])
def test_intervals_of_another_width_would_be_noticed(width: float) -> None:
    """The same fits with draws a fifth nearer to their middle, or a quarter farther from it."""
    assert chance_of_uniform(quick_shares(width)) < 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("name", LAWS)
def test_every_law_recovers_its_parameters(name: str) -> None:
    """Drawn from the prior and fitted with it, intervals are exact: Cook et al. 2006.

    As `fit` would fit them, with as many draws and attempts.
    """
    truth, drawn = recovered(name, fits=200)
    assert_covered(truth, drawn)
    assert chance_of_uniform(distance_ranks(truth, drawn)) > 1e-3
    assert sum(bool(draws.diagnosis.passes(LIMITS)) for draws in drawn) >= 190


SPLITS = [
    name for name in LAWS if "N" in law(name).inputs() and {"D", "S"} & set(law(name).inputs())
]


@pytest.mark.parametrize("name", every(SPLITS, quick=["kaplan", "data_constrained"]))
def test_the_optimum_satisfies_the_first_order_condition(name: str) -> None:
    """Along the budget the loss falls up to N* and rises beyond; at a kink too."""
    C = np.geomspace(1e18, 1e26, 5)
    others = [key for key in law(name).inputs() if key not in ("N", "D", "S")]
    extras = {key: np.full(5, np.sqrt(np.prod(ends(name, key)))) for key in others}
    prior = prior_values(model_of(name))
    drawn = law(name)(**{key: prior[key][:50] for key in law(name).parameters()})
    found = solve(drawn, C, counting("6ND"), extras=extras)

    def along(log_N: Any) -> Any:
        D = C / (6 * jnp.exp(log_N))
        known = {"N": jnp.exp(log_N), "D": D, "S": D / extras.get("batch", 1.0), **extras}
        return drawn.expand(1).loss(**{key: known[key] for key in law(name).inputs()})

    @jax.jit
    def slope(log_N: Any) -> Any:
        return jax.jvp(along, (log_N,), (jnp.ones_like(log_N),))[1]

    with jax.enable_x64(True):
        log_N, near, rounding = np.log(found.N), 1e-6, 1e-13 * found.L
        assert np.all((slope(log_N - near) <= rounding) | found.lowest)
        assert np.all((slope(log_N + near) >= -rounding) | found.highest)
        places = np.linspace(np.zeros_like(found.N), np.log(C / 6) + np.zeros_like(found.N), 300)
        least = jax.jit(lambda places: jnp.min(jax.lax.map(along, places), axis=0))(places)
    np.testing.assert_array_less(found.L, np.asarray(least) * (1 + 1e-12))
    assert np.mean(found.lowest | found.highest) < 0.2


@pytest.mark.parametrize("name", every(LAWS, quick=["kaplan", "broken", "vocabulary"]))
def test_a_fit_of_every_law_comes_back_from_its_file(name: str, tmp_path: Path) -> None:
    model, settings = model_of(name), Settings(draws=20)
    draws, given = draws_from_the_prior(model), design(name, RUNS)
    first = law(name)(**{key: draws.values[key][0, 0] for key in law(name).parameters()})
    losses = np.asarray(first.loss(**given), float)
    runs = Runs.from_columns({**given, "L": losses}, allow_negative_loss=not model.noise.on_log)
    saved = posterior_of(model, runs, draws, settings)
    saved.save(tmp_path / "fit.nc")
    back = sf.load(tmp_path / "fit.nc")
    assert back.model is model
    assert type(back.law) is law(name)
    for parameter, values in saved.draws.items():
        np.testing.assert_array_equal(back.draws[parameter], values)
    assert back.runs.digest == runs.digest
    assert back.verdict == saved.verdict
    assert back.provenance == saved.provenance
    np.testing.assert_array_equal(back.residuals(), saved.residuals())


def draws_from_the_prior(model: Model) -> Draws:
    """What a sampler would return where the runs say nothing."""
    random, shape = np.random.default_rng(0), (4, 20)
    values = {key: prior[:80].reshape(shape) for key, prior in prior_values(model).items()}
    energy, diverging = random.standard_normal(shape), np.zeros(shape, bool)
    return Draws(
        values=values,
        log_density=-energy,
        energy=energy,
        acceptance=random.uniform(size=shape),
        leapfrogs=np.full(shape, 3),
        diverging=diverging,
        step_size=np.full(4, 0.5),
        diagnosis=diagnose(np.stack(list(values.values())), energy, diverging),
        record={"attempts": 1, "method": "nuts"},
    )
