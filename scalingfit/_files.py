"""Files appear whole or not at all, and say whether they are still what was written."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

from scalingfit._errors import InputError

__all__ = ["distrust", "replacing", "require_place", "sealed", "unsealed", "write"]

SEAL = b"\nscalingfit:sha256:"  # what stands before the digest, at the end of a file
TAIL = len(SEAL) + 2 * hashlib.sha256().digest_size
# Of the disk, not of the program that writes.
REMEDIES = {
    errno.ENOSPC: "free space on its disk, or name a place on another one.",
    errno.EDQUOT: "free some of your quota, or name a place on another disk.",
    errno.EFBIG: "raise the limit on the size of files (ulimit -f), or name another place.",
    errno.EROFS: "name a place on a disk that can be written to.",
    errno.EIO: "look after the disk, and name a place on another one.",
}


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary path beside `path`, which takes its place once the block has ended well.

    Raises
    ------
    InputError
        Where the folder is missing or cannot be written to, said before any work is lost; where the
        disk takes no more; where `path` is no file, such as a device. In each case it is as it was.
    """
    target = _place(path)
    part = _begun(target)
    try:
        yield part
        with part.open("rb+") as written:
            os.fsync(written.fileno())
        part.replace(target)
        _sync_folder(target.parent)
    except OSError as error:
        if error.errno not in REMEDIES:
            raise
        raise _unwritten(target, error) from None
    finally:
        with contextlib.suppress(OSError):  # of a disk that went away; the first error is reported
            part.unlink(missing_ok=True)


def write(path: str | os.PathLike[str], content: bytes) -> None:
    """Put bytes into a file, whole or not at all.

    Raises
    ------
    InputError
        As `replacing` does.
    """
    with replacing(path) as part:
        part.write_bytes(content)


def require_place(path: str | os.PathLike[str]) -> None:
    """Refuse a path that nothing can be written to, before the work whose result goes there.

    Raises
    ------
    InputError
    """
    _begun(_place(path)).unlink()


def sealed(content: bytes) -> bytes:
    """The content with its digest behind it; readers of HDF5 stop before that."""
    return content + SEAL + _digest(content)


def unsealed(content: bytes) -> bytes | None:
    """What was sealed, where it is still the same to the last bit; else None."""
    inner, tail = content[:-TAIL], content[-TAIL:]
    return inner if tail == SEAL + _digest(inner) else None


def distrust(folder: Path) -> str | None:
    """Why what lies in a folder is not to be run: others than this user may have put it there.

    None where only this user can, and where there is no such folder.
    """
    try:
        found = folder.lstat()
    except OSError:
        return None
    if not hasattr(os, "geteuid"):  # Windows, whose permissions are of another kind
        return None
    if found.st_uid != os.geteuid():
        return f"{folder} belongs to another user; name another folder"
    if stat.S_ISLNK(found.st_mode):
        return distrust(folder.resolve())
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return f"others may write to {folder}; write 'chmod go-w {folder}' if nobody did"
    for above in folder.absolute().parents:
        mode = above.stat().st_mode
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            return f"others may put another folder in the place of {folder}; name another folder"
    return None


def _place(path: str | os.PathLike[str]) -> Path:
    """Where the file is or will be: behind a link, which stays one."""
    target = Path(path)
    target = target.resolve() if target.is_symlink() else target
    if target.exists() and not target.is_file():
        kind = "a folder" if target.is_dir() else "no file but a device or a pipe"
        raise InputError(
            f"cannot write {str(path)!r}: it is {kind}",
            remedy="name a file, in this folder or another one.",
        )
    return target


def _begun(target: Path) -> Path:
    """A new file beside the target."""
    part = target.with_name(f".{target.name}.{secrets.token_hex(8)}.part")
    try:
        # Not by `tempfile`, whose files are private: these are for whom the umask says.
        os.close(os.open(part, os.O_CREAT | os.O_EXCL, 0o666))
    except OSError as error:
        raise _unwritten(target, error) from None
    return part


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()


def _unwritten(target: Path, error: OSError) -> InputError:
    usual = "name a file in an existing folder that you may write to."
    return InputError(
        f"cannot write {str(target)!r}: {error.strerror}",
        remedy=REMEDIES.get(error.errno or 0, usual),
    )


def _sync_folder(folder: Path) -> None:
    """Make the new name durable, where the system can sync folders."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
