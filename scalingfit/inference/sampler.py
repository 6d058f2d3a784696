"""From tables to draws: pad, find modes, warm up, sample, judge, and try harder where needed.

A single fit is a batch of one: everything here has a leading axis ``fit``.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from scalingfit.inference import nuts
from scalingfit.inference.diagnostics import Diagnosis, Limits, diagnose
from scalingfit.inference.mode import Whitening, find_mode
from scalingfit.inference.model import Data, Model
from scalingfit.runs import Runs

__all__ = ["Draws", "Settings", "pack", "prior_values", "sample"]

POOL, STARTS = 256, 8  # prior draws looked at, and how many of the best are climbed from
WINDOW_SKIP = 0.4  # share of an adaptation window left out of its covariance estimate
TOLERATED = 2.0  # ratio of variances up to which the Laplace shape is kept
ROWS = (8, 16, 24, 32, 48, 64, 96, 128, 192, 256)

Floats = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Settings:
    """How to sample.

    Attributes
    ----------
    chains, draws : int
        Chains, and kept draws of each.
    warmup : int
        Transitions of each of the two adaptation windows: the first for the step size and the
        shape, the second for the step size in the final shape.
    acceptance : float
        Mean acceptance probability aimed at.
    retries : int
        How often a fit that fails its diagnostics is sampled again, each time with a three times
        longer warm-up and a smaller step.
    precision : "float64" or "float32"
    seed : int
        Mixed with the content of the fit: equal content and seed give equal draws.
    limits : Limits
    """

    chains: int = 4
    draws: int = 1000
    warmup: int = 150
    acceptance: float = 0.8
    retries: int = 2
    precision: str = "float64"
    seed: int = 0
    limits: Limits = Limits()

    def harder(self, attempt: int) -> Settings:
        """The settings of a further attempt."""
        if attempt == 0:
            return self
        return dataclasses.replace(
            self, warmup=self.warmup * 3**attempt, acceptance=1 - (1 - self.acceptance) / 4**attempt
        )


@dataclasses.dataclass(frozen=True)
class Draws:
    """The draws of one fit.

    Attributes
    ----------
    values : dict of array, shape (chain, draw)
        Sampled parameters by name.
    log_density, energy, acceptance, leapfrogs, diverging : array, shape (chain, draw)
    step_size : array, shape (chain,)
    diagnosis : Diagnosis
    record : dict
        How the fit was made: attempts, share of starts that agreed on the mode, whether the
        curvature was repaired or the Laplace shape replaced, seconds excluded.
    """

    values: dict[str, Floats]
    log_density: Floats
    energy: Floats
    acceptance: Floats
    leapfrogs: NDArray[np.int64]
    diverging: NDArray[np.bool_]
    step_size: Floats
    diagnosis: Diagnosis
    record: dict[str, Any]


def sample(model: Model, tables: Sequence[Runs], settings: Settings) -> list[Draws]:
    """Sample the posterior of every table; all of them at once."""
    with jax.enable_x64(settings.precision == "float64"):
        results: list[Draws | None] = [None] * len(tables)
        waiting = list(range(len(tables)))
        for attempt in range(settings.retries + 1):
            for rows in sorted({_bucket(len(tables[i])) for i in waiting}):
                members = [i for i in waiting if _bucket(len(tables[i])) == rows]
                made = _sample_batch(model, [tables[i] for i in members], rows, settings, attempt)
                results = _put(results, members, made)
            waiting = [i for i in waiting if not _passes(results[i], settings)]
            if not waiting:
                break
    return [result for result in results if result is not None]


def _put(results: list[Any], members: list[int], made: list[Any]) -> list[Any]:
    for index, draws in zip(members, made, strict=True):
        results[index] = draws
    return results


def _passes(draws: Draws | None, settings: Settings) -> bool:
    return draws is not None and bool(draws.diagnosis.passes(settings.limits))


def _bucket(rows: int) -> int:
    """The padded number of rows: few sizes, so few compiled programs."""
    for size in ROWS:
        if rows <= size:
            return size
    power = 1 << (rows - 1).bit_length()
    return power * 3 // 4 if rows <= power * 3 // 4 else power


def pack(model: Model, runs: Runs, rows: int, precision: str) -> Data:
    """One table as arrays, padded to `rows` rows that repeat the first run with weight zero."""
    index = np.arange(rows)
    index[len(runs) :] = 0
    columns = runs.columns
    weight = np.where(
        np.arange(rows) < len(runs), columns.get("weight", np.ones(len(runs)))[index], 0.0
    )
    inputs = {name: np.log(values) for name, values in runs.input(model.law.inputs()).items()}
    loss = np.log(columns["L"]) if model.noise.on_log else columns["L"]
    used = columns.get("weight", np.ones(len(runs)))
    data = Data(
        log_inputs={name: values[index] for name, values in inputs.items()},
        loss=loss[index],
        weight=weight,
        loss_se=columns["loss_se"][index] if "loss_se" in columns else None,
        centre={name: np.average(values, weights=used) for name, values in inputs.items()},
    )
    return jax.tree.map(lambda leaf: np.asarray(leaf, precision), data)


def _key(model: Model, runs: Runs, settings: Settings, attempt: int) -> np.random.Generator:
    """A random generator that depends on what is fitted and on nothing else."""
    content = "\n".join(
        [
            runs.digest,
            model.law.name,
            model.noise.name,
            repr(sorted(model.describe_priors().items())),
        ]
    )
    text = f"{content}\n{settings.seed} {attempt}"
    words = np.frombuffer(hashlib.sha256(text.encode()).digest(), np.uint32)
    return np.random.default_rng(words)


def _sample_batch(
    model: Model, tables: Sequence[Runs], rows: int, settings: Settings, attempt: int
) -> list[Draws]:
    harder = settings.harder(attempt)
    fits, chains, dim = len(tables), settings.chains, model.dim
    data = _stack([pack(model, runs, rows, settings.precision) for runs in tables])
    generators = [_key(model, runs, settings, attempt) for runs in tables]
    words = np.stack([g.integers(0, 2**32, (3, chains, 2), np.uint32) for g in generators])
    keys = [jax.random.wrap_key_data(jnp.asarray(words[:, phase])) for phase in range(3)]
    start = np.stack([g.standard_normal((chains, dim)) for g in generators])
    programs = _programs(model, settings.draws)

    white: Whitening = programs.whiten(_pool(model, settings.precision), data)
    record = {"agreeing": np.asarray(white.agreeing), "repaired": np.asarray(white.repaired)}
    real = np.dtype(settings.precision)
    aim = jnp.full(fits, harder.acceptance, real)
    log_step = jnp.full((fits, chains), np.log(0.5), real)
    window, skip = harder.warmup, int(WINDOW_SKIP * harder.warmup)

    trace, log_step, turns = programs.run(
        (data, white), jnp.asarray(start, real), keys[0], log_step, window, skip, window, aim
    )
    white, position, reshaped = _reshape(white, trace, min(window - skip, settings.draws))
    log_step = jnp.where(reshaped[:, None], np.log(0.5), _pooled(log_step)).astype(real)
    trace, log_step, more = programs.run(
        (data, white), position, keys[1], log_step, window, window - 1, window, aim
    )
    log_step = _pooled(log_step)
    trace, _, last = programs.run(
        (data, white), trace.position[:, :, 0], keys[2], log_step, 0, 0, settings.draws, aim
    )
    values = programs.values(white, trace.position, data)
    record |= {"reshaped": reshaped, "turns": np.full(fits, int(turns) + int(more) + int(last))}
    return _unpack(model, values, trace, log_step, record, attempt)


def _unpack(
    model: Model,
    values: Any,
    trace: nuts.Trace,
    log_step: Array,
    record: dict[str, Any],
    attempt: int,
) -> list[Draws]:
    values = {name: np.asarray(value, np.float64) for name, value in values.items()}
    host = jax.tree.map(np.asarray, trace)
    energy = np.asarray(host.energy, np.float64)
    stacked = np.stack([values[name] for name in model.sites], axis=1)
    diagnosis = diagnose(stacked, energy, host.diverging)
    return [
        Draws(
            values={name: value[fit] for name, value in values.items()},
            log_density=np.asarray(host.log_density[fit], np.float64),
            energy=energy[fit],
            acceptance=np.asarray(host.acceptance[fit], np.float64),
            leapfrogs=host.leapfrogs[fit].astype(np.int64),
            diverging=host.diverging[fit],
            step_size=np.exp(np.asarray(log_step[fit], np.float64)),
            diagnosis=Diagnosis(
                **{f.name: getattr(diagnosis, f.name)[fit] for f in dataclasses.fields(Diagnosis)}
            ),
            record={"attempts": attempt + 1}
            | {name: item[fit].item() for name, item in record.items()},
        )
        for fit in range(energy.shape[0])
    ]


def _pooled(log_step: Array) -> Array:
    """The chains of a fit share one step size."""
    return jnp.broadcast_to(jnp.mean(log_step, axis=-1, keepdims=True), log_step.shape)


def _reshape(
    white: Whitening, trace: nuts.Trace, kept: int
) -> tuple[Whitening, Array, NDArray[np.bool_]]:
    """Replace the Laplace shape by the pooled sample covariance where it proves wrong.

    Returns the whitening, the last positions in its coordinates, and which fits were changed.
    """
    draws = np.asarray(trace.position[:, :, :kept], np.float64)
    fits, chains, _, dim = draws.shape
    flat = draws.reshape(fits, -1, dim)
    mean = flat.mean(axis=1)
    offset = flat - mean[:, None]
    count = flat.shape[1]
    covariance = (np.einsum("fni,fnj->fij", offset, offset) + 10 * np.eye(dim)) / (count + 10)
    spread = np.linalg.eigvalsh(covariance)
    changed = ~((spread[:, 0] >= 1 / TOLERATED) & (spread[:, -1] <= TOLERATED)) & np.isfinite(
        spread
    ).all(-1)
    shape = np.where(
        changed[:, None, None],
        np.linalg.cholesky(np.where(changed[:, None, None], covariance, np.eye(dim))),
        np.eye(dim),
    )
    shift = np.where(changed[:, None], mean, 0.0)
    last = draws[:, :, -1]
    position = np.linalg.solve(shape[:, None], (last - shift[:, None])[..., None])[..., 0]
    factor, mode = np.asarray(white.factor), np.asarray(white.mode)
    new = dataclasses.replace(
        white,
        factor=jnp.asarray(factor @ shape, factor.dtype),
        mode=jnp.asarray(mode + np.einsum("fij,fj->fi", factor, shift), mode.dtype),
    )
    return new, jnp.asarray(position, mode.dtype), changed


def _stack(items: Sequence[Data]) -> Data:
    return jax.tree.map(lambda *leaves: np.stack(leaves), *items)


@dataclasses.dataclass(frozen=True)
class _Programs:
    """The compiled functions of a model; JAX keeps one executable for each shape."""

    whiten: Callable[..., Whitening]
    run: Callable[..., tuple[nuts.Trace, Array, Array]]
    values: Callable[..., dict[str, Array]]


@functools.lru_cache(maxsize=256)
def _programs(model: Model, draws: int) -> _Programs:
    def target(white: Array, given: tuple[Data, Whitening]) -> Array:
        data, whitening = given
        return model.log_density(whitening.colour(white), data)

    def whiten(pool: dict[str, Array], data: Data) -> Whitening:
        def density(place: Array) -> Array:
            return model.log_density(place, data)

        places = jax.vmap(lambda values: model.unconstrain(values, data.centre))(pool)
        heights = jax.vmap(density)(places)
        order = jnp.argsort(jnp.where(jnp.isnan(heights), jnp.inf, -heights))
        return find_mode(density, places[order[:STARTS]])

    def values(whitening: Whitening, position: Array, data: Data) -> dict[str, Array]:
        def one(white: Array) -> dict[str, Array]:
            return model.constrain(whitening.colour(white), data.centre)[0]

        return jax.vmap(jax.vmap(one))(position)

    return _Programs(
        whiten=jax.jit(jax.vmap(whiten, in_axes=(None, 0))),
        run=jax.jit(functools.partial(nuts.run, target, draws=draws)),
        values=jax.jit(jax.vmap(values)),
    )


@functools.lru_cache(maxsize=256)
def _pool(model: Model, precision: str) -> dict[str, Array]:
    """Prior draws to start from; the same for every table."""
    return {
        name: jnp.asarray(value[:POOL], precision) for name, value in prior_values(model).items()
    }


@functools.lru_cache(maxsize=256)
def prior_values(model: Model) -> dict[str, Floats]:
    """A thousand draws of the sampled parameters from the prior, in float64."""
    with jax.enable_x64(True):
        drawn = jax.jit(functools.partial(model.prior_draws, draws=1000))(jax.random.key(0))
        return {name: np.asarray(value) for name, value in drawn.items()}
