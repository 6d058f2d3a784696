"""A folder of fits: what is finished stays finished.

Any number of processes on any machines may write to one folder, without a lock: fits come in
chunks, files that appear whole or not at all, each named by the sha256 of its content, so that
names never collide. In a chunk every fit lies by itself, under its identity and with its own
digest: to read one, nothing else is read but lists of contents. A fit is known by its identity
alone (see `tasks.identifier`), so fits with other settings or laws may lie in the same folder.
Nothing is ever changed in place; the only other file says what the folder is.

Nothing in the folder is believed unchecked. What is damaged or does not belong is put aside under a
name that ends in ``.damaged``. Where the disk takes no more, fits wait in memory.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import time
import warnings
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import IO, Any

from scalingfit import __version__
from scalingfit._errors import InputError
from scalingfit._files import write
from scalingfit.batch.packing import pack, unpack
from scalingfit.batch.tasks import Order, Task
from scalingfit.inference import Posterior
from scalingfit.result import Note

__all__ = ["Store"]

MANIFEST = "scalingfit.json"
FORMAT = 3
SUFFIX, ASIDE = ".fits.zip", ".damaged"
PATIENCE = 0.5, 16.0  # seconds of work that a process may lose: at first, and at most


class Store:
    """A folder of fits, made where it does not exist.

    Parameters
    ----------
    folder : path

    Raises
    ------
    InputError
        The folder holds something else, or fits of another format, or cannot be made.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder).absolute()
        self._found: list[Note] = []
        self._waiting: dict[str, bytes] = {}  # chunks that the disk has not taken, by name
        self._failure: InputError | None = None  # why it did not
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except FileExistsError:
            raise InputError(
                f"the store {str(folder)!r} is a file, and a store is a folder",
                remedy="name a new or an empty folder.",
            ) from None
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            raise InputError(
                f"cannot make the store {str(folder)!r}: {why}",
                remedy="name a folder that you may write to.",
            ) from None
        found = _read_json(self.folder / MANIFEST)
        if "format" not in found:
            self._begin()
        elif found["format"] != FORMAT:
            raise InputError(
                f"the store {str(folder)!r} has format {found['format']}, this version of "
                f"scalingfit ({__version__}) reads format {FORMAT}",
                remedy=f"name a new folder, or use scalingfit {found.get('scalingfit', '?')}.",
            )

    @property
    def notes(self) -> list[Note]:
        """What was found damaged, and what the disk has not taken."""
        if self._failure is None:
            return self._found
        text = f"the last fits are not stored, and are made again by the next call: {self._failure}"
        return [*self._found, Note("unwritten_store", text)]

    def make(self, task: Task, report: Callable[[int], None] | None = None) -> None:
        """Make the fits of a task, and add them as time goes: a chunk is soon written.

        Parameters
        ----------
        task : Task
        report : callable, optional
            Called with the number of further fits that are finished.
        """
        patience, longest = PATIENCE
        chunk: dict[str, Posterior] = {}
        begun = time.monotonic()
        try:
            for fits in task.fits():
                chunk |= fits
                if report is not None:
                    report(len(fits))
                if time.monotonic() - begun > patience:
                    full, chunk = chunk, {}
                    self.write(full)
                    patience, begun = min(2 * patience, longest), time.monotonic()
        finally:  # an interrupt as well finds finished fits
            self.write(chunk)

    def write(self, fits: Mapping[str, Posterior]) -> None:
        """Add fits of one model, by identity, as one chunk."""
        if fits:
            content = _chunk({identity: pack(identity, fit) for identity, fit in fits.items()})
            self._waiting[f"{hashlib.sha256(content).hexdigest()}{SUFFIX}"] = content
            if (failure := self.settle()) is not None:
                warnings.warn(f"finished fits wait in memory: {failure}", stacklevel=2)

    def settle(self) -> InputError | None:
        """Write what waits for a place on the disk; why some of it still does."""
        self._failure = None
        for name, content in [*self._waiting.items()]:
            try:
                write(self.folder / name, content)
            except InputError as error:
                self._failure = error
                break
            del self._waiting[name]
        return self._failure

    def read(self, orders: Iterable[Order]) -> dict[str, Posterior]:
        """The fits among those ordered that are here, by identity.

        Fits of a chunk that is put aside count as missing; `notes` names it.
        """
        wanted = {order.identity: order for order in orders}
        found: dict[str, Posterior] = {}
        for content in self._waiting.values():
            found |= _fits(io.BytesIO(content), wanted)
        for path in sorted(self.folder.glob(f"*{SUFFIX}")) if wanted else ():
            missing = {name: order for name, order in wanted.items() if name not in found}
            try:
                if not path.is_file():  # a pipe, for instance, would be waited for
                    raise ValueError("it is not a file")
                with path.open("rb") as file:
                    found |= _fits(file, missing)
            except PermissionError as error:
                text = f"{path} is left out: {error.strerror}"
                self._found.append(Note("unreadable_store", text))
            except Exception as error:  # what was made on purpose may raise any
                self._put_aside(path, f"{error}; its fits are made again")
        return found

    def _begin(self) -> None:
        manifest = self.folder / MANIFEST
        names = [path.name for path in sorted(self.folder.iterdir()) if path.name[0] != "."]
        ours = (SUFFIX, SUFFIX + ASIDE, MANIFEST, MANIFEST + ASIDE)
        strange = [name for name in names if not name.endswith(ours)]
        if "format" in _read_json(manifest):  # another process has begun it meanwhile
            return
        if strange:
            raise InputError(
                f"{str(self.folder)!r} is not a store of fits: it holds {', '.join(strange[:5])}",
                remedy="name a new or an empty folder.",
            )
        if MANIFEST in names:
            self._put_aside(manifest, "it does not say what the folder is; it is written anew")
        elif names:
            self._found.append(Note("damaged_store", f"{manifest} was lost, and is written anew"))
        said = {
            "what": "fits made by scalingfit.refit",
            "format": FORMAT,
            "scalingfit": __version__,
        }
        write(manifest, (json.dumps(said, indent=1) + "\n").encode())

    def _put_aside(self, path: Path, why: str) -> None:
        try:
            path.rename(path.with_name(f"{path.name}{ASIDE}"))
            where = f"kept as {ASIDE}"
        except FileNotFoundError:  # by another process just now
            return
        except OSError as error:
            where = f"left where it is ({error.strerror})"
        text = f"{path} is damaged ({why}): {where}"
        self._found.append(Note("damaged_store", text))


def _chunk(packed: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as chunk:
        for identity, content in packed.items():
            # With no time of writing: equal fits are equal bytes.
            chunk.writestr(zipfile.ZipInfo(identity), content)
    return buffer.getvalue()


def _fits(file: IO[bytes], wanted: Mapping[str, Order]) -> dict[str, Posterior]:
    """The wanted fits of a chunk."""
    with zipfile.ZipFile(file) as chunk:
        here = [info for info in chunk.infolist() if info.filename in wanted]
        if any(info.compress_type != zipfile.ZIP_STORED for info in here):
            raise ValueError("its fits are packed otherwise")  # and might unpack to any size
        return {one.filename: unpack(chunk.read(one), wanted[one.filename]) for one in here}


def _read_json(path: Path) -> dict[str, Any]:
    """What a file says, where it is one and says something."""
    try:
        found = json.loads(path.read_text("utf-8")) if path.is_file() else None
    except (OSError, ValueError, RecursionError):
        found = None
    return found if isinstance(found, dict) else {}
