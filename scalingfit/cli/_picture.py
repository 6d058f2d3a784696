"""Pictures that a command draws where it is asked to."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from scalingfit._files import replacing
from scalingfit.cli._reply import warn

__all__ = ["drawing", "picture_note"]


@contextlib.contextmanager
def drawing(path: Path | None) -> Iterator[Callable[[Callable[[ModuleType], Any]], bool]]:
    """Claim the place of a picture before the work, so that nothing is computed for nought.

    Yields a function to call once with what draws. That gets the package `scalingfit.report`, which
    is loaded only where there is a path: ``save(lambda report: report.plots.frontier(post, C))``.
    It gives False where the picture failed: that is said, and what was computed is still answered.
    """
    if path is None:
        yield lambda _: True
        return
    from scalingfit import report
    from scalingfit.report import evidence_plots, plots  # noqa: F401  # parts of `report`

    plots.format_of(path)
    drawn = True
    with contextlib.suppress(_NotDrawn), replacing(path) as place:

        def save(draw: Callable[[ModuleType], Any]) -> bool:
            nonlocal drawn
            try:
                plots.save(draw(report), place, path.suffix)
            except Exception as error:
                warn(f"{path} is not drawn: {type(error).__name__}: {error}")
                drawn = False
            return drawn

        yield save
        if not drawn:
            raise _NotDrawn


def picture_note(path: Path | None, drawn: bool) -> list[str]:
    """What is said of a picture that was asked for."""
    return [f"drawn in {path}"] if path is not None and drawn else []


class _NotDrawn(Exception):
    """Leaves the file as it was."""
