"""A law is not exact: its error, a smooth random function of the inputs.

Losses scatter about ``law(x) exp(delta(x))``, with ``delta`` a Gaussian process over ``x``, the
decimal logarithms of the law's inputs (Kennedy & O'Hagan 2001, J. R. Stat. Soc. B 63, 425). Its
covariance is ``tau**2`` times

    K(x, x') = sum over l in 0.5, 1, 2, 4 decades of  l**2 exp(-|x - x'|**2 / (2 l**2)),

so it is smooth, has slopes of one size at every length, is small between runs and grows with the
distance from them. A field of one length would return to its prior far away, too narrow there.

Half of the prior says that the law is exact, ``tau = 0``: without that, runs that follow a law are
extrapolated as though they did not (Brynjarsdottir & O'Hagan 2014, Inverse Problems 30, 114007).
Where the scatter is on the loss itself, which may then be negative, ``delta`` is added to the law.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import operator
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jax import Array
from numpy.typing import NDArray
from numpyro.distributions import Distribution
from scipy.linalg import cho_factor, cho_solve
from scipy.special import ndtri

from scalingfit.declare import Law, Parameter, expanded

__all__ = [
    "LAW_ERROR",
    "LENGTHS",
    "MOST_LANDMARKS",
    "ErrorDraws",
    "Landmarks",
    "LawError",
    "landmarks",
    "law_with_error",
]

Floats = NDArray[np.float64]

LENGTHS = (0.5, 1.0, 2.0, 4.0)
"""Decades, of the terms of the covariance."""

LEFT_OUT = 1e-4
"""Variance of the error, in units of ``tau**2``, that landmarks may leave open at a run."""

MOST_LANDMARKS = 128
"""Beyond which the error between them is left out, however large."""

FREQUENCIES = 128
"""Of the random functions that continue the error beyond its landmarks."""


@dataclasses.dataclass(frozen=True)
class LawError:
    """What is believed of a law's error beforehand.

    Attributes
    ----------
    exact : float
        Probability that the law is exact.
    median, log_sd : float
        Of the scale ``tau`` where it is not: log-normal, relative to the loss. The defaults are
        what five tables of published runs gave under two laws, medians of 0.010 to 0.047.
    """

    exact: float = 0.5
    median: float = 0.02
    log_sd: float = 0.7

    def tau(self, on_log: bool) -> Distribution:
        """The prior of the scale where the law is not exact.

        Parameters
        ----------
        on_log : bool
            Whether the scatter is on log loss. Otherwise the scale is in units of the loss, which
            are unknown: three times as large, as for losses of three nats, and less certain; the
            priors of the noise's scale differ likewise.
        """
        if on_log:
            return dist.LogNormal(math.log(self.median), self.log_sd)
        return dist.LogNormal(math.log(3 * self.median), math.hypot(self.log_sd, 1.1))

    def parameters(self, on_log: bool) -> dict[str, Parameter]:
        """The declared parameters by name: the scale, where the law is not exact."""
        unit = "relative to the loss" if on_log else "in units of the loss"
        return {"tau": Parameter(f"scale of the law's error, {unit}", self.tau(on_log))}


LAW_ERROR = LawError()
"""Where nothing else is said."""


def _by_length(squared: Any, xp: ModuleType) -> Any:
    """``K`` at squared distances, by one exponential: each length is half the next."""
    term = xp.exp(-squared / (2 * LENGTHS[-1] ** 2))
    total = LENGTHS[-1] ** 2 * term
    for length in LENGTHS[-2::-1]:
        term = term**4
        total = total + length**2 * term
    return total


@dataclasses.dataclass(frozen=True)
class Landmarks:
    """Designs, few of many, whose errors tell those of all the others.

    Attributes
    ----------
    places : array, shape (landmark, input)
        Decimal logarithms.
    factor : array, shape (run, landmark)
        The error at runs is this times independent normal numbers of scale ``tau``.
    own : array, shape (landmark, landmark)
        The same at the landmarks: lower triangular.
    """

    places: Floats
    factor: Floats
    own: Floats


def landmarks(places: Floats) -> Landmarks:
    """Landmarks by pivoted Cholesky decomposition: each is where the others leave most open.

    Harbrecht, Peters & Schneider 2012, Appl. Numer. Math. 62, 428.

    Parameters
    ----------
    places : array, shape (run, input)
        Decimal logarithms of the inputs.
    """
    count = min(len(places), MOST_LANDMARKS)
    factor, chosen = np.zeros((len(places), count)), []
    open_variance = np.full(len(places), sum(length**2 for length in LENGTHS))
    for number in range(count):
        pivot = int(np.argmax(open_variance))
        if open_variance[pivot] < LEFT_OUT:
            break
        covariance = _by_length(((places - places[pivot]) ** 2).sum(axis=1), np)
        left = covariance - factor @ factor[pivot]
        factor[:, number] = left / np.sqrt(open_variance[pivot])
        open_variance -= factor[:, number] ** 2
        chosen.append(pivot)
    factor = factor[:, : len(chosen)]
    return Landmarks(places[chosen], factor, np.tril(factor[chosen]))


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

    landmarks: Any
    weights: Any
    frequencies: Any
    amplitudes: Any
    runs: Any
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
        errors : array, shape (chain, draw, landmark)
            At the landmarks.
        tau : array, shape (chain, draw)
            The scale.
        runs : array, shape (run, input)
            Decimal logarithms of the runs' inputs.
        additive : bool
            As the attribute.
        seed : int
        """
        frequencies, scale = _spectrum(runs.shape[1])
        normal = np.random.default_rng(seed).standard_normal((len(scale), 2, *tau.shape))
        amplitudes = tau * scale[:, None, None, None] * normal
        phase = frequencies @ landmarks.T
        waves = np.stack([np.cos(phase), np.sin(phase)], axis=1)
        left = np.moveaxis(errors, -1, 0) - np.tensordot(waves, amplitudes, ((0, 1), (0, 1)))
        apart = ((landmarks[:, None] - landmarks) ** 2).sum(axis=-1)
        weights = cho_solve(cho_factor(_by_length(apart, np)), left.reshape(len(left), -1))
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

    def take(self, places: Any) -> ErrorDraws:
        """Some of the draws, by their places among all of them, in one axis."""
        weights, amplitudes = (
            np.reshape(each, (*each.shape[:2], -1))[..., places]
            for each in (self.weights, self.amplitudes)
        )
        return dataclasses.replace(self, weights=weights, amplitudes=amplitudes)

    def at(self, *inputs: Any) -> Array:
        """The error of every draw, at inputs that broadcast against the draws."""
        places = [jnp.log10(value) for value in inputs]

        def near(landmark: Array) -> Array:
            apart = zip(places, landmark, strict=True)
            return jnp.stack([_by_length(sum((place - own) ** 2 for place, own in apart), jnp)])

        def waves(frequency: Array) -> Array:
            return jnp.stack(_wave(sum(map(operator.mul, places, frequency))))

        return _weighted_sum(near, self.landmarks, self.weights) + _weighted_sum(
            waves, self.frequencies, self.amplitudes
        )


def _weighted_sum(function: Callable[[Array], Array], items: Any, weights: Any) -> Array:
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


@functools.cache
def _spectrum(inputs: int) -> tuple[Floats, Floats]:
    """Waves whose sum, with independent normal amplitudes, has about the covariance ``K``.

    By Bochner's theorem the frequencies of a length are normal. What lies beyond landmarks hangs on
    the rare high ones, so these are drawn more often and weighed less, by a mixture with a term of
    half the least length (importance sampling), from a scrambled Sobol sequence. The standard
    deviation beyond the runs is then right to 4 %, where as many independent waves are 30 % off.

    Returns
    -------
    array, shape (frequency, input)
    array, shape (frequency,)
        Standard deviations of the amplitudes where ``tau`` is one.
    """
    from scipy.stats import qmc  # slow to import

    proposed = np.array([LENGTHS[0] / 2, *LENGTHS])
    uniform = qmc.Sobol(inputs + 1, rng=0).random(FREQUENCIES)
    length = proposed[(uniform[:, -1] * len(proposed)).astype(int)]
    frequencies = ndtri(uniform[:, :-1]) / length[:, None]

    def density(length: float) -> Floats:
        scaled = (frequencies * length) ** 2
        return np.asarray(length**inputs * np.exp(-0.5 * scaled.sum(axis=1)))

    wanted = sum(each**2 * density(each) for each in LENGTHS)
    drawn = sum(map(density, proposed)) / len(proposed)
    return frequencies, np.sqrt(wanted / drawn / FREQUENCIES)


def law_with_error(law: Law, error: ErrorDraws) -> Law:
    """Draws of a law, each times the exponential of its error, or plus its error.

    Parameters
    ----------
    law : Law
        Leaves of shape (chain, draw).
    error : ErrorDraws

    Returns
    -------
    Law
        Of a class derived from the law's, so that whatever asks a law for its inputs, its size or
        its loss can be given it. `exact` is the law without its error, and so are its parameters.
    """
    made: Any = _class_of(type(law))
    return made(**law.values(), error=error)  # type: ignore[no-any-return]


@functools.cache
def _class_of(exact: type[Law]) -> type[Law]:
    """The class of laws of one form with errors."""
    body: dict[str, Any] = {
        "__doc__": exact.__doc__,
        "__module__": exact.__module__,
        "__annotations__": {"error": ErrorDraws},
        "error": dataclasses.field(metadata={"carried": True}),
        "name": exact.name,
        "exact_class": exact,
    }
    if hasattr(exact, "critical_loss"):
        body["critical_loss"] = _critical_loss
    return type(f"{exact.__name__}WithError", (_WithError, exact), body)


class _WithError:
    """What laws with errors do otherwise than the laws that they extend."""

    exact_class: Any
    error: ErrorDraws
    values: Callable[[], dict[str, Any]]

    @classmethod
    def inputs(cls) -> tuple[str, ...]:
        return cls.exact_class.inputs()  # type: ignore[no-any-return]

    @property
    def exact(self) -> Any:
        return self.exact_class(**self.values())

    def expand(self, axes: int) -> Law:
        return law_with_error(self.exact.expand(axes), self.error.expand(axes))

    def take(self, places: Any) -> Law:
        return law_with_error(self.exact.take(places), self.error.take(places))

    def loss(self, *given: Any, **named: Any) -> Any:
        inputs = dict(zip(self.inputs(), given, strict=False)) | named
        return self.with_error(self.exact.loss(**inputs), _error_at(self, inputs))

    def with_error(self, loss: Any, error: Any) -> Any:
        """A loss of the law without its error, and with it."""
        return loss + error if self.error.additive else loss * jnp.exp(error)

    def error_in(self, loss: Any, exact: Any) -> Any:
        """The error by which a loss differs from the law's; the inverse of `with_error`."""
        return loss - exact if self.error.additive else jnp.log(loss / exact)


def _critical_loss(self: Any, N: Any, D: Any) -> Any:
    """The loss of D tokens at the batch size that is critical by the law without its error."""
    found = self.exact.critical_loss(N, D)
    batch = self.critical_batch(found)
    return self.with_error(found, _error_at(self, {"N": N, "S": D / batch, "batch": batch}))


def _error_at(law: Any, inputs: Mapping[str, Any]) -> Array:
    return law.error.at(*(inputs[name] for name in law.inputs()))  # type: ignore[no-any-return]
