"""Densities and predictions of a fit at many draws at once."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from scalingfit.declare import Law
from scalingfit.inference.group import Draws
from scalingfit.inference.model import Model
from scalingfit.inference.programs import pack
from scalingfit.inference.traced import traced
from scalingfit.noise import Noise
from scalingfit.runs import Runs

__all__ = [
    "coordinates",
    "log_density",
    "log_likelihood",
    "log_predictive",
    "means",
    "new_runs",
    "noises",
]

Floats = NDArray[np.float64]


def coordinates(model: Model, runs: Runs, draws: Draws) -> Floats:
    """The draws in the sampler's unconstrained coordinates, shape (chain, draw, dim)."""
    with jax.enable_x64(True):
        data = pack(model, runs, len(runs), "float64")
        place = functools.partial(model.unconstrain, centre=data.centre)
        flat = {name: jnp.ravel(draws.values[name]) for name in model.sites}
        shape = draws.energy.shape
        return np.asarray(jax.vmap(place)(flat)).reshape(*shape, model.dim)


def log_density(model: Model, runs: Runs) -> Callable[[Floats], Floats]:
    """The log of prior times likelihood over those coordinates, ``(point, dim) -> (point,)``.

    All of it is normalised: its integral is the marginal likelihood of the runs.
    """

    def evaluate(points: Floats) -> Floats:
        with jax.enable_x64(True):
            data = pack(model, runs, len(runs), "float64")
            return np.asarray(_density_program(model)(np.asarray(points), data))

    return evaluate


def means(model: Model, table: Runs, draws: Draws) -> Floats:
    """The law's loss for every draw at every run of a table, (draw, run)."""
    size = 1 << (len(table) - 1).bit_length()  # few sizes, so few compiled programs
    with jax.enable_x64(True):
        data = pack(model, table, size, "float64")
        law, _ = _flat(model, draws)
        return np.asarray(_mean_program(law, data.log_inputs))[:, : len(table)]


def noises(model: Model, draws: Draws) -> Noise:
    """The noise's draws, leaves of shape (draw, 1)."""
    noise: Noise = _flat(model, draws)[1]
    grown: Noise = jax.tree.map(lambda leaf: leaf[:, None], noise)
    return grown


def log_likelihood(noise: Noise, mean: Floats, observed: Floats, loss_se: Any = None) -> Floats:
    """Log density of losses about means; leaves of `noise` broadcast against (draw, run)."""
    with jax.enable_x64(True):
        return np.asarray(_likelihood_program(noise, mean, observed, loss_se))


def log_predictive(
    noise: Noise, mean: Floats, observed: Floats, loss_se: Any, errors: Floats
) -> Floats:
    """Log of the mean density of losses over the draws, with each of several errors of the law.

    Parameters
    ----------
    noise : Noise
        Leaves of shape (draw, run).
    mean : array, shape (draw, run)
        The law's loss.
    observed : array, shape (run,)
    loss_se : array, shape (run,), or None
        Known standard errors of the observed losses.
    errors : array, shape (error, run)
        Standard deviations relative to the law's loss. The noise adds them to its own scatter in
        quadrature, which is exact for normal noise.

    Returns
    -------
    array, shape (error, run)
    """
    with jax.enable_x64(True):
        return np.asarray(_predictive_program(noise, mean, observed, loss_se, errors))


def new_runs(noise: Noise, mean: Floats, loss_se: Any, errors: Floats, seed: int) -> Floats:
    """Losses of new runs, (error, draw, run), with each of several errors of the law.

    Arguments are those of `log_predictive`. All errors take the same random numbers.
    """
    with jax.enable_x64(True):
        key = jax.random.key(seed)
        return np.asarray(_replicate_program(noise, mean, loss_se, errors, key))


def _flat(model: Model, draws: Draws) -> tuple[Any, Any]:
    flat = {name: np.ravel(value) for name, value in draws.values.items()}
    return model.complete_arrays(flat)


@functools.lru_cache(maxsize=256)
def _density_program(model: Model) -> Callable[..., Array]:
    return traced("density", model, jax.vmap(model.log_density, in_axes=(0, None)))


@jax.jit
def _mean_program(law: Law, log_inputs: dict[str, Array]) -> Array:
    inputs = {name: jnp.exp(value) for name, value in log_inputs.items()}
    return jnp.asarray(law.expand(1).loss(**inputs))


@jax.jit
def _likelihood_program(noise: Noise, mean: Array, observed: Array, loss_se: Any) -> Array:
    return jnp.asarray(noise.observe(mean, loss_se).log_prob(observed))


@jax.jit
def _predictive_program(
    noise: Noise, mean: Array, observed: Array, loss_se: Any, errors: Array
) -> Array:
    def one(error: Array) -> Array:
        about = noise.observe(mean, _spread(mean, loss_se, error))
        return jax.nn.logsumexp(about.log_prob(observed), axis=0) - jnp.log(len(mean))

    found: Array = jax.lax.map(one, errors)
    return found


@jax.jit
def _replicate_program(noise: Noise, mean: Array, loss_se: Any, errors: Array, key: Array) -> Array:
    def one(error: Array) -> Array:
        drawn: Array = noise.observe(mean, _spread(mean, loss_se, error)).sample(key)
        return drawn

    return jax.vmap(one)(errors)


def _spread(mean: Array, loss_se: Any, error: Array) -> Array:
    """Errors of losses besides the noise, (draw, run), in units of the loss."""
    finite = jnp.where(jnp.isfinite(mean), mean, 0.0)
    return jnp.hypot(finite * error, 0.0 if loss_se is None else loss_se)
