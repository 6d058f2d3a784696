"""Commands about fits: `fit`, `frontier` and `forecast`."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

import scalingfit as sf
from scalingfit._errors import InputError
from scalingfit._files import replacing
from scalingfit.cli._picture import drawing
from scalingfit.cli._progress import progress
from scalingfit.cli._reply import Reply, warn
from scalingfit.cli._sampling import AS_USUAL, Sampling
from scalingfit.cli._table import AS_IT_STANDS, Repeated, Source, Table, load
from scalingfit.cli.runs import understood

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from scalingfit.allocation import Frontier
    from scalingfit.inference import Posterior
    from scalingfit.runs import Runs

__all__ = ["fit", "forecast", "frontier"]

SUFFIXES = {"K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}


def fit(
    runs: Source,
    /,
    *,
    law: str = "chinchilla",
    noise: str | None = None,
    prior: Repeated = (),
    out: Annotated[Path | None, Parameter(alias="-o")] = None,
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
        How losses scatter about the law: student_t, normal or laplace, on log loss; with _level
        appended, on the loss itself. By default the law's own, mostly student_t.
    prior
        Replace a prior, `E=LogNormal(0.5, 0.2)`, or pin a parameter, `beta=0.28`. Repeat for
        several.
    out
        Save the fit to this file (NetCDF) for `frontier` and `forecast`.
    """
    with contextlib.ExitStack() as stack:
        # The place of the file is claimed before the work, so that nothing is computed for nought.
        place = None if out is None else stack.enter_context(replacing(out))
        loaded = load(runs, table)
        post = fitted(
            loaded, law=law, noise=noise, priors=parsed_priors(prior),
            **sampling.options(),
        )  # fmt: skip
        if place is not None:
            post.save(place)
    found = usual_frontier(post)
    shown: list[Any] = [understood(loaded), post]
    data = post.as_json()
    if found is not None:
        shown.append(found)
        data["frontier"] = found.summary()
    if out is not None:
        shown.append(f"saved to {out}; next: scalingfit frontier {out} --compute BUDGETS")
        data["saved"] = str(out)
    return Reply(data, shown, warned=not post.verdict.ok)


def frontier(
    fit: Path,
    /,
    *,
    compute: Annotated[str, Parameter(alias="-C")],
    counting: str = "6ND",
    omega: str | None = None,
    max_params: str | None = None,
    inference_tokens: str | None = None,
    models: str | None = None,
    input: Repeated = (),
    plot: Path | None = None,
) -> Reply:
    """Split budgets between parameters and tokens, with intervals.

    ```
    scalingfit frontier fit.nc --compute 1e21,1e24
    scalingfit frontier fit.nc --compute 1e24 --inference-tokens 2T --plot frontier.png
    scalingfit frontier fit.nc --compute 1e22 --models 1B,3B,7B
    ```

    Parameters
    ----------
    fit
        A file that `scalingfit fit -o` wrote.
    compute
        Budgets in FLOP, with commas between them.
    counting
        What a run costs: 6ND, 6ND-non-embedding or 6ND-with-embedding.
    omega
        Size of the embeddings in the last two: the vocabulary times the cube root of
        width / (12 depth). By default 47491, which was fitted to Chinchilla's models.
    max_params
        The largest model allowed.
    inference_tokens
        Tokens the model will serve; the budget then pays for training and serving.
    models
        Sizes that can be built, with commas between them, to compare at each budget.
    input
        A further input of the law, one number or one a budget: `--input U=1e11`. A law of batch
        sizes also takes `--input batch=critical`.
    plot
        Draw the frontier into this file (.png, .pdf or .svg).
    """
    post = loaded_fit(fit)
    budgets = numbers("--compute", compute)
    options: dict[str, Any] = {"counting": _counted(counting, omega), **_inputs(input)}
    if max_params is not None:
        options["max_params"] = _one("--max-params", max_params)
    if inference_tokens is not None:
        options["inference_tokens"] = _one("--inference-tokens", inference_tokens)
    sizes = None if models is None else numbers("--models", models)
    with drawing(plot) as save:
        found = post.frontier(budgets, **options)
        choice = None if sizes is None else post.choose(budgets, sizes, **options)
        drawn = save(lambda report: report.plots.frontier(post, budgets, **options))
    data = {"frontier": found.summary(), "messages": found.messages, "provenance": found.provenance}
    shown = [found]
    if choice is not None:
        data |= {"models": choice.summary(), "messages": [*found.messages, *choice.messages]}
        shown.append(choice)
    if plot is not None and drawn:
        shown.append(f"drawn in {plot}")
    return Reply(data, shown, warned=not (post.verdict.ok and drawn))


def forecast(
    fit: Path,
    /,
    *,
    params: str | None = None,
    tokens: str | None = None,
    compute: str | None = None,
    input: Repeated = (),
) -> Reply:
    """Forecast the loss of runs that have not been made.

    ```
    scalingfit forecast fit.nc --params 70e9 --tokens 1.4e12
    scalingfit forecast fit.nc --params 7B,70B --compute 1e24
    ```

    Parameters
    ----------
    fit
        A file that `scalingfit fit -o` wrote.
    params
        Parameters N: 70e9 or 70B; several with commas between them.
    tokens
        Training tokens D, likewise.
    compute
        Training compute C in FLOP; the missing one of N, D and C follows from C = 6 N D.
    input
        A further input of the law: `--input U=1e11`.
    """
    post = loaded_fit(fit)
    given = {"N": ("--params", params), "D": ("--tokens", tokens), "C": ("--compute", compute)}
    inputs = {
        symbol: numbers(option, text)
        for symbol, (option, text) in given.items()
        if text is not None
    }
    found = post.forecast(**inputs, **_inputs(input))
    data = {"forecast": found.summary(), "messages": found.messages, "provenance": found.provenance}
    return Reply(data, [found], warned=not post.verdict.ok)


def fitted(runs: Runs, **options: Any) -> Posterior:
    """Fit, after saying what the design of the runs cannot tell."""
    law = sf.law(options["law"])
    if {"N", "D"} <= set(law.inputs()):
        for message in runs.design_warnings():
            warn(message)
    with progress(f"fitting {law.name} to {len(runs)} runs"):
        return sf.fit(runs, **options)


def usual_frontier(post: Posterior) -> Frontier | None:
    """The frontier inside the runs, at the largest, and 10 and 100 times beyond it.

    None where the law has nothing to split or needs more than N and D.
    """
    if "C" not in post.runs.columns or set(type(post.law).inputs()) != {"N", "D"}:
        return None
    found: Frontier = post.frontier(within_and_beyond(post.runs["C"]))
    return found


def within_and_beyond(scale: NDArray[np.float64]) -> list[float]:
    """Places inside the runs, at the largest, and 10 and 100 times beyond it."""
    low, high = float(scale.min()), float(scale.max())
    # Rounded, and once each: runs on one budget have their middle at the largest.
    places = [(low * high) ** 0.5, high, 10 * high, 100 * high]
    return list(dict.fromkeys(float(f"{each:.2g}") for each in places))


def loaded_fit(path: Path) -> Posterior:
    """Read a fit; where its verdict is not ok, say so."""
    post = sf.load(path)
    if not post.verdict.ok:
        warn(f"{path}: {post.verdict}")
    return post


def names(text: str) -> list[str]:
    """Names with commas between them."""
    found = [name.strip() for name in text.split(",") if name.strip()]
    if not found:
        raise InputError(f"{text!r} names nothing", remedy="write chinchilla,kaplan.")
    return found


def numbers(what: str, text: str) -> list[float]:
    """Numbers with commas between them; 70B is 70e9.

    Raises
    ------
    InputError
    """
    try:
        return [_number(word.strip()) for word in text.split(",")]
    except ValueError:
        raise InputError(
            f"{what} {text!r} is no number",
            remedy="write 1e21, or 7B, or several with commas between them: 1e21,1e24.",
        ) from None


def numbers_if_given(what: str, text: str | None) -> list[float] | None:
    """The same of an option that may be left out."""
    return None if text is None else numbers(what, text)


def _counted(name: str, omega: str | None) -> Any:
    from scalingfit.allocation import counting

    return counting(name, omega=None if omega is None else _one("--omega", omega))


def _one(what: str, text: str) -> float:
    """One number; several are refused."""
    found = numbers(what, text)
    if len(found) > 1:
        raise InputError(
            f"{what} takes one number, and {text!r} has {len(found)}",
            remedy="ask for one after the other.",
        )
    return found[0]


def _number(word: str) -> float:
    factor = SUFFIXES.get(word[-1:].upper())
    return float(word) if factor is None else float(word[:-1]) * factor


def _inputs(texts: tuple[str, ...]) -> dict[str, list[float] | str]:
    found: dict[str, list[float] | str] = {}
    for text in texts:
        name, equals, values = text.partition("=")
        if not equals or not name.strip().isidentifier():
            raise InputError(f"--input {text!r} names no input", remedy="write --input U=1e11.")
        word = values.strip() == "critical"  # of a batch size
        found[name.strip()] = "critical" if word else numbers(f"--input {name}", values)
    return found


def parsed_priors(texts: tuple[str, ...]) -> dict[str, Any] | None:
    """Priors from texts such as ``E=LogNormal(0.5, 0.2)``; None where there are none."""
    if not texts:
        return None
    from scalingfit.inference.priors import parse_priors

    return dict(parse_priors(list(texts)))
