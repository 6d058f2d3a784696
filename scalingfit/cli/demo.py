"""The command `demo`: from the shipped table to a figure, in one go."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from scalingfit._errors import InputError
from scalingfit.cli._progress import progress
from scalingfit.cli._reply import Reply
from scalingfit.cli._spelling import COMMAND_LINE
from scalingfit.cli._table import Table, load
from scalingfit.cli.fits import fitted, usual_frontier
from scalingfit.cli.runs import understood

__all__ = ["demo"]

NEAR_THE_FRONTIER = ("C>1.9e11", "D/N>1.5", "D/N<400")
"""The upper three budgets, within a factor of about 4 of the optimal size. The law does not hold in
the corners of the table, as ``benchmarks/ladder/README.md`` tells and the verdict of a fit to all
of it says; so a fit that is to be extrapolated leaves them out."""


def demo(
    *, out: Annotated[Path, Parameter(alias="-o")] = Path("scalingfit-demo"), seed: int = 0
) -> Reply:
    """Fit Chinchilla's law to the shipped table of small language models.

    Takes the runs near the frontier, prints the posterior, its verdict and the frontier, and writes
    the fit and its figures.

    ```
    scalingfit demo
    ```

    Parameters
    ----------
    out
        Folder for the fit and the figures.
    seed
        Seed of the draws.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"cannot make the folder {str(out)!r}: {error.strerror}",
            remedy="name another one: scalingfit demo --out FOLDER.",
        ) from None
    runs = load(("ladder",), Table(where=NEAR_THE_FRONTIER))
    post = fitted(runs, law="chinchilla", seed=seed)
    found = usual_frontier(post)
    post.save(out / "fit.nc")
    with progress("drawing"):
        from scalingfit.report import plots

        plots.save(plots.overview(post), out / "overview.png")
        plots.save(plots.frontier(post), out / "frontier.png")
    written = [str(out / name) for name in ("fit.nc", "overview.png", "frontier.png")]
    data = {**post.as_json(COMMAND_LINE), "frontier": found, "written": written}
    last = (
        f"written: {', '.join(written)}\n"
        f"next: scalingfit frontier {written[0]} --compute 1e15, or your own table: "
        "scalingfit fit runs.csv"
    )
    answers = [post] if found is None else [post, found]
    return Reply(data, [understood(runs), *answers, last], warned=not post.verdict.ok)
