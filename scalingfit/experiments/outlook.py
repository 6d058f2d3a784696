"""What a posterior says of runs not made yet: losses, noise, and what they may teach."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from scalingfit.allocation import (
    FloatArray,
    Spending,
    best_size,
    worth,
)
from scalingfit.declare import Law
from scalingfit.experiments.pool import Pool
from scalingfit.noise import Noise

__all__ = ["ENOUGH", "Outlook", "Stake", "effective"]

OUTCOMES, SAMPLES = 64, 4096
"""Outcomes of a batch that are imagined; noise that is drawn to measure its information."""

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
    mean : array, shape (draw, candidate)
        The law's loss at each candidate.
    """

    law: Law
    noise: Noise
    mean: FloatArray

    @classmethod
    def over(cls, law: Law, noise: Noise, pool: Pool) -> Outlook:
        """That of flattened draws over a pool."""
        with jax.enable_x64(True):
            return cls(law, noise, np.asarray(_mean(law, dict(pool.inputs))))

    def take(self, chosen: Any) -> Outlook:
        """Over some of the candidates."""
        return dataclasses.replace(self, mean=self.mean[:, chosen])

    @property
    def scale(self) -> FloatArray:
        """The law on the scale on which noise adds: log loss, or loss."""
        return np.log(self.mean) if self.noise.on_log else self.mean

    def variance(self) -> FloatArray:
        """The variance of normal noise that would tell as much, shape (candidate,).

        One over the Fisher information about the location: for Student's t it is sigma^2
        (nu + 3)/(nu + 1). The information is measured on noise that is drawn, for any model.
        """
        with jax.enable_x64(True):
            draws = len(self.mean)
            rows = np.resize(np.arange(0, draws, max(1, draws // SAMPLES)), SAMPLES)
            noise = jax.tree.map(lambda leaf: leaf[rows], self.noise)
            middle = np.median(self.mean, axis=0)
            return np.asarray(1.0 / _information(noise, jnp.asarray(middle), self.noise.on_log))

    def weights(self, chosen: Any, seed: int = 0) -> FloatArray:
        """Draws weighted by outcomes of a batch that some of them imagine, (outcome, draw)."""
        with jax.enable_x64(True):
            log_weights = np.asarray(
                _log_weights(self.noise, self.mean[:, chosen], jax.random.key(seed))
            )
        weights = np.exp(log_weights - log_weights.max(axis=1, keepdims=True))
        return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def effective(weights: FloatArray) -> float:
    """Effective draws of the median outcome."""
    return float(np.median(1.0 / np.sum(weights**2, axis=1)))


@jax.jit
def _mean(law: Law, inputs: Any) -> Array:
    return jnp.asarray(law.expand(1).loss(**inputs))


def _information(noise: Noise, mean: Array, on_log: bool) -> Array:
    """Mean squared score for a shift of the location, at each candidate."""

    def at(mean: Array) -> Array:
        drawn = noise.observe(jnp.broadcast_to(mean, (SAMPLES,))).sample(jax.random.key(0))

        def log_density(shift: Array) -> Array:
            moved = mean * jnp.exp(shift) if on_log else mean + shift
            return jnp.asarray(noise.observe(moved).log_prob(drawn))

        zero = jnp.zeros(SAMPLES)
        score: Array = jax.jvp(log_density, (zero,), (jnp.ones(SAMPLES),))[1]
        return jnp.mean(score**2)

    information: Array = jax.jit(lambda means: jax.lax.map(at, means))(jnp.asarray(mean))
    return information


@jax.jit
def _log_weights(noise: Noise, mean: Array, key: Array) -> Array:
    wide = noise.expand(1)
    drawn = wide.observe(mean).sample(key)
    rows = jnp.linspace(0, len(mean) - 1, OUTCOMES).astype(int)

    def of(outcome: Array) -> Array:
        return jnp.sum(wide.observe(mean).log_prob(outcome), axis=-1)

    found: Array = jax.lax.map(of, drawn[rows])
    return found
