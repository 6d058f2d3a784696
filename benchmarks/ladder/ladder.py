"""Train runs one after the other, each into its row of the table."""

from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from . import table
from .corpus import Corpus, load
from .grid import Run
from .train import device, train

Train = Callable[..., tuple[float, float]]


def climb(runs: list[Run], out: Path) -> None:
    """Train what is missing of `runs` into ``ladder.csv`` in `out`."""
    fill(runs, out / "ladder.csv", load(out / "corpus"))


def fill(runs: list[Run], path: Path, corpus: Corpus, train: Train = train) -> None:
    """Train each run that has no row in `path` yet; a row appears when its run is done.

    Progress counts FLOP, and is shown on a terminal only.
    """
    missing = [run for run in runs if run.name not in table.finished(path)]
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task("", total=sum(run.budget for run in missing))
        for run in missing:
            progress.update(bar, description=run.name)
            share = run.budget / run.plan.steps
            before = progress.tasks[bar].completed

            def report(steps: int, before: float = before, share: float = share) -> None:
                progress.update(bar, completed=before + steps * share)

            loss, loss_se = train(run.shape, run.plan, corpus, run.seed, report)
            table.append(path, row(run, loss, loss_se))


def row(run: Run, loss: float, loss_se: float) -> table.Row:
    """What the table says of a finished run."""
    shape, plan = run.shape, run.plan
    return {
        "run": run.name,
        "params": shape.params,
        "params_non_embedding": shape.params_non_embedding,
        "width": shape.width,
        "depth": shape.depth,
        "tokens": plan.tokens,
        "flops_6nd": 6 * shape.params * plan.tokens,
        "flops_exact": shape.flops_per_token * plan.tokens,
        "loss": f"{loss:.6f}",
        "loss_se": f"{loss_se:.6f}",
        "seed": run.seed,
        "learning_rate": plan.learning_rate,
        "batch": plan.batch,
        "steps": plan.steps,
        "device": device(),
    }
