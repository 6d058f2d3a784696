"""Fits made elsewhere: what an executor must be, and how its workers' failures are reported."""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
import pickle
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import (
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    as_completed,
)

from scalingfit._errors import InputError
from scalingfit._messages import Argument, Message
from scalingfit.batch.store import Store
from scalingfit.batch.tasks import Task

__all__ = ["check_executor", "elsewhere"]

TRIALS = 2  # of a task that fails on an executor: once more, because machines die


def check_executor(executor: Executor, store: str | os.PathLike[str] | None) -> None:
    """Refuse what could not make a fit, or would never return one.

    Raises
    ------
    InputError
    """
    if not isinstance(executor, Executor):
        raise InputError(
            f"an executor is needed, not {type(executor).__name__}",
            remedy="use one of PEP 3148; a client of dask gives one by client.get_executor().",
        )
    if store is None:
        raise InputError(
            "an executor's workers have nowhere to put their fits",
            remedy=Message("name a folder that they all see: ", Argument("store", "fits/"), "."),
        )
    context = getattr(executor, "_mp_context", None) or multiprocessing
    if isinstance(executor, ProcessPoolExecutor) and context.get_start_method() == "fork":
        raise InputError(
            "the executor forks this process, whose threads hold locks of JAX: its workers would "
            "wait for ever",
            remedy='use ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")).',
        )


def elsewhere(
    executor: Executor, todo: Sequence[Task], store: Store, advance: Callable[[int], None]
) -> dict[str, str]:
    """Let an executor's workers make the fits and store them.

    Parameters
    ----------
    executor : Executor
    todo : sequence of Task
    store : Store
    advance : callable
        Called with the number of fits of every task that is finished.

    Returns
    -------
    dict of str to str
        Why some fits are lost, by identity.

    Raises
    ------
    InputError
        Where other processes cannot read a law.
    """
    if isinstance(executor, ProcessPoolExecutor):
        _check_picklable(todo)
    why: dict[str, str] = {}
    for _ in range(TRIALS):
        futures: dict[Future[None], Task] = {}
        try:
            for task in todo:
                futures[executor.submit(_into_store, task, os.fspath(store.folder))] = task
        except RuntimeError as error:  # it takes no more; what it has taken fails by itself
            if not (isinstance(error, BrokenExecutor) or "after shutdown" in str(error)):
                raise
            rest = todo[len(futures) :]
            why |= {key: _said(error) for task in rest for key in task.tables}
        todo = []
        for future in as_completed(futures):
            failure, task = _failure(future), futures[future]
            if failure is None:
                advance(len(task.tables))
            else:
                todo.append(task)
                why |= dict.fromkeys(task.tables, _said(failure))
    return why


def _check_picklable(todo: Iterable[Task]) -> None:
    """Refuse models that other processes could not read."""
    for task in {(task.law, task.noise): task for task in todo}.values():
        try:
            pickle.dumps(dataclasses.replace(task, tables={}))
            why = ""
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            why = str(error)
        typed = {task.law.__module__, task.noise.__module__} & {"__main__"}
        if typed and not hasattr(sys.modules["__main__"], "__file__"):
            why = "it was typed at a prompt"
        if why:
            raise InputError(
                f"other processes cannot read the law {task.law.name}, its noise or its priors: "
                f"{why}",
                remedy="put the law in a module, and import it from there.",
            )


def _into_store(task: Task, folder: str) -> None:
    """What a worker does; what its disk does not take is lost with it, and said to be."""
    store = Store(folder)
    store.make(task)
    if (failure := store.settle()) is not None:
        raise failure


def _failure(future: Future[None]) -> BaseException | None:
    try:
        return future.exception()
    except CancelledError as error:
        return error


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
