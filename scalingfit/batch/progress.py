"""How many fits are made, and the time left, on standard error."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

__all__ = ["counting"]


@contextlib.contextmanager
def counting(total: int, done: int, shown: bool | None = None) -> Iterator[Callable[[int], None]]:
    """Show a bar of fits; yields the function to call with the number of new ones.

    Parameters
    ----------
    total, done : int
        Fits that are wanted, and those that are there already.
    shown : bool, optional
        By default where somebody watches: on a terminal, and not in continuous integration.
    """
    console = Console(stderr=True, force_terminal=shown)
    if shown is None:
        shown = console.is_terminal and "CI" not in os.environ
    columns = (
        TextColumn("fits"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(compact=True)
    )  # fmt: skip
    with Progress(*columns, console=console, transient=True, disable=not shown) as bar:
        task = bar.add_task("fits", total=total)
        bar.advance(task, done)
        yield lambda count: bar.advance(task, count)
