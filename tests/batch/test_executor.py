"""Other processes make the fits, and some of them die."""

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import scalingfit as sf
from scalingfit._errors import InputError
from scalingfit.batch import Refits
from scalingfit.batch import tasks as work
from scalingfit.declare import Array, Law, dist, parameter
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
            if any(folder.glob("*.fits.zip")):
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
    environment: None, tables: dict[str, Runs], stored: Refits, tmp_path: Path
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
    assert same_bits(broken, stored)
    survived = {path.name for path in tmp_path.glob("*.fits.zip")}

    with ProcessPoolExecutor(2, spawned) as pool:
        whole = refit(tables, tmp_path, pool)
    assert whole.fitted == tuple(tables)
    assert not whole.caveats
    assert same_bits(whole, stored)
    assert survived < {path.name for path in tmp_path.glob("*.fits.zip")}


@pytest.mark.slow
def test_dask_makes_again_what_a_killed_worker_loses(
    environment: None, tables: dict[str, Runs], stored: Refits, tmp_path: Path
) -> None:
    distributed = pytest.importorskip("distributed")
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.LocalCluster(**options) as cluster, distributed.Client(cluster) as client:

        def worker() -> int:
            return int(min(client.run(os.getpid).values()))

        with client.get_executor() as executor, killing(worker, tmp_path):
            refits = refit(tables, tmp_path, executor)
    assert refits.fitted == tuple(tables)
    assert same_bits(refits, stored)


@pytest.mark.usefixtures("pretended")
def test_a_task_that_fails_is_tried_again(
    tables: dict[str, Runs], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sampled: Any = vars(work)["sampled"]
    trials: list[int] = []

    def unreliable(*arguments: object) -> object:
        trials.append(1)
        if len(trials) <= TASKS:
            raise MemoryError("out of memory")
        return sampled(*arguments)

    monkeypatch.setattr(work, "sampled", unreliable)
    with ThreadPoolExecutor(1) as executor:
        refits = refit(tables, tmp_path, executor)
    assert refits.fitted == tuple(tables)
    assert not refits.caveats


@pytest.mark.usefixtures("pretended")
def test_a_task_that_always_fails_is_reported(
    tables: dict[str, Runs], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise MemoryError("out of memory")

    monkeypatch.setattr(work, "sampled", broken)
    with ThreadPoolExecutor(1) as executor:
        refits = refit(tables, tmp_path, executor)
    assert refits.counts == {"lost": 12}
    assert set(refits.unfitted.values()) == {"lost: MemoryError: out of memory"}
    assert "MemoryError" in str(refits)


@pytest.mark.usefixtures("pretended")
def test_an_executor_that_was_shut_down_loses_all(tables: dict[str, Runs], tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as executor:
        pass
    refits = refit(tables, tmp_path, executor)
    assert refits.counts == {"lost": 12}
    assert all("after shutdown" in why for why in refits.unfitted.values())


# Refusals --------------------------------------------------------------------------------------


def test_forks_are_refused(tables: dict[str, Runs], tmp_path: Path) -> None:
    with (
        ProcessPoolExecutor(1, multiprocessing.get_context("fork")) as executor,
        pytest.raises(InputError, match=r'ProcessPoolExecutor\(mp_context=.*"spawn"'),
    ):
        refit(tables, tmp_path, executor)


@pytest.mark.parametrize("executor", ["dask", 4, ThreadPoolExecutor])
def test_what_is_no_executor_is_refused(
    tables: dict[str, Runs], tmp_path: Path, executor: Any
) -> None:
    with pytest.raises(InputError, match=r"executor is needed, not .*\n.*client\.get_executor"):
        refit(tables, tmp_path, executor)


PROMPT = """
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
import scalingfit as sf
from scalingfit.declare import Array, Law, dist, parameter
from tests.batch.small import QUICK, simulated

class Typed(Law):
    E: Array = parameter(dist.LogNormal(0.0, 1.0), "floor")
    def loss(self, N):
        return self.E + 1 / N

with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as executor:
    try:
        sf.refit([simulated(20, seed=0)], Typed, store="fits", executor=executor, **QUICK)
    except ValueError as error:
        print(error)
"""


def test_a_law_typed_at_a_prompt_cannot_be_sent(compiled: dict[str, str], tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROMPT]
    said = subprocess.check_output(command, text=True, cwd=tmp_path, env={"PATH": "", **compiled})
    assert "cannot read the law typed, its noise or its priors: it was typed at a prompt" in said
    assert "put the law in a module" in said


def test_a_law_in_a_function_cannot_be_sent(tables: dict[str, Runs], tmp_path: Path) -> None:
    class Local(Law):
        E: Array = parameter(dist.LogNormal(0.0, 1.0), "floor")

        def loss(self, N: Any) -> Any:
            return self.E + 1 / N

    with (
        ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as executor,
        pytest.raises(InputError, match="put the law in a module"),
    ):
        sf.refit(tables, Local, store=tmp_path, executor=executor, **QUICK)
