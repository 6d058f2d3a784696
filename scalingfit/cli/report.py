"""The command `report`: a page about a fit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

import scalingfit as sf
from scalingfit.cli._hardware import UNKNOWN, Hardware
from scalingfit.cli._progress import progress
from scalingfit.cli._reply import Reply
from scalingfit.cli._spelling import COMMAND_LINE
from scalingfit.cli._values import names
from scalingfit.cli.questions import AS_USUAL, Terms, loaded_fit

__all__ = ["report"]


def report(
    fit: Path,
    /,
    *more: Path,
    out: Annotated[Path, Parameter(alias="-o")] = Path("report.html"),
    compute: Annotated[str | None, Parameter(alias="-C")] = None,
    terms: Terms = AS_USUAL,
    hardware: Hardware = UNKNOWN,
) -> Reply:
    """Write a report on a fit to hand on: one page, in one file that works offline.

    It says the answer in three sentences, shows what that rests on, and answers further questions
    by itself: budgets, sizes, tokens, serving and prices can be changed in the page.

    ```
    scalingfit report fit.nc --compute 1e24
    scalingfit report fit.nc kaplan.nc compare.json compare.svg --compute 1e24 -o report.html
    ```

    Parameters
    ----------
    fit
        A file that `scalingfit fit -o` wrote.
    more
        What else belongs on the page: other fits, and what other commands gave, as `scalingfit
        compare runs.csv --json --plot compare.svg > compare.json` keeps it.
    out
        Where to write the page.
    compute
        The budgets that it is about, with commas between them: FLOP, or with --hardware hours
        (5000h) or dollars ($2M). A law that splits no budget takes none.
    """
    post = loaded_fit(fit)
    added = [sf.load(path) if path.suffix == ".nc" else path for path in more]
    with progress("writing the report"):
        post.report(
            out,
            None if compute is None else names(compute),
            *added,
            costs=hardware.costs(),
            face=COMMAND_LINE,
            **terms.options(demand=False),
        )
    return Reply({"written": str(out)}, [f"written: {out}"], warned=not post.verdict.ok)
