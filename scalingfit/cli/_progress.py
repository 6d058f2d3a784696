"""A line on standard error that says what takes so long; nothing where nobody watches."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

__all__ = ["progress"]

REQUESTED = "/jax/compilation_cache/compile_requests_use_cache"
COMPILED = "/jax/core/compile/backend_compile_duration"


@contextlib.contextmanager
def progress(what: str) -> Iterator[None]:
    """Show `what`, the time it takes, and whether JAX is compiling for it."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield
        return
    from jax import monitoring

    columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True) as shown:
        task = shown.add_task(what)

        def on_event(event: str, **_: object) -> None:
            if event == REQUESTED:
                shown.update(task, description=f"{what}: compiling")

        def on_duration(event: str, duration_secs: float, **_: object) -> None:
            if event == COMPILED:
                shown.update(task, description=what)

        monitoring.register_event_listener(on_event)
        monitoring.register_event_duration_secs_listener(on_duration)
        try:
            yield
        finally:
            monitoring.unregister_event_listener(on_event)
            monitoring.unregister_event_duration_listener(on_duration)
