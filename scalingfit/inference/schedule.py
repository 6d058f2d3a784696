"""Chains from start to draws: adaptation windows, then sampling."""

from __future__ import annotations

import dataclasses
import itertools
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from scalingfit._cores import core_count
from scalingfit.inference import nuts
from scalingfit.inference.chain import Chain, begin
from scalingfit.inference.mode import Whitening
from scalingfit.inference.model import Data, Model
from scalingfit.inference.programs import RANDOM, programs
from scalingfit.inference.xla import placed

__all__ = ["SampledChains", "compile_ahead", "sample_chains"]

FIRST_STEP = 0.5  # in whitened coordinates
WINDOW_SKIP = 0.4  # share of an adaptation window left out of its covariance estimate
TOLERATED = 2.0  # ratio of variances up to which the Laplace shape is kept

Floats = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class SampledChains:
    """What the chains of a group leave behind.

    Attributes
    ----------
    white : Whitening
        The coordinates the rows are in.
    rows : array, shape (fit, chain, draw, dim + 5)
        See `nuts.Row`.
    log_step : array, shape (fit, chain)
    reshaped : array of bool, shape (fit,)
        Whether the Laplace shape was replaced.
    leapfrogs : array of int, shape (fit,)
        Of the transitions that were asked for, in all chains and phases.
    steps : int
        What the loops had room for in each fit: in each turn every chain could make one.
    """

    white: Whitening
    rows: Floats
    log_step: Floats
    reshaped: NDArray[np.bool_]
    leapfrogs: NDArray[np.int64]
    steps: int


def sample_chains(
    model: Model,
    data: Data,
    white: Whitening,
    generators: Sequence[np.random.Generator],
    begin: Floats,
    *,
    chains: int,
    draws: int,
    warmup: int,
    acceptance: float,
    precision: str,
    stopped: threading.Event,
) -> SampledChains:
    """Warm up and sample a group of fits; the other arguments are those of `Settings`.

    Chains begin at random about `begin`, (fit, chain, dim), in the coordinates of `white`. Where
    `stopped` is set, by another thread, they end with an InterruptedError. With a law's error the
    shape is kept, and only the step size adapted: most of so many directions are standard normal
    from the first, and the others widen with the error's scale.
    """
    steps = _Phases(model, data, generators, chains, acceptance, np.dtype(precision), stopped)
    position = begin + np.stack([g.standard_normal((chains, white.dim)) for g in generators])
    reshaped = np.zeros(len(generators), bool)
    first_step = np.full(position.shape[:2], np.log(FIRST_STEP))
    for length in (warmup, 2 * warmup) if white.funnel is None else ():
        made, _ = steps.run(white, position, first_step, length, length)
        kept = made[:, :, int(WINDOW_SKIP * length) :, : white.dim]
        white, position, changed = _reshape(white, kept)
        reshaped |= changed
    made, log_step = steps.run(white, position, first_step, warmup, warmup)
    log_step = _pooled(log_step)
    made, _ = steps.run(white, made[:, :, -1, : white.dim], log_step, 0, draws)
    return SampledChains(white, made, log_step, reshaped, steps.leapfrogs, steps.steps)


def compile_ahead(model: Model, data: Data, white: Whitening, chains: int) -> None:
    """Compile the programs of `sample_chains`, by sampling no transitions."""
    fits = len(white.mode)
    generators = [np.random.default_rng(0)] * fits
    steps = _Phases(model, data, generators, chains, 1.0, white.mode.dtype, threading.Event())
    start = np.zeros((fits, chains, white.dim))
    steps.run(white, start, start[..., 0], 0, 0)


def chains_together(chains: int, white: Whitening) -> int:
    """Chains of a fit to a program: on a CPU two, so that one fit has work for two cores.

    With a law's error one: the products of matrices of two chains take more than twice as long as
    those of one (`benchmarks/DECISIONS.md`).
    """
    if jax.default_backend() != "cpu":
        return chains
    if white.funnel is not None:
        return 1
    return 2 if chains % 2 == 0 else chains


class _Phases:
    """Chains of one group, run phase by phase."""

    def __init__(
        self,
        model: Model,
        data: Data,
        generators: Sequence[np.random.Generator],
        chains: int,
        acceptance: float,
        real: np.dtype[Any],
        stopped: threading.Event,
    ) -> None:
        self.programs, self.data, self.generators = programs(model), data, generators
        self.chains, self.real = chains, real
        self.stopped = stopped
        self.aim = jnp.full(len(generators), acceptance, real)
        self.leapfrogs, self.steps = np.zeros(len(generators), np.int64), 0

    def run(
        self, white: Whitening, start: Floats, log_step: Floats, adapt: int, stop: int
    ) -> tuple[Floats, Floats]:
        """Let every chain make `stop` transitions, a few chains beside others.

        Returns
        -------
        rows : array, shape (fit, chain, stop, dim + 5)
            See `nuts.Row`.
        log_step : array, shape (fit, chain)
        """
        words = np.stack(
            [g.integers(0, 2**32, (self.chains, 2), np.uint32) for g in self.generators]
        )
        size, device = chains_together(self.chains, white), jax.config.jax_default_device

        def part(first: int) -> tuple[Floats, Floats, int]:
            some = slice(first, first + size)
            with placed(device, self.real.name):
                chains = begin(*(x[:, some].astype(self.real) for x in (start, log_step)))
                return self._run(white, chains, words[:, some], adapt, stop)

        firsts = range(0, self.chains, size)
        made, steps, turns = zip(*self._beside(part, firsts), strict=True)
        rows = np.concatenate(made, axis=1)
        self.leapfrogs += rows[..., nuts.Row.leapfrogs].astype(np.int64).sum(axis=(1, 2))
        self.steps += size * sum(turns)
        return rows, np.concatenate(steps, axis=1)

    def _beside[Made](self, part: Callable[[int], Made], firsts: range) -> list[Made]:
        """Every part, in threads where there are cores for them; all stop where this one does."""
        count = min(len(firsts), core_count())
        if count == 1:
            return list(map(part, firsts))
        with ThreadPoolExecutor(count) as threads:
            try:
                return list(threads.map(part, firsts))
            except BaseException:
                self.stopped.set()
                raise

    def _run(
        self, white: Whitening, state: Chain, words: NDArray[Any], adapt: int, stop: int
    ) -> tuple[Floats, Floats, int]:
        """As `run`, of chains that share a program, and how many turns they took."""
        made = np.zeros((*words.shape[:2], stop, white.dim + nuts.Row.count), self.real)
        count, taken = np.zeros(words.shape[:2], np.int64), 0
        keys = jax.random.wrap_key_data(jnp.asarray(words), impl=RANDOM)
        stops = np.int32(adapt), np.int32(stop), self.aim
        for number in map(np.int32, itertools.count()):
            if self.stopped.is_set():
                raise InterruptedError
            state, rows, turns = self.programs.segment(
                state, (self.data, white), keys, number, *stops
            )
            taken += int(turns)
            _keep(np.asarray(rows)[: int(turns)], made, count)
            if np.all((here := jax.device_get(state)).finished >= stop):
                break
        return made, here.average_log_step, taken


def _keep(rows: Floats, made: Floats, count: NDArray[np.int64]) -> None:
    """Put the rows, (turn, fit, chain, ...), that end a transition behind those before."""
    ended = rows[..., nuts.Row.leapfrogs] > 0
    place = count + np.cumsum(ended, axis=0) - 1
    turn, fit, chain = np.nonzero(ended & (place < made.shape[2]))
    made[fit, chain, place[turn, fit, chain]] = rows[turn, fit, chain]
    count += ended.sum(axis=0)


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
