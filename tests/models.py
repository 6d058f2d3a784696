"""Laws as tests look at them: draws of their priors, published points, and inputs."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.sbc import around, seed
from scalingfit.catalog import law
from scalingfit.declare import Law

DRAWS, RUNS = 256, 40
# Where a loss must be finite: from toy models to beyond anything trained. Inputs that only other
# packages' laws have are taken four powers of ten up and down.
RANGES = {
    "N": (1e5, 1e13),
    "D": (1e6, 1e15),
    "C": (1e15, 1e28),
    "S": (1e2, 1e8),
    "batch": (1e3, 1e9),
    "U": (1e6, 1e15),
    "D_F": (1e4, 1e12),
    "X": (1e0, 1e13),
    "experts": (1e0, 4e3),
    "N_nv": (1e5, 1e13),
    "N_v": (1e5, 1e11),
}


def ends(name: str, given: str) -> tuple[float, float]:
    """Of the range of one of a law's inputs."""
    return RANGES.get(given) or around(name, given, 1e4)


def prior_draws(name: str, *, double: bool = True) -> Law:
    """A law whose leaves are draws from its prior, shape ``(draw,)``."""
    return law(name)(**_prior_draws(name, double))


@functools.cache
def _prior_draws(name: str, double: bool) -> dict[str, np.ndarray]:
    """The draws whose parameters are finite numbers of that precision: all but a few scales."""

    def one(key: jax.Array) -> dict[str, jax.Array]:
        values: dict[str, jax.Array] = {}
        for parameter, declared in law(name).parameters().items():
            key, this = jax.random.split(key)
            values[parameter] = declared.prior_given(values).sample(this)
        return values

    with jax.enable_x64(double):
        drawn = jax.vmap(one)(jax.random.split(jax.random.key(seed(name)), DRAWS))
    finite = np.all([np.isfinite(value) for value in drawn.values()], axis=0)
    assert finite.mean() > (0.99 if not double else 0.9999)
    return {parameter: np.asarray(value)[finite] for parameter, value in drawn.items()}


def inputs(name: str, *, double: bool = True) -> dict[str, np.ndarray]:
    """Log-uniform inputs over the whole range, shape ``(run,)``."""
    random = np.random.default_rng(seed(name))
    columns = {
        k: np.exp(random.uniform(*np.log(ends(name, k)), size=RUNS)) for k in law(name).inputs()
    }
    return {k: v.astype(np.float64 if double else np.float32) for k, v in columns.items()}


def point(name: str, key: str) -> Law:
    return law(name).published[key].law


@jax.jit
def losses(drawn: Law, given: dict[str, Any]) -> Any:
    """Losses of every draw at every input."""
    return drawn.expand(jnp.ndim(next(iter(given.values())))).loss(**given)
