"""The report of a fit: one page that can be handed on, with an explorer and without a server."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from numpy.typing import ArrayLike

from scalingfit._errors import InputError
from scalingfit._files import require_place, write
from scalingfit._messages import PYTHON, Argument, Face, Message, spelled
from scalingfit._text import engineering, interval, quantity
from scalingfit.allocation import (
    Costs,
    Decision,
    Frontier,
    Rule,
    Terms,
    decide,
    frontier,
    splits,
    subject,
    terms,
)
from scalingfit.inference import Posterior
from scalingfit.report import plots
from scalingfit.report._controls import Control, controls
from scalingfit.report._explorer import Explorer, explorer
from scalingfit.report._page import Section, embedded, pictured, rendered, require_templates
from scalingfit.report._recorded import Drawing, Recorded, recorded
from scalingfit.report._valley import valley_of
from scalingfit.report.pictures import picture
from scalingfit.result import Result, jsonable

__all__ = ["report"]


class Answer(NamedTuple):
    """What the page says of the budgets."""

    frontier: Frontier
    decision: Decision
    options: Mapping[str, Any]
    costs: Costs | None


def report(
    posterior: Posterior,
    path: str | os.PathLike[str],
    C: ArrayLike | str | Sequence[str] | None = None,
    *more: Result | str | os.PathLike[str],
    counting: Rule = "6ND",
    max_params: float | None = None,
    costs: Costs | None = None,
    face: Face = PYTHON,
    **extras: ArrayLike,
) -> None:
    """Write a page about a fit: the answer, how sure it is, an explorer, and what it rests on.

    The page is one file that works offline.

    Parameters
    ----------
    posterior : Posterior
    path : path
        Where to write it.
    C : float, str or a sequence of these, shape (budget,)
        Budgets to answer, as for `scalingfit.frontier`; none for a law that splits no budget.
    *more : Result or path
        What else belongs to it: forecasts, decisions, comparisons, backtests, other fits; or files
        of answers that commands printed with ``--json``, and of pictures that they drew.
    counting, max_params, costs, **extras
        As for `scalingfit.decide`; single values.
    face : Face
        Whose arguments the sentences name.

    Raises
    ------
    InputError
        Budgets are missing, or asked of a law that splits none; Jinja2 is not installed; the file
        cannot be written.
    """
    require_templates()
    require_place(path)
    added = [each if isinstance(each, Result) else recorded(each) for each in more]
    options = {"counting": counting, "max_params": max_params, **extras}
    answer = _answered(posterior, C, options, costs)
    made, left_out = _explorer(posterior, answer)
    page = rendered(
        made,
        title=posterior.title,
        verdict=posterior.verdict,
        answers=[] if answer is None else _sentences(posterior, answer),
        left_out=left_out,
        controls={} if made is None or answer is None else _controls(posterior, answer, made),
        counting="" if answer is None else _counted(posterior, answer).training.describe(),
        unit=_unit(posterior),
        sections=[
            *([] if answer is None else [_best(posterior, answer), _wrong(posterior, answer)]),
            _runs(posterior, face),
            _learnt(posterior),
            *_further(added),
        ],
        provenance=_record(posterior),
    )
    write(path, page)


def _answered(
    posterior: Posterior, C: Any, options: Mapping[str, Any], costs: Costs | None
) -> Answer | None:
    """What is said of the budgets; None where the law splits none."""
    name = posterior.model.law.name
    if not splits(type(posterior.law)):
        if C is not None:
            raise InputError(
                f"the law {name} splits no budget: its loss depends on "
                f"{', '.join(posterior.law.inputs())} alone",
                remedy=Message("leave ", Argument("C", kind="input"), " out."),
            )
        return None
    if C is None:
        raise InputError(
            f"which budgets is the report about? The law {name} can split them",
            remedy=Message("name one or more: ", Argument("C", 1e24, "input"), "."),
        )
    found = frontier(posterior, C, costs=costs, **options)
    return Answer(found, decide(posterior, C, costs=costs, **options), options, costs)


def _sentences(posterior: Posterior, answer: Answer) -> list[list[str]]:
    """Three sentences a budget: what to train, how far that is, and what being wrong costs."""
    found, said = answer.frontier, answer.decision.conclusion.splitlines()
    largest = _spent(posterior, answer).max()
    N, D, L = (found.quantiles(name).T for name in ("N", "D", "L"))
    sentences = []
    for row, C in enumerate(found.C):
        low, middle, high = L[row]
        split = (
            f"{quantity('C', C)} FLOP are best spent on {interval('N', *N[row])} parameters and "
            f"{interval('D', *D[row])} tokens, for a loss of {middle:.4g} [{low:.4g}, {high:.4g}]"
            f"{_unit(posterior)}."
        )
        times = C / largest
        far = (
            f"That is {engineering(times)} times the compute of the largest run: an extrapolation."
            if times > 1
            else "That is within the compute of the runs."
        )
        sentences.append([split, far, said[row]])
    return sentences


def _explorer(posterior: Posterior, answer: Answer | None) -> tuple[Explorer | None, str]:
    """The explorer, or why there is none."""
    if answer is None:
        return None, ""
    try:
        return explorer(posterior, **answer.options), ""
    except InputError as error:
        return None, spelled(error.what)


def _controls(posterior: Posterior, answer: Answer, made: Explorer) -> dict[str, list[Control]]:
    stated = _counted(posterior, answer)
    served = 0.0 if stated.life is None else stated.life.served
    runs = {**posterior.runs.columns, "C": _spent(posterior, answer)}
    return controls(answer.frontier, runs, served, answer.costs, made.extras)


def _best(posterior: Posterior, answer: Answer) -> Section:
    """The frontier: pictures where the law is of N and D, and the table."""
    found, options = answer.frontier, answer.options
    pictures = []
    if {"N", "D"} <= set(posterior.law.inputs()):
        pictures = [
            pictured(
                plots.frontier(posterior, found.C, **options),
                "The size of the best model for each budget, with its bands; the runs; and lines "
                "of equal loss.",
            ),
            pictured(
                plots.loss(posterior, found.C, **options),
                "The loss that each budget buys, and the runs.",
            ),
        ]
    return Section("What to train", pictures=pictures, tables=[_html(found)])


def _wrong(posterior: Posterior, answer: Answer) -> Section:
    found, options = answer.decision, answer.options
    pictures = []
    if {"N", "D"} <= set(posterior.law.inputs()):
        figure = valley_of(posterior, found, costs=answer.costs, **options)
        pictures = [
            pictured(figure, "How much more compute models of each size take than the best one.")
        ]
    return Section("What being wrong costs", pictures=pictures, tables=[_html(found)])


def _runs(posterior: Posterior, face: Face) -> Section:
    """The table: what was read of it, and a picture where it has N and D."""
    runs = posterior.runs
    pictures = []
    if {"N", "D"} <= set(runs.columns):
        pictures = [
            pictured(plots.design(runs), "The runs by parameters and tokens, and their losses.")
        ]
    return Section("The runs", runs.describe(face).splitlines(), pictures)


def _learnt(posterior: Posterior) -> Section:
    """The posterior, its priors, and what is left over."""
    return Section(
        "What was learnt",
        pictures=[
            pictured(
                plots.parameters(posterior), "The posterior of each parameter, and its prior."
            ),
            pictured(plots.residuals(posterior), "What each run's loss misses of the law."),
        ],
        tables=[_html(posterior)],
    )


def _further(added: Sequence[Result | Drawing]) -> list[Section]:
    """What was added, each under its name; files of one name are one part of the page."""
    parts = dict[object, Section]()
    for each in added:
        part = _part(each)
        key = part.title if isinstance(each, Recorded | Drawing) else id(each)
        same = parts.get(key, Section(part.title))
        parts[key] = Section(
            part.title,
            pictures=[*same.pictures, *part.pictures],
            tables=[*same.tables, *part.tables],
        )
    return [*parts.values()]


def _part(each: Result | Drawing) -> Section:
    """A picture; or a result, with its picture where there is one."""
    if isinstance(each, Drawing):
        caption = f"What {each.title} drew."
        return Section(each.title, pictures=[embedded(each.kind, each.content, caption)])
    if isinstance(each, Recorded):
        return Section(each.title, tables=[_html(each)])
    title = type(each).__name__
    try:
        pictures = [pictured(picture(each), f"The picture of the {title.lower()}.")]
    except InputError:  # nothing to draw
        pictures = []
    return Section(title, pictures=pictures, tables=[_html(each)])


def _html(result: Result) -> str:
    """Tables, notes and conclusion; escaped by the result itself."""
    return result._repr_html_()


def _record(posterior: Posterior) -> str:
    record = {"fit": posterior.provenance, "runs": posterior.runs.provenance}
    return json.dumps(jsonable(record), indent=1, ensure_ascii=False)


def _spent(posterior: Posterior, answer: Answer) -> Any:
    """What the runs cost to train."""
    return subject(posterior).counted(_counted(posterior, answer).training)["C"]


def _counted(posterior: Posterior, answer: Answer) -> Terms:
    """How compute is counted."""
    return terms(answer.options["counting"], asked=subject(posterior))


def _unit(posterior: Posterior) -> str:
    unit = posterior.runs.loss_unit
    return f" {unit}" if unit else ""
