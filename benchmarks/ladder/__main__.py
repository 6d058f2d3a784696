"""`python -m benchmarks.ladder`: train the ladder, or what is missing of it."""

from pathlib import Path
from typing import Annotated

import cyclopts

app = cyclopts.App(name="python -m benchmarks.ladder", help_format="plaintext")
OUT = Path("benchmarks/out/ladder")


@app.default
def ladder(
    *,
    budgets: Annotated[list[float] | None, cyclopts.Parameter(consume_multiple=True)] = None,
    out: Path = OUT,
) -> None:
    """Train every run of the grid that is not in OUT/ladder.csv yet.

    Stop it at any time: a run is in the table or not at all, and the next start trains the rest.

    Parameters
    ----------
    budgets
        Budgets in FLOP, out of grid.GRID; all of them by default.
    out
        Folder of the corpus (built on first use, about 450 MB) and of the table.
    """
    from . import grid

    if unknown := [budget for budget in budgets or () if budget not in grid.GRID]:
        known = " ".join(f"{budget:g}" for budget in grid.GRID)
        raise SystemExit(f"{unknown[0]:g} is no budget of the grid; it has: {known}")
    from . import corpus, runner, train

    text = corpus.load(out / "corpus")
    runner.fill(
        list(grid.runs(budgets or grid.GRID)),
        out / "ladder.csv",
        lambda run, report: train.train(run.shape, run.plan, text, run.seed, report),
        train.device(),
    )


@app.command
def tune(*, out: Path = OUT) -> None:
    """Train the sweep that set the learning rates and batches, into OUT/tuning.csv.

    Parameters
    ----------
    out
        Folder of the corpus and of the table.
    """
    from .tune import tune

    tune(out)


if __name__ == "__main__":
    app()
