"""Fit the smaller runs, forecast the larger ones, and see how often the forecasts were right."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import Unpack

from numpy.typing import ArrayLike

from scalingfit._errors import InputError
from scalingfit._messages import Argument, Message, Text
from scalingfit._text import listed
from scalingfit.evidence.candidates import SEVERAL, Laws, Noises, Priors, candidates, unweighted
from scalingfit.evidence.forecasts.forecasting import Task, forecast_held_out
from scalingfit.evidence.forecasts.held_out import LawForecasts, StackedForecasts
from scalingfit.evidence.forecasts.horizons import Horizon, horizons, moved
from scalingfit.evidence.forecasts.result import Backtest
from scalingfit.evidence.forecasts.scored import ScoredForecasts
from scalingfit.evidence.forecasts.stacking import STACKED, Weights, stack_forecasts
from scalingfit.inference import Model, Sampling, Settings, settings_of
from scalingfit.law_error import LAW_ERROR, LawError
from scalingfit.result import Note
from scalingfit.runs import Runs, group_key

__all__ = ["backtest"]


def backtest(
    runs: Runs,
    laws: Laws = ("chinchilla",),
    noises: Noises = None,
    *,
    cuts: ArrayLike | None = None,
    held_out: str | None = None,
    by: str | None = None,
    domain: str | None = None,
    stack: bool = False,
    priors: Priors = None,
    law_error: LawError | None = LAW_ERROR,
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
    held_out : str, optional
        Instead: the label that says "train" or "test" of each run, as the source of the runs cut
        them.
    by : str, optional
        A label or column that splits the runs into tables of their own, such as learning curves;
        each is fitted and forecast by itself.
    domain : str, optional
        With `by`: a label of the tables that belong together; scores are also averaged over each.
    stack : bool
        Whether to stack the laws' forecasts as well, as "stacked". The weights of each domain (and
        cut, by its number) are those that are best within the runs that are fitted: their last
        third, forecast from the others by a second fit of each, so that no run which is forecast
        takes part.
    priors : mapping, optional
        By the law's name, what `fit` takes as priors.
    law_error : LawError, optional
        As in `fit`, of every law: what is scored is what `fit` and `forecast` give.
    **sampling
        As in `fit`; see `scalingfit.inference.Sampling`.

    Returns
    -------
    Backtest
        A law that needs more runs than a cut has is not fitted there, as its notes say.

    Raises
    ------
    InputError
    """
    runs, settings = unweighted(runs), settings_of(sampling)
    models = candidates(laws, noises, priors, law_error)
    _require_sense(models, by, domain, stack=stack)
    for model in models.values():
        runs.input(model.law.inputs(), model.law.name)  # before any law is fitted
    tasks, caveats = _tasks(runs, min(map(_least, models.values())), cuts, held_out, by)
    domains = _domains(tasks, domain)
    forecasts, notes = _forecasts(models, tasks, settings)
    caveats += notes
    stacked: StackedForecasts | None = None
    weights: tuple[Weights, ...] = ()
    if stack:
        within = {task: inside for task in tasks if (inside := task.within()) is not None}
        inner, notes = _forecasts(models, list(within.values()), settings)
        caveats += [note.within("for the weights") for note in notes]
        stacked, weights = stack_forecasts(list(within), domains, forecasts, inner)
        caveats += _unstacked(tasks, within, models, domains, weights)
    together = {} if stacked is None else {STACKED: stacked}
    return Backtest(
        runs=runs,
        records={
            name: ScoredForecasts.of(each, settings.seed)
            for name, each in (forecasts | together).items()
        },
        sources=tuple(dict.fromkeys(task.table for task in tasks)),
        notes=caveats,
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
            remedy=Message("name the column that splits it into several: ", Argument("by"), "."),
        )
    if stack and len(models) < 2:
        raise InputError(
            "there is nothing to stack: one law with one noise model",
            remedy=Message("name two, such as ", SEVERAL, "."),
        )


def _forecasts(
    models: Mapping[str, Model], tasks: Sequence[Task], settings: Settings
) -> tuple[dict[str, LawForecasts], list[Note]]:
    """Forecasts by each law, where a cut has enough runs for it."""
    found, notes = {}, []
    for name, model in models.items():
        enough = [task for task in tasks if task.count >= _least(model)]
        if few := [task.name for task in tasks if task.count < _least(model)]:
            text = (
                f"left out at {len(few)} of {len(tasks)} cuts ({listed(few)}), which fit fewer "
                f"than the {_least(model)} runs that it needs"
            )
            notes.append(Note("too_few_runs", text, name))
        if enough:
            found[name], failed = forecast_held_out(model, enough, settings)
            if failed:
                text = f"{failed} of {len(enough)} fits did not converge"
                notes.append(Note("not_converged", text, name))
    return found, notes


def _domains(tasks: Sequence[Task], domain: str | None) -> tuple[Hashable, ...]:
    """The domain of every table, by its number."""
    tables = {task.place: task for task in tasks}
    if domain is None:
        return (None,) * len(tables)
    found: list[Hashable] = []
    for task in tables.values():
        column = task.runs.named(
            domain, "that says which tables belong together", "name one of these."
        )
        keys = dict.fromkeys(group_key(value) for value in column.tolist())
        if len(keys) > 1:
            raise InputError(
                f"{task.table} is of several values of {domain!r}: {listed(map(str, keys))}",
                remedy="name a column that has one value in each table.",
            )
        found.append(next(iter(keys)))
    return tuple(found)


def _unstacked(
    tasks: Sequence[Task],
    within: Collection[Task],
    models: Mapping[str, Model],
    domains: Sequence[Hashable],
    weights: Sequence[Weights],
) -> list[Note]:
    """What is not stacked, and which laws take no part in the stack of which domains."""
    notes = []
    if alone := [task.name for task in tasks if task not in within]:
        text = (
            f"not stacked at {len(alone)} of {len(tasks)} cuts ({listed(alone)}): all that is "
            "fitted is of one budget, so that none of it can be forecast from the rest"
        )
        notes.append(Note("not_stacked", text))
    of = {(each.domain, each.cut): each.weights for each in weights}
    for domain, cut in dict.fromkeys((domains[task.place], task.number) for task in within):
        missing = [name for name in models if name not in of.get((domain, cut), {})]
        where = f"cut {cut + 1}" if domain is None else f"cut {cut + 1} of {domain}"
        if len(missing) == len(models):
            text = "not stacked: no law has enough runs in all of its tables"
            notes.append(Note("not_stacked", text, where))
        elif missing:
            text = f"stacked without {listed(missing)}, for which some table has too few runs"
            notes.append(Note("not_stacked", text, where))
    return notes


def _tasks(
    runs: Runs, least: int, cuts: ArrayLike | None, held_out: str | None, by: str | None
) -> tuple[list[Task], list[Note]]:
    """Every cut of every table; a table among several that cannot be cut is named."""
    if by is None:
        found = horizons(runs, least, cuts, held_out)
        return Task.each(None, 0, runs, found), moved(found) + _pooled(runs, held_out, found[0])
    tasks: list[Task] = []
    notes: list[Note] = []
    skipped: dict[str, Text] = {}
    for key, table in runs.split(by).items():
        try:
            cut = horizons(table, least, cuts, held_out)
        except InputError as error:
            skipped[str(key)] = error.what
            continue
        tasks += Task.each(key, len({task.place for task in tasks}), table, cut)
        notes += [note.within(str(key)) for note in moved(cut)]
    if not tasks:
        raise InputError(
            f"no group of {by!r} can be cut",
            [Message(f"{key}: ", why) for key, why in skipped.items()],
            remedy=Message("name other cuts (", Argument("cuts"), "), or another column."),
        )
    return tasks, notes + [
        Note("table_left_out", Message("left out: ", why), key) for key, why in skipped.items()
    ]


def _pooled(runs: Runs, held_out: str | None, cut: Horizon) -> list[Note]:
    """What to say where the source cut many tables, which are forecast as one."""
    if held_out is None:
        return []
    found = {}
    for name, values in runs.labels.items():
        keys = [group_key(value) for value in values.tolist()]
        halves = set(zip(keys, cut.train.tolist(), strict=True))
        if name != held_out and len(halves) == 2 * len(set(keys)) > 2:
            found[name] = len(set(keys))
    if not found:
        return []
    finest = max(found, key=lambda name: found[name])
    text = Message(
        f"{held_out} cuts each of the {found[finest]} values of {finest}, and all are forecast as "
        "one table; to forecast each by itself: ",
        Argument("by", finest),
    )
    return [Note("pooled", text)]
