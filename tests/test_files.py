"""Files appear whole or not at all."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from scalingfit._errors import InputError
from scalingfit._files import replacing


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
