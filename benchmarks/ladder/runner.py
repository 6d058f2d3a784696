"""Train runs one after the other, each into its row of the table."""

from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from . import table
from .grid import Run

#: Trains a run, telling how many steps are done; returns the loss and its standard error.
Train = Callable[[Run, Callable[[int], None]], tuple[float, float]]


def fill(runs: list[Run], path: Path, train: Train, device: str) -> None:
    """Train each run that has no row in `path` yet; a row appears when its run is done.

    Progress counts FLOP, and is shown on a terminal only.
    """
    finished = table.finished(path)
    missing = [run for run in runs if run.name not in finished]
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task("", total=sum(run.budget for run in missing))
        before = 0.0
        for run in missing:
            progress.update(bar, description=run.name)

            def report(steps: int, run: Run = run, before: float = before) -> None:
                progress.update(bar, completed=before + run.budget * steps / run.plan.steps)

            loss, loss_se = train(run, report)
            table.append(path, row(run, loss, loss_se, device))
            before += run.budget


def row(run: Run, loss: float, loss_se: float, device: str) -> table.Row:
    """What the table says of a finished run."""
    shape, plan = run.shape, run.plan
    values = (
        run.name,
        shape.params,
        shape.params_non_embedding,
        shape.width,
        shape.depth,
        plan.tokens,
        6 * shape.params * plan.tokens,
        shape.flops_per_token * plan.tokens,
        f"{loss:.6f}",
        f"{loss_se:.6f}",
        run.seed,
        plan.learning_rate,
        plan.batch,
        plan.steps,
        device,
    )
    return dict(zip(table.COLUMNS, values, strict=True))
