"""From tables to draws: pad, find modes, warm up, sample, judge, and try harder where needed.

A single fit is a batch of one. Programs run a fixed number of fits at a time, which depends on the
padded number of rows alone: the same fit runs through the same program whether it comes alone or
among thousands, so its draws are the same bit for bit.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from scalingfit._cores import core_count
from scalingfit.inference import nuts
from scalingfit.inference.diagnostics import Diagnosis, Limits, diagnose
from scalingfit.inference.importance import BLOCK, Proposal, weigh
from scalingfit.inference.mode import Whitening
from scalingfit.inference.model import Data, Model
from scalingfit.inference.programs import (
    STARTS,
    bucket,
    group_size,
    pack_group,
    programs,
    starts,
)
from scalingfit.inference.walk import rehearse, walk
from scalingfit.runs import Runs

__all__ = ["Draws", "Settings", "sample", "workplaces"]

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
    method : "nuts" or "auto"
        "auto" first tries importance sampling from the Laplace fit, which is much cheaper, and
        samples by NUTS where its gates (Pareto k and effective sample size) are not passed.
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
    warmup: int = 50
    acceptance: float = 0.9
    method: str = "nuts"
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
    attempts = [settings.harder(attempt) for attempt in range(settings.retries + 1)]
    if settings.method == "auto":
        attempts.insert(0, settings)
    for attempt, tried in enumerate(attempts):
        last = attempt == len(attempts) - 1
        by_weights = settings.method == "auto" and attempt == 0
        for members, draws in _attempt(model, tables, waiting, tried, attempt, by_weights):
            made |= dict(zip(members, draws, strict=True))
            done = [last or bool(one.diagnosis.passes(settings.limits)) for one in draws]
            if report is not None:
                report(sum(done))
        waiting = [i for i in waiting if not made[i].diagnosis.passes(settings.limits)]
        if not waiting:
            break
    return [made[i] for i in range(len(tables))]


def _attempt(
    model: Model,
    tables: Sequence[Runs],
    waiting: list[int],
    settings: Settings,
    attempt: int,
    by_weights: bool,
) -> Iterator[tuple[list[int], list[Draws]]]:
    """Sample the waiting tables group by group, on all devices; yields groups as they finish.

    Whole groups are placed on devices, rather than one program spread over all of them, so that no
    device waits for another.
    """
    devices = workplaces()
    shapes = {i: (bucket(len(tables[i])), "loss_se" in tables[i].columns) for i in waiting}
    leaders, groups = [], []
    for shape in sorted(set(shapes.values())):
        members = [i for i in waiting if shapes[i] == shape]
        parts = [list(part) for part in itertools.batched(members, group_size(shape[0]))]
        leaders.append(parts[0])
        groups += parts[1:]

    def work(order: int, members: list[int], first: bool = False) -> tuple[list[int], list[Draws]]:
        here = functools.partial(_place, devices[order % len(devices)], settings)
        with here():
            group = _Group(model, [tables[i] for i in members], settings, attempt)
            if first:
                with ThreadPoolExecutor(1) as beside:
                    ready = beside.submit(here()(group.rehearse), by_weights)
                    jax.block_until_ready(group.white)
                    ready.result()
            return members, group.weigh() if by_weights else group.walk()

    for leader in leaders:  # compiles what the others of its shape share
        yield work(0, leader, first=attempt == 0)
    if groups:
        with ThreadPoolExecutor(len(devices)) as threads:
            yield from threads.map(work, range(len(groups)), groups)


def workplaces() -> list[jax.Device]:
    """Where groups are sampled at once: a CPU is there once for each core the process may use."""
    devices: list[jax.Device] = jax.local_devices()
    if devices[0].platform == "cpu":
        devices = devices * max(1, core_count() // len(devices))
    return devices


@contextlib.contextmanager
def _place(device: jax.Device, settings: Settings) -> Iterator[None]:
    """Where and how precisely the programs of this thread run."""
    with jax.enable_x64(settings.precision == "float64"), jax.default_device(device):
        yield


def _generator(model: Model, runs: Runs, settings: Settings, attempt: int) -> np.random.Generator:
    """A random generator that depends on what is fitted and on nothing else."""
    priors = repr(sorted(model.describe_priors().items()))
    content = [runs.digest, model.law.name, model.noise.name, priors, settings.seed, attempt]
    text = "\n".join(str(part) for part in content)
    return np.random.default_rng(np.frombuffer(hashlib.sha256(text.encode()).digest(), np.uint32))


@dataclasses.dataclass(frozen=True)
class _Unweighted:
    """A table without its weights, known by its content."""

    model: Model
    digest: str
    precision: str
    runs: Runs = dataclasses.field(compare=False)


def _modes_of(model: Model, runs: Runs, settings: Settings) -> dict[str, Floats] | None:
    """Modes of the table without its weights, where it has some: those with them are near.

    All but one of the starts climb from there; the best prior draw is left, lest the runs of weight
    zero have led astray.
    """
    if "weight" not in runs.columns:
        return None
    plain = runs.without_weight()
    return _unweighted_modes(_Unweighted(model, plain.digest, settings.precision, plain))


@functools.lru_cache(maxsize=64)
def _unweighted_modes(table: _Unweighted) -> dict[str, Floats]:
    group = _Group(table.model, [table.runs], Settings(precision=table.precision), attempt=0)
    return {name: np.asarray(ends[0, : STARTS - 1]) for name, ends in group.climbed[1].items()}


class _Group:
    """The tables of one program, padded to its full size with copies of the first."""

    def __init__(
        self, model: Model, tables: Sequence[Runs], settings: Settings, attempt: int
    ) -> None:
        self.model, self.settings, self.attempt, self.count = model, settings, attempt, len(tables)
        rows = bucket(len(tables[0]))
        full = [*tables, *[tables[0]] * (group_size(rows) - len(tables))]
        self.generators = [_generator(model, runs, settings, attempt) for runs in full]
        self.data: Data = pack_group(model, full, rows, settings.precision)
        self.programs = programs(model)
        self.tables = full

    @functools.cached_property
    def climbed(self) -> tuple[Whitening, dict[str, jax.Array]]:
        """What `white` says, and where the climbs ended."""
        known = [_modes_of(self.model, runs, self.settings) for runs in self.tables]
        begin = starts(self.model, known, self.settings.precision)
        found: tuple[Whitening, dict[str, jax.Array]] = self.programs.whiten(begin, self.data)
        return found

    @property
    def white(self) -> Whitening:
        """Coordinates in which each posterior is close to a standard normal."""
        return self.climbed[0]

    def rehearse(self, by_weights: bool) -> None:
        """Compile, beside another thread that whitens, what comes next."""
        fits, dim, real = len(self.generators), self.model.dim, np.dtype(self.settings.precision)
        nowhere = Whitening.nowhere(fits, dim, real)
        if by_weights:
            nothing = jax.tree.map(
                self._full, jax.tree.map(lambda leaf: leaf[None], Proposal.laplace(dim))
            )
            self.programs.weigh(np.zeros((fits, BLOCK, dim), real), nothing, (self.data, nowhere))
        else:
            rehearse(self.model, self.data, nowhere, self.settings.chains)

    def walk(self) -> list[Draws]:
        """Sample by NUTS."""
        settings, row = self.settings, nuts.Row
        walked = walk(
            self.model,
            self.data,
            self.white,
            self.generators,
            chains=settings.chains,
            draws=settings.draws,
            warmup=settings.warmup,
            acceptance=settings.acceptance,
            precision=settings.precision,
        )
        found = self.programs.values(walked.white, walked.rows[..., : self.model.dim], self.data)
        values = {
            name: np.asarray(found[name], np.float64)[: self.count] for name in self.model.sites
        }
        rows = walked.rows[: self.count].astype(np.float64)
        diverging = rows[..., row.diverging] > 0
        stacked = np.stack([values[name] for name in self.model.sites], axis=1)
        diagnosis = diagnose(stacked, rows[..., row.energy], diverging)
        return [
            Draws(
                values={name: value[fit] for name, value in values.items()},
                log_density=rows[fit, ..., row.log_density],
                energy=rows[fit, ..., row.energy],
                acceptance=rows[fit, ..., row.acceptance],
                leapfrogs=rows[fit, ..., row.leapfrogs].astype(np.int64),
                diverging=diverging[fit],
                step_size=np.exp(np.asarray(walked.log_step[fit], np.float64)),
                diagnosis=diagnosis.of(fit),
                record=self._record(fit)
                | {"method": "nuts", "reshaped": bool(walked.reshaped[fit]), "turns": walked.turns},
            )
            for fit in range(self.count)
        ]

    def weigh(self) -> list[Draws]:
        """Sample by importance from the Laplace fit; what fails is judged so, and sampled again."""
        target = self.data, self.white

        def evaluate(places: Floats, proposal: Proposal) -> Any:
            full, proposals = self._full(places), jax.tree.map(self._full, proposal)
            blocks = np.split(full, places.shape[1] // BLOCK, axis=1)  # of one shape: one program
            found = [self.programs.weigh(block, proposals, target) for block in blocks]
            return jax.tree.map(
                lambda *parts: np.concatenate(parts, axis=1, dtype=np.float64), *found
            )

        settings, generators = self.settings, self.generators[: self.count]
        shape, sites = (settings.chains, settings.draws), len(self.model.sites)
        blank = np.zeros(shape)
        made = []
        weighted = weigh(evaluate, self.model.dim, generators, settings.limits.ess)
        for fit, (one, generator) in enumerate(zip(weighted, generators, strict=True)):
            values, log_density = one.resample(generator, shape)
            ess = one.ess if one.sure else np.nan
            made.append(
                Draws(
                    values={name: values[name] for name in self.model.sites},
                    log_density=log_density,
                    energy=-log_density,
                    acceptance=blank + 1.0,
                    leapfrogs=blank.astype(np.int64),
                    diverging=blank > 0,
                    step_size=np.full(shape[0], np.nan),
                    diagnosis=Diagnosis.of_weights(ess, sites, shape[0]),
                    record=self._record(fit)
                    | {"method": "importance", "khat": one.khat, "importance_ess": one.ess},
                )
            )
        return made

    def _full(self, leaf: Floats) -> NDArray[Any]:
        """An array (fit, ...) as a program takes it: for all its fits, in its precision."""
        full = np.zeros((len(self.generators), *leaf.shape[1:]), self.settings.precision)
        full[: len(leaf)] = leaf
        return full

    def _record(self, fit: int) -> dict[str, Any]:
        return {
            "attempts": self.attempt + 1,
            "agreeing": float(np.asarray(self.white.agreeing)[fit]),
            "repaired": bool(np.asarray(self.white.repaired)[fit]),
        }
