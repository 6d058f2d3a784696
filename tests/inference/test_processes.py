"""Fits from several threads, after a fork, under an interrupt, and many in one process."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import scalingfit as sf
from scalingfit.inference import Settings, build, sample, sampler
from scalingfit.noise import Normal
from scalingfit.runs import Runs

MODEL = build(sf.law("chinchilla"), Normal)
FAST = Settings(chains=2, draws=100, warmup=20, retries=0)
ROOT = Path(__file__).parents[2]


@pytest.mark.fault("fit", "fits from four threads at once", "the same bits as one by one")
def test_threads_find_the_same_bits(simulated: Callable[..., Runs]) -> None:
    tables = [simulated(12, seed=seed) for seed in range(4)]

    def values(runs: Runs) -> np.ndarray:
        return sample(MODEL, [runs], FAST)[0].values["alpha"]

    alone = [values(runs) for runs in tables]
    with ThreadPoolExecutor(4) as threads:
        for one, other in zip(alone, threads.map(values, tables), strict=True):
            np.testing.assert_array_equal(one, other)


FORK = """
import os, sys
import scalingfit as sf
from tests.batch.small import simulated
runs = simulated(12, seed=0)
sf.fit  # loads JAX
child = os.fork()
if child == 0:
    try:
        sf.fit(runs)
    except ValueError as error:
        print(error, flush=True)
        os._exit(0)
    os._exit(1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.fault("fit", "a fit in a forked process", "refused in words, not waited for")
def test_a_forked_process_refuses() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    said = subprocess.check_output([sys.executable, "-c", FORK], text=True, env=environment)
    assert "forked" in said
    assert 'multiprocessing.get_context("spawn")' in said


class Endless:
    """Groups that are at work until the test is over."""

    begun, over = threading.Event(), threading.Event()

    def __init__(self, *_: Any) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        Endless.begun.set()
        Endless.over.wait(60)
        raise InterruptedError


@pytest.fixture
def endless(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Endless]]:
    monkeypatch.setattr(sampler, "Group", Endless)
    for event in (Endless.begun, Endless.over):
        event.clear()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in the background
    yield Endless
    Endless.over.set()
    signal.signal(signal.SIGINT, before)


@pytest.mark.fault("fit", "an interrupt (Ctrl-C) while programs compile or run", "served at once")
@pytest.mark.parametrize("count", [1, 40])
def test_an_interrupt_does_not_wait_for_what_is_at_work(
    endless: type[Endless], simulated: Callable[..., Runs], count: int
) -> None:
    """Before the work has ended: it cannot, until the test lets it."""

    def interrupt() -> None:
        endless.begun.wait(60)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        sample(MODEL, [simulated(12)] * count, FAST)
    assert not endless.over.is_set()


MANY = """
import gc
import scalingfit as sf
from tests.batch.small import simulated

def memory():
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

for number in range(550):
    if number == 50:  # programs are compiled, and caches of a fixed size are full
        before = memory()
    sf.fit(simulated(32, seed=number), draws=100, warmup=20, retries=0, noise="normal")
print(memory() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(
    not Path("/proc/self/statm").exists(), reason="memory is read as Linux tells it"
)
@pytest.mark.fault("fit", "500 fits in one process", "it grows by less than 50 MB")
def test_five_hundred_fits_take_no_more_memory() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    said = subprocess.check_output([sys.executable, "-c", MANY], text=True, env=environment)
    assert int(said) < 50e6
