"""Commands about what to do and what it is worth: `decide`, `returns` and `multiplier`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

import scalingfit as sf
from scalingfit.cli._hardware import UNKNOWN, Hardware
from scalingfit.cli._picture import drawing, picture_note
from scalingfit.cli._reply import Reply
from scalingfit.cli._table import Repeated
from scalingfit.cli._values import names, numbers
from scalingfit.cli.questions import AS_USUAL, SERVED, Terms, far_beyond, loaded_fit

__all__ = ["decide", "multiplier", "returns"]


def decide(
    fit: Path,
    /,
    *,
    compute: Annotated[str, Parameter(alias="-C")],
    plan: Repeated = (),
    risk: Literal["mean", "quantile", "cvar"] = "mean",
    level: float = 0.9,
    terms: Terms = AS_USUAL,
    hardware: Hardware = UNKNOWN,
    plot: Path | None = None,
) -> Reply:
    """Compare plans for a budget by what they cost if they are wrong.

    ```
    scalingfit decide fit.nc --compute 1e24 --plan 70B --plan 20tpp --plan hoffmann-2022
    scalingfit decide fit.nc --compute '$2M' --hardware h100 --mfu 0.45 --price 2.5 --plan 70B
    scalingfit decide fit.nc --compute 1e24 --plan 70B --inference-tokens 10T
    ```

    Parameters
    ----------
    fit
        A file that `scalingfit fit -o` wrote.
    compute
        Budgets with commas between them: FLOP, or with --hardware hours (5000h) or dollars ($2M).
    plan
        What to compare with the best: a size (70B), tokens per parameter (20tpp), a published rule
        (hoffmann-2022, kaplan-2020), a size and its tokens (70B:1.4T), or a run of the table by its
        row ("run 17"). May be repeated.
    risk
        What the best plan minimises: the mean of its regret, a quantile of it, or the mean beyond
        that quantile.
    level
        The level of that quantile.
    plot
        Draw what each size overspends into this file (.png, .pdf or .svg).
    """
    post = loaded_fit(fit)
    options = {
        **terms.options(),
        "risk": risk,
        "level": level,
        "costs": hardware.costs(),
    }
    budgets = names(compute)
    with drawing(plot) as save:
        found = sf.decide(post, budgets, plan, **options)
        # What is served beside the budget does not move what a plan overspends.
        judged = {name: value for name, value in options.items() if name != SERVED}
        drawn = save(lambda report: report.plots.valley(post, budgets, plan, **judged))
    sound = post.verdict.ok and drawn and not far_beyond(found)
    return Reply(found, [found, *picture_note(plot, drawn)], warned=not sound)


def returns(
    fit: Path,
    /,
    *,
    compute: Annotated[str, Parameter(alias="-C")],
    times: str = "1,2,10",
    terms: Terms = AS_USUAL,
    hardware: Hardware = UNKNOWN,
) -> Reply:
    """Say what a budget and its multiples buy, and what a slightly lower loss costs.

    ```
    scalingfit returns fit.nc --compute 1e24
    scalingfit returns fit.nc --compute '$2M' --hardware h100 --mfu 0.45 --price 2.5
    ```

    Parameters
    ----------
    fit
        A file that `scalingfit fit -o` wrote.
    compute
        Budgets with commas between them: FLOP, or with --hardware hours (5000h) or dollars ($2M).
    times
        Multiples of each budget to answer as well.
    """
    post = loaded_fit(fit)
    multiples, options = numbers("--times", times), terms.options(demand=False)
    found = sf.returns(post, names(compute), times=multiples, costs=hardware.costs(), **options)
    return Reply(found, [found], warned=far_beyond(found) or not post.verdict.ok)


def multiplier(
    fit: Path,
    reference: Path,
    /,
    *,
    compute: Annotated[str, Parameter(alias="-C")],
    terms: Terms = AS_USUAL,
    hardware: Hardware = UNKNOWN,
) -> Reply:
    """Say how many times the compute another recipe needs for the same loss.

    ```
    scalingfit multiplier new.nc old.nc --compute 1e21,1e23
    ```

    Parameters
    ----------
    fit
        The recipe: a file that `scalingfit fit -o` wrote. With `--prior E=1.6` a fit takes its
        irreducible loss as given.
    reference
        The recipe to compare it with, likewise.
    compute
        Budgets of the first, with commas between them.
    """
    post, other = loaded_fit(fit), loaded_fit(reference)
    costs, options = hardware.costs(), terms.options(demand=False)
    found = sf.multiplier(post, other, names(compute), costs=costs, **options)
    sound = post.verdict.ok and other.verdict.ok and not far_beyond(found)
    return Reply(found, [found], warned=not sound)
