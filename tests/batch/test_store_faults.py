"""What befalls a store: nothing is lost, and nothing in it is believed unchecked."""

import errno
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import scalingfit as sf
from scalingfit.batch import Refits, Store
from scalingfit.batch import store as module
from scalingfit.batch import tasks as work
from scalingfit.batch.tasks import Order
from scalingfit.runs import Runs
from tests.batch.small import QUICK, Made, pretend, same_bits
from tests.damage import damaged

pytestmark = pytest.mark.usefixtures("pretended")
SUFFIX = ".fits.zip"
PATIENCE = module.PATIENCE


def refit(tables: Mapping[Any, Runs], folder: Path, **options: Any) -> Refits:
    return sf.refit(tables, **{**QUICK, "store": folder, "chunk": 4, **options})


def texts(refits: Refits) -> list[str]:
    """What the refits say of the store."""
    return [str(note.text) for note in refits.caveats]


def chunks(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*{SUFFIX}"))


@pytest.fixture
def made(tables: dict[str, Runs], tmp_path: Path) -> Refits:
    """All fits, in three chunks."""
    return refit(tables, tmp_path)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many fits each call of the sampler was asked for."""
    seen: list[int] = []

    def sampled(model: Any, tables: list[Runs], settings: Any) -> Made:
        seen.append(len(tables))
        return pretend(model, tables, settings)

    monkeypatch.setattr(work, "sampled", sampled)
    return seen


# --- what does not belong ------------------------------------------------------------------------


def _folder(place: Path, _: bytes) -> None:
    place.mkdir()
    (place / "inside").touch()


def _pipe(place: Path, _: bytes) -> None:
    os.mkfifo(place)


def _foreign(place: Path, _: bytes) -> None:
    place.write_bytes(b"\x89PNG and other things" * 100)


def _empty(place: Path, _: bytes) -> None:
    place.touch()


def _link_to_nothing(place: Path, _: bytes) -> None:
    place.symlink_to("nowhere")


def _other_fits(place: Path, content: bytes) -> None:
    """A chunk whose fits bear each other's names."""
    own = place.with_suffix(".tmp")
    own.write_bytes(content)
    with zipfile.ZipFile(own) as old, zipfile.ZipFile(place, "w") as new:
        names = old.namelist()
        for name, other in zip(names, names[1:] + names[:1], strict=True):
            new.writestr(name, old.read(other))
    own.unlink()


def _packed(place: Path, content: bytes) -> None:
    """A chunk that might unpack to any size."""
    own = place.with_suffix(".tmp")
    own.write_bytes(content)
    with zipfile.ZipFile(own) as old, zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    own.unlink()


STRANGERS: dict[str, Callable[[Path, bytes], None]] = {
    "a folder": _folder,
    "a pipe": _pipe,
    "foreign bytes": _foreign,
    "an empty file": _empty,
    "a link to nothing": _link_to_nothing,
    "fits under others' names": _other_fits,
    "fits packed otherwise": _packed,
}


@pytest.mark.fault("store", "a folder, pipe, link or foreign bytes in the place of a chunk",
                   "put aside by name, its fits made again")  # fmt: skip
@pytest.mark.parametrize("kind", STRANGERS)
def test_what_is_no_chunk_is_put_aside(
    kind: str, tables: dict[str, Runs], made: Refits, tmp_path: Path, counted: list[int]
) -> None:
    victim = chunks(tmp_path)[0]
    content, fits = victim.read_bytes(), len(zipfile.ZipFile(victim).namelist())
    victim.unlink()
    STRANGERS[kind](victim, content)
    again = refit(tables, tmp_path)
    assert same_bits(made, again)
    assert counted == [fits]
    (message,) = texts(again)
    assert victim.name in message
    assert "kept as .damaged" in message
    assert os.path.lexists(f"{victim}.damaged")
    assert not refit(tables, tmp_path).caveats


@pytest.mark.fault("store", "a chunk of another law", "left as it is")
def test_fits_of_another_law_stay(tables: dict[str, Runs], made: Refits, tmp_path: Path) -> None:
    before = chunks(tmp_path)
    kaplan = refit(tables, tmp_path, laws="kaplan")
    assert not kaplan.caveats
    again = refit(tables, tmp_path)
    assert not again.caveats
    assert same_bits(made, again)
    assert set(before) < set(chunks(tmp_path))


@pytest.mark.fault("store", "bytes of a chunk changed, lost or added (300 copies)",
                   "found, or the same numbers")  # fmt: skip
def test_a_damaged_chunk_gives_no_other_numbers(made: Refits, tmp_path: Path) -> None:
    """What hits the fit that is asked for is found; what hits others need not be."""
    model = next(iter(made.fits.values())).model
    (tmp_path / "one").mkdir()
    store = Store(tmp_path / "one")
    fits = {str(label): fit for label, fit in list(made.fits.items())[:3]}
    store.write(fits)
    (path,) = chunks(tmp_path / "one")
    content, seen = path.read_bytes(), set()
    orders = [Order(label, model, fit.runs) for label, fit in fits.items()]
    whole = store.read(orders)
    assert whole.keys() == fits.keys()
    for kind, copy in damaged(content, 300):
        path.write_bytes(copy)
        found = Store(tmp_path / "one").read(orders)
        for label, fit in found.items():
            assert str(fit) == str(whole[label])
            for name, draws in fit.draws.items():
                assert np.array_equal(draws, whole[label].draws[name]), kind
        seen.add((kind, bool(found)))
    assert ("flipped", False) in seen


# --- the manifest --------------------------------------------------------------------------------


@pytest.mark.fault("store", "the manifest lost, empty or garbled", "rebuilt, and said")
@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe", b"[" * 100_000, b"[1]", b"{}"])
def test_a_lost_manifest_is_rebuilt(
    content: bytes | None,
    tables: dict[str, Runs],
    made: Refits,
    tmp_path: Path,
    counted: list[int],
) -> None:
    manifest = tmp_path / "scalingfit.json"
    before = manifest.read_bytes()
    if content is None:
        manifest.unlink()
    else:
        manifest.write_bytes(content)
    again = refit(tables, tmp_path)
    assert counted == []
    assert same_bits(made, again)
    (message,) = texts(again)
    assert "scalingfit.json" in message
    assert "written anew" in message
    assert manifest.read_bytes() == before
    assert not refit(tables, tmp_path).caveats


@pytest.mark.fault("store", "a pipe or a folder in the place of the manifest", "put aside")
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_a_manifest_that_is_no_file_is_put_aside(
    make: Callable[[Path], None], tables: dict[str, Runs], made: Refits, tmp_path: Path
) -> None:
    manifest = tmp_path / "scalingfit.json"
    manifest.unlink()
    make(manifest)
    assert same_bits(made, refit(tables, tmp_path))
    assert manifest.is_file()


# --- disks that take no more ---------------------------------------------------------------------


class Disk:
    """A disk that is full, until there is room again."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, kind: int, chunks_taken: int = 0) -> None:
        self.full, self.left, write = True, chunks_taken, Path.write_bytes

        def written(path: Path, content: bytes) -> int:
            if self.full and SUFFIX in path.name:
                if self.left == 0:
                    raise OSError(kind, os.strerror(kind))
                self.left -= 1
            return write(path, content)

        monkeypatch.setattr(Path, "write_bytes", written)


@pytest.mark.fault(
    "store", "the disk is full, and stays so", "all fits answered; a store to resume"
)
@pytest.mark.parametrize("kind", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO])
def test_what_the_disk_does_not_take_is_still_answered(
    kind: int,
    tables: dict[str, Runs],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    counted: list[int],
) -> None:
    with monkeypatch.context() as patched:
        Disk(patched, kind, chunks_taken=1)
        with pytest.warns(UserWarning, match=f"wait in memory: .*{os.strerror(kind)}"):
            made = refit(tables, tmp_path)
    assert made.fitted == tuple(tables)
    (message,) = texts(made)
    assert "are not stored" in message
    assert os.strerror(kind) in message
    assert "What to do" in message
    assert len(chunks(tmp_path)) == 1
    assert not list(tmp_path.glob(".*"))
    counted.clear()
    again = refit(tables, tmp_path)
    assert counted == [4, 4]
    assert same_bits(made, again)
    assert not again.caveats


@pytest.mark.fault("store", "the disk is full, until somebody makes room", "all fits stored")
def test_work_goes_on_when_there_is_room(
    tables: dict[str, Runs], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk, calls = Disk(monkeypatch, errno.ENOSPC), []

    def sampled(*arguments: Any) -> Made:
        calls.append(arguments)
        disk.full = len(calls) < 3
        return pretend(*arguments)

    monkeypatch.setattr(work, "sampled", sampled)
    with pytest.warns(UserWarning, match="wait in memory"):
        made = refit(tables, tmp_path)
    assert not made.caveats
    assert len(chunks(tmp_path)) == 3


@pytest.mark.fault("store", "a read-only folder whose fits are all there", "all fits answered")
def test_a_store_that_cannot_be_written_to_is_read(
    tables: dict[str, Runs], made: Refits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "rename", fail)
    monkeypatch.setattr(Path, "replace", fail)
    assert same_bits(made, refit(tables, tmp_path))
    victim = chunks(tmp_path)[0]
    victim.write_bytes(b"")
    with pytest.warns(UserWarning, match="Read-only file system"):
        again = refit(tables, tmp_path)
    assert same_bits(made, again)
    assert victim.exists()  # nothing is claimed that was not done
    assert "left where it is (Read-only file system)" in texts(again)[0]
    assert "kept as" not in " ".join(texts(again))


@pytest.mark.fault("store", "the folder cannot be made, or is a file", "refused before any work")
@pytest.mark.parametrize("name", ["file/fits", "file", "nul\0byte"])
def test_a_folder_that_cannot_be_made_is_refused(
    name: str, tables: dict[str, Runs], tmp_path: Path, counted: list[int]
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"store .*\n.*What to do"):
        refit(tables, tmp_path / name)
    assert counted == []


# --- kills and interrupts ------------------------------------------------------------------------


def test_finished_fits_are_soon_written(
    tables: dict[str, Runs], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the clock, whatever their number: 0.5, 1, 2, 4, 8, 16, 16, ... seconds of work."""
    monkeypatch.setattr(module, "PATIENCE", PATIENCE)
    clock, per_fit = [0.0], 0.75

    def sampled(*arguments: Any) -> Made:
        for some in pretend(*arguments):
            clock[0] += per_fit * len(some)
            yield some

    monkeypatch.setattr(work, "sampled", sampled)
    monkeypatch.setattr("scalingfit.batch.store.time.monotonic", lambda: clock[0])
    many = {
        (label, copy): runs.with_weight(runs.weight * (1 + copy))
        for label, runs in tables.items()
        for copy in range(12)
    }
    refit(many, tmp_path, chunk=None)
    counts = [len(zipfile.ZipFile(path).namelist()) for path in chunks(tmp_path)]
    assert sum(counts) == len(many)
    assert max(counts) * per_fit < 20
    assert min(counts) * per_fit < 2


@pytest.mark.fault("store", "an interrupt (Ctrl-C)", "finished fits are stored")
def test_an_interrupt_stores_what_is_finished(
    tables: dict[str, Runs], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sampled(*arguments: Any) -> Made:
        for number, some in enumerate(pretend(*arguments)):
            if number == 4:
                raise KeyboardInterrupt
            yield some

    with monkeypatch.context() as patched:
        patched.setattr(work, "sampled", sampled)
        with pytest.raises(KeyboardInterrupt):
            refit(tables, tmp_path, chunk=None)
    (chunk,) = chunks(tmp_path)
    assert len(zipfile.ZipFile(chunk).namelist()) == 8


REFIT = """
import sys
import scalingfit as sf
from tests.batch.small import simulated
runs = simulated(32, seed=0)
sf.refit(sf.designs.bootstraps(runs, 3000), store=sys.argv[1])
"""


@pytest.mark.slow
@pytest.mark.fault(
    "store",
    "20 kills, each 5 s after the start of a process",
    "nothing stored is lost; work goes further",
)
def test_twenty_kills_advance(compiled: dict[str, str], tmp_path: Path) -> None:
    """Where a machine takes longer than 3 s until the first fit, kills come later as well."""
    command, environment = [sys.executable, "-c", REFIT], {**os.environ, **compiled}
    subprocess.run(
        [*command[:2], REFIT.replace("3000", "40"), str(tmp_path / "programs")],
        env=environment,
        check=True,
    )
    begun = time.monotonic()
    with subprocess.Popen([*command, str(tmp_path / "start")], env=environment) as process:
        while not chunks(tmp_path / "start") and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    wait = max(5.0, 1.7 * (time.monotonic() - begun))
    counts = [0]
    while len(counts) <= 20 and counts[-1] < 3000:
        with subprocess.Popen([*command, str(tmp_path / "fits")], env=environment) as process:
            time.sleep(wait)
            process.send_signal(signal.SIGKILL)
        stored = chunks(tmp_path / "fits")
        counts.append(sum(len(zipfile.ZipFile(path).namelist()) for path in stored))
    assert counts == sorted(counts), counts  # nothing is lost
    assert counts[-1] == 3000 or counts[20] > counts[10] > counts[0], counts
