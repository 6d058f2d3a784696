"""Fit the smaller runs, forecast the larger ones, and see how often the forecasts were right."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Unpack

from numpy.typing import ArrayLike

from scalingfit._errors import InputError
from scalingfit._text import listed
from scalingfit.evidence.candidates import Laws, Noises, Priors, candidates, unweighted
from scalingfit.evidence.forecasts.forecasting import Task, forecast_held_out, score
from scalingfit.evidence.forecasts.held_out import LawForecasts, StackedForecasts
from scalingfit.evidence.forecasts.horizons import Horizon, horizons, moved
from scalingfit.evidence.forecasts.result import Backtest
from scalingfit.evidence.forecasts.stacking import STACKED, Weights, stack_forecasts
from scalingfit.inference import Model, Sampling, Settings, settings_of
from scalingfit.runs import Runs, group_key

__all__ = ["backtest"]


def backtest(
    runs: Runs,
    laws: Laws = ("chinchilla",),
    noises: Noises = None,
    *,
    cuts: ArrayLike | None = None,
    split: str | None = None,
    by: str | None = None,
    domain: str | None = None,
    stack: bool = False,
    priors: Priors = None,
    **sampling: Unpack[Sampling],
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
    domain : str, optional
        With `by`: a label of the tables that belong together; scores are also averaged over each.
    stack : bool
        Whether to stack the laws' forecasts as well, as "stacked". The weights of each domain (and
        cut, by its number) are those that are best within the runs that are fitted: their last
        third, forecast from the others by a second fit of each, so that no run which is forecast
        takes part.
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
    _require_sense(models, by, domain, stack=stack)
    for model in models.values():
        runs.input(model.law.inputs(), model.law.name)  # before any law is fitted
    tasks, messages = _tasks(runs, min(map(_least, models.values())), cuts, split, by)
    domains = _domains(tasks, domain)
    forecasts, notes = _forecasts(models, tasks, settings)
    messages += notes
    stacked: StackedForecasts | None = None
    weights: tuple[Weights, ...] = ()
    if stack:
        within = {task: inside for task in tasks if (inside := task.within()) is not None}
        inner, notes = _forecasts(models, list(within.values()), settings)
        messages += [f"for the weights, {message}" for message in notes]
        stacked, weights = stack_forecasts(list(within), domains, forecasts, inner)
        messages += _unstacked(tasks, within, models, domains, weights)
    together = {} if stacked is None else {STACKED: stacked}
    return Backtest(
        runs=runs,
        records={name: score(each, settings.seed) for name, each in (forecasts | together).items()},
        tables=tuple(dict.fromkeys(task.table for task in tasks)),
        messages=tuple(messages),
        domains=domains,
        weights=weights,
    )


def _least(model: Model) -> int:
    """Fewest runs that are fitted."""
    return 2 + model.free


def _require_sense(
    models: Mapping[str, Model], by: str | None, domain: str | None, *, stack: bool
) -> None:
    """Refuse what cannot be asked together."""
    if domain is not None and by is None:
        raise InputError(
            f"the domain {domain!r} is of tables, and there is one",
            remedy="name the column that splits it into several: by=...",
        )
    if stack and len(models) < 2:
        raise InputError(
            "there is nothing to stack: one law with one noise model",
            remedy='name two, such as laws=["chinchilla", "kaplan"].',
        )


def _forecasts(
    models: Mapping[str, Model], tasks: Sequence[Task], settings: Settings
) -> tuple[dict[str, LawForecasts], list[str]]:
    """Forecasts by each law, where a cut has enough runs for it."""
    found, messages = {}, []
    for name, model in models.items():
        enough = [task for task in tasks if task.count >= _least(model)]
        if few := [task.name for task in tasks if task.count < _least(model)]:
            messages.append(
                f"{name}: left out at {len(few)} of {len(tasks)} cuts ({listed(few)}), which fit "
                f"fewer than the {_least(model)} runs that it needs"
            )
        if enough:
            found[name], failed = forecast_held_out(model, enough, settings)
            if failed:
                messages.append(f"{name}: {failed} of {len(enough)} fits did not converge")
    return found, messages


def _domains(tasks: Sequence[Task], domain: str | None) -> tuple[Any, ...]:
    """The domain of every table, by its number."""
    tables = {task.place: task for task in tasks}
    if domain is None:
        return (None,) * len(tables)
    found = []
    for task in tables.values():
        column = task.runs.named(domain, "that says which tables belong together", "keep it.")
        keys = dict.fromkeys(group_key(value) for value in column.tolist())
        if len(keys) > 1:
            raise InputError(
                f"{task.table} is of several values of {domain!r}: {listed(keys)}",
                remedy="name a column that has one value in each table.",
            )
        found.append(next(iter(keys)))
    return tuple(found)


def _unstacked(
    tasks: Sequence[Task],
    within: Collection[Task],
    models: Mapping[str, Model],
    domains: Sequence[Any],
    weights: Sequence[Weights],
) -> list[str]:
    """What is not stacked, and which laws take no part in the stack of which domains."""
    messages = []
    if alone := [task.name for task in tasks if task not in within]:
        messages.append(
            f"not stacked at {len(alone)} of {len(tasks)} cuts ({listed(alone)}): all that is "
            "fitted is of one budget, so that none of it can be foretold from the rest"
        )
    of = {(each.domain, each.cut): each.weights for each in weights}
    for domain, cut in dict.fromkeys((domains[task.place], task.number) for task in within):
        missing = [name for name in models if name not in of.get((domain, cut), {})]
        where = f"cut {cut + 1}" if domain is None else f"cut {cut + 1} of {domain}"
        if len(missing) == len(models):
            messages.append(f"not stacked at {where}: no law has enough runs in all of its tables")
        elif missing:
            messages.append(
                f"stacked at {where} without {listed(missing)}, for which some table has too few "
                "runs"
            )
    return messages


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
