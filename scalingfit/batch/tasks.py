"""Fits to be made: what identifies one, and the piece of work that makes several."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping

from scalingfit.declare import Law
from scalingfit.inference import (
    Model,
    Posterior,
    Prior,
    Settings,
    build,
    declaration,
    exactly,
    group_size,
    padded,
    posterior_of,
    sampled,
)
from scalingfit.law_error import LawError
from scalingfit.noise import Noise
from scalingfit.runs import Runs

__all__ = ["Order", "Task", "cut_up", "identifier"]

FORMAT = 12  # of what is identified; raised where equal settings come to mean other draws
GROUPS = 32  # of fits that share a program, per device: a task's devices then end nearly together
PARTS = 8  # of all fits: an executor has tasks to share out
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
    law, noise, priors, error
        Of the model.
    settings : Settings
    tables : dict of str to Runs
        By the identity of the fit.
    """

    law: type[Law]
    noise: type[Noise]
    priors: Mapping[str, Prior]
    error: LawError | None
    settings: Settings
    tables: Mapping[str, Runs]

    def fits(self) -> Iterator[dict[str, Posterior]]:
        """Make the fits; yields those that finish together, by identity."""
        model = build(self.law, self.noise, self.priors, self.error)
        tables = list(self.tables.values())
        identities = [*self.tables]
        for group in sampled(model, tables, self.settings):
            yield {
                identities[number]: posterior_of(model, tables[number], draws, self.settings)
                for number, draws in group
            }


def cut_up(
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
    by_program = sorted(orders, key=lambda order: (id(order.model), padded(order.runs)))
    for _, same in itertools.groupby(by_program, key=lambda order: id(order.model)):
        rest = list(same)
        while rest:
            size = group_size(padded(rest[0].runs))
            share = max(devices * size, math.ceil(len(by_program) / PARTS))
            count = most or min(max(MOST, devices * size), GROUPS * devices * size, share)
            model, part, rest = rest[0].model, rest[:count], rest[count:]
            tables = {order.identity: order.runs for order in part}
            yield Task(model.law, model.noise, model.priors, model.error, settings, tables)


def identifier(model: Model, settings: Settings) -> Callable[[Runs], str]:
    """A function from runs to the identity of their fit, as hexadecimal text.

    The identity covers what decides the draws: the numbers of the runs, which rows are of one run
    where these have effects, the formula and the parameters of the law and of the noise model, the
    priors, the law's error, and the settings.
    """
    priors = {name: exactly(prior) for name, prior in sorted(model.priors.items())}
    error = None if model.error is None else dataclasses.asdict(model.error)
    question = [FORMAT, declaration(model.law), declaration(model.noise), priors, error]
    text = json.dumps([*question, dataclasses.asdict(settings)], sort_keys=True)

    def identity(runs: Runs) -> str:
        content = f"{text}\n{runs.digest}"
        if model.run_effects and (numbers := runs.used().run_numbers) is not None:
            content += f"\n{numbers.tolist()}"
        return hashlib.sha256(content.encode()).hexdigest()

    return identity
