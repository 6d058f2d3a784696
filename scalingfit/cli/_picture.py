"""Pictures that a command draws where it is asked to."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from scalingfit._files import replacing

__all__ = ["drawing"]


@contextlib.contextmanager
def drawing(path: Path | None) -> Iterator[Callable[[Callable[[ModuleType], Any]], None]]:
    """Claim the place of a picture before the work, so that nothing is computed for nought.

    Yields a function to call once with what draws. That gets the package `scalingfit.report`, which
    is loaded only where there is a path: ``save(lambda report: report.plots.frontier(post, C))``.
    """
    if path is None:
        yield lambda _: None
        return
    from scalingfit import report
    from scalingfit.report import evidence_plots, plots  # noqa: F401  # parts of `report`

    plots.format_of(path)
    with replacing(path) as place:

        def save(draw: Callable[[ModuleType], Any]) -> None:
            plots.save(draw(report), place, path.suffix)

        yield save
