"""Densities and predictions of a fit at many draws at once."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray
from scipy.special import logsumexp

from scalingfit.declare import Law, loss_of_logs
from scalingfit.inference.fitted import with_error
from scalingfit.inference.group import Draws
from scalingfit.inference.model import Data, Model
from scalingfit.inference.programs import centre, pack
from scalingfit.inference.traced import traced
from scalingfit.noise import At, Noise
from scalingfit.runs import Runs

__all__ = [
    "coordinates",
    "log_density",
    "log_likelihood",
    "log_predictive",
    "new_runs",
    "predicted",
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


def predicted(model: Model, fitted: Runs, draws: Draws, table: Runs) -> tuple[Noise, At]:
    """What a fit says of every run of a table.

    Parameters
    ----------
    model : Model
    fitted : Runs
        The runs that were fitted.
    draws : Draws
        Of that fit.
    table : Runs

    Returns
    -------
    Noise
        Its draws: leaves of shape (draw, 1).
    At
        The loss of the law with its error, and whatever else the noise looks at, for every draw at
        every run: (draw, run) or (run,).
    """
    rows = len(table)
    size = 1 << (rows - 1).bit_length()  # few sizes, so few compiled programs
    flat = {name: np.ravel(value) for name, value in draws.values.items()}
    law, noise = model.complete_arrays(flat, centre(model, fitted))
    law = with_error(law, model, fitted, draws)
    wide: Noise = jax.tree.map(lambda leaf: leaf[:, None], noise)
    with jax.enable_x64(True):
        data = pack(model, table, size, "float64")
        at = _at_program(law, wide, data)
    return wide, jax.tree.map(lambda leaf: np.asarray(leaf)[..., :rows], at)


def log_likelihood(noise: Noise, at: At, observed: Floats) -> Floats:
    """Log density of losses; leaves of `noise` broadcast against (draw, run)."""
    with jax.enable_x64(True):
        return np.asarray(_likelihood_program(noise, at, observed))


def log_predictive(noise: Noise, at: At, observed: Floats) -> Floats:
    """Log of the mean density of losses over the draws, (run,); see `log_likelihood`."""
    density = log_likelihood(noise, at, observed)
    return np.asarray(logsumexp(density, axis=0) - np.log(len(density)))


def new_runs(noise: Noise, at: At, seed: int) -> Floats:
    """Losses of new runs, (draw, run), that scatter as the noise does."""
    with jax.enable_x64(True):
        return np.asarray(_replicate_program(noise, at, jax.random.key(seed)))


@functools.lru_cache(maxsize=256)
def _density_program(model: Model) -> Callable[..., Array]:
    return traced("density", model, jax.vmap(model.log_density, in_axes=(0, None)))


@jax.jit
def _at_program(law: Law, noise: Noise, data: Data) -> At:
    wide = law.expand(1)
    # Slopes, where a noise model looks at them, are those of the law without its error.
    at = noise.at(functools.partial(loss_of_logs, wide.exact), data.log_inputs, data.loss_se)
    return dataclasses.replace(at, mean=loss_of_logs(wide, data.log_inputs))


@jax.jit
def _likelihood_program(noise: Noise, at: At, observed: Array) -> Array:
    return jnp.asarray(noise.observe(at).log_prob(observed))


@jax.jit
def _replicate_program(noise: Noise, at: At, key: Array) -> Array:
    return jnp.asarray(noise.observe(at).sample(key))
