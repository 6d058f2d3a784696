"""Fits to be made: what identifies one, and the piece of work that makes several."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import itertools
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import jax
import numpy as np
from numpyro.distributions import Distribution

from scalingfit.inference.build import build
from scalingfit.inference.fit import posterior_of
from scalingfit.inference.model import Model, Prior
from scalingfit.inference.posterior import Posterior
from scalingfit.inference.programs import bucket, group_size
from scalingfit.inference.sampler import sample
from scalingfit.inference.settings import Settings
from scalingfit.law import Law
from scalingfit.noise import Noise
from scalingfit.runs import Runs

__all__ = ["Order", "Task", "identifier", "tasks"]

FORMAT = 4  # of what is identified; raised where equal settings come to mean other draws
GROUPS = 32  # of fits that share a program, per device: a task's devices then end nearly together
PARTS = 8  # of all fits: what is killed keeps most of them, and an executor has tasks to share out
MOST = 4096  # fits to a task, so that their draws take less than a gigabyte


@dataclasses.dataclass(frozen=True, eq=False)
class Order:
    """One fit that is wanted, and what identifies it wherever it is made."""

    identity: str
    model: Model
    runs: Runs


@dataclasses.dataclass(frozen=True, eq=False)
class Task:
    """Fits of one model, made together. Holds plain arguments only, so it can be pickled.

    Attributes
    ----------
    law, noise, priors
        Of the model.
    settings : Settings
    tables : dict of str to Runs
        By the identity of the fit.
    """

    law: type[Law]
    noise: type[Noise]
    priors: Mapping[str, Prior]
    settings: Settings
    tables: Mapping[str, Runs]

    def run(self, report: Callable[[int], None] | None = None) -> dict[str, Posterior]:
        """Make the fits; `report` is told how many are finished since it was last called."""
        model, tables = build(self.law, self.noise, self.priors), list(self.tables.values())
        made = zip(self.tables, tables, sample(model, tables, self.settings, report), strict=True)
        return {key: posterior_of(model, runs, draws, self.settings) for key, runs, draws in made}


def tasks(
    orders: Iterable[Order], settings: Settings, devices: int, most: int | None = None
) -> Iterator[Task]:
    """Cut orders into tasks: one model each, and tables of nearly one length.

    Parameters
    ----------
    orders : iterable of Order
    settings : Settings
    devices : int
        That share one task.
    most : int, optional
        Fits to a task; by default an eighth of them all, where that keeps the devices busy.
    """
    # Tables of one padded length share programs; the stable sort keeps the order otherwise.
    by_program = sorted(orders, key=lambda order: (id(order.model), bucket(len(order.runs))))
    for _, same in itertools.groupby(by_program, key=lambda order: id(order.model)):
        rest = list(same)
        while rest:
            size = group_size(bucket(len(rest[0].runs)))
            share = max(devices * size, math.ceil(len(by_program) / PARTS))
            count = most or min(MOST, GROUPS * devices * size, share)
            model, part, rest = rest[0].model, rest[:count], rest[count:]
            tables = {order.identity: order.runs for order in part}
            yield Task(model.law, model.noise, model.priors, settings, tables)


def identifier(model: Model, settings: Settings) -> Callable[[Runs], str]:
    """A function from runs to the identity of their fit, as hexadecimal text.

    The identity covers what decides the draws: the numbers of the runs, the formula and the
    parameters of the law and of the noise model, the priors, and the settings.
    """
    priors = {name: _exactly(prior) for name, prior in sorted(model.priors.items())}
    question = [FORMAT, _declaration(model.law), _declaration(model.noise), priors]
    text = json.dumps([*question, dataclasses.asdict(settings)], sort_keys=True)

    def identity(runs: Runs) -> str:
        return hashlib.sha256(f"{text}\n{runs.digest}".encode()).hexdigest()

    return identity


def _exactly(prior: Prior | None) -> Any:
    """A prior with all its numbers; unlike a description, it leaves nothing out."""
    if not isinstance(prior, Distribution):
        return repr(prior)
    # NumPyro flattens a distribution in the order of a set, which differs between processes.
    fields = {name: getattr(prior, name, None) for name in prior.gather_pytree_data_fields()}
    leaves, structure = jax.tree.flatten(
        fields, is_leaf=lambda leaf: isinstance(leaf, Distribution)
    )
    numbers = [
        _exactly(leaf) if isinstance(leaf, Distribution) else np.asarray(leaf, float).tolist()
        for leaf in leaves
    ]
    return [type(prior).__name__, str(structure), numbers]


def _declaration(cls: type[Law] | type[Noise]) -> list[Any]:
    """The parameters and the formula, so that an edited law is another law."""
    parameters = {
        name: [_exactly(declared.prior), repr(dataclasses.replace(declared, prior=None, about=""))]
        for name, declared in cls.parameters().items()
    }
    return [cls.name, parameters, hashlib.sha256(_formula(cls).encode()).hexdigest()]


@functools.cache
def _formula(cls: type[Law] | type[Noise]) -> str:
    """The formula as it is compiled: helpers, constants and whatever else it uses are in it.

    Traced alike in every process, for CPUs in float64, whatever the fits will run on. Another
    version of JAX may write it otherwise; fits are then made anew.
    """
    with jax.enable_x64(True):
        number, row = (jax.ShapeDtypeStruct(shape, np.float64) for shape in ((), (2,)))
        given = cls(**dict.fromkeys(cls.parameters(), number))
        if isinstance(given, Law):
            traced = jax.jit(type(given).loss).trace(given, *[row] * len(given.inputs()))
        else:
            traced = jax.jit(_log_prob).trace(given, row, row, row)
        text: str = traced.lower(lowering_platforms=("cpu",)).as_text()
    return text


def _log_prob(noise: Noise, loss: jax.Array, mean: jax.Array, loss_se: jax.Array) -> jax.Array:
    density: jax.Array = noise.observe(mean, loss_se).log_prob(loss)
    return density
