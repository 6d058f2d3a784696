"""From tables to draws: pad, find modes, warm up, sample, judge, and try harder where needed.

A single fit is a batch of one. Programs run a fixed number of fits at a time, which depends on the
padded number of rows alone: the same fit runs through the same program whether it comes alone or
among thousands, so its draws are the same bit for bit.
"""

from __future__ import annotations

import functools
import itertools
import os
import queue
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import jax

from scalingfit._cores import core_count
from scalingfit._errors import InputError
from scalingfit.inference.group import Draws, Group
from scalingfit.inference.mixture import group_of
from scalingfit.inference.model import Model
from scalingfit.inference.programs import group_size, shape_of
from scalingfit.inference.settings import Settings
from scalingfit.inference.xla import placed
from scalingfit.runs import Runs

__all__ = ["failures", "sample", "sampled", "workplaces"]

FORKED = threading.Event()
if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=FORKED.set)


def sample(model: Model, tables: Sequence[Runs], settings: Settings) -> list[Draws]:
    """Sample the posterior of every table; the draws are in the order of the tables.

    Parameters
    ----------
    model : Model
    tables : sequence of Runs
        Of any lengths.
    settings : Settings
    """
    made = dict(itertools.chain.from_iterable(sampled(model, tables, settings)))
    return [made[i] for i in range(len(tables))]


def sampled(
    model: Model, tables: Sequence[Runs], settings: Settings
) -> Iterator[list[tuple[int, Draws]]]:
    """As `sample`, but those that finish together, each behind the number of its table."""
    if FORKED.is_set():
        raise InputError(
            "this process was forked from one that had loaded JAX, whose threads and locks are not "
            "in working order here: a fit would wait for ever",
            remedy='start processes by multiprocessing.get_context("spawn").',
        )
    waiting = list(range(len(tables)))
    attempts = [settings.harder(attempt) for attempt in range(settings.retries + 1)]
    # With its error a law has too many coordinates to be sampled by importance: see `Mixture`.
    weighing = settings.method == "auto" and model.error is None
    if weighing:
        attempts.insert(0, settings)
    for attempt, tried in enumerate(attempts):
        last = attempt == len(attempts) - 1
        by_weights = weighing and attempt == 0
        if by_weights and settings.chains * settings.draws <= settings.limits.ess:
            continue  # so few draws would not be worth what is asked, whatever the weights
        again = []
        for members, draws in _attempt(model, tables, waiting, tried, attempt, by_weights):
            done = [last or bool(one.diagnosis.passes(settings.limits)) for one in draws]
            yield [*itertools.compress(zip(members, draws, strict=True), done)]
            again += [i for i, good in zip(members, done, strict=True) if not good]
        if not (waiting := sorted(again)):
            return


def _attempt(
    model: Model,
    tables: Sequence[Runs],
    waiting: list[int],
    settings: Settings,
    attempt: int,
    by_weights: bool,
) -> Iterator[tuple[list[int], list[Draws]]]:
    """Sample the waiting tables group by group, on all devices; yields groups as they finish.

    Whole groups are placed on devices, rather than one program spread over all of them, so that no
    device waits for another.
    """
    shapes = {i: shape_of(model, tables[i]) for i in waiting}
    groups: list[tuple[list[int], bool]] = []  # and whether it is the first of its shape
    for shape in sorted(set(shapes.values())):
        members = [i for i in waiting if shapes[i] == shape]
        parts = itertools.batched(members, group_size(shape[0]))
        groups += [(list(part), number == 0) for number, part in enumerate(parts)]
    stopped = threading.Event()
    free: queue.SimpleQueue[jax.Device] = queue.SimpleQueue()
    for device in (devices := workplaces()):
        free.put(device)

    def work(members: list[int], first: bool) -> tuple[list[int], list[Draws]]:
        device = free.get()
        try:
            here = functools.partial(placed, device, settings.precision)
            with here():
                group = group_of(model, [tables[i] for i in members], settings, attempt)
                group.stopped = stopped
                if first and attempt == 0:
                    with ThreadPoolExecutor(1) as beside:
                        ready = beside.submit(here()(group.compile_ahead), by_weights)
                        jax.block_until_ready(group.white)
                        ready.result()
                if by_weights and isinstance(group, Group):
                    return members, group.by_importance()
                return members, group.by_nuts()
        finally:
            free.put(device)

    # Even one group has a thread of its own: this one then hears an interrupt at once, and does not
    # wait until what the others compile or compute has come to an end.
    threads = ThreadPoolExecutor(min(len(groups), len(devices)))
    try:
        yield from threads.map(work, *zip(*groups, strict=True))
        threads.shutdown()
    except BaseException:
        stopped.set()
        threads.shutdown(wait=False, cancel_futures=True)
        raise


def failures(fits: Iterable[Draws], settings: Settings) -> int:
    """How many fits did not converge."""
    return sum(not bool(draws.diagnosis.passes(settings.limits)) for draws in fits)


def workplaces() -> list[jax.Device]:
    """Where groups are sampled at once: on CPUs as many as there are cores, and one more.

    So no core is idle while a thread waits for Python, which judges one group after the other.
    """
    devices: list[jax.Device] = jax.local_devices()
    if devices[0].platform != "cpu" or core_count() == 1:
        return devices
    return list(itertools.islice(itertools.cycle(devices), max(len(devices), core_count()) + 1))
