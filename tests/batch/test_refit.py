"""Real draws: the same bits whatever stands beside a fit, and whatever interrupts it."""

import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jax
import numpy as np
import pytest
from jax import monitoring

import scalingfit as sf
from scalingfit.batch import Refits
from scalingfit.batch.progress import counting
from scalingfit.runs import Runs
from tests.batch.small import LOOSE, QUICK, same_bits, simulated

WORK = """
import sys
import scalingfit as sf
from tests.batch.small import QUICK, twelve
sf.refit(twelve(), store=sys.argv[1], chunk=int(sys.argv[2]), **QUICK)
"""


def chunks(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.fits.zip"))


def test_a_fit_has_the_same_bits_alone_and_among_others(alone: Refits, together: Refits) -> None:
    assert len(together.fitted) == 12
    assert same_bits(alone, together)


def test_a_refit_is_a_fit(tables: dict[str, Runs], together: Refits) -> None:
    options = {name: QUICK[name] for name in QUICK if name not in ("method", "noises")}
    post = sf.fit(tables["table 3"], noise="normal", **options)
    assert all(np.array_equal(v, together["table 3"].draws[k]) for k, v in post.draws.items())
    assert post.verdict == together["table 3"].verdict


def test_order_and_chunks_do_not_matter(
    tables: dict[str, Runs], stored: Refits, tmp_path: Path
) -> None:
    backwards = dict(list(reversed(tables.items()))[:7])
    again = sf.refit(backwards, store=tmp_path, chunk=3, **QUICK)
    assert again.labels == tuple(backwards)
    assert same_bits(again, stored)


def test_another_seed_gives_other_draws(tables: dict[str, Runs], together: Refits) -> None:
    other = sf.refit({"table 5": tables["table 5"]}, seed=1, **QUICK)
    assert not same_bits(other, together)


def test_equal_shapes_compile_nothing(together: Refits) -> None:
    events: list[str] = []

    def listen(event: str, duration_secs: float, **_: str | int) -> None:
        if event.startswith("/jax/core/compile"):
            events.append(event)

    new = [simulated(30, seed=100 + i) for i in range(5)]
    monitoring.register_event_duration_secs_listener(listen)
    try:
        jax.jit(lambda x: x + 1)(1.0)
        assert events, "the listener hears nothing"
        events.clear()
        sf.refit(new, **QUICK)
    finally:
        monitoring.unregister_event_duration_listener(listen)
    assert not events


def test_the_configuration_of_jax_is_left_alone(tables: dict[str, Runs], tmp_path: Path) -> None:
    before = dict(jax.config.values)
    sf.refit({"table 5": tables["table 5"]}, store=tmp_path, **QUICK)
    assert dict(jax.config.values) == before


def test_resampled_tables_refuse_nothing_and_keep_their_weights(tables: dict[str, Runs]) -> None:
    resamples = sf.designs.bootstraps(tables["table 9"], 4)
    refits = sf.refit(resamples, **QUICK)
    assert refits.fitted == (0, 1, 2, 3)
    assert refits[2].runs["weight"].sum() == 29


@pytest.mark.slow
def test_tables_of_any_length_go_together() -> None:
    mixed = {count: simulated(count, seed=count) for count in (8, 500, 33, 7, 100)}
    refits = sf.refit(mixed, **QUICK)
    assert refits.fitted == tuple(mixed)
    assert same_bits(sf.refit({500: mixed[500]}, **QUICK), refits)
    # More runs tell more: the sd of alpha falls from 8 runs to 500 by far more than its own error.
    assert refits[500].draws["alpha"].std() < 0.5 * refits[8].draws["alpha"].std()


@pytest.mark.parametrize("method", ["auto", "nuts"])
def test_both_methods_find_the_posterior(tables: dict[str, Runs], method: str) -> None:
    options = {**QUICK, "method": method, "draws": 500, "warmup": 100, "retries": 1}
    refits = sf.refit({"table 5": tables["table 5"]}, **{**options, "limits": sf.Limits()})
    rows = refits["table 5"].summary()
    reference = sf.refit(
        {"table 5": tables["table 5"]}, **{**options, "method": "nuts", "seed": 9, "limits": LOOSE}
    )["table 5"].summary()
    for name, row in rows.items():
        # Two standard errors of a mean combined, at four sigma.
        errors = [one[name]["sd"] / one[name]["ess_bulk"] ** 0.5 for one in (rows, reference)]
        assert abs(row["mean"] - reference[name]["mean"]) < 4 * np.hypot(*errors), name


# Interruptions and other machines --------------------------------------------------------------


@pytest.fixture
def start(compiled: dict[str, str]) -> Callable[..., subprocess.Popen[bytes]]:
    """Refit the tables in another process."""

    def launch(folder: Path, chunk: int, **more: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", WORK, str(folder), str(chunk)]  # and its own hash seed
        # The environment may say which kernels linear algebra takes, and so its last digits.
        return subprocess.Popen(command, env={**os.environ, **compiled, **more})

    return launch


def test_a_killed_refit_goes_on_with_the_same_bits(
    start: Callable[..., subprocess.Popen[bytes]],
    tables: dict[str, Runs],
    stored: Refits,
    tmp_path: Path,
) -> None:
    with start(tmp_path, chunk=2) as process:
        while not chunks(tmp_path) and process.poll() is None:
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    survived = chunks(tmp_path)
    assert 1 <= len(survived) < 6  # it was killed in the middle
    resumed = sf.refit(tables, store=tmp_path, chunk=100, **QUICK)
    assert same_bits(resumed, stored)
    assert resumed.fitted == tuple(tables)
    assert not resumed.caveats
    # What was done stays; the rest is written in as many chunks as its time asks for.
    assert set(survived) < set(chunks(tmp_path))
    kept = [zipfile.ZipFile(path).namelist() for path in chunks(tmp_path)]
    assert sum(map(len, kept)) == 12  # nothing that had survived was made again


@pytest.mark.slow
def test_the_number_of_devices_does_not_matter(
    start: Callable[..., subprocess.Popen[bytes]],
    tables: dict[str, Runs],
    stored: Refits,
    tmp_path: Path,
) -> None:
    flags = "--xla_force_host_platform_device_count=4"
    with start(tmp_path, chunk=12, XLA_FLAGS=flags) as process:
        assert process.wait() == 0
    before = chunks(tmp_path)
    kept = sf.refit(tables, store=tmp_path, **QUICK)
    assert chunks(tmp_path) == before
    assert same_bits(kept, stored)


# Executors and progress ------------------------------------------------------------------------


def test_an_executor_needs_a_store(tables: dict[str, Runs]) -> None:
    with (
        ThreadPoolExecutor(1) as executor,
        pytest.raises(ValueError, match="nowhere to put their fits"),
    ):
        sf.refit(tables, executor=executor, **QUICK)


@pytest.mark.parametrize(
    ("shown", "terminal", "ci", "expected"),
    [
        (None, False, False, False),
        (None, True, False, True),
        (None, True, True, False),
        (True, False, True, True),
        (False, True, False, False),
    ],
)
def test_progress_is_for_those_who_watch(
    shown: bool | None,
    terminal: bool,
    ci: bool,
    expected: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("CI", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    if terminal:
        monkeypatch.setenv("TTY_COMPATIBLE", "1")
    if ci:
        monkeypatch.setenv("CI", "true")
    with counting(10, 3, shown) as advance:
        advance(4)
    printed = capsys.readouterr()
    assert ("7/10" in printed.err) == expected
    assert not printed.out
