"""Every law through the engine: it recovers its own parameters, splits budgets, and is saved."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import binom

import scalingfit as sf
from benchmarks.recovery import DESIGN, design
from scalingfit.allocation.flops import counting
from scalingfit.allocation.solver import solve
from scalingfit.catalog import law, laws
from scalingfit.inference.diagnostics import Limits, diagnose
from scalingfit.inference.fit import posterior_of
from scalingfit.inference.model import Model, build
from scalingfit.inference.programs import prior_values
from scalingfit.inference.sampler import Draws, Settings, sample
from scalingfit.noise import noise
from scalingfit.runs import Runs

LAWS = list(laws())


def every(names: Iterable[str], quick: Sequence[str]) -> list[Any]:
    """All names as test parameters; those that are not quick run with the long checks only."""
    return [n if n in quick else pytest.param(n, marks=pytest.mark.slow) for n in names]


def model_of(name: str) -> Model:
    return build(law(name), noise(law(name).default_noise))


def simulate(name: str, fits: int) -> tuple[dict[str, np.ndarray], list[Runs]]:
    """Parameters from the prior, shape (fit,), and a table of runs for each."""
    given = design(name)
    drawn = sf.prior_predictive(name, draws=fits, seed=LAWS.index(name), **given)
    losses = drawn.pop("L")
    signed = not model_of(name).noise.on_log
    tables = [Runs.from_columns({**given, "L": L}, allow_negative_loss=signed) for L in losses]
    return drawn, tables


def recover(name: str, fits: int) -> tuple[dict[str, int], int]:
    """How many 90 % intervals hold the truth, by parameter, and how many fits converged.

    Every fit counts, whatever its diagnostics say: leaving some out would bias the coverage.
    """
    truth, tables = simulate(name, fits)
    # Intervals of 90 % ask less of the draws than a verdict does.
    limits = Limits(rhat=1.05, ess=100, divergences=10)
    settings = Settings(draws=300, retries=1, limits=limits)
    drawn = sample(model_of(name), tables, settings)
    hits = dict.fromkeys(truth, 0)
    for fit, draws in enumerate(drawn):
        for parameter, values in draws.values.items():
            low, high = np.quantile(values, [0.05, 0.95])
            hits[parameter] += bool(low <= truth[parameter][fit] <= high)
    return hits, sum(bool(draws.diagnosis.passes(settings.limits)) for draws in drawn)


def assert_covered(hits: Mapping[str, int], fits: int) -> None:
    """Every interval covers as often as it says, up to what chance does once in 1000 laws."""
    chance = 1e-3 / len(hits) / 2
    low, high = binom.ppf([chance, 1 - chance], fits, 0.9)
    outside = {name: count for name, count in hits.items() if not low <= count <= high}
    assert not outside, f"of {fits} intervals {low:g} to {high:g} should hold the truth"


@pytest.mark.parametrize("name", ["chinchilla", "power", "routed"])
def test_a_law_recovers_its_parameters(name: str) -> None:
    hits, _ = recover(name, fits=24)
    assert_covered(hits, fits=24)


@pytest.mark.slow
@pytest.mark.parametrize("name", LAWS)
def test_every_law_recovers_its_parameters(name: str) -> None:
    """Drawn from the prior and fitted with it, intervals are exact: Cook et al. 2006."""
    hits, converged = recover(name, fits=200)
    assert_covered(hits, fits=200)
    assert converged >= 190


SPLITS = [
    name for name in LAWS if "N" in law(name).inputs() and {"D", "S"} & set(law(name).inputs())
]


@pytest.mark.parametrize("name", every(SPLITS, quick=["kaplan", "data_constrained"]))
def test_the_optimum_satisfies_the_first_order_condition(name: str) -> None:
    """Along the budget the loss falls up to N* and rises beyond; at a kink too."""
    C = np.geomspace(1e18, 1e26, 5)
    others = [key for key in law(name).inputs() if key not in ("N", "D", "S")]
    extras = {key: np.full(5, np.sqrt(np.prod(DESIGN[key]))) for key in others}
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
    draws, given = draws_from_the_prior(model), design(name)
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
