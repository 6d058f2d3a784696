"""The field's point estimate: least sum of Huber losses of log residuals, from many starts.

Hoffmann et al. 2022 (arXiv 2203.15556, equation 3) and Besiroglu et al. 2024 (arXiv 2404.10102)
minimise ``sum Huber_delta(log L - log law(N, D))`` with delta = 1e-3. It is here as the baseline
that people know; it has no prior and no posterior. The objective is a sum: its mean is so small
that optimisers stop early.

Solved by iteratively reweighted least squares with Levenberg-Marquardt damping, all starts and all
bootstraps at once.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from scalingfit._errors import InputError
from scalingfit._positive import Positive, plain
from scalingfit.catalog import law as find_law
from scalingfit.inference.model import Data, Leaf, Model, Prior, build
from scalingfit.inference.sampler import pack, prior_values
from scalingfit.law import Law
from scalingfit.noise import Normal
from scalingfit.runs import Runs

__all__ = ["PointEstimate", "point"]

ITERATIONS = 400
PRIOR_DRAWS = 1000  # as many as `prior_values` holds
CHUNK = 256  # bootstraps at once: what they touch stays in the cache


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class PointEstimate:
    """A point estimate, and its bootstrap where one was asked for.

    Attributes
    ----------
    law : Law
        The estimate; leaves are floats.
    objective : float
        Sum of Huber losses of the log residuals.
    agreeing : float
        Share of the starts that end within 0.1 % of the objective.
    bootstrap : Law or None
        Estimates on resampled runs; leaves of shape (bootstrap,).
    bootstrap_objective : array, shape (bootstrap,), or None
    """

    law: Law
    objective: float
    agreeing: float
    bootstrap: Law | None
    bootstrap_objective: NDArray[np.float64] | None

    def __str__(self) -> str:
        head = f"{type(self.law).name}: least sum of Huber losses {self.objective:.9g}"
        lines = [f"{head}, reached from {self.agreeing:.0%} of the starts"]
        for name, value in self.law.values().items():
            line = f"{name:8} {value:12.6g}"
            if self.bootstrap is not None:
                drawn = getattr(self.bootstrap, name)
                low, high = np.quantile(drawn, [0.05, 0.95])
                line += f"   bootstrap sd {drawn.std(ddof=1):.3g}, 90 % [{low:.4g}, {high:.4g}]"
            lines.append(line)
        return "\n".join(lines)

    __repr__ = __str__


def point(
    runs: Runs,
    law: str | type[Law] = "chinchilla",
    priors: Mapping[str, Prior] | None = None,
    *,
    delta: float = 1e-3,
    starts: int = 256,
    bootstrap: int = 0,
    seed: int = 0,
) -> PointEstimate:
    """Estimate a law's parameters by least Huber loss of the log residuals.

    Parameters
    ----------
    runs : Runs
    law : str or type of Law
    priors : mapping, optional
        Numbers and names pin and tie parameters as in `fit`; distributions only place the starts.
    delta : float
        Where the loss turns from quadratic to linear, in log loss.
    starts : int
        Starting points drawn from the prior, at most 1000.
    bootstrap : int
        Resamples of the runs, with replacement; each is fitted from the best starts for it.
    seed : int
        Of the resampling.

    Returns
    -------
    PointEstimate

    Raises
    ------
    InputError
        Where losses are not positive, or the runs lack an input.
    """
    model = build(find_law(law), Normal, {**(priors or {}), "sigma": 1.0})
    if not np.all(runs["L"] > 0):
        raise InputError("log-Huber needs positive losses")
    if not delta > 0:
        raise InputError(f"delta={delta!r} must be positive")
    if not (1 <= starts <= PRIOR_DRAWS and bootstrap >= 0):
        raise InputError(
            f"point takes 1 to {PRIOR_DRAWS} starts and no negative number of bootstraps, "
            f"got starts={starts}, bootstrap={bootstrap}"
        )
    if not model.sites:
        raise InputError(f"every parameter of {model.law.name} is pinned: nothing to estimate")
    with jax.enable_x64(True):
        data = pack(model, runs, len(runs), "float64")
        pool = {name: jnp.asarray(value[:starts]) for name, value in prior_values(model).items()}
        programs = _programs(model)
        place, objective, agreeing = programs.best(pool, data, delta)
        resampled: tuple[Law | None, NDArray[np.float64] | None] = (None, None)
        if bootstrap:
            resampled = _bootstrap(model, programs, data, place, pool, delta, bootstrap, seed)
        values = {k: float(v) for k, v in programs.values(place, data).items()}
    estimate, _ = model.complete_arrays(values)
    estimate = type(estimate)(**{name: float(value) for name, value in estimate.values().items()})
    return PointEstimate(estimate, float(objective), float(agreeing), *resampled)


def _bootstrap(
    model: Model,
    programs: _Programs,
    data: Data,
    place: Array,
    pool: dict[str, Array],
    delta: float,
    count: int,
    seed: int,
) -> tuple[Law, NDArray[np.float64]]:
    rows = len(data.loss)
    rng = np.random.default_rng(seed)
    weight = rng.multinomial(rows, np.full(rows, 1 / rows), size=count) * np.asarray(data.weight)
    padded = np.concatenate([weight, np.ones((-count % min(count, CHUNK), rows))])
    made = [
        programs.bootstrap(place, pool, data, delta, chunk)
        for chunk in padded.reshape(-1, min(count, CHUNK), rows)
    ]
    values = {n: np.concatenate([part[0][n] for part in made])[:count] for n in made[0][0]}
    return model.complete_arrays(values)[0], np.concatenate([part[1] for part in made])[:count]


@dataclasses.dataclass(frozen=True)
class _Programs:
    best: Callable[..., tuple[Array, Array, Array]]
    bootstrap: Callable[..., tuple[dict[str, Array], Array]]
    values: Callable[..., dict[str, Array]]


@functools.lru_cache(maxsize=64)
def _programs(model: Model) -> _Programs:
    def residuals(place: Array, data: Data) -> Array:
        law = model.law_of(model.constrain(place, data.centre)[0])
        inputs = {name: Positive(value) for name, value in data.log_inputs.items()}
        return jnp.asarray(data.loss - jnp.log(plain(law.loss(**inputs))))

    def places_of(pool: dict[str, Array], data: Data) -> Array:
        return jax.vmap(lambda values: model.unconstrain(values, data.centre))(pool)

    def best(pool: dict[str, Array], data: Data, delta: Array) -> tuple[Array, Array, Array]:
        places, reached = jax.vmap(
            lambda start: _descend(lambda z: residuals(z, data), data.weight, delta, start)
        )(places_of(pool, data))
        reached = jnp.where(jnp.isnan(reached), jnp.inf, reached)
        least = jnp.argmin(reached)
        return places[least], reached[least], jnp.mean(reached <= 1.001 * reached[least])

    def bootstrap(
        place: Array, pool: dict[str, Array], data: Data, delta: Array, weights: Array
    ) -> tuple[dict[str, Array], Array]:
        everywhere = jax.vmap(lambda z: residuals(z, data))(places_of(pool, data))

        def one(weight: Array) -> tuple[dict[str, Array], Array]:
            heights = jax.vmap(lambda r: _objective(r, weight, delta))(everywhere)
            order = jnp.argsort(jnp.where(jnp.isnan(heights), jnp.inf, heights))
            starts = jnp.concatenate([place[None], places_of(pool, data)[order[:2]]])
            places, reached = jax.vmap(
                lambda start: _descend(lambda z: residuals(z, data), weight, delta, start)
            )(starts)
            least = jnp.argmin(jnp.where(jnp.isnan(reached), jnp.inf, reached))
            return model.constrain(places[least], data.centre)[0], reached[least]

        return jax.vmap(one)(weights)

    return _Programs(
        best=jax.jit(best),
        bootstrap=jax.jit(bootstrap),
        values=jax.jit(lambda place, data: model.constrain(place, data.centre)[0]),
    )


def _objective(residual: Array, weight: Leaf, delta: Any) -> Array:
    size = jnp.abs(residual)
    huber = jnp.where(size <= delta, 0.5 * residual**2, delta * (size - 0.5 * delta))
    total: Array = jnp.sum(weight * huber)
    return total


def _descend(
    residuals: Callable[[Array], Array], weight: Leaf, delta: Any, start: Array
) -> tuple[Array, Array]:
    """Iteratively reweighted least squares with Levenberg-Marquardt damping."""

    def unfinished(carry: tuple[Any, ...]) -> Array:
        _, _, damping, gain, turn = carry
        worthwhile: Array = (turn < ITERATIONS) & (damping < 1e10) & (gain > 1e-13)
        return worthwhile

    def improve(carry: tuple[Any, ...]) -> tuple[Any, ...]:
        place, height, damping, _, turn = carry
        residual, jacobian = residuals(place), jax.jacfwd(residuals)(place)
        reweighted = weight * jnp.minimum(1.0, delta / jnp.maximum(jnp.abs(residual), 1e-300))
        normal = jnp.einsum("ri,r,rj->ij", jacobian, reweighted, jacobian)
        slope = jnp.einsum("ri,r,r->i", jacobian, reweighted, residual)
        ridge = jnp.diag(damping * jnp.diag(normal) + 1e-300)
        candidate = place - jnp.linalg.solve(normal + ridge, slope)
        reached = _objective(residuals(candidate), weight, delta)
        better = reached <= height  # False for NaN
        return (
            jnp.where(better, candidate, place),
            jnp.where(better, reached, height),
            jnp.maximum(jnp.where(better, damping / 5, damping * 5), 1e-12),
            jnp.where(better, (height - reached) / reached, jnp.inf),
            turn + 1,
        )

    carry = (start, _objective(residuals(start), weight, delta), 1e-2, jnp.inf, 0)
    place, height, *_ = jax.lax.while_loop(unfinished, improve, carry)
    return place, height
