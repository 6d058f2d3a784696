"""The command `reconcile`: why exponents differ, stage by stage."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

import scalingfit as sf
from scalingfit._errors import InputError
from scalingfit._text import listed
from scalingfit.cli._picture import drawing
from scalingfit.cli._progress import progress
from scalingfit.cli._reply import Reply
from scalingfit.cli._sampling import AS_USUAL, Sampling
from scalingfit.cli._spelling import COMMAND_LINE
from scalingfit.cli._table import AS_IT_STANDS, Repeated, Source, Table, load
from scalingfit.cli._values import names, numbers, numbers_if_given
from scalingfit.cli.runs import understood

if TYPE_CHECKING:
    from scalingfit.runs import Runs

__all__ = ["reconcile"]


def reconcile(
    runs: Source,
    /,
    *,
    by: str | None = None,
    stages: str | None = None,
    law: str = "chinchilla",
    noise: str | None = None,
    budgets: str | None = None,
    recounted: Annotated[bool, Parameter(negative="")] = False,
    omega: str | None = None,
    published: Repeated = (),
    plot: Path | None = None,
    table: Table = AS_IT_STANDS,
    sampling: Sampling = AS_USUAL,
) -> Reply:
    """Find the exponent of N* in C in three ways, for every stage of an experiment.

    From the law's posterior, from isoFLOP profiles, and from the lower envelope. Exit code 1 where
    the fit of a stage is not to be relied on, or its runs do not allow one of the three.

    ```
    scalingfit reconcile runs.csv --by stage --published first=0.73 --published last=0.5
    scalingfit reconcile runs.csv --recounted --budgets 6e18,1e19,3e19
    scalingfit reconcile ladder --recounted --omega 255
    ```

    Parameters
    ----------
    by
        The column that names the stage; without it all runs are one stage, "all runs".
    stages
        The stages to show, in this order, with commas between them; by default all, as they come
        in the file.
    law
        A name that `scalingfit laws` lists.
    noise
        See `scalingfit fit --help`.
    budgets
        The budgets of the experiment in FLOP, with commas between them; by default runs of nearly
        the same compute are grouped, or a column named budget says.
    recounted
        Also show each stage with N and C counted without embeddings, by Pearce & Song's
        relation, and its law over the sizes of Kaplan et al.'s runs. N must be total.
    omega
        Size of the embeddings in that relation: the vocabulary times the cube root of
        width / (12 depth). By default 47491, which was fitted to Chinchilla's models.
    published
        An exponent to show beside a stage: `--published "last=0.5"`. May be repeated.
    plot
        Draw the exponents into this file (.png, .pdf or .svg).
    """
    with drawing(plot) as save:
        loaded = load(runs, table)
        chosen = _stages(loaded, by, stages)
        with progress(f"fitting {len(chosen)} stages"):
            found = sf.reconcile(
                chosen, law, noise, budgets=numbers_if_given("--budgets", budgets),
                recounted=recounted, omega=None if omega is None else numbers("--omega", omega)[0],
                published=_published(published), **sampling.options(),
            )  # fmt: skip
        drawn = save(lambda report: report.evidence_plots.reconciliation(found))
    unsound = any(not at.posterior.verdict.ok or at.missing for at in found.stages.values())
    return Reply(
        found.as_json(COMMAND_LINE), [understood(loaded), found], warned=unsound or not drawn
    )


def _stages(loaded: Runs, by: str | None, chosen: str | None) -> dict[str, Runs]:
    """The stages of a table by name: those that were chosen, or all in the order of the file."""
    if by is None:
        if chosen is not None:
            raise InputError("--stages needs --by", remedy="name the column of the stages: --by.")
        return {"all runs": loaded}
    parts = sorted(loaded.split(by).items(), key=lambda item: int(item[1].row_numbers[0]))
    found = {str(key): part for key, part in parts}
    wanted = list(found) if chosen is None else names(chosen)
    if strange := [name for name in wanted if name not in found]:
        raise InputError(
            f"--stages {strange[0]!r} is not a value of {by}",
            [f"{by} has: {listed(found)}"],
            remedy="choose among these.",
        )
    return {name: found[name] for name in wanted}


def _published(texts: tuple[str, ...]) -> dict[str, list[float]]:
    """``stage=0.73``, repeated, as numbers by stage."""
    found: dict[str, list[float]] = {}
    for text in texts:
        stage, _, number = text.rpartition("=")
        if not stage:
            raise InputError(
                f"--published {text!r} names no stage", remedy="write --published stage=0.73."
            )
        found.setdefault(stage.strip(), []).extend(numbers("--published", number))
    return found
