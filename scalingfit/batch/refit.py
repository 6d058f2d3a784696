"""The verb `refit`: a law to many tables, at once and safely."""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Iterable, Mapping
from concurrent.futures import Executor
from typing import Any

from scalingfit._arguments import whole
from scalingfit._errors import InputError
from scalingfit.batch.progress import counting
from scalingfit.batch.result import Refits
from scalingfit.batch.store import Store
from scalingfit.batch.tasks import MOST, Order, identifier, tasks
from scalingfit.batch.workers import check_executor, elsewhere
from scalingfit.evidence import Laws, Noises, candidates
from scalingfit.inference import (
    Limits,
    Model,
    Posterior,
    Settings,
    check,
    checked,
    default_precision,
    workplaces,
)
from scalingfit.runs import Runs

__all__ = ["refit"]

type Tables = Mapping[Any, Runs] | Iterable[Runs]


def refit(
    source: Tables,
    law: Laws = "chinchilla",
    noise: Noises = None,
    priors: Mapping[str, Any] | None = None,
    *,
    method: str = "auto",
    draws: int = 500,
    chains: int = 4,
    warmup: int = 50,
    seed: int = 0,
    retries: int = 2,
    precision: str | None = None,
    limits: Limits | None = None,
    store: str | os.PathLike[str] | None = None,
    executor: Executor | None = None,
    chunk: int | None = None,
    progress: bool | None = None,
) -> Refits:
    """Fit laws to many tables of runs.

    Each fit has the same bits whatever the other tables are, in whichever order, on however many
    devices, and after however many interruptions. Without a store they are those of `fit` where the
    method is "nuts" and the settings are equal; by default there are fewer draws, and "auto" makes
    others.

    Parameters
    ----------
    source : mapping of label to Runs, or iterable of Runs
        ``runs.split("family")``, a design such as ``designs.bootstraps(runs, 1000)``, or any
        tables, which are then labelled 0, 1, ...
    law : str, type of Law, or a sequence of them
    noise : str, type of Noise, or a sequence of them, optional
        Every law is fitted with each; by default with its own.
    priors : mapping, optional
        As in `fit` where there is one law; by the law's name where there are several.
    method : "auto" or "nuts"
        "auto" tries importance sampling first and NUTS where that does not suffice.
    draws, chains, warmup, seed, retries, precision, limits
        As in `fit`. State the precision where CPUs and accelerators share one store.
    store : path, optional
        A folder that keeps finished fits. The same call goes on where the last one was stopped, and
        any number of processes may work on one folder. A fit takes about 25 kB: its draws are
        rounded, by at most 0.004 posterior standard deviations along each principal axis, and so
        are those that are returned.
    executor : Executor, optional
        Makes the fits elsewhere: any executor of PEP 3148, such as a ProcessPoolExecutor (of the
        "spawn" context) or dask's ``client.get_executor()``. Its workers must see the store.
    chunk : int, optional
        Most fits to a file of the store, and to a task of the executor; by default as many as are
        made in 16 seconds, and tasks of an eighth of those that are missing. The draws do not
        depend on it.
    progress : bool, optional
        Count fits on standard error; by default on a terminal.

    Returns
    -------
    Refits
        With a status for every table: one that cannot be fitted does not stop the others.

    Raises
    ------
    InputError
        Where nothing can be fitted, or the arguments do not fit together.

    Examples
    --------
    >>> refits = refit(designs.bootstraps(runs, 1000), store="fits/")  # doctest: +SKIP
    """
    if executor is not None:
        check_executor(executor, store)
    if chunk is not None:
        chunk = whole("chunk", chunk, 1)
        if store is None:
            raise InputError(
                f"chunk={chunk} is how many fits a store holds in a file, and there is no store",
                remedy="name a folder (store=...), or leave chunk out.",
            )
    settings = checked(Settings(
        chains=chains, draws=draws, warmup=warmup, method=method, retries=retries, seed=seed,
        precision=precision or default_precision(), limits=Limits() if limits is None else limits,
    ))  # fmt: skip
    models = candidates(law, noise, _by_law(law, priors))
    wanted, models_by_label, refused = _orders(_labelled(source), models, settings)
    unique = {order.identity: order for order in wanted.values()}
    kept = None if store is None else Store(store)
    made = {} if kept is None else kept.read(unique.values())
    missing = {key: order for key, order in unique.items() if key not in made}
    devices = len(workplaces()) if executor is None else 1
    most = chunk or (MOST if executor is None else None)  # here, no task waits for another
    todo = list(tasks(missing.values(), settings, devices, most))
    lost: dict[str, str] = {}
    with counting(len(unique), len(made), progress) as advance:
        if kept is None:
            for fits in itertools.chain.from_iterable(task.fits() for task in todo):
                made |= fits
                advance(len(fits))
        elif executor is None:
            for task in todo:
                kept.make(task, advance)
        else:
            lost = elsewhere(executor, todo, kept, advance)
    if kept is not None:
        kept.settle()
        made |= kept.read(missing.values())
    missed = {
        label: f"lost: {lost.get(order.identity, 'its worker wrote nothing that can be read')}"
        for label, order in wanted.items()
        if order.identity not in made
    }
    return Refits(
        models=models_by_label,
        fits={
            label: _labelled_fit(made[order.identity], order)
            for label, order in wanted.items()
            if order.identity in made
        },
        unfitted=refused | missed,
        messages=(*(kept.messages if kept else ()), *_loss(missed), *_refusal(refused, wanted)),
    )


def _labelled(source: Any) -> dict[Any, Runs]:
    """The tables by label."""
    if isinstance(source, Runs):
        raise InputError(
            "refit takes many tables, not one",
            remedy='write refit(runs.split("family")), or refit(designs.bootstraps(runs, 1000)); '
            "one table is fitted by fit(runs).",
        )
    if not isinstance(source, Iterable):
        raise InputError(
            f"refit takes tables of runs, not {type(source).__name__}",
            remedy='write refit(runs.split("family")), or refit([read(...), read(...)]).',
        )
    tables = dict(source) if isinstance(source, Mapping) else dict(enumerate(source))
    wrong = [label for label, runs in tables.items() if not isinstance(runs, Runs)]
    if wrong:
        raise InputError(
            f"table {wrong[0]!r} is no Runs but {type(tables[wrong[0]]).__name__}",
            remedy="make it with read(...) or Runs.from_columns(...).",
        )
    if not tables:
        raise InputError("there is no table to fit")
    return tables


def _by_law(law: Laws, priors: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """One law's priors need no name of the law."""
    laws = [law] if isinstance(law, str | type) else law
    if priors is None or len(laws) != 1:
        return priors
    name = getattr(laws[0], "name", laws[0])
    return priors if name in priors else {str(name): priors}


def _orders(
    tables: Mapping[Any, Runs], models: Mapping[str, Model], settings: Settings
) -> tuple[dict[Any, Order], dict[Any, str], dict[Any, str]]:
    """What to fit, by label; the name of every label's model; and what is refused, and why."""
    wanted: dict[Any, Order] = {}
    names: dict[Any, str] = {}
    refused: dict[Any, str] = {}
    for name, model in models.items():
        identity = identifier(model, settings)
        for table, runs in tables.items():
            label = table if len(models) == 1 else (table, name)
            names[label] = name
            try:
                check(model, runs)
            except InputError as error:
                refused[label] = f"refused: {error}"
            else:
                wanted[label] = Order(identity(runs), model, runs)
    if not wanted:
        first = next(iter(refused.values())).removeprefix("refused: ")
        raise InputError(f"none of the {len(tables)} tables can be fitted. The first: {first}")
    return wanted, names, refused


def _loss(missed: Mapping[Any, str]) -> tuple[str, ...]:
    if not missed:
        return ()
    return (f"{len(missed)} fits are lost; what is stored is whole: call refit again to go on",)


def _refusal(refused: Mapping[Any, str], wanted: Mapping[Any, Order]) -> tuple[str, ...]:
    if not refused:
        return ()
    count = f"{len(refused)} of {len(refused) + len(wanted)} fits were refused"
    return (f"{count}: what is said of all fits, such as their spread, leaves them out",)


def _labelled_fit(fit: Posterior, order: Order) -> Posterior:
    """The fit with the runs of its own label: equal numbers may come from two tables."""
    return fit if fit.runs is order.runs else dataclasses.replace(fit, runs=order.runs)
