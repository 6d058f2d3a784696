"""The verb `refit`: a law to many tables, at once and safely."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import os
from collections.abc import Hashable, Iterable, Mapping
from concurrent.futures import Executor
from typing import Unpack, cast

from scalingfit._arguments import whole
from scalingfit._errors import InputError
from scalingfit._messages import Argument, Message, OnlyIn, spelled
from scalingfit.batch.progress import counting
from scalingfit.batch.result import Refits
from scalingfit.batch.store import Store
from scalingfit.batch.tasks import MOST, Order, cut_up, identifier
from scalingfit.batch.workers import check_executor, elsewhere
from scalingfit.evidence import Laws, Noises, candidates
from scalingfit.inference import (
    Model,
    Posterior,
    Prior,
    Sampling,
    Settings,
    check,
    model_of,
    settings_of,
    workplaces,
)
from scalingfit.law_error import LAW_ERROR, LawError
from scalingfit.result import Note
from scalingfit.runs import Runs

__all__ = ["refit"]

type Tables[Label: Hashable] = Mapping[Label, Runs] | Iterable[Runs]
type Priors = Mapping[str, Prior] | Mapping[str, Mapping[str, Prior]] | None

TABLES = Message(
    "give tables of runs",
    OnlyIn("python", (", as read(...) and Runs.from_columns(...) make them",)),
    ".",
)
SEVERAL = (
    ', as runs.split("family") and designs.bootstraps(runs, 1000) do; one table is fitted by '
    "fit(runs)"
)
USUAL: Sampling = {"draws": 500, "retries": 2}


def refit[Label: Hashable](
    tables: Tables[Label],
    laws: Laws = "chinchilla",
    noises: Noises = None,
    priors: Priors = None,
    *,
    law_error: LawError | None = LAW_ERROR,
    store: str | os.PathLike[str] | None = None,
    executor: Executor | None = None,
    chunk: int | None = None,
    progress: bool | None = None,
    **sampling: Unpack[Sampling],
) -> Refits:
    """Fit laws to many tables of runs.

    Each fit has the same bits whatever the other tables are, in whichever order, on however many
    devices, and after however many interruptions. Without a store they are those of `fit` where the
    method is "nuts" and the settings are equal; by default there are fewer draws, and "auto" makes
    others.

    Parameters
    ----------
    tables : mapping of label to Runs, or iterable of Runs
        ``runs.split("family")``, a design such as ``designs.bootstraps(runs, 1000)``, or any
        tables, which are then labelled 0, 1, ...
    laws : str, type of Law, or a sequence of them
    noises : str, type of Noise, or a sequence of them, optional
        Every law is fitted with each; by default with its own.
    priors : mapping, optional
        As in `fit` where there is one law; by the law's name where there are several.
    law_error : LawError, optional
        As in `fit`.
    store : path, optional
        A folder that keeps finished fits. The same call goes on where the last one was stopped, and
        any number of processes may work on one folder. A fit takes about 25 kB, and 50 kB with the
        law's error: its draws are rounded, by at most 0.004 posterior standard deviations along
        each principal axis, and so are those that are returned.
    executor : Executor, optional
        Makes the fits elsewhere: any executor of PEP 3148, such as a ProcessPoolExecutor (of the
        "spawn" context) or dask's ``client.get_executor()``. Its workers must see the store.
    chunk : int, optional
        Most fits to a file of the store, and to a task of the executor; by default as many as are
        made in 16 seconds, and tasks of an eighth of those that are missing. The draws do not
        depend on it.
    progress : bool, optional
        Count fits on standard error; by default on a terminal.
    **sampling
        As in `fit`, but 500 draws of each chain by default, and the method "auto", which tries
        importance sampling first and NUTS where that does not suffice. State the precision where
        CPUs and accelerators share one store.

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
                f"chunks of {chunk} fits are files of a store, and there is no store",
                remedy=Message(
                    "name a folder: ", Argument("store", "fits/"), ", or leave chunk out."
                ),
            )
    settings = settings_of(sampling, USUAL)
    models = candidates(laws, noises, _by_law(laws, priors), law_error)
    wanted, models_by_label, refused = _orders(_labelled(tables), models, settings)
    unique = {order.identity: order for order in wanted.values()}
    kept = None if store is None else Store(store)
    made = {} if kept is None else kept.read(unique.values())
    missing = {key: order for key, order in unique.items() if key not in made}
    devices = len(workplaces()) if executor is None else 1
    most = chunk or (MOST if executor is None else None)  # here, no task waits for another
    todo = list(cut_up(missing.values(), settings, devices, most))
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
        caveats=(*(kept.notes if kept else ()), *_loss(missed), *_refusal(refused, wanted)),
    )


def _labelled[Label: Hashable](given: Tables[Label]) -> dict[Hashable, Runs]:
    """The tables by label."""
    if isinstance(given, Runs):
        raise InputError(
            "refit takes many tables, not one",
            remedy=Message("make several of it", OnlyIn("python", (SEVERAL,)), "."),
        )
    if not isinstance(given, Iterable):
        raise InputError(
            f"refit takes tables of runs, not {type(given).__name__}",
            remedy=TABLES,
        )
    pairs = given.items() if isinstance(given, Mapping) else enumerate(given)
    tables: dict[Hashable, Runs] = dict(pairs)
    for label, runs in tables.items():
        if not isinstance(runs, Runs):
            raise InputError(
                f"table {label!r} is not Runs but {type(runs).__name__}",
                remedy=TABLES,
            )
    if not tables:
        raise InputError("there is no table to fit", remedy="give one or more.")
    return tables


def _by_law(laws: Laws, priors: Priors) -> Mapping[str, Mapping[str, Prior]] | None:
    """One law's priors need no name of the law."""
    several = [laws] if isinstance(laws, str | type) else laws
    if not priors or len(several) != 1:
        return cast(Mapping[str, Mapping[str, Prior]] | None, priors)
    name = getattr(several[0], "name", several[0])
    by_law = priors if name in priors else {str(name): priors}
    return cast(Mapping[str, Mapping[str, Prior]], by_law)


def _orders(
    tables: Mapping[Hashable, Runs], models: Mapping[str, Model], settings: Settings
) -> tuple[dict[Hashable, Order], dict[Hashable, str], dict[Hashable, str]]:
    """What to fit, by label; the name of every label's model; and what is refused, and why."""
    wanted: dict[Hashable, Order] = {}
    names: dict[Hashable, str] = {}
    refused: dict[Hashable, str] = {}
    first: InputError | None = None
    for name, model in models.items():
        identity = functools.cache(functools.partial(identifier, settings=settings))
        for table, runs in tables.items():
            label = table if len(models) == 1 else (table, name)
            names[label] = name
            try:
                check(model, runs)
            except InputError as error:
                first = first or error
                refused[label] = f"refused: {spelled(error.what)}"
            else:
                own = model_of(model, runs)
                wanted[label] = Order(identity(own)(runs), own, runs)
    if first is not None and not wanted:
        raise InputError(
            Message(f"none of the {len(tables)} tables can be fitted; the first: ", first.what),
            first.where,
            remedy=first.remedy,
        )
    return wanted, names, refused


def _loss(missed: Mapping[Hashable, str]) -> list[Note]:
    text = f"{len(missed)} fits are lost; what is stored is whole: call refit again to go on"
    return [Note("lost", text)] if missed else []


def _refusal(refused: Mapping[Hashable, str], wanted: Mapping[Hashable, Order]) -> list[Note]:
    count = f"{len(refused)} of {len(refused) + len(wanted)} fits were refused"
    text = f"{count}: what is said of all fits, such as their spread, leaves them out"
    return [Note("refused", text)] if refused else []


def _labelled_fit(fit: Posterior, order: Order) -> Posterior:
    """The fit with the runs of its own label: equal numbers may come from two tables."""
    return fit if fit.runs is order.runs else dataclasses.replace(fit, runs=order.runs)
