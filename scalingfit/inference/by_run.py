"""Densities of the rows of runs together, the effects that they share integrated out."""

from __future__ import annotations

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from scalingfit.inference.model import no_nearer
from scalingfit.noise import At, Noise

__all__ = ["log_likelihood_by_run"]

Floats = NDArray[np.float64]

BLOCK = 1 << 21
"""Densities to evaluate at a time."""

TURNS = 10
NODES = 84
STEP = 0.1
"""Of the trapezoidal rule in the inverse hyperbolic sine of what an effect differs from its middle,
in units of its spread: 33 spreads on either side. Where rows of a run lie 19 scales apart, so that
its effect has two modes, it is right to 0.3 %; without such modes to rounding."""

LEAST = 1e-6
"""Of an effect's scale relative to that of the scatter: a smaller one is none."""


def log_likelihood_by_run(
    noise: Noise, at: At, observed: Floats, numbers: NDArray[np.int64]
) -> Floats:
    """Log density of the losses of each run together, (draw, run).

    The integral over the effect of a run, which is one number, by the trapezoidal rule about the
    middle that iteratively reweighted least squares find.

    Parameters
    ----------
    noise : Noise
        Draws, leaves of shape (draw, 1), with the scale of the effects.
    at : At
        The loss of the law with its error at every row, (draw, row), and what the noise looks at.
    observed : array, shape (row,)
    numbers : array of int, shape (row,)
        The run of each row, counted from 0.
    """
    count, rows = np.shape(at.mean)
    parts = max(1, math.ceil(count * rows / BLOCK))
    runs = np.zeros(numbers.max() + 1)
    with jax.enable_x64(True):
        found = [
            _by_run(*_some(noise, at, part), observed, numbers, runs)
            for part in np.array_split(np.arange(count), parts)
        ]
        return np.concatenate(found)


def _some(noise: Noise, at: At, draws: NDArray[np.int64]) -> tuple[Noise, At]:
    """Some of the draws."""
    noise, mean, slopes = jax.tree.map(lambda leaf: leaf[draws], (noise, at.mean, at.slopes))
    return noise, dataclasses.replace(at, mean=mean, slopes=slopes)


@jax.jit
def _by_run(noise: Noise, at: At, observed: Array, numbers: Array, runs: Array) -> Array:
    omega = jnp.maximum(noise.run_effect, LEAST * noise.sigma)  # type: ignore[arg-type]  # it has one
    within = dataclasses.replace(noise, run_effect=None)
    log, mean = noise.on_log, jnp.asarray(at.mean)
    residual = jnp.log(observed / mean) if log else observed - mean
    scale = jnp.broadcast_to(noise.scale(at), mean.shape)

    def density(shift: Array) -> Array:
        """Of each row, where the effect of its run is a number, (draw, row)."""
        moved = mean * jnp.exp(shift) if log else mean + shift
        return jnp.asarray(within.observe(dataclasses.replace(at, mean=moved)).log_prob(observed))

    def total(values: Array) -> Array:
        """Over the rows of each run, (draw, run)."""
        return jax.ops.segment_sum(values.T, numbers, len(runs)).T

    def turn(_: int, state: tuple[Array, Array]) -> tuple[Array, Array]:
        left = residual - state[0][:, numbers]
        size = no_nearer(left, scale)
        at_size = residual - size
        pull = jax.jvp(density, (at_size,), (jnp.ones_like(at_size),))[1]
        weight = jnp.maximum(pull / size, 0.0)
        precision = total(weight) + omega**-2
        return total(weight * residual) / precision, precision

    start = jnp.zeros((len(mean), len(runs)), mean.dtype)
    middle, precision = jax.lax.fori_loop(0, TURNS, turn, (start, start + 1))
    spread = precision**-0.5

    def add(sum_so_far: Array, place: Array) -> tuple[Array, None]:
        effect = middle + spread * jnp.sinh(place)
        prior = -0.5 * (effect / omega) ** 2 - jnp.log(omega * math.sqrt(2 * math.pi))
        volume = jnp.log(STEP * spread * jnp.cosh(place))
        height = total(density(effect[:, numbers])) + prior + volume
        return jnp.logaddexp(sum_so_far, height), None

    places = STEP * (jnp.arange(NODES + 1) - NODES / 2)
    return jax.lax.scan(add, jnp.full_like(start, -jnp.inf), places)[0]
