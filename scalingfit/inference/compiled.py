"""Compiled programs, and room for them.

Each takes some two hundred memory maps of the process, of which Linux allows 65,530 by default
(vm.max_map_count): a few dozen shapes of tables under a few laws, and beyond that LLVM ends the
process. So where the limit is near, the programs that were not used for longest are let go; where
they are needed again they are compiled again.
"""

from __future__ import annotations

import dataclasses
import gc
import itertools
import threading
import weakref
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import jax

__all__ = ["Compiled"]

type Program = Callable[..., Any]

MAPS, LIMIT = Path("/proc/self/maps"), Path("/proc/sys/vm/max_map_count")
CROWDED = 0.6
"""Share of the limit beyond which there is no more room: one program more must fit in any case."""

_clock = itertools.count()


@dataclasses.dataclass
class _Entry:
    program: Future[Program]
    used: int = 0


class Compiled:
    """The programs of one function, by the kind of their arguments."""

    def __init__(self) -> None:
        self._known: dict[Hashable, _Entry] = {}
        self._lock = threading.Lock()
        with _adding:
            _all.add(self)

    def program(self, kind: Hashable, make: Callable[[], Program]) -> Program:
        """The one for a kind of arguments: of several threads that need it only one makes it."""
        with self._lock:
            first = kind not in self._known
            entry = self._known.setdefault(kind, _Entry(Future()))
        entry.used = next(_clock)
        if first:
            try:
                _make_room()
                entry.program.set_result(make())
            except BaseException as error:
                self.forget(kind)
                entry.program.set_exception(error)
                raise
        return entry.program.result()

    def ready(self) -> list[tuple[int, Compiled, Hashable]]:
        """When each that is compiled was used, and how it is found."""
        with self._lock:
            known = list(self._known.items())
        return [(entry.used, self, kind) for kind, entry in known if entry.program.done()]

    def forget(self, kind: Hashable) -> None:
        """Let a program go; calls of it that are under way keep it."""
        with self._lock:
            self._known.pop(kind, None)


_all: weakref.WeakSet[Compiled] = weakref.WeakSet()
_adding = threading.Lock()


def _make_room() -> None:
    """Let go the half of all programs that was not used for longest, where there is no room."""
    if not _crowded():
        return
    with _adding:
        every = list(_all)
    ready = sorted((each for one in every for each in one.ready()), key=lambda each: each[0])
    for _, owner, kind in ready[: (len(ready) + 1) // 2]:
        owner.forget(kind)
    del every, ready
    gc.collect()
    if _crowded():  # by programs that are not ours
        jax.clear_caches()


def _crowded() -> bool:
    """Whether the process has nearly as many memory maps as the system allows, where it says so."""
    try:
        with MAPS.open("rb") as maps:
            return sum(1 for _ in maps) > CROWDED * int(LIMIT.read_text())
    except OSError:
        return False
