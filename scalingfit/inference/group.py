"""The fits of one program: whitened, then sampled by importance or by NUTS, and diagnosed."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import math
import threading
from collections.abc import Sequence
from typing import Any, TypedDict

import jax
import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from scalingfit.inference import nuts
from scalingfit.inference.bridge import Bridge, Evidence
from scalingfit.inference.diagnostics import Diagnosis, diagnose, settled
from scalingfit.inference.importance import BLOCK, Proposal, weigh
from scalingfit.inference.mode import Whitening
from scalingfit.inference.model import Data, Model
from scalingfit.inference.programs import (
    STARTS,
    Modes,
    group_size,
    pack_group,
    padded,
    programs,
    starts,
)
from scalingfit.inference.schedule import SampledChains, compile_ahead, sample_chains
from scalingfit.inference.settings import Settings
from scalingfit.runs import Runs

__all__ = ["Draws", "Group", "Record"]

ALIKE = 1e-3  # relative distance of parameters within which climbs ended at one mode

ELSEWHERE = 0.03
"""Share of a posterior at other modes than the highest from which chains begin there too."""

Floats = NDArray[np.float64]


class Record(TypedDict, total=False):
    """How a fit was made.

    Attributes
    ----------
    method : {"nuts", "importance"}
    attempts : int
    agreeing : float
        Share of the starts that ended at the highest mode.
    elsewhere : float
        Share of the posterior at other modes, by Laplace's approximation.
    repaired : bool
        Whether the curvature at the mode had to be made positive.
    reshaped, leapfrogs
        Of NUTS: whether the Laplace shape was replaced, and leapfrogs of all phases.
    khat, importance_ess
        Of importance sampling.
    exact : float
        Probability that the law is exact, where its error was fitted.
    """

    method: str
    attempts: int
    agreeing: float
    elsewhere: float
    repaired: bool
    reshaped: bool
    leapfrogs: int
    khat: float
    importance_ess: float
    exact: float


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
    record : Record
        How the fit was made.
    errors : array, shape (chain, draw, landmark), or None
        Of the law, at the landmarks of the table; None where it is taken to be exact.
    landmarks : array, shape (landmark, input), or None
        Decimal logarithms of the law's inputs there.
    effects : array, shape (chain, draw, run of several rows), or None
        Of the runs, where their rows share such; they are not kept in files.
    evidence : Evidence or None
        The log marginal likelihood of the runs, where it was found.
    """

    values: dict[str, Floats]
    log_density: Floats
    energy: Floats
    acceptance: Floats
    leapfrogs: NDArray[np.int64]
    diverging: NDArray[np.bool_]
    step_size: Floats
    diagnosis: Diagnosis
    record: Record
    errors: Floats | None = None
    landmarks: Floats | None = None
    effects: Floats | None = None
    evidence: Evidence | None = None


@dataclasses.dataclass(frozen=True)
class _Unweighted:
    """A table without its weights, known by its content."""

    model: Model
    digest: str
    precision: str
    runs: Runs = dataclasses.field(compare=False)


def _modes_of(model: Model, runs: Runs, settings: Settings) -> dict[str, Floats] | None:
    """Modes of the table without its weights, where it has some: those with them are near."""
    if "weight" not in runs.columns:
        return None
    plain = runs.without_weight()
    return _unweighted_modes(_Unweighted(model, plain.digest, settings.precision, plain))


@functools.lru_cache(maxsize=64)
def _unweighted_modes(table: _Unweighted) -> dict[str, Floats]:
    group = Group(table.model, [table.runs], Settings(precision=table.precision), attempt=0)
    ends = {name: np.asarray(values[0]) for name, values in group.climbed[1].items()}
    places = np.stack(list(ends.values()), axis=1)
    distinct = [
        number
        for number, place in enumerate(places)
        if not np.isclose(places[:number], place, rtol=ALIKE, atol=0).all(axis=1).any()
    ]
    return {name: values[distinct[: STARTS - 1]] for name, values in ends.items()}


class Group:
    """The tables of one program, padded to its full size with copies of the first.

    Another thread may set `stopped` to end their chains.
    """

    def __init__(
        self, model: Model, tables: Sequence[Runs], settings: Settings, attempt: int
    ) -> None:
        self.stopped = threading.Event()
        self.model, self.settings, self.attempt, self.count = model, settings, attempt, len(tables)
        rows = padded(tables[0])
        full = [*tables, *[tables[0]] * (group_size(rows) - len(tables))]
        self.generators = [_generator(model, runs, settings, attempt) for runs in full]
        self.data: Data = pack_group(model, full, rows, settings.precision)
        self.programs = programs(model)
        self.tables = full

    @functools.cached_property
    def climbed(self) -> tuple[Whitening, dict[str, jax.Array], Modes]:
        """What `white` says, where the climbs ended, and which ends are modes."""
        known = [_modes_of(self.model, runs, self.settings) for runs in self.tables]
        begin = starts(self.model, known, self.settings.precision)
        return self.programs.whiten(begin, self.data)

    @functools.cached_property
    def white(self) -> Whitening:
        """Coordinates in which each posterior is close to a standard normal."""
        return self.climbed[0]

    @functools.cached_property
    def elsewhere(self) -> tuple[Floats, Floats]:
        """What lies at other modes than the highest, by Laplace's approximation.

        Returns
        -------
        share : array, shape (fit,)
            Of the posterior.
        place : array, shape (fit, dim)
            The mode of the most of it, in the sampled coordinates.
        """
        tops, integrals = (np.array(each, np.float64) for each in self.climbed[2])
        integrals[np.isneginf(integrals[:, 0]), 0] = 0.0  # the highest end is all that is known
        weights = softmax(integrals, axis=1)
        other = weights[:, 1:].argmax(axis=1) + 1
        return weights[:, 1:].sum(axis=1), tops[np.arange(len(tops)), other]

    def _begin(self) -> Floats:
        """Where chains begin about, (fit, chain, dim): some at another mode, if it holds enough."""
        (share, place), white, chains = self.elsewhere, self.white, self.settings.chains
        mode, factor = (np.asarray(each, np.float64) for each in (white.mode, white.factor))
        begin = np.zeros((len(mode), chains, white.dim))
        for fit in np.flatnonzero(share > ELSEWHERE):
            target = np.append(place[fit], mode[fit, place.shape[1] :])  # the error's scale stays
            count = int(np.clip(np.round(share[fit] * chains), 1, chains - 1))
            offset = np.linalg.solve(factor[fit], target - mode[fit])
            begin[fit, -count:, : len(target)] = offset
        return begin

    def compile_ahead(self, by_weights: bool) -> None:
        """Compile, beside another thread that whitens, what comes next."""
        fits, dim, real = len(self.generators), self.model.dim, np.dtype(self.settings.precision)
        nowhere = Whitening.nowhere(fits, dim, real)
        if by_weights:
            nothing = jax.tree.map(lambda leaf: self._full(leaf[None]), Proposal.laplace(dim))
            self.programs.weigh(np.zeros((fits, BLOCK, dim), real), nothing, (self.data, nowhere))
        else:
            compile_ahead(self.model, self.data, nowhere, self.settings.chains)

    @functools.cached_property
    def chains(self) -> SampledChains:
        """What the chains of NUTS leave behind."""
        settings = self.settings
        return sample_chains(
            self.model,
            self.data,
            self.white,
            self.generators,
            self._begin(),
            chains=settings.chains,
            draws=settings.draws,
            warmup=settings.warmup,
            acceptance=settings.acceptance,
            precision=settings.precision,
            stopped=self.stopped,
        )

    def by_nuts(self) -> list[Draws]:
        """Sample by NUTS."""
        made, row = self.chains, nuts.Row
        found = self.programs.values(made.white, made.rows[..., : made.white.dim], self.data)
        values = {
            name: np.asarray(found[name], np.float64)[: self.count] for name in self.model.sites
        }
        rows = made.rows[: self.count].astype(np.float64)
        diverging = rows[..., row.diverging] > 0
        stacked = np.stack([values[name] for name in self.model.sites], axis=1)
        diagnosis = diagnose(stacked, rows[..., row.energy], diverging)
        each = [{name: value[fit] for name, value in values.items()} for fit in range(self.count)]
        return [
            Draws(
                values=each[fit],
                log_density=rows[fit, ..., row.log_density],
                energy=rows[fit, ..., row.energy],
                acceptance=rows[fit, ..., row.acceptance],
                leapfrogs=rows[fit, ..., row.leapfrogs].astype(np.int64),
                diverging=diverging[fit],
                step_size=np.exp(np.asarray(made.log_step[fit], np.float64)),
                diagnosis=settled(diagnosis.of(fit), each[fit], self.model.law.parameters()),
                record=self._record(fit)
                | {
                    "method": "nuts",
                    "reshaped": bool(made.reshaped[fit]),
                    "leapfrogs": int(made.leapfrogs[fit]),
                },
            )
            for fit in range(self.count)
        ]

    def evidence(self) -> list[Evidence]:
        """Log marginal likelihoods of the tables, by bridges from the draws of NUTS."""
        made, dim = self.chains, self.chains.white.dim
        rows = made.rows[: self.count].astype(np.float64)
        spawned = [generator.spawn(1)[0] for generator in self.generators[: self.count]]
        runs = made.white.runs
        pairs = zip(rows[..., :dim], spawned, strict=True)
        bridges = [Bridge.between(draws, rng, dim - runs) for draws, rng in pairs]
        proposed = self._full(np.stack([bridge.proposed for bridge in bridges]))
        heights = np.asarray(self.programs.heights(proposed, (self.data, made.white)), np.float64)
        half = bridges[0].compared.shape[1]
        at_draws = rows[:, :, -half:, nuts.Row.log_density].reshape(self.count, -1)
        volumes = np.linalg.slogdet(np.asarray(made.white.factor, np.float64))[1]
        found = map(Bridge.evidence, bridges, at_draws, heights)
        return [one.over(float(volume)) for one, volume in zip(found, volumes, strict=False)]

    def by_importance(self) -> list[Draws]:
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
        made = []
        ess, kept = settings.limits.ess, math.prod(shape)
        needed = ess / (1 - ess / kept)  # so that draws chosen by weight are worth `ess` (`worth`)
        weighted = weigh(evaluate, self.model.dim, generators, needed)
        volumes = np.linalg.slogdet(np.asarray(self.white.factor, np.float64))[1]
        for fit, (one, generator) in enumerate(zip(weighted, generators, strict=True)):
            values, log_density = one.resample(generator, shape)
            seen = self.elsewhere[0][fit] <= ELSEWHERE  # proposals are about one mode
            worth = one.worth(kept) if one.sure and seen else np.nan
            made.append(
                Draws(
                    values={name: values[name] for name in self.model.sites},
                    log_density=log_density,
                    energy=-log_density,
                    acceptance=np.broadcast_to(1.0, shape),  # one number, whatever the shape
                    leapfrogs=np.broadcast_to(np.int64(0), shape),
                    diverging=np.broadcast_to(np.False_, shape),
                    step_size=np.full(shape[0], np.nan),
                    diagnosis=Diagnosis.of_weights(worth, sites, shape[0]),
                    record=self._record(fit)
                    | {"method": "importance", "khat": one.khat, "importance_ess": worth},
                    evidence=one.evidence.over(float(volumes[fit])),
                )
            )
        return made

    def _full(self, leaf: Floats) -> NDArray[Any]:
        """An array (fit, ...) as a program takes it: for all its fits, in its precision."""
        real = np.issubdtype(leaf.dtype, np.floating)
        kind = self.settings.precision if real else leaf.dtype
        full = np.zeros((len(self.generators), *leaf.shape[1:]), kind)
        full[: len(leaf)] = leaf
        return full

    def _record(self, fit: int) -> Record:
        return {
            "attempts": self.attempt + 1,
            "agreeing": float(np.asarray(self.white.agreeing)[fit]),
            "elsewhere": float(self.elsewhere[0][fit]),
            "repaired": bool(np.asarray(self.white.repaired)[fit]),
        }


def _generator(model: Model, runs: Runs, settings: Settings, attempt: int) -> np.random.Generator:
    """A random generator that depends on what is fitted and on nothing else."""
    priors = repr(sorted(model.describe_priors().items()))
    content = [runs.digest, model.law.name, model.noise.name, priors, settings.seed, attempt]
    text = "\n".join(str(part) for part in content)
    return np.random.default_rng(np.frombuffer(hashlib.sha256(text.encode()).digest(), np.uint32))
