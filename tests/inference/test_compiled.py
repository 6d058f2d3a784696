"""Compiled programs leave room for others, and are made again where they are needed again."""

import weakref
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np
import pytest
from numpy.typing import NDArray

from scalingfit.inference import compiled, fit
from scalingfit.inference.compiled import Compiled
from tests.simulated import simulated

LIMIT = 1000


@pytest.fixture
def maps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Say how many memory maps the process has, of the thousand that it may have."""
    monkeypatch.setattr(compiled, "MAPS", tmp_path / "maps")
    monkeypatch.setattr(compiled, "LIMIT", tmp_path / "limit")
    monkeypatch.setattr(compiled, "_all", weakref.WeakSet())
    monkeypatch.setattr(jax, "clear_caches", lambda: None)
    (tmp_path / "limit").write_text(f"{LIMIT}\n")

    def say(count: int) -> None:
        (tmp_path / "maps").write_text("map\n" * count)

    return say


def made(programs: Compiled, *kinds: str) -> list[str]:
    """Which of the programs had to be made."""
    new: list[str] = []

    def make(kind: str) -> Callable[[], str]:
        new.append(kind)
        return lambda: kind

    for kind in kinds:
        assert programs.program(kind, lambda kind=kind: make(kind))() == kind  # type: ignore[misc]
    return new


def test_what_was_not_used_for_longest_goes_where_room_is_short(
    maps: Callable[[int], None],
) -> None:
    one, other = Compiled(), Compiled()
    maps(LIMIT // 2)
    assert made(one, "a", "b", "a") == ["a", "b"]
    assert made(other, "c") == ["c"]
    maps(LIMIT - 1)
    assert made(one, "a", "b", "a") == []  # nothing new, so nothing goes
    assert made(other, "d") == ["d"]  # in the place of c and of b
    maps(LIMIT // 2)
    assert made(one, "a") == []
    assert made(one, "b") == ["b"]
    assert made(other, "c", "d") == ["c"]


def test_jax_lets_go_of_its_own_where_ours_are_too_few(
    maps: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    cleared: list[None] = []
    monkeypatch.setattr(jax, "clear_caches", lambda: cleared.append(None))
    maps(LIMIT // 2)
    made(Compiled(), "a")
    assert not cleared
    maps(LIMIT)
    made(Compiled(), "a")
    assert cleared


def test_a_system_without_a_limit_keeps_all(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(compiled, "LIMIT", tmp_path / "none")
    programs = Compiled()
    assert made(programs, "a", "b", "a", "b") == ["a", "b"]


def test_a_program_that_cannot_be_made_is_tried_again() -> None:
    programs = Compiled()

    def fails() -> Callable[[], str]:
        raise MemoryError

    with pytest.raises(MemoryError):
        programs.program("a", fails)
    assert made(programs, "a") == ["a"]


def test_fits_are_the_same_without_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that may have no more maps than it has fits as before, and takes hardly more."""
    runs = simulated("chinchilla", 9)

    def draws() -> NDArray[np.float64]:
        return fit(runs, draws=100, retries=0).draws["E"]

    expected = draws()
    here = Path("/proc/self/maps")
    if not here.is_file():
        pytest.skip("this system does not list memory maps")
    before = len(here.read_bytes().splitlines())
    (tmp_path / "limit").write_text(str(before))
    monkeypatch.setattr(compiled, "LIMIT", tmp_path / "limit")
    programs = sum(len(one.ready()) for one in compiled._all)
    fit(simulated("chinchilla", 20), draws=100, retries=0)
    np.testing.assert_array_equal(draws(), expected)
    assert sum(len(one.ready()) for one in compiled._all) <= programs
