"""Other processes make the fits, and some of them die."""

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import pytest

import scalingfit as sf
from scalingfit.batch import Refits
from scalingfit.batch import tasks as work
from scalingfit.runs import Runs
from tests.batch.small import QUICK, same_bits

TASKS = 6


@pytest.fixture
def environment(compiled: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """What workers inherit."""
    for name, value in compiled.items():
        monkeypatch.setenv(name, value)


@contextlib.contextmanager
def killing(worker: Callable[[], int], folder: Path) -> Iterator[None]:
    """Kill a worker as soon as the first chunk is there."""
    over = threading.Event()

    def watch() -> None:
        while not over.is_set():
            if any(folder.glob("*.npz")):
                os.kill(worker(), signal.SIGKILL)
                return
            time.sleep(0.001)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def refit(tables: dict[str, Runs], folder: Path, executor: Executor) -> Refits:
    return sf.refit(tables, store=folder, executor=executor, chunk=12 // TASKS, **QUICK)


@pytest.mark.slow
def test_what_a_killed_worker_loses_is_reported_and_made_by_the_next(
    environment: None, tables: dict[str, Runs], together: Refits, tmp_path: Path
) -> None:
    spawned = multiprocessing.get_context("spawn")

    def worker() -> int:
        return next(process.pid for process in multiprocessing.active_children() if process.pid)

    with ProcessPoolExecutor(2, spawned) as pool, killing(worker, tmp_path):
        broken = refit(tables, tmp_path, pool)
    assert len(broken) == 12
    assert broken.counts["lost"] == len(broken.unfitted) > 0
    assert all("BrokenProcessPool" in why for why in broken.unfitted.values())
    assert "call refit again to go on" in str(broken)
    assert same_bits(broken, together)
    survived = {path.name for path in tmp_path.glob("*.npz")}

    with ProcessPoolExecutor(2, spawned) as pool:
        whole = refit(tables, tmp_path, pool)
    assert whole.fitted == tuple(tables)
    assert not whole.messages
    assert same_bits(whole, together)
    assert survived < {path.name for path in tmp_path.glob("*.npz")}


@pytest.mark.slow
def test_dask_makes_again_what_a_killed_worker_loses(
    environment: None, tables: dict[str, Runs], together: Refits, tmp_path: Path
) -> None:
    distributed = pytest.importorskip("distributed")
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.LocalCluster(**options) as cluster, distributed.Client(cluster) as client:

        def worker() -> int:
            return min(client.run(os.getpid).values())

        with client.get_executor() as executor, killing(worker, tmp_path):
            refits = refit(tables, tmp_path, executor)
    assert refits.fitted == tuple(tables)
    assert same_bits(refits, together)


@pytest.mark.usefixtures("pretended")
def test_a_task_that_fails_is_tried_again(
    tables: dict[str, Runs], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample, trials = work.sample, []

    def unreliable(*arguments: object) -> object:
        trials.append(1)
        if len(trials) <= TASKS:
            raise MemoryError("out of memory")
        return sample(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(work, "sample", unreliable)
    with ThreadPoolExecutor(1) as executor:
        refits = refit(tables, tmp_path, executor)
    assert refits.fitted == tuple(tables)
    assert not refits.messages


@pytest.mark.usefixtures("pretended")
def test_a_task_that_always_fails_is_reported(
    tables: dict[str, Runs], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise MemoryError("out of memory")

    monkeypatch.setattr(work, "sample", broken)
    with ThreadPoolExecutor(1) as executor:
        refits = refit(tables, tmp_path, executor)
    assert refits.counts == {"lost": 12}
    assert set(refits.unfitted.values()) == {"lost: MemoryError: out of memory"}
    assert "MemoryError" in str(refits)
