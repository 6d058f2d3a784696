"""The command `fit`, and what other commands that fit share with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypedDict

from cyclopts import Parameter

import scalingfit as sf
from scalingfit._errors import InputError
from scalingfit._files import require_place
from scalingfit._messages import Argument
from scalingfit.cli._picture import drawing, picture_note
from scalingfit.cli._progress import progress
from scalingfit.cli._reply import Reply
from scalingfit.cli._sampling import AS_USUAL, Sampling
from scalingfit.cli._spelling import COMMAND_LINE
from scalingfit.cli._table import AS_IT_STANDS, Repeated, Source, Table, load
from scalingfit.cli.runs import understood

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from scalingfit.allocation import Frontier
    from scalingfit.declare import Law
    from scalingfit.inference import Posterior
    from scalingfit.result import Result
    from scalingfit.runs import Runs

__all__ = [
    "fit",
    "fitted",
    "law_error_option",
    "parsed_priors",
    "priors_by_law",
    "usual_frontier",
    "within_and_beyond",
]


def fit(
    runs: Source,
    /,
    *,
    law: str = "chinchilla",
    noise: str | None = None,
    prior: Repeated = (),
    law_error: Literal["smooth", "none"] = "smooth",
    out: Annotated[Path | None, Parameter(alias="-o")] = None,
    plot: Path | None = None,
    table: Table = AS_IT_STANDS,
    sampling: Sampling = AS_USUAL,
) -> Reply:
    """Fit a scaling law to a table of runs.

    Prints what was understood of the table, the posterior, a verdict on it, and the frontier at
    budgets within and beyond the runs. Exit code 1 where the verdict is not "ok".

    ```
    scalingfit fit runs.csv
    scalingfit fit runs.csv -c N=params -c "D=tokens (B)*1e9" -o fit.nc
    scalingfit fit runs.csv --law kaplan --prior "alpha=LogNormal(-2.5, 0.3)" --prior beta=0.28
    ```

    Parameters
    ----------
    law
        A name that `scalingfit laws` lists.
    noise
        How losses scatter about the law: a name that `scalingfit noises` lists. By default the
        law's own, mostly student_t.
    prior
        Replace a prior, `E=LogNormal(0.5, 0.2)`, or pin a parameter, `beta=0.28`. May be repeated.
    law_error
        smooth: the law may be off by a smooth function of its inputs, which all answers carry;
        none: the law is taken to be exact, and intervals leave out that it is not.
    out
        Save the fit to this file (NetCDF), which other commands take.
    plot
        Draw what was learnt, and where a budget goes, into this file (.png, .pdf or .svg).
    """
    if out is not None:
        require_place(out)
    loaded = load(runs, table)
    with drawing(plot) as save:
        post = fitted(
            loaded, law=law, noise=noise, priors=parsed_priors(prior),
            **law_error_option(law_error), **sampling.options(),
        )  # fmt: skip
        found = usual_frontier(post)
        drawn = save(lambda report: report.plots.overview(post))
    shown: list[Result | str] = [understood(loaded), post]
    data: dict[str, object] = {**post.as_json(COMMAND_LINE)}
    if found is not None:
        shown.append(found)
        data["frontier"] = found
    shown += picture_note(plot, drawn)
    failed = None
    if out is not None:
        try:
            post.save(out)
            shown.append(f"saved to {out}; next: scalingfit {_next_question(type(post.law), out)}")
            data["saved"] = str(out)
        except InputError as error:  # the answer is there, and took long
            failed, data["saved"] = error, None
    return Reply(data, shown, warned=not (post.verdict.ok and drawn), failed=failed)


class LawErrorOption(TypedDict, total=False):
    """The keyword that holds a law to be exact, where that is asked for."""

    law_error: None


def law_error_option(named: Literal["smooth", "none"]) -> LawErrorOption:
    """The keyword for what was asked for."""
    return {"law_error": None} if named == "none" else {}


def _next_question(law: type[Law], fit: Path) -> str:
    """What a fit of the law is asked first."""
    from scalingfit.allocation import splits

    asked = {*law.size, "D", "S"} if splits(law) else set()
    inputs = tuple(Argument(name, kind="input") for name in law.inputs() if name not in asked)
    verb = f"frontier {fit} --compute BUDGETS" if asked else f"forecast {fit}"
    return " ".join([verb, *map(COMMAND_LINE.argument, inputs)])


def fitted(runs: Runs, **options: Any) -> Posterior:
    """Fit, and show that it goes on."""
    with progress(f"fitting {sf.law(options['law']).name} to {len(runs)} runs"):
        return sf.fit(runs, **options)


def usual_frontier(post: Posterior) -> Frontier | None:
    """The frontier inside the runs, at the largest, and 10 and 100 times beyond it.

    None where the law has nothing to split or needs more than N and D.
    """
    if "C" not in post.runs.columns or set(type(post.law).inputs()) != {"N", "D"}:
        return None
    return post.frontier(within_and_beyond(post.runs["C"]))


def within_and_beyond(scale: NDArray[np.float64]) -> list[float]:
    """Places inside the runs, at the largest, and 10 and 100 times beyond it."""
    low, high = float(scale.min()), float(scale.max())
    # Rounded, and once each: runs on one budget have their middle at the largest.
    places = [(low * high) ** 0.5, high, 10 * high, 100 * high]
    return list(dict.fromkeys(float(f"{each:.2g}") for each in places))


def parsed_priors(texts: tuple[str, ...]) -> dict[str, Any] | None:
    """Priors from texts such as ``E=LogNormal(0.5, 0.2)``; None where there are none."""
    if not texts:
        return None
    from scalingfit.inference import parse_priors

    return dict(parse_priors(list(texts)))


def priors_by_law(texts: tuple[str, ...]) -> dict[str, dict[str, Any]] | None:
    """Priors from texts such as ``kaplan.alpha_N=LogNormal(-1.5, 0.7)``, by law."""
    by_law: dict[str, list[str]] = {}
    for text in texts:
        law, dot, rest = text.partition(".")
        if not dot or "=" in law:
            raise InputError(
                f"prior {text!r} names no law",
                remedy="write --prior kaplan.alpha_N=LogNormal(-1.5, 0.7).",
            )
        by_law.setdefault(law.strip(), []).append(rest)
    return {law: parsed_priors(tuple(each)) or {} for law, each in by_law.items()} or None
