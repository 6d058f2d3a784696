"""Files appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from scalingfit._errors import InputError

__all__ = ["replacing"]


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary path beside `path`, which takes its place once the block has ended well.

    Raises
    ------
    InputError
        Where the folder is missing or cannot be written to; said before any work is lost.
    """
    target = Path(path)
    if target.is_dir():
        raise InputError(
            f"cannot write {str(target)!r}: it is a folder",
            remedy="name a file, in this folder or another one.",
        )
    part = target.with_name(f".{target.name}.{secrets.token_hex(8)}.part")
    try:
        # Not by `tempfile`, whose files are private: these are for whom the umask says.
        os.close(os.open(part, os.O_CREAT | os.O_EXCL, 0o666))
    except OSError as error:
        raise InputError(
            f"cannot write {str(target)!r}: {error.strerror}",
            remedy="name a file in an existing folder that you may write to.",
        ) from None
    try:
        yield part
        with part.open("rb+") as written:
            os.fsync(written.fileno())
        part.replace(target)
        _sync_folder(target.parent)
    finally:
        part.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Make the new name durable, where the system can sync folders."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
