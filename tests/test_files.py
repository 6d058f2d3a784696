"""Files appear whole or not at all."""

import errno
import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from scalingfit._errors import InputError
from scalingfit._files import distrust, replacing, require_place, sealed, unsealed, write
from tests.damage import damaged


def test_a_file_appears_when_the_block_ends_well(tmp_path: Path) -> None:
    target = tmp_path / "fit.nc"
    with replacing(target) as part:
        part.write_bytes(b"new")
        assert not target.exists()
        assert part.parent == tmp_path
    assert target.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_crash_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, error: type[BaseException]
) -> None:
    target = tmp_path / "fit.nc"
    target.write_bytes(b"old")
    with pytest.raises(error), replacing(target) as part:  # noqa: PT012
        part.write_bytes(b"half")
        raise error
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_the_file_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    with replacing(tmp_path / "ours") as part:
        part.write_text("x")
    (tmp_path / "plain").write_text("x")
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("ours", "plain")]
    assert modes[0] == modes[1]


def test_threads_leave_the_umask_alone(tmp_path: Path) -> None:
    """It belongs to the whole process: whoever reads it by setting it opens others' files."""
    before = os.umask(0)
    os.umask(before)

    def write(number: int) -> None:
        with replacing(tmp_path / str(number)) as part:
            part.write_text("x")

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(write, range(200)))
    after = os.umask(before)
    assert after == before
    assert len(list(tmp_path.iterdir())) == 200


def test_a_name_alone_is_a_file_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with replacing("fit.nc") as part:
        part.write_text("x")
    assert (tmp_path / "fit.nc").read_text() == "x"


def test_a_missing_folder_is_told_before_any_work(tmp_path: Path) -> None:
    with (
        pytest.raises(InputError, match=r"cannot write .*No such file"),
        replacing(tmp_path / "no" / "fit.nc"),
    ):
        pytest.fail("the block must not run")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_leave_to_write_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(InputError, match="Permission denied"), replacing(tmp_path / "fit.nc"):
            pytest.fail("the block must not run")
    finally:
        tmp_path.chmod(0o700)


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="it is a folder"), replacing(tmp_path):
        pytest.fail("the block must not run")


def test_a_device_or_a_pipe_is_not_replaced(tmp_path: Path) -> None:
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    for path in (pipe, link, Path(os.devnull)):
        with pytest.raises(InputError, match="it is no file but a device or a pipe"):
            write(path, b"new")
        with pytest.raises(InputError, match="it is no file"):
            require_place(path)
    assert pipe.is_fifo()
    assert not Path(os.devnull).is_file()


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    target, link = tmp_path / "fit.nc", tmp_path / "latest.nc"
    link.symlink_to(target)
    write(link, b"first")
    write(link, b"second")
    assert link.is_symlink()
    assert target.read_bytes() == b"second"


def test_a_place_is_tried_before_the_work(tmp_path: Path) -> None:
    require_place(tmp_path / "fit.nc")
    assert not list(tmp_path.iterdir())
    with pytest.raises(InputError, match="cannot write"):
        require_place(tmp_path / "no" / "fit.nc")


# --- disks that fail ----------------------------------------------------------------------------

STEPS = {"open": "os.open", "write": "pathlib.Path.write_bytes", "fsync": "os.fsync",
         "rename": "pathlib.Path.replace"}  # fmt: skip
KINDS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)


@pytest.mark.fault("save", "open, write, fsync or rename fails", "refused; the old file stays")
@pytest.mark.parametrize("kind", KINDS, ids=errno.errorcode.__getitem__)
@pytest.mark.parametrize("step", STEPS)
def test_a_disk_that_fails_is_told_and_leaves_the_old_file(
    step: str, kind: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "fit.nc"
    target.write_bytes(b"old")

    def fail(*_: Any, **__: Any) -> None:
        raise OSError(kind, os.strerror(kind))

    with monkeypatch.context() as patched:
        patched.setattr(STEPS[step], fail)
        with pytest.raises(InputError, match=f"(?s)cannot write .*{os.strerror(kind)}.*do: "):
            write(target, b"new")
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a small disk can be made by root alone")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.fault("save", "the disk is full", "refused in words; the old file stays")
def test_a_full_disk_is_told_and_leaves_the_old_file(small_disk: Path) -> None:
    write(small_disk / "fit.nc", b"old")
    with pytest.raises(InputError, match=r"(?s)No space left on device.*free space on its disk"):
        write(small_disk / "fit.nc", bytes(100_000))
    assert (small_disk / "fit.nc").read_bytes() == b"old"
    write(small_disk / "fit.nc", bytes(30_000))
    assert len(list(small_disk.iterdir())) == 1


# --- seals --------------------------------------------------------------------------------------


def test_a_seal_is_opened_where_nothing_was_changed() -> None:
    content = bytes(range(256)) * 50
    assert unsealed(sealed(content)) == content
    assert unsealed(sealed(b"")) == b""
    assert unsealed(content) is None
    for kind, copy in damaged(sealed(content), 200):
        assert unsealed(copy) is None, kind


# --- folders of code ----------------------------------------------------------------------------


def test_a_folder_is_trusted_where_its_owner_alone_can_write(tmp_path: Path) -> None:
    place = tmp_path / "programs"
    assert distrust(place) is None  # there is nothing to run
    place.mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(place)
    assert distrust(place) is distrust(tmp_path / "link") is None
    place.chmod(0o775)
    assert "others may write" in str(distrust(place))
    assert "others may write" in str(distrust(tmp_path / "link"))
    place.chmod(0o755)
    assert distrust(place) is None
    tmp_path.chmod(0o777)
    assert "in the place of" in str(distrust(place))
    tmp_path.chmod(0o1777)  # as /tmp: who may write there cannot rename what others own
    assert distrust(place) is None
    tmp_path.chmod(0o700)
