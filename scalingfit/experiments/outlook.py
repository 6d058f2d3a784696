"""What a posterior says of runs not made yet: losses, noise, and what they may teach."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from scalingfit.allocation import (
    FloatArray,
    Spending,
    best_size,
    worth,
)
from scalingfit.declare import Law, loss_of_logs
from scalingfit.experiments.pool import Pool
from scalingfit.noise import At, Noise

__all__ = ["ENOUGH", "Outlook", "Stake", "effective", "taken"]

OUTCOMES = 64
"""Of a batch, that are imagined."""

LOOKED, SAMPLES = 64, 64
"""Draws of the posterior whose noise is looked at, and how often each is drawn."""

SIZES = 17
"""Plans among which the best is chosen once a batch is known."""

ENOUGH = 100.0
"""Effective draws below which reweighted ones are not trusted."""


class Stake(NamedTuple):
    """What plans of several sizes waste at a target, in every draw.

    Attributes
    ----------
    sizes : array, shape (plan,)
    waste : array, shape (draw, plan)
        FLOP beyond those that would have bought the loss.
    """

    sizes: FloatArray
    waste: FloatArray

    @property
    def now(self) -> float:
        """Expected waste of the best plan: the value of perfect information."""
        return float(self.waste.mean(axis=0).min())

    def after(self, weights: FloatArray) -> FloatArray:
        """The same once outcomes are known, shape (outcome,); weights are (outcome, draw)."""
        return np.asarray((weights @ self.waste).min(axis=1))

    @classmethod
    def at(cls, law: Law, spending: Spending, target: int) -> Stake:
        """That of one of the budgets."""
        one = spending.at(np.array([target]))
        optimum = one.solve(law)
        low, high = np.quantile(np.log(optimum.N), (0.02, 0.98))
        best = np.log(best_size(law, one, optimum))
        sizes = np.exp(np.union1d(np.linspace(low, high, SIZES), best))
        found = worth(law, sizes, one, np.zeros(len(sizes), int), optimum)
        return cls(sizes, one.C[0] * (1.0 - 1.0 / found.overspend))


@dataclasses.dataclass(frozen=True, eq=False)
class Outlook:
    """A posterior's draws of the law and the noise, over a pool of candidates.

    Attributes
    ----------
    law, noise
        Leaves (draw,).
    log_inputs : mapping of str to array, shape (candidate,)
        Of the law, at each candidate.
    mean : array, shape (draw, candidate)
        The law's loss there.
    """

    law: Law
    noise: Noise
    log_inputs: Mapping[str, FloatArray]
    mean: FloatArray

    @classmethod
    def over(cls, law: Law, noise: Noise, pool: Pool) -> Outlook:
        """That of draws in one axis over a pool."""
        logs = {name: np.log(values) for name, values in pool.inputs.items()}
        with jax.enable_x64(True):
            return cls(law, noise, logs, np.asarray(_mean(law, logs)))

    def take(self, chosen: Sequence[int] | NDArray[np.bool_]) -> Outlook:
        """Over some of the candidates."""
        logs = {name: values[chosen] for name, values in self.log_inputs.items()}
        return dataclasses.replace(self, log_inputs=logs, mean=self.mean[:, chosen])

    @property
    def scale(self) -> FloatArray:
        """The law on the scale on which noise adds: log loss, or loss."""
        return np.log(self.mean) if self.noise.on_log else self.mean

    def variance(self) -> FloatArray:
        """The variance of normal noise that would tell as much, shape (candidate,).

        One over the Fisher information about the location: for Student's t it is sigma^2
        (nu + 3)/(nu + 1). The information is measured on noise that is drawn, for any model. The
        mean over the draws of the posterior is that of the logarithm: few runs leave the scale of
        their scatter open, and what a run gains falls with it in an S. The mean of the information
        itself would take the least scatter of all draws for true.
        """
        draws = len(self.mean)
        kept = np.linspace(0, draws - 1, min(draws, LOOKED)).round().astype(int)
        law, noise = self.law.take(kept), taken(self.noise, draws, kept)
        with jax.enable_x64(True):
            return np.asarray(1.0 / _information(law, noise, dict(self.log_inputs)))

    def weights(self, seed: int = 0) -> FloatArray:
        """Draws weighted by outcomes of all runs that some of them imagine, (outcome, draw)."""
        with jax.enable_x64(True):
            found = _log_weights(self.law, self.noise, dict(self.log_inputs), jax.random.key(seed))
            logs = np.asarray(found)
        weights = np.exp(logs - logs.max(axis=1, keepdims=True))
        return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def taken(noise: Noise, draws: int, kept: NDArray[np.int64]) -> Noise:
    """Draws of the noise in one axis; what is the same in all of them stays."""
    found: Noise = jax.tree.map(
        lambda leaf: np.ravel(leaf)[kept] if np.size(leaf) == draws else leaf, noise
    )
    return found


def effective(weights: FloatArray) -> float:
    """Effective draws of the median outcome."""
    return float(np.median(1.0 / np.sum(weights**2, axis=1)))


@jax.jit
def _mean(law: Law, log_inputs: Mapping[str, Array]) -> Array:
    return loss_of_logs(law.expand(1), log_inputs)


def _at(law: Law, noise: Noise, log_inputs: Mapping[str, Array]) -> tuple[Noise, At]:
    """The noise, and what it may look at, (draw, candidate)."""
    return noise.expand(1), noise.at(functools.partial(loss_of_logs, law.expand(1)), log_inputs)


@jax.jit
def _information(law: Law, noise: Noise, log_inputs: Mapping[str, Array]) -> Array:
    """Mean squared score for a shift of the location, at each candidate."""

    def of(log_inputs: Mapping[str, Array]) -> Array:
        wide, at = _at(law, noise, jax.tree.map(jnp.atleast_1d, log_inputs))
        drawn = wide.observe(at).sample(jax.random.key(0), (SAMPLES,))

        def log_density(shift: Array) -> Array:
            moved = at.mean * jnp.exp(shift) if noise.on_log else at.mean + shift
            density = wide.observe(dataclasses.replace(at, mean=moved)).log_prob(drawn)
            return jnp.asarray(density)

        zero = jnp.zeros(drawn.shape)
        score: Array = jax.jvp(log_density, (zero,), (jnp.ones(drawn.shape),))[1]
        return jnp.exp(jnp.mean(jnp.log(jnp.mean(score**2, axis=0))))

    found: Array = jax.lax.map(of, log_inputs)
    return found


@jax.jit
def _log_weights(law: Law, noise: Noise, log_inputs: Mapping[str, Array], key: Array) -> Array:
    wide, at = _at(law, noise, log_inputs)
    observed = wide.observe(at)
    drawn = observed.sample(key)
    rows = jnp.linspace(0, len(drawn) - 1, OUTCOMES).astype(int)

    def of(outcome: Array) -> Array:
        return jnp.sum(observed.log_prob(outcome), axis=-1)

    found: Array = jax.lax.map(of, drawn[rows])
    return found
