"""Which runs to make next: the batch that leaves the least to be wrong about at the targets."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalingfit._arguments import whole
from scalingfit._errors import InputError
from scalingfit._messages import Argument, Message
from scalingfit._text import quantity
from scalingfit.allocation import (
    Asked,
    AspectRatio,
    Costs,
    Rule,
    flop,
    subject,
    terms,
)
from scalingfit.experiments.nearby import nearby, paid
from scalingfit.experiments.outlook import Outlook, effective, taken
from scalingfit.experiments.pool import Candidates, Pool
from scalingfit.experiments.proposal import Design
from scalingfit.experiments.rails import required
from scalingfit.experiments.selection import Moments, Rules, least, select
from scalingfit.experiments.wanted import Aim, Target, Wanted
from scalingfit.result import Note

__all__ = ["design"]

SHARE = 0.25
"""Of a batch, the most that may be replicates of one run."""

DRAWS = 4000
"""That are looked at; more are thinned."""


def design(
    posterior: Asked,
    budget: float | str,
    *,
    target: Target,
    aim: Aim,
    pool: Candidates | None = None,
    batch: int = 8,
    counting: Rule = "6ND",
    max_params: float | None = None,
    shapes: AspectRatio | None = None,
    batch_tokens: float | None = None,
    costs: Costs | None = None,
    **extras: ArrayLike,
) -> Design:
    """Choose the runs that tell the most about a target, under a cost.

    Of the runs that could be made, a batch is chosen that leaves the least variance of what is
    aimed at, by the moments of the posterior's draws: greedily, then by exchange. For the aim
    "size" that is the compute which the best plans at the targets are expected to waste, near C
    (alpha + beta) / 2 Var(ln N*) for each. Two aims make two different designs, so there is no
    default.

    What the batch is worth is the fall of that waste over its imagined outcomes (the expected value
    of sample information; Raiffa & Schlaifer 1961), by reweighted draws where enough of them
    remain, else by the moments. Beside it stands what the best isoFLOP grid of the same cost is
    worth, which is also a batch that the search begins with.

    Parameters
    ----------
    posterior : Posterior
        What ``fit`` returned.
    budget : float or str
        What the batch may cost: FLOP, or as "5000h" and "$2M", with `costs`.
    target : float, str, a sequence of these, or a mapping of inputs
        The budgets that the fit is for; or points, by the inputs of the law, whose loss is wanted.
    aim : {"size", "loss"}
        To know how large to train at the targets, or which loss to expect there.
    pool : path, data frame or mapping of columns, optional
        The runs that could be made, by the names of columns that `read` knows; by default a ladder
        of ten budgets that halve from `budget`, each with 13 sizes from an eighth to eight times
        the optimum, and isoFLOP grids about it. None of these is far below the runs in parameters
        or tokens, or far in tokens per parameter from both the runs and the optimum, where a law
        that holds for the runs need not.
    batch : int
        How many runs there may be.
    counting, max_params, **extras
        As in `frontier`; one value each. A rule that counts serving holds at the targets alone: the
        runs of the batch are trained, and never served.
    shapes : AspectRatio, optional
        Of the runs of the ladder, which then have width and depth.
    batch_tokens : float, optional
        Tokens in a step, for the same; they then have batch and steps.
    costs : Costs, optional
        What compute costs.

    Returns
    -------
    Design

    Raises
    ------
    InputError
        The pool lacks an input; or no run of it can be paid for.
    """
    asked = subject(posterior)
    if asked.noise is None:
        raise InputError(
            "a law by itself leaves nothing to learn",
            remedy="design from a posterior, or plan a first experiment.",
        )
    if aim not in ("size", "loss"):
        raise InputError(
            f"the aim {aim!r} is neither the size to train nor the loss to expect",
            remedy=Message("write ", Argument("aim", "size"), " or ", Argument("aim", "loss"), "."),
        )
    stated, count = terms(counting, max_params, asked=asked), whole("batch", batch, 1)
    draws = math.prod(asked.law.shape)
    kept = np.linspace(0, draws - 1, min(draws, DRAWS)).round().astype(int)
    law, noise = asked.law.take(kept), taken(asked.noise, draws, kept)
    allowed = float(flop("budget", budget, costs).item())
    profiles: Sequence[NDArray[np.int64]] = []
    if pool is None:
        candidates, profiles = nearby(
            law, allowed, count, stated, shapes, batch_tokens, extras, asked.runs
        )
    else:
        candidates = Pool.of(pool, law.inputs(), stated.training)
    outlook = Outlook.over(law, noise, candidates)
    wanted = Wanted.of(law, outlook, target, aim, stated, costs, extras)
    affordable = (candidates.cost <= allowed) & np.all(np.isfinite(outlook.scale), axis=0)
    _require_affordable(candidates, affordable, allowed)
    grids = paid(profiles, candidates.cost, affordable, allowed)
    candidates, outlook = candidates.take(affordable), outlook.take(affordable)
    moments = Moments.of(wanted.values, outlook.scale, outlook.variance())
    first, notes = required(candidates, asked.counted(stated.training), allowed, count)
    rules = Rules(allowed, count, max(1, math.ceil(SHARE * count)), first)
    chosen = select(moments, wanted.weight, candidates.cost, rules, () if first else grids)
    batches = [chosen, *([least(moments, wanted.weight, grids)] if grids else [])]
    left = [moments.given(each).variance / moments.variance for each in batches]
    weights = [outlook.take(each).weights() for each in batches]
    in_flop = "C" in candidates.labels and np.array_equal(candidates.labels["C"], candidates.cost)
    return Design(
        runs=candidates.take(chosen),
        grid=candidates.take(batches[1]) if grids else None,
        fitted={name: asked.runs[name] for name in candidates.inputs},
        loss=np.median(outlook.mean[:, chosen], axis=0),
        expected=wanted.expected([np.sqrt(each) for each in left]),
        waste=wanted.waste(weights, left),
        targets=wanted.budgets,
        aim=aim,
        effective_draws=effective(weights[0]),
        in_flop=in_flop,
        costs=costs,
        notes=[*notes, *_fewer(len(chosen), count)],
        provenance=stated.record(asked, extras) | {"budget": allowed, "pool": len(candidates)},
    )


def _require_affordable(pool: Pool, affordable: NDArray[np.bool_], budget: float) -> None:
    if not np.any(affordable):
        raise InputError(
            f"no run of the pool can be paid with {quantity('C', budget)}",
            [f"the cheapest costs {quantity('C', float(pool.cost.min()))}"],
            remedy="raise the budget, or add cheaper runs to the pool.",
        )


def _fewer(made: int, asked: int) -> list[Note]:
    if made == asked:
        return []
    runs = f"{made} run{'s' * (made > 1)}"
    return [Note("fewer", f"{runs}: the budget pays for no more of use ({asked} were allowed)")]
