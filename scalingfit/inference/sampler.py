"""From tables to draws: pad, find modes, warm up, sample, judge, and try harder where needed.

A single fit is a batch of one. Programs run a fixed number of fits at a time, which depends on the
padded number of rows alone: the same fit runs through the same program whether it comes alone or
among thousands, so its draws are the same bit for bit.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
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
FIRST_STEP = 0.5  # in whitened coordinates
WINDOW_SKIP = 0.4  # share of an adaptation window left out of its covariance estimate
TOLERATED = 2.0  # ratio of variances up to which the Laplace shape is kept
ROWS = (8, 16, 32, 64, 128, 192, 256)
WORK = {"cpu": 128}  # rows worth a program's while: below, several fits share one
ACCELERATOR_WORK = 65536

Floats = NDArray[np.float64]
Report = Callable[[int], None]


@dataclasses.dataclass(frozen=True)
class Settings:
    """How to sample.

    Attributes
    ----------
    chains, draws : int
        Chains, and kept draws of each.
    warmup : int
        Transitions of the first and the last adaptation window; the middle one is twice as long.
        Each sets the step size, and the first two the shape.
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
    warmup: int = 100
    acceptance: float = 0.9
    retries: int = 2
    precision: str = "float64"
    seed: int = 0
    limits: Limits = dataclasses.field(default_factory=Limits)

    def harder(self, attempt: int) -> Settings:
        """The settings of a further attempt."""
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
        How the fit was made: attempts, share of the starts that agreed on the mode, whether its
        curvature was repaired, whether the Laplace shape was replaced, turns of the loop.
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


def sample(
    model: Model, tables: Sequence[Runs], settings: Settings, report: Report | None = None
) -> list[Draws]:
    """Sample the posterior of every table.

    Parameters
    ----------
    model : Model
    tables : sequence of Runs
        Of any lengths.
    settings : Settings
    report : callable, optional
        Called with the number of fits that have been finished since the last call.

    Returns
    -------
    list of Draws
        In the order of the tables.
    """
    made: dict[int, Draws] = {}
    waiting = list(range(len(tables)))
    for attempt in range(settings.retries + 1):
        last = attempt == settings.retries
        for members, draws in _attempt(model, tables, waiting, settings, attempt):
            made |= dict(zip(members, draws, strict=True))
            done = [last or bool(one.diagnosis.passes(settings.limits)) for one in draws]
            if report is not None:
                report(sum(done))
        waiting = [i for i in waiting if not made[i].diagnosis.passes(settings.limits)]
        if not waiting:
            break
    return [made[i] for i in range(len(tables))]


def _attempt(
    model: Model, tables: Sequence[Runs], waiting: list[int], settings: Settings, attempt: int
) -> Iterator[tuple[list[int], list[Draws]]]:
    """Sample the waiting tables group by group, on all devices; yields groups as they finish.

    Whole groups are placed on devices, rather than one program spread over all of them, so that no
    device waits for another. A CPU counts as one device for each core.
    """
    devices = jax.local_devices()
    if devices[0].platform == "cpu":
        devices = devices * max(1, len(os.sched_getaffinity(0)) // len(devices))
    groups = []
    for rows in sorted({_bucket(len(tables[i])) for i in waiting}):
        members = [i for i in waiting if _bucket(len(tables[i])) == rows]
        groups += [list(part) for part in itertools.batched(members, _group_size(rows))]

    def work(order: int, members: list[int]) -> tuple[list[int], list[Draws]]:
        device = devices[order % len(devices)]
        with jax.enable_x64(settings.precision == "float64"), jax.default_device(device):
            return members, _sample_group(model, [tables[i] for i in members], settings, attempt)

    if len(groups) == 1:
        yield work(0, groups[0])
        return
    with ThreadPoolExecutor(len(devices)) as pool:
        yield from pool.map(work, range(len(groups)), groups)


def _bucket(rows: int) -> int:
    """The padded number of rows: few sizes, so few compiled programs."""
    for size in ROWS:
        if rows <= size:
            return size
    power = 1 << (rows - 1).bit_length()
    return power * 3 // 4 if rows <= power * 3 // 4 else power


def _group_size(rows: int) -> int:
    """Fits to a program: a function of the padded rows and the kind of device, of nothing else."""
    return max(1, WORK.get(jax.default_backend(), ACCELERATOR_WORK) // rows)


def pack(model: Model, runs: Runs, rows: int, precision: str) -> Data:
    """One table as arrays, padded to `rows` rows that repeat the first run with weight zero."""
    index = np.arange(rows)
    index[len(runs) :] = 0
    columns = runs.columns
    weight = columns.get("weight", np.ones(len(runs)))
    inputs = {name: np.log(values) for name, values in runs.input(model.law.inputs()).items()}
    loss = np.log(columns["L"]) if model.noise.on_log else columns["L"]
    data = Data(
        log_inputs={name: values[index] for name, values in inputs.items()},
        loss=loss[index],
        weight=np.where(np.arange(rows) < len(runs), weight[index], 0.0),
        loss_se=columns["loss_se"][index] if "loss_se" in columns else None,
        centre={name: np.average(values, weights=weight) for name, values in inputs.items()},
    )
    packed: Data = jax.tree.map(lambda leaf: np.asarray(leaf, precision), data)
    return packed


def _generator(model: Model, runs: Runs, settings: Settings, attempt: int) -> np.random.Generator:
    """A random generator that depends on what is fitted and on nothing else."""
    priors = repr(sorted(model.describe_priors().items()))
    content = [runs.digest, model.law.name, model.noise.name, priors, settings.seed, attempt]
    text = "\n".join(str(part) for part in content)
    return np.random.default_rng(np.frombuffer(hashlib.sha256(text.encode()).digest(), np.uint32))


def _sample_group(
    model: Model, tables: Sequence[Runs], settings: Settings, attempt: int
) -> list[Draws]:
    """Sample the tables of one group, padded to its full size with copies of the first."""
    harder = settings.harder(attempt)
    rows = _bucket(len(tables[0]))
    full = [*tables, *[tables[0]] * (_group_size(rows) - len(tables))]
    generators = [_generator(model, runs, settings, attempt) for runs in full]
    data = _stack([pack(model, runs, rows, settings.precision) for runs in full])
    white = _programs(model).whiten(_pool(model, settings.precision), data)
    walk = _Walk(model, data, generators, harder)

    position = np.stack([g.standard_normal((settings.chains, model.dim)) for g in generators])
    reshaped = np.zeros(len(full), bool)
    for length in (harder.warmup, 2 * harder.warmup):
        step = np.full(position.shape[:2], np.log(FIRST_STEP))
        made, _ = walk.run(white, position, step, length, length)
        kept = made[:, :, int(WINDOW_SKIP * length) :, : model.dim]
        white, position, changed = _reshape(white, kept)
        reshaped |= changed
    step = np.full(position.shape[:2], np.log(FIRST_STEP))
    made, step = walk.run(white, position, step, harder.warmup, harder.warmup)
    step = _pooled(step)
    made, _ = walk.run(white, made[:, :, -1, : model.dim], step, 0, settings.draws)

    position = jnp.asarray(made[..., : model.dim], settings.precision)
    values = _programs(model).values(white, position, data)
    record = {
        "agreeing": np.asarray(white.agreeing),
        "repaired": np.asarray(white.repaired),
        "reshaped": reshaped,
        "turns": np.full(len(full), walk.turns),
    }
    drawn = {name: np.asarray(values[name], np.float64)[: len(tables)] for name in model.sites}
    return _unpack(drawn, made[: len(tables)], step, record, attempt)


class _Walk:
    """Chains of one group, run phase by phase."""

    def __init__(
        self,
        model: Model,
        data: Data,
        generators: Sequence[np.random.Generator],
        settings: Settings,
    ) -> None:
        self.programs, self.data, self.settings = _programs(model), data, settings
        self.generators, self.dim = generators, model.dim
        self.aim = jnp.full(len(generators), settings.acceptance, settings.precision)
        self.turns = 0

    def run(
        self, white: Whitening, start: Floats, log_step: Floats, adapt: int, stop: int
    ) -> tuple[Floats, Floats]:
        """Let every chain make `stop` transitions.

        Returns
        -------
        rows : array, shape (fit, chain, stop, dim + 5)
            See `nuts.Row`.
        log_step : array, shape (fit, chain)
        """
        chains, real = self.settings.chains, np.dtype(self.settings.precision)
        words = np.stack([g.integers(0, 2**32, (chains, 2), np.uint32) for g in self.generators])
        momentum = np.stack([g.standard_normal((chains, self.dim)) for g in self.generators])
        keys, target = jax.random.wrap_key_data(jnp.asarray(words)), (self.data, white)
        begin = (start.astype(real), momentum.astype(real), log_step.astype(real))
        state = self.programs.begin(*begin, target)
        parts = []
        for number in itertools.count():
            state, rows, turns = self.programs.segment(
                state, target, keys, np.int32(number), np.int32(adapt), np.int32(stop), self.aim
            )
            parts.append(np.asarray(rows)[: int(turns)])
            self.turns += int(turns)
            if np.all(np.asarray(state.counters)[..., 4] >= stop):
                break
        return _transitions(np.concatenate(parts), stop), np.asarray(state.adaptation[..., 1])


def _transitions(rows: Floats, stop: int) -> Floats:
    """The first `stop` rows of each chain that end a transition; (turn, fit, chain, ...) in."""
    ended = rows[..., nuts.Row.leapfrogs] > 0
    order = np.argsort(~ended, axis=0, kind="stable")[:stop]
    return np.moveaxis(np.take_along_axis(rows, order[..., None], axis=0), 0, 2)


def _unpack(
    values: dict[str, Floats], rows: Floats, log_step: Floats, record: dict[str, Any], attempt: int
) -> list[Draws]:
    row = nuts.Row
    rows = rows.astype(np.float64)
    diverging = rows[..., row.diverging] > 0
    stacked = np.stack(list(values.values()), axis=1)
    diagnosis = diagnose(stacked, rows[..., row.energy], diverging)
    return [
        Draws(
            values={name: value[fit] for name, value in values.items()},
            log_density=rows[fit, ..., row.log_density],
            energy=rows[fit, ..., row.energy],
            acceptance=rows[fit, ..., row.acceptance],
            leapfrogs=rows[fit, ..., row.leapfrogs].astype(np.int64),
            diverging=diverging[fit],
            step_size=np.exp(np.asarray(log_step[fit], np.float64)),
            diagnosis=Diagnosis(
                **{f.name: getattr(diagnosis, f.name)[fit] for f in dataclasses.fields(Diagnosis)}
            ),
            record={
                "attempts": attempt + 1,
                **{name: item[fit].item() for name, item in record.items()},
            },
        )
        for fit in range(len(rows))
    ]


def _pooled(log_step: Floats) -> Floats:
    """The chains of a fit share one step size."""
    return np.broadcast_to(log_step.mean(axis=-1, keepdims=True), log_step.shape)


def _reshape(white: Whitening, draws: Floats) -> tuple[Whitening, Floats, NDArray[np.bool_]]:
    """Replace the Laplace shape by the pooled sample covariance where it proves wrong.

    Parameters
    ----------
    white : Whitening
    draws : array, shape (fit, chain, draw, dim)
        In its coordinates.

    Returns
    -------
    white : Whitening
    position : array, shape (fit, chain, dim)
        The last draws, in the coordinates of the new whitening.
    changed : array of bool, shape (fit,)
    """
    draws = np.asarray(draws, np.float64)
    fits, dim = draws.shape[0], draws.shape[-1]
    flat = draws.reshape(fits, -1, dim)
    mean = flat.mean(axis=1)
    offset = flat - mean[:, None]
    covariance = np.einsum("fni,fnj->fij", offset, offset) + 10 * np.eye(dim)
    covariance /= flat.shape[1] + 10
    finite = np.isfinite(covariance).all(axis=(1, 2))
    spread = np.linalg.eigvalsh(np.where(finite[:, None, None], covariance, np.eye(dim)))
    fine = (spread[:, 0] >= 1 / TOLERATED) & (spread[:, -1] <= TOLERATED)
    changed = finite & ~fine
    used = np.where(changed[:, None, None], covariance, np.eye(dim))
    shape, shift = np.linalg.cholesky(used), np.where(changed[:, None], mean, 0.0)
    last = draws[:, :, -1] - shift[:, None]
    position = np.linalg.solve(shape[:, None], last[..., None])[..., 0]
    factor, mode = np.asarray(white.factor), np.asarray(white.mode)
    new = dataclasses.replace(
        white,
        factor=(factor @ shape).astype(factor.dtype),
        mode=(mode + np.einsum("fij,fj->fi", factor, shift)).astype(mode.dtype),
    )
    return new, position, changed


def _stack(items: Sequence[Data]) -> Data:
    stacked: Data = jax.tree.map(lambda *leaves: np.stack(leaves), *items)
    return stacked


@dataclasses.dataclass(frozen=True)
class _Programs:
    """The compiled functions of a model; JAX keeps one executable for each shape."""

    whiten: Callable[..., Whitening]
    begin: Callable[..., nuts.Chain]
    segment: Callable[..., tuple[nuts.Chain, Array, Array]]
    values: Callable[..., dict[str, Array]]


@functools.lru_cache(maxsize=256)
def _programs(model: Model) -> _Programs:
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

    begin = jax.vmap(functools.partial(nuts.begin, target), in_axes=(0, 0, 0, None))
    return _Programs(
        whiten=jax.jit(jax.vmap(whiten, in_axes=(None, 0))),
        begin=jax.jit(jax.vmap(begin)),
        segment=jax.jit(functools.partial(nuts.segment, target)),
        values=jax.jit(jax.vmap(values)),
    )


@functools.lru_cache(maxsize=256)
def _pool(model: Model, precision: str) -> dict[str, Floats]:
    """Prior draws to start from; the same for every table."""
    return {name: value[:POOL].astype(precision) for name, value in prior_values(model).items()}


@functools.lru_cache(maxsize=256)
def prior_values(model: Model) -> dict[str, Floats]:
    """A thousand draws of the sampled parameters from the prior, in float64."""
    with jax.enable_x64(True):
        drawn = jax.jit(functools.partial(model.prior_draws, draws=1000))(jax.random.key(0))
        return {name: np.asarray(value) for name, value in drawn.items()}
