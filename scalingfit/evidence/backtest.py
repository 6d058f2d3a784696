"""Fit the smaller runs, forecast the larger ones, and see how often the forecasts were right."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalingfit._errors import InputError, listed
from scalingfit.allocation.answer import engineering
from scalingfit.evidence.candidates import (
    Laws,
    Noises,
    Priors,
    candidates,
    settings_of,
    unweighted,
)
from scalingfit.evidence.density import means, noises
from scalingfit.evidence.discrepancy import Held, learn
from scalingfit.evidence.horizons import Horizon, horizons, moved
from scalingfit.evidence.track_record import Backtest, Record
from scalingfit.inference.fit import check
from scalingfit.inference.model import Model
from scalingfit.inference.sampler import sample
from scalingfit.inference.settings import Settings
from scalingfit.runs import Runs
from scalingfit.runs._values import group_key

__all__ = ["Backtest", "Record", "backtest"]

Floats = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class Task:
    """One cut of one table.

    Attributes
    ----------
    table : object
        Its name.
    place : int
        Its number.
    runs : Runs
        All of it.
    number : int
        Of the cut.
    horizon : Horizon
    fitted : Runs
        What is fitted.
    """

    table: Any
    place: int
    runs: Runs
    number: int
    horizon: Horizon
    fitted: Runs

    @classmethod
    def each(cls, table: Any, place: int, runs: Runs, cuts: Sequence[Horizon]) -> list[Task]:
        """Every cut of a table.

        Several cuts are fitted as the whole table with weights, so that they share one compiled
        program; a single one is fitted as the rows it has, which may be far fewer.
        """
        train = [cut.train for cut in cuts]
        fitted = [runs.with_weight(rows.astype(float)) for rows in train]
        if len(cuts) == 1:
            fitted = [runs.take(train[0])]
        pairs = zip(cuts, fitted, strict=True)
        return [cls(table, place, runs, number, *pair) for number, pair in enumerate(pairs)]

    @property
    def count(self) -> int:
        """How many runs are fitted."""
        return int(self.horizon.train.sum())

    @property
    def name(self) -> str:
        """In messages: its table, or the largest scale that is fitted."""
        limit = engineering(self.horizon.limit)
        return limit if self.table is None else f"{self.table} to {limit}"


def backtest(
    runs: Runs,
    laws: Laws = ("chinchilla",),
    noises: Noises = None,
    *,
    cuts: ArrayLike | None = None,
    split: str | None = None,
    by: str | None = None,
    priors: Priors = None,
    **sampling: Any,
) -> Backtest:
    """Fit runs below a budget, forecast those above it, for several budgets and laws at once.

    Parameters
    ----------
    runs : Runs
    laws, noises
        As in `scalingfit.evidence.compare`; one law is enough.
    cuts : array, optional
        Largest budgets to fit, in FLOP (or in the law's one input); a cut that would part a budget
        moves to its end. By default up to four of them.
    split : str, optional
        Instead: the label that says "train" or "test" of each run, as the source of the runs cut
        them.
    by : str, optional
        A label that splits the runs into tables of their own, such as learning curves; each is
        fitted and forecast by itself.
    priors : mapping, optional
        By the law's name, what `fit` takes as priors.
    **sampling
        draws, chains, warmup, seed, retries, precision, limits: as in `fit`.

    Returns
    -------
    Backtest
        A law that needs more runs than a cut has is not fitted there, which its messages tell.

    Raises
    ------
    InputError
    """
    runs, settings = unweighted(runs), settings_of(sampling)
    models = candidates(laws, noises, priors)
    for model in models.values():
        runs.input(model.law.inputs(), model.law.name)  # before any law is fitted
    least = {name: 2 + model.free for name, model in models.items()}
    tasks, messages = _tasks(runs, min(least.values()), cuts, split, by)
    found = {}
    for name, model in models.items():
        enough = [task for task in tasks if task.count >= least[name]]
        if few := [task.name for task in tasks if task.count < least[name]]:
            messages.append(
                f"{name}: left out at {len(few)} of {len(tasks)} cuts ({listed(few)}), which fit "
                f"fewer than the {least[name]} runs that it needs"
            )
        if enough:
            found[name] = _record(model, enough, settings)
            if failed := found[name][1]:
                messages.append(f"{name}: {failed} of {len(enough)} fits did not converge")
    return Backtest(
        runs=runs,
        records={name: record for name, (record, _) in found.items()},
        tables=tuple(dict.fromkeys(task.table for task in tasks)),
        messages=tuple(messages),
    )


def _tasks(
    runs: Runs, least: int, cuts: ArrayLike | None, split: str | None, by: str | None
) -> tuple[list[Task], list[str]]:
    """Every cut of every table; a table among several that cannot be cut is named."""
    if by is None:
        found = horizons(runs, least, cuts, split)
        return Task.each(None, 0, runs, found), moved(found) + _pooled(runs, split, found[0])
    tasks: list[Task] = []
    messages: list[str] = []
    skipped: list[tuple[Any, str]] = []
    for key, table in runs.split(by).items():
        try:
            cut = horizons(table, least, cuts, split)
        except InputError as error:
            skipped.append((key, str(error).splitlines()[0]))
            continue
        tasks += Task.each(key, len({task.place for task in tasks}), table, cut)
        messages += [f"{key}: {message}" for message in moved(cut)]
    if not tasks:
        raise InputError(f"no group of {by!r} can be cut", [f"{k}: {why}" for k, why in skipped])
    if skipped:
        names = listed(str(key) for key, _ in skipped)
        messages.append(f"{len(skipped)} tables left out ({names}): {skipped[0][1]}")
    return tasks, messages


def _pooled(runs: Runs, split: str | None, cut: Horizon) -> list[str]:
    """What to say where the source cut many tables, which are forecast as one."""
    if split is None:
        return []
    found = {}
    for name, values in runs.labels.items():
        keys = [group_key(value) for value in values.tolist()]
        halves = set(zip(keys, cut.train.tolist(), strict=True))
        if name != split and len(halves) == 2 * len(set(keys)) > 2:
            found[name] = len(set(keys))
    if not found:
        return []
    finest = max(found, key=lambda name: found[name])
    return [
        f"{split} cuts each of the {found[finest]} values of {finest}, and all are forecast as one "
        f"table: split them by {finest}, and each is forecast by itself"
    ]


def _record(model: Model, tasks: list[Task], settings: Settings) -> tuple[Record, int]:
    """Fit all cuts at once and forecast what lies beyond them."""
    fitted = [task.fitted for task in tasks]
    for table in fitted:
        check(model, table)
    fits = sample(model, fitted, settings)
    failed = sum(not bool(draws.diagnosis.passes(settings.limits)) for draws in fits)
    beyond = [task.runs.take(task.horizon.test) for task in tasks]
    mean = [means(model, rest, draws) for rest, draws in zip(beyond, fits, strict=True)]
    spread = [
        jax.tree.map(lambda leaf, like=like: np.broadcast_to(leaf, like.shape), noise)
        for noise, like in zip([noises(model, draws) for draws in fits], mean, strict=True)
    ]
    held = Held(
        mean=np.concatenate(mean, axis=1),
        noise=jax.tree.map(lambda *leaves: np.concatenate(leaves, axis=1), *spread),
        observed=np.concatenate([rest["L"] for rest in beyond]),
        loss_se=_together([rest.columns.get("loss_se") for rest in beyond]),
        distance=np.concatenate([t.horizon.distance[t.horizon.test] for t in tasks]),
        limit=_repeat([t.horizon.limit for t in tasks], beyond),
        cut=_repeat([t.number for t in tasks], beyond).astype(np.int64),
        table=_repeat([t.place for t in tasks], beyond).astype(np.int64),
    )
    several = len(set(held.table.tolist())) > 1
    learned = learn(held, held.table if several else held.cut)
    return Record.of(held, learned, settings.seed), failed


def _repeat(values: list[Any], beyond: list[Runs]) -> NDArray[Any]:
    return np.repeat(values, [len(rest) for rest in beyond])


def _together(columns: list[Floats | None]) -> Floats | None:
    known = [column for column in columns if column is not None]
    return np.concatenate(known) if known else None
