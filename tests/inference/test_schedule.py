"""What chains share on their way, and how they are stopped."""

import threading
from typing import Any

import pytest

from scalingfit.inference import schedule


@pytest.mark.parametrize(("cores", "threads"), [(1, 1), (2, 2), (8, 3)])
def test_parts_go_side_by_side_where_there_are_cores(
    monkeypatch: pytest.MonkeyPatch, cores: int, threads: int
) -> None:
    monkeypatch.setattr(schedule, "core_count", lambda: cores)
    together = threading.Barrier(threads)

    def part(first: int) -> tuple[int, int]:
        if first < threads:
            together.wait(10)  # broken, unless so many are under way
        return first, threading.get_ident()

    made = bare()._beside(part, range(3))
    assert [first for first, _ in made] == [0, 1, 2]
    assert (made[0][1] == threading.get_ident()) == (cores == 1)


def test_an_interrupt_stops_the_other_chains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "core_count", lambda: 2)
    one, seen, together = bare(), [], threading.Barrier(2)

    def part(first: int) -> None:
        together.wait(10)
        if first == 0:
            raise KeyboardInterrupt
        seen.append(one.stopped.wait(10))

    with pytest.raises(KeyboardInterrupt):
        one._beside(part, range(2))
    assert seen == [True]


def bare() -> Any:
    """Phases that have nothing to sample."""
    one = object.__new__(schedule._Phases)
    one.stopped = threading.Event()
    return one
