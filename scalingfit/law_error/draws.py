"""Draws of the error: functions that can be evaluated anywhere, by pathwise conditioning."""

from __future__ import annotations

import dataclasses
import functools
import operator
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from scalingfit._arrays import Number, Numbers
from scalingfit.declare import expanded
from scalingfit.law_error.kernel import by_length, covariance, spectrum

__all__ = ["ErrorDraws"]

Floats = NDArray[np.float64]


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=["landmarks", "weights", "frequencies", "amplitudes", "runs"],
    meta_fields=["additive"],
)
@dataclasses.dataclass(frozen=True)
class ErrorDraws:
    """Draws of a law's error, each a function that can be evaluated and differentiated anywhere.

    Given the errors at landmarks, a function is their interpolation, plus what a draw of the whole
    process differs from its own interpolation by (pathwise conditioning: Wilson et al. 2020, arXiv
    2002.09309). That draw is a sum of waves (Rahimi & Recht 2007, NeurIPS 20).

    Attributes
    ----------
    landmarks : array, shape (landmark, input)
        Decimal logarithms.
    weights : array, shape (landmark, 1, chain, draw)
        Of the covariances with the landmarks.
    frequencies : array, shape (frequency, input)
        Of the waves, in radians a decade.
    amplitudes : array, shape (frequency, 2, chain, draw)
        Of their cosines and sines.
    runs : array, shape (2, input)
        Least and greatest inputs of the runs, decimal logarithms.
    additive : bool
        Whether the error is added to the law rather than to its logarithm.
    """

    landmarks: Numbers
    weights: Numbers
    frequencies: Numbers
    amplitudes: Numbers
    runs: Numbers
    additive: bool

    @classmethod
    def given(
        cls,
        landmarks: Floats,
        errors: Floats,
        tau: Floats,
        runs: Floats,
        *,
        additive: bool,
        seed: int = 0,
    ) -> ErrorDraws:
        """Functions with known values at landmarks, continued at random.

        Parameters
        ----------
        landmarks : array, shape (landmark, input)
        errors : array, shape (chain, draw, landmark), or (draw, landmark)
            At the landmarks.
        tau : array, shape (chain, draw), or (draw,)
            The scale.
        runs : array, shape (run, input)
            Decimal logarithms of the runs' inputs.
        additive : bool
            As the attribute.
        seed : int
        """
        frequencies, scale = spectrum(runs.shape[1])
        normal = np.random.default_rng(seed).standard_normal((len(scale), 2, *tau.shape))
        amplitudes = tau * scale.reshape(-1, 1, *[1] * tau.ndim) * normal
        phase = frequencies @ landmarks.T
        waves = np.stack([np.cos(phase), np.sin(phase)], axis=1)
        left = np.moveaxis(errors, -1, 0) - np.tensordot(waves, amplitudes, ((0, 1), (0, 1)))
        between = cho_factor(covariance(landmarks, landmarks))
        weights = cho_solve(between, left.reshape(len(left), -1))
        # Few sizes, so few compiled programs.
        spare = [(0, -len(landmarks) % 16), (0, 0)]
        return cls(
            landmarks=np.pad(landmarks, spare),
            weights=np.pad(weights, spare).reshape(-1, 1, *tau.shape),
            frequencies=frequencies,
            amplitudes=amplitudes,
            runs=np.stack([runs.min(axis=0), runs.max(axis=0)]),
            additive=additive,
        )

    def expand(self, axes: int) -> ErrorDraws:
        """Append `axes` axes of length one to the draws, to broadcast them against inputs."""
        weights, amplitudes = expanded((self.weights, self.amplitudes), axes)
        return dataclasses.replace(self, weights=weights, amplitudes=amplitudes)

    def take(self, places: NDArray[np.intp]) -> ErrorDraws:
        """Some of the draws, by their places among all of them, in one axis."""
        weights, amplitudes = (
            np.reshape(each, (*each.shape[:2], -1))[..., places]
            for each in (self.weights, self.amplitudes)
        )
        return dataclasses.replace(self, weights=weights, amplitudes=amplitudes)

    def at(self, *inputs: Number) -> Array:
        """The error of every draw, at inputs that broadcast against the draws."""
        places = [jnp.log10(value) for value in inputs]

        def near(landmark: Array) -> Array:
            apart = zip(places, landmark, strict=True)
            return jnp.stack([by_length(sum((place - own) ** 2 for place, own in apart), jnp)])

        def waves(frequency: Array) -> Array:
            return jnp.stack(_wave(sum(map(operator.mul, places, frequency))))

        return _weighted_sum(near, self.landmarks, self.weights) + _weighted_sum(
            waves, self.frequencies, self.amplitudes
        )


def _weighted_sum(function: Callable[[Array], Array], items: Numbers, weights: Numbers) -> Array:
    """The sum over items of what a function gives of each, times its weights.

    Parameters
    ----------
    function : callable
        Of an item, to an array (number, place, ...).
    items : array, shape (item, ...)
    weights : array, shape (item, number, draw, ...)
        Axes of draws broadcast against those of places.
    """
    items, weights = jnp.asarray(items), jnp.asarray(weights)
    place, draw = jax.eval_shape(function, items[0]).shape[1:], weights.shape[2:]
    axes = max(len(place), len(draw))
    place, draw = ((1,) * (axes - len(shape)) + shape for shape in (place, draw))
    weights = weights.reshape(*weights.shape[:2], *draw)
    if all(1 in pair for pair in zip(place, draw, strict=True)):  # all draws at the same places
        found = jax.vmap(function)(items).reshape(*weights.shape[:2], *place)
        return jnp.einsum("in...,in...->...", weights, found)  # a product of matrices

    def add(total: Array, item: tuple[Array, Array]) -> tuple[Array, None]:
        return total + jnp.sum(item[1] * function(item[0]), axis=0), None

    start = jnp.zeros(jnp.broadcast_shapes(place, draw))
    return jax.lax.scan(add, start, (items, weights))[0]


@jax.custom_jvp
def _wave(phase: Any) -> tuple[Array, Array]:
    """Cosine and sine, to 1e-13, by Taylor series of a quarter of the angle that is left.

    XLA's own take ten times as long on a CPU, where they are not made of vectors.
    """
    quarter = 0.25 * (phase - 2 * np.pi * jnp.round(phase / (2 * np.pi)))
    squared = quarter**2
    cosine = sine = jnp.ones_like(quarter)
    for term in range(16, 0, -2):
        cosine = 1 - cosine * squared / (term * (term - 1))
        sine = 1 - sine * squared / (term * (term + 1))
    sine = sine * quarter
    for _ in range(2):
        cosine, sine = 1 - 2 * sine**2, 2 * sine * cosine
    return cosine, sine


@_wave.defjvp
def _wave_slope(
    phases: tuple[Any], changes: tuple[Any]
) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    cosine, sine = _wave(*phases)
    return (cosine, sine), (-sine * changes[0], cosine * changes[0])
