"""The field's point estimate: least sum of Huber losses of log residuals, from many starts.

Hoffmann et al. 2022 (arXiv 2203.15556, equation 3) and Besiroglu et al. 2024 (arXiv 2404.10102)
minimise ``sum Huber_delta(log L - log law(N, D))`` with delta = 1e-3. It is here as the baseline
that people know; it has no prior and no posterior. The objective is a sum: its mean is so small
that optimisers stop early.

Solved by the damped Newton method that also finds the modes of posteriors, with exact second
derivatives. Where most residuals exceed delta the objective is close to a sum of absolute values,
on which reweighted least squares needs several times as many steps. From afar delta shrinks in
stages, from where the problem is one of least squares.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, override

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from scalingfit._arguments import whole
from scalingfit._cores import core_count
from scalingfit._errors import InputError
from scalingfit._messages import Argument, Message
from scalingfit.allocation import QUANTILES
from scalingfit.catalog import law as find_law
from scalingfit.declare import Law
from scalingfit.inference.build import build
from scalingfit.inference.mode import climb, climb_each
from scalingfit.inference.model import Data, Leaf, Model, Prior, mean_loss
from scalingfit.inference.over_runs import sum_over_runs
from scalingfit.inference.programs import PRIOR_DRAWS, pack, prior_values
from scalingfit.inference.traced import traced
from scalingfit.noise import Normal
from scalingfit.result import Axes, Column, Interval, Labels, Note, Result, Table
from scalingfit.runs import Runs

__all__ = ["PointEstimate", "point"]

STAGES = (100.0, 10.0, 1.0)  # multiples of delta on the way from a start to the estimate
SCATTER = 0.01  # of log losses, typically
CHUNK = 128  # bootstraps to a program


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class PointEstimate(Result):
    """A point estimate, and its bootstrap where one was asked for.

    `to_xarray` has the bootstrap, or the estimate where there is none.

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
    undetermined : int
        Resamples with fewer distinct runs than the law has free parameters, which fit many laws
        equally well; they are among the estimates.
    """

    law: Law
    objective: float
    agreeing: float
    bootstrap: Law | None
    bootstrap_objective: NDArray[np.float64] | None
    undetermined: int = 0

    @property
    @override
    def tables(self) -> Sequence[Table]:
        values = self.law.values()
        title = (
            f"{type(self.law).name}: least sum of Huber losses {self.objective:.9g}, reached from "
            f"{self.agreeing:.0%} of the starts"
        )
        columns = {
            "parameter": Column([*values], heading=""),
            "estimate": Column.of([float(value) for value in values.values()], ".6g"),
        }
        if self.bootstrap is not None:
            drawn = self.bootstrap.values()
            spread = [float(draws.std(ddof=1)) for draws in drawn.values()]
            ends = [Interval(*np.quantile(draws, QUANTILES).tolist()) for draws in drawn.values()]
            columns["sd"] = Column.of(spread, ".3g", "bootstrap sd")
            columns["bootstrap"] = Column.of(ends, ".4g", "median [5 %, 95 %]")
        return (Table("parameters", "parameter", columns, title, labels=1),)

    @property
    @override
    def notes(self) -> Sequence[Note]:
        if not self.undetermined or self.bootstrap_objective is None:
            return ()
        text = (
            f"{self.undetermined} of {len(self.bootstrap_objective)} resamples have fewer distinct "
            "runs than the law has parameters: what they estimate is arbitrary"
        )
        return (Note("undetermined", text),)

    @property
    @override
    def details(self) -> Mapping[str, object]:
        return {
            "law": type(self.law).name,
            "objective": self.objective,
            "agreeing": self.agreeing,
            "undetermined": self.undetermined,
        }

    @property
    @override
    def arrays(self) -> Mapping[str, Axes]:
        if self.bootstrap is None:
            return {name: Axes((), np.asarray(v)) for name, v in self.law.values().items()}
        return {
            name: Axes(("bootstrap",), np.asarray(v)) for name, v in self.bootstrap.values().items()
        }

    @property
    @override
    def coordinates(self) -> Mapping[str, Labels]:
        return {}


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
        Resamples of the runs, with replacement, none or at least two; each is fitted from the
        estimate.
    seed : int
        Of the resampling.

    Returns
    -------
    PointEstimate

    Raises
    ------
    InputError
        Where losses are not positive, or the runs are too few or lack an input.
    """
    if not isinstance(runs, Runs):
        raise InputError(
            f"point takes runs, not {type(runs).__name__}", remedy="read them first, with read."
        )
    model = build(find_law(law), Normal, {**(priors or {}), "sigma": 1.0})
    if not np.all(runs["L"] > 0):
        raise InputError("log-Huber needs positive losses")
    if not delta > 0:
        raise InputError(f"delta must be positive, and is {delta!r}")
    starts, bootstrap = whole("starts", starts, 1), whole("bootstrap", bootstrap, 0)
    seed = whole("seed", seed, 0)
    if starts > PRIOR_DRAWS:
        raise InputError(f"{starts} starts are too many; at most {PRIOR_DRAWS}")
    if bootstrap == 1:
        raise InputError(
            "one resample has no spread",
            remedy=Message(
                "ask for two at least, such as ", Argument("bootstrap", 1000), ", or for none."
            ),
        )
    if not model.sites:
        raise InputError(f"every parameter of {model.law.name} is pinned: nothing to estimate")
    _require_rows(model, runs)
    with jax.enable_x64(True):
        data = pack(model, runs, len(runs), "float64")
        pool = {name: jnp.asarray(value[:starts]) for name, value in prior_values(model).items()}
        programs = _programs(model)
        place, objective, agreeing = programs.best(pool, data, np.float64(delta))
        resampled: tuple[Law | None, NDArray[np.float64] | None, int] = (None, None, 0)
        if bootstrap:
            resampled = _bootstrap(model, programs, data, place, delta, bootstrap, seed)
        values = {k: float(v) for k, v in programs.values(place, data).items()}
    estimate, _ = model.complete_arrays(values)
    estimate = type(estimate)(**{name: float(value) for name, value in estimate.values().items()})
    return PointEstimate(estimate, float(objective), float(agreeing), *resampled)


def _require_rows(model: Model, runs: Runs) -> None:
    """Refuse fewer runs that count than there are parameters: without priors nothing is left."""
    rows, free = int(np.count_nonzero(runs.weight)), model.free
    if rows >= free:
        return
    have = f"{rows} of {len(runs)} runs have weight, and" if rows < len(runs) else f"{rows} runs"
    raise InputError(
        f"{have} are too few for a point estimate of {model.law.name}, which has {free} free "
        "parameters",
        remedy=Message(
            f"add runs (at least {free}), pin parameters, such as ",
            _pin(model),
            ", or fit, which has priors.",
        ),
    )


def _pin(model: Model) -> Argument:
    """A parameter that may be pinned, an exponent where there is one, at a published value."""
    exponents = {declared.power for declared in model.law.parameters().values()}
    free = [site for site in model.sites if site in model.law.parameters()]
    name = next((site for site in free if site in exponents), free[0])
    values = [point.values[name] for point in model.law.published.values()]
    return Argument(name, values[0] if values else ..., "prior")


def _bootstrap(
    model: Model, programs: _Programs, data: Data, place: Array, delta: float, count: int, seed: int
) -> tuple[Law, NDArray[np.float64], int]:
    rows, size = len(data.loss), min(count, CHUNK)
    rng = np.random.default_rng(seed)
    weight = rng.multinomial(rows, np.full(rows, 1 / rows), size=count) * np.asarray(data.weight)
    padded = np.concatenate([weight, np.ones((-count % size, rows))]).reshape(-1, size, rows)

    def solve(chunk: NDArray[np.float64]) -> Any:
        with jax.enable_x64(True):
            return jax.tree.map(
                np.asarray, programs.bootstrap(place, data, np.float64(delta), chunk)
            )

    made = [solve(padded[0])]  # compiles what the other chunks share
    with ThreadPoolExecutor(core_count()) as pool:
        made += pool.map(solve, padded[1:])
    values = {n: np.concatenate([part[0][n] for part in made])[:count] for n in made[0][0]}
    objectives = np.concatenate([part[1] for part in made])[:count]
    undetermined = int(np.sum(np.count_nonzero(weight, axis=1) < model.dim))
    return model.complete_arrays(values)[0], objectives, undetermined


def _huber(law: Law, run: tuple[Data, Array]) -> Array:
    data, delta = run
    size = jnp.abs(data.loss - jnp.log(mean_loss(law, data.log_inputs))) / delta
    return jnp.where(size <= 1, 0.5 * size**2, size - 0.5)


def _unit(delta: Array) -> Array:
    """Residuals are about as large as delta, or as the scatter of most runs where that is less."""
    return jnp.minimum(delta, SCATTER)


@dataclasses.dataclass(frozen=True)
class _Programs:
    best: Callable[..., tuple[Array, Array, Array]]
    bootstrap: Callable[..., tuple[dict[str, Array], Array]]
    values: Callable[..., dict[str, Array]]


@functools.lru_cache(maxsize=64)
def _programs(model: Model) -> _Programs:
    def objective(place: Array, data: Data, weight: Leaf, delta: Array) -> Array:
        """In units of `_unit` squared, so that it is of order one where climbs end."""
        law = model.in_logs(model.law_of(model.constrain(place, data.centre)[0]))
        deltas = jnp.broadcast_to(delta, data.loss.shape)
        return (
            sum_over_runs(_huber, law, (data.by_run, deltas), weight) * (delta / _unit(delta)) ** 2
        )

    def best(pool: dict[str, Array], data: Data, delta: Array) -> tuple[Array, Array, Array]:
        def one(values: dict[str, Array]) -> tuple[Array, Array]:
            def shrink(place: Array, stage: Array) -> tuple[Array, Array]:
                top = climb(lambda z: -objective(z, data, data.weight, stage), place)
                return top.place, -top.height * _unit(stage) ** 2

            start = model.unconstrain(values, data.centre)
            place, reached = jax.lax.scan(shrink, start, delta * jnp.array(STAGES))
            return place, reached[-1]

        places, reached = climb_each(one, pool)
        reached = jnp.where(jnp.isnan(reached), jnp.inf, reached)
        least = jnp.argmin(reached)
        return places[least], reached[least], jnp.mean(reached <= 1.001 * reached[least])

    def bootstrap(
        place: Array, data: Data, delta: Array, weights: Array
    ) -> tuple[dict[str, Array], Array]:
        def one(weight: Array) -> tuple[dict[str, Array], Array]:
            top = climb(lambda z: -objective(z, data, weight, delta), place)
            return model.constrain(top.place, data.centre)[0], -top.height * _unit(delta) ** 2

        return climb_each(one, weights)

    return _Programs(
        best=traced("best", model, best),
        bootstrap=traced("bootstrap", model, bootstrap),
        values=traced("point", model, lambda place, data: model.constrain(place, data.centre)[0]),
    )
