"""Commands about runs to make: `design` and `plan`."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

import scalingfit as sf
from scalingfit.cli._hardware import UNKNOWN, Hardware
from scalingfit.cli._picture import drawing, picture_note
from scalingfit.cli._reply import Reply
from scalingfit.cli._values import counted, names, number_if_given, numbers
from scalingfit.cli.questions import AS_USUAL, Terms, loaded_fit

if TYPE_CHECKING:
    from scalingfit.allocation import AspectRatio
    from scalingfit.experiments import Design, Experiment
    from scalingfit.result import Result

__all__ = ["design", "plan"]


@Parameter(name="*", group="Shapes of the models")
@dataclasses.dataclass(frozen=True)
class Shapes:
    """What models can be built, where the table is to say width, depth, batch and steps.

    Attributes
    ----------
    aspect
        Width over depth: 64.
    context
        Tokens in a sequence.
    vocabulary
        Size of the vocabulary.
    batch_tokens
        Tokens in a step: 512K.
    """

    aspect: str | None = None
    context: str = "2048"
    vocabulary: str = "32000"
    batch_tokens: str | None = None

    def options(self) -> dict[str, Any]:
        """The same as keywords of the library."""
        tokens = number_if_given("--batch-tokens", self.batch_tokens, "512K")
        return {"shapes": self._family(), "batch_tokens": tokens}

    def _family(self) -> AspectRatio | None:
        from scalingfit.allocation import AspectRatio

        aspect = number_if_given("--aspect", self.aspect, "64")
        if aspect is None:
            return None
        (context,) = numbers("--context", self.context)
        (vocabulary,) = numbers("--vocabulary", self.vocabulary)
        return AspectRatio(aspect=aspect, context=context, vocabulary=vocabulary)


ANY = Shapes()


def design(
    fit: Path,
    /,
    *,
    budget: str,
    target: str,
    aim: Literal["size", "loss"],
    pool: Path | None = None,
    batch: int = 8,
    out: Annotated[Path | None, Parameter(alias="-o")] = None,
    terms: Terms = AS_USUAL,
    shapes: Shapes = ANY,
    hardware: Hardware = UNKNOWN,
    plot: Path | None = None,
) -> Reply:
    """Choose the runs to make next, and say whether they are worth their cost.

    ```
    scalingfit design fit.nc --budget 5e20 --target 1e24 --aim size -o next.csv
    scalingfit design fit.nc --budget 5e20 --target 1e24 --aim loss --pool runs.csv --batch 16
    ```

    Parameters
    ----------
    fit
        A file that `scalingfit fit -o` wrote.
    budget
        What the batch may cost: FLOP, or with --hardware hours (5000h) or dollars ($2M).
    target
        The budgets that the fit is for, with commas between them.
    aim
        What is to be known at the target: how large to train, or which loss to expect. They make
        two different designs.
    pool
        A table of the runs that could be made, with a column for each input of the law, by the
        names that `scalingfit read` knows; by default a ladder of budgets about the optimum.
    batch
        How many runs there may be.
    out
        Write the runs into this CSV file, for a launcher.
    plot
        Draw the runs into this file (.png, .pdf or .svg).
    """
    post, options = loaded_fit(fit), terms.options(demand=False)
    found = sf.design(
        post,
        budget,
        target=names(target),
        aim=aim,
        pool=pool,
        batch=batch,
        costs=hardware.costs(),
        **shapes.options(),
        **options,
    )
    return _reply(found, out, plot, warned=not post.verdict.ok)


def plan(
    *,
    budget: str,
    target: str,
    law: str = "chinchilla",
    about: str | None = None,
    sigma: float = 0.01,
    exact: Annotated[bool, Parameter(negative="")] = False,
    out: Annotated[Path | None, Parameter(alias="-o")] = None,
    counting: str = "6ND",
    max_params: str | None = None,
    shapes: Shapes = ANY,
    hardware: Hardware = UNKNOWN,
    plot: Path | None = None,
) -> Reply:
    """Propose a first experiment, before there are any runs: a grid, and what it would tell.

    ```
    scalingfit plan --budget 1e20 --target 1e23 -o grid.csv
    scalingfit plan --budget 1e20 --target 1e23 --about hoffmann-2022 --aspect 64 -o grid.csv
    ```

    Parameters
    ----------
    budget
        What all runs may cost: FLOP, or with --hardware hours (5000h) or dollars ($2M).
    target
        The budgets that the experiment is for, with commas between them.
    law
        A law of N and D.
    about
        A published point of the law to take as the truth; by default laws are drawn from its prior.
    sigma
        The scatter of a run, relative to its loss.
    exact
        Assume that the law has no error.
    out
        Write the runs into this CSV file, for a launcher.
    counting
        What a run costs: a name that `scalingfit rules` lists.
    max_params
        The largest model allowed.
    plot
        Draw the runs into this file (.png, .pdf or .svg).
    """
    found = sf.plan(
        budget,
        target=names(target),
        law=law,
        about=about,
        sigma=sigma,
        exact=exact,
        counting=counted(counting, None),
        max_params=number_if_given("--max-params", max_params, "7B"),
        costs=hardware.costs(),
        **shapes.options(),
    )
    small = any(note.code == "small_models" for note in found.notes)
    return _reply(found, out, plot, warned=small)


def _reply(
    found: Design | Experiment, out: Path | None, plot: Path | None, *, warned: bool
) -> Reply:
    with drawing(plot) as save:
        drawn = save(lambda report: report.picture(found))
    shown: list[Result | str] = [found, *picture_note(plot, drawn)]
    if out is not None:
        found.save(out)
        shown.append(f"written to {out}")
    return Reply(found, shown, warned=warned or not drawn)
