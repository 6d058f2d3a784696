"""Small tables, quick settings, and a sampler that does not sample."""

import dataclasses
import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

import scalingfit as sf
from scalingfit.batch import Refits
from scalingfit.batch.packing import pack, unpack
from scalingfit.batch.tasks import Order
from scalingfit.inference import Draws, Model, Settings, prior_values
from scalingfit.inference.diagnostics import diagnose
from scalingfit.inference.group import Record
from scalingfit.inference.programs import landmarks_of
from scalingfit.runs import Runs

LOOSE = sf.Limits(rhat=10.0, ess=0.0, energy=0.0, divergences=10**6)
QUICK: dict[str, Any] = {
    "law_error": None,
    "noises": "normal",
    "method": "nuts",
    "draws": 100,
    "warmup": 20,
    "retries": 0,
    "limits": LOOSE,
    "precision": "float64",
}


def simulated(count: int, *, seed: int, **more: Any) -> Runs:
    """Runs that follow a published Chinchilla law up to log-normal scatter of one percent."""
    rng = np.random.default_rng(seed)
    N = np.exp(rng.uniform(np.log(5e7), np.log(1e10), count))
    D = np.exp(rng.uniform(np.log(1e9), np.log(3e11), count))
    truth = sf.law("chinchilla").published["besiroglu-2024"].law
    L = np.asarray(truth.loss(N, D)) * np.exp(0.01 * rng.standard_normal(count))
    return Runs.from_columns({"N": N, "D": D, "L": L}, **more)


def twelve() -> dict[str, Runs]:
    """Tables of 20 to 31 runs, which share one program of 32 rows."""
    return {f"table {i}": simulated(20 + i, seed=i) for i in range(12)}


def same_bits(first: Refits, second: Refits) -> bool:
    """Whether two results hold the same draws in the fits that both have."""
    shared = set(first.fitted) & set(second.fitted)
    assert shared
    return all(
        np.array_equal(draws, second[label].draws[name])
        for label in shared
        for name, draws in first[label].draws.items()
    )


def as_stored(refits: Refits) -> Refits:
    """The same with the draws that a store gives back."""
    kept = {
        label: unpack(pack("x", fit), Order("x", fit.model, fit.runs))
        for label, fit in refits.fits.items()
    }
    return dataclasses.replace(refits, fits=kept)


type Made = Iterator[list[tuple[int, Draws]]]


def pretend(model: Model, tables: list[Runs], settings: Settings) -> Made:
    """In the sampler's place: shuffled prior draws, two fits at a time."""
    every = enumerate(pretended_draws(model, runs, settings) for runs in tables)
    return map(list, itertools.batched(every, 2))


def pretended_draws(model: Model, runs: Runs, settings: Settings) -> Draws:
    rng = np.random.default_rng(int(runs.digest[:8], 16))
    shape = settings.chains, settings.draws
    values = {name: rng.choice(prior, shape) for name, prior in prior_values(model).items()}
    energy, calm = rng.standard_normal(shape), np.zeros(shape, bool)
    series, errors, places = [*values.values()], None, None
    if model.error is not None:
        known = landmarks_of(model, runs.used())
        waves = rng.standard_normal((*shape, known.own.shape[1])) @ known.own.T
        errors, places = values["tau"][..., None] * waves, known.places
        series += [*np.moveaxis(errors, -1, 0)]
    diagnosis = diagnose(np.stack(series), energy, calm)
    record: Record = {"attempts": 1, "method": "none"}
    if model.error is not None:
        record["exact"] = 0.0
    return Draws(
        values=values,
        log_density=-energy,
        energy=energy,
        acceptance=np.full(shape, 0.9),
        leapfrogs=np.full(shape, 7),
        diverging=calm,
        step_size=np.full(shape[0], 0.5),
        diagnosis=diagnosis if errors is None else diagnosis.gathered(len(values)),
        errors=errors,
        landmarks=places,
        record=record,
    )
