"""The command `demo`: from the shipped table to a figure, in one go."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

import scalingfit as sf
from scalingfit._errors import InputError
from scalingfit.cli._progress import progress
from scalingfit.cli._reply import Reply
from scalingfit.cli.fits import fitted, usual_frontier
from scalingfit.cli.runs import understood

__all__ = ["demo"]


def demo(
    *, out: Annotated[Path, Parameter(alias="-o")] = Path("scalingfit-demo"), seed: int = 0
) -> Reply:
    """Fit Chinchilla's law to the shipped table of small language models.

    Prints the posterior, its verdict and the frontier, and writes the fit and its figures.

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
    runs = sf.datasets.load("ladder")
    post = fitted(runs, law="chinchilla", seed=seed)
    found = usual_frontier(post)
    post.save(out / "fit.nc")
    with progress("drawing"):
        from scalingfit.report import plots

        plots.save(plots.overview(post), out / "overview.png")
        plots.save(plots.frontier(post), out / "frontier.png")
    written = [str(out / name) for name in ("fit.nc", "overview.png", "frontier.png")]
    data = post.as_json() | {"frontier": found.summary() if found else None, "written": written}
    last = "\n".join(
        [f"written to {out}: fit.nc, overview.png (look at it), frontier.png",
         f"next: scalingfit frontier {out / 'fit.nc'} --compute 1e15"]
    )  # fmt: skip
    return Reply(data, [understood(runs), post, found, last], warned=not post.verdict.ok)
