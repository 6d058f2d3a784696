"""Which runs to make next: the batch that leaves the least to be wrong about at the targets."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalingfit._arguments import numbers, whole
from scalingfit._errors import InputError
from scalingfit._messages import Argument, Message
from scalingfit._text import listed, quantity
from scalingfit.allocation import (
    Asked,
    AspectRatio,
    Costs,
    FloatArray,
    Rule,
    Spending,
    Terms,
    extras_of,
    flop,
    require_finite,
    splits,
    subject,
    terms,
)
from scalingfit.declare import Law
from scalingfit.experiments.outlook import ENOUGH, Outlook, Stake, effective, taken
from scalingfit.experiments.pool import RUNGS, Candidates, Pool, isoflop, ladder, realised
from scalingfit.experiments.proposal import Design, Expected
from scalingfit.experiments.rails import isoflop_grids, required
from scalingfit.experiments.selection import Moments, Rules, least, select
from scalingfit.result import Interval, Note

__all__ = ["Aim", "design"]

Aim = Literal["size", "loss"]

SHARE = 0.25
"""Of a batch, the most that may be replicates of one run."""

FAR = 2.0
"""Up to this factor below the runs, or beyond their tokens per parameter, is near them."""

DRAWS = 4000
"""That are looked at; more are thinned."""

Target = ArrayLike | str | Sequence[str] | Mapping[str, ArrayLike]


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
        The runs that could be made; by default a ladder of ten budgets that halve from `budget`,
        each with 13 sizes from an eighth to eight times the optimum, and isoFLOP grids about it.
        None of these is far below the runs in parameters or tokens, or far in tokens per parameter
        from both the runs and the optimum, where a law that holds for the runs need not.
    batch : int
        How many runs there may be.
    counting, max_params, **extras
        As in `frontier`; one value each.
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
        candidates, profiles = _ladder(
            law, allowed, count, stated, shapes, batch_tokens, extras, asked.runs
        )
    else:
        candidates = Pool.of(pool, law.inputs(), stated.rule)
    outlook = Outlook.over(law, noise, candidates)
    wanted = _wanted(law, outlook, target, aim, stated, costs, extras)
    affordable = (candidates.cost <= allowed) & np.all(np.isfinite(outlook.scale), axis=0)
    _require_affordable(candidates, affordable, allowed)
    grids = _paid(profiles, candidates.cost, affordable, allowed)
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
        waste=_waste(wanted, weights, left),
        targets=wanted.budgets,
        aim=aim,
        effective_draws=effective(weights[0]),
        in_flop=in_flop,
        costs=costs,
        remarks=[*notes, *_fewer(len(chosen), count)],
        provenance=stated.record(asked, extras) | {"budget": allowed, "pool": len(candidates)},
    )


class Wanted(NamedTuple):
    """What is asked for, in every draw.

    Attributes
    ----------
    rows : sequence of (str, str)
        Name and target of each.
    values : array, shape (draw, row)
        N* as its logarithm, losses on the scale of the noise, exponents as they are.
    weight : array, shape (row,)
        Of each variance in the aim.
    on_log : array of bool, shape (row,)
        Which of the values are logarithms.
    budgets : array, shape (target,)
    stakes : sequence of Stake
        One a budget.
    """

    rows: Sequence[tuple[str, str]]
    values: FloatArray
    weight: FloatArray
    on_log: Sequence[bool]
    budgets: FloatArray
    stakes: Sequence[Stake]

    def expected(self, shrink: Sequence[FloatArray]) -> list[Expected]:
        """Intervals, now and shrunk about the median by a batch, and what a grid would do."""
        batch, grid = shrink[0], shrink[1] if len(shrink) > 1 else [None] * len(shrink[0])
        found = []
        for (name, target), values, log, factor, other in zip(
            self.rows, self.values.T, self.on_log, batch, grid, strict=True
        ):
            low, middle, high = np.quantile(values, (0.05, 0.5, 0.95))
            ends = [low, middle, high]
            narrow = [middle + factor * (end - middle) for end in ends]
            now, after = (
                Interval(*(float(np.exp(end) if log else end) for end in each))
                for each in (ends, narrow)
            )
            by_grid = None if other is None else float(other)
            found.append(Expected(name, target, now, after, float(factor), by_grid))
        return found


def _wanted(
    law: Law,
    outlook: Outlook,
    target: Target,
    aim: Aim,
    stated: Terms,
    costs: Costs | None,
    extras: Mapping[str, ArrayLike],
) -> Wanted:
    """The targets: budgets, with what is at stake there, or points."""
    if isinstance(target, Mapping):
        return _points(law, outlook, target, aim)
    budgets = flop("target", target, costs)
    others = extras_of(law, extras, len(budgets))
    spending = Spending(budgets, stated.rule, others, stated.max_params)
    optimum = spending.solve(law)
    require_finite(optimum, spending)
    log = outlook.noise.on_log
    kinds = [
        ("N*", np.log(optimum.N), True),
        ("L*", np.log(optimum.L) if log else optimum.L, log),
        ("a", optimum.a, False),
    ]
    stakes = [Stake.at(law, spending, place) for place in range(len(budgets))]
    weight = {name: np.zeros(len(budgets)) for name, _, _ in kinds}
    if aim == "size":
        # FLOP wasted for each unit of variance, so that targets weigh by what they cost.
        weight["N*"] = np.array([stake.now for stake in stakes]) / np.log(optimum.N).var(axis=0)
    else:
        weight["L*"] = np.full(len(budgets), 1.0 / len(budgets))
    return Wanted(
        rows=[(name, f"{quantity('C', C)} FLOP") for name, _, _ in kinds for C in budgets],
        values=np.concatenate([values for _, values, _ in kinds], axis=1),
        weight=np.concatenate([weight[name] for name, _, _ in kinds]),
        on_log=[log for _, _, log in kinds for _ in budgets],
        budgets=budgets,
        stakes=stakes,
    )


def _points(law: Law, outlook: Outlook, target: Mapping[str, ArrayLike], aim: Aim) -> Wanted:
    needed = law.inputs()
    missing = [name for name in needed if name not in target]
    if missing or aim != "loss":
        raise InputError(
            f"the target lacks {listed(missing)}"
            if missing
            else "at points only the loss is known",
            [f"the law takes {', '.join(needed)}"],
            remedy="give every input of the law."
            if missing
            else Message(
                "write ", Argument("aim", "loss"), ", or give budgets for ", Argument("target"), "."
            ),
        )
    arrays = np.broadcast_arrays(*(numbers(name, target[name]) for name in needed))
    points = {name: np.ravel(values) for name, values in zip(needed, arrays, strict=True)}
    count = len(arrays[0].ravel())
    there = Outlook.over(law, outlook.noise, Pool(points, np.ones(count), {}))
    labels = [
        ", ".join(f"{name} {quantity(name, values[at])}" for name, values in points.items())
        for at in range(count)
    ]
    return Wanted(
        rows=[("L", label) for label in labels],
        values=there.scale,
        weight=np.full(count, 1.0 / count),
        on_log=[outlook.noise.on_log] * count,
        budgets=np.array([]),
        stakes=[],
    )


def _waste(wanted: Wanted, weights: Sequence[FloatArray], left: Sequence[FloatArray]) -> FloatArray:
    """Expected waste at each target, now and after each batch, shape (target, 1 + batch)."""
    trusted = min(map(effective, weights)) >= ENOUGH

    def after(stake: Stake, place: int) -> list[float]:
        if trusted:
            return [float(stake.after(each).mean()) for each in weights]
        return [stake.now * float(each[place]) for each in left]

    rows = [[stake.now, *after(stake, place)] for place, stake in enumerate(wanted.stakes)]
    return np.array(rows).reshape(-1, 1 + len(weights))


def _ladder(
    law: Law,
    budget: float,
    count: int,
    stated: Terms,
    shapes: AspectRatio | None,
    batch_tokens: float | None,
    extras: Mapping[str, ArrayLike],
    runs: Mapping[str, FloatArray],
) -> tuple[Pool, list[NDArray[np.int64]]]:
    """Candidates near the runs, a ladder and isoFLOP grids; and the places of each grid."""
    if not splits(type(law)) or "D" not in law.inputs() or type(law).size != ("N",):
        raise InputError(
            f"runs of the law {type(law).name} make no ladder of budgets: it takes "
            f"{', '.join(law.inputs())}",
            remedy=Message("give the runs that could be made: ", Argument("pool"), "."),
        )
    rungs = np.asarray(budget / 2.0 ** np.arange(RUNGS), np.float64)
    spending = Spending(rungs, stated.rule, extras_of(law, extras, RUNGS), stated.max_params)
    best = np.median(np.log(spending.solve(law).N), axis=0)

    def optimum(budgets: FloatArray) -> FloatArray:
        return np.asarray(np.exp(np.interp(np.log(budgets), np.log(rungs[::-1]), best[::-1])))

    def made(N: FloatArray, C: FloatArray) -> Pool:
        found = realised(
            N, C, stated.rule,
            shapes=shapes, batch_tokens=batch_tokens, max_params=stated.max_params,
        )  # fmt: skip
        others = extras_of(law, extras, 1)
        fixed = {name: np.full(len(found), values[0]) for name, values in others.items()}
        return dataclasses.replace(found, inputs={**found.inputs, **fixed})

    known = _guides(runs, made(optimum(rungs), rungs))
    candidates = made(*ladder(optimum, budget))
    candidates = candidates.take(_near(candidates, known))
    if len(candidates) == 0:
        raise InputError(
            "every run that the budget pays is far smaller than those made so far",
            remedy=Message("raise the budget, or give candidates: ", Argument("pool"), "."),
        )
    grids = []
    for option in isoflop_grids(count):
        grid = made(*isoflop(option, budget, optimum))
        if np.all(_near(grid, known)):
            grids.append(len(candidates) + np.arange(len(grid)))
            candidates = candidates.joined(grid)
    return candidates, grids


def _guides(runs: Mapping[str, FloatArray], best: Pool) -> dict[str, FloatArray]:
    """What candidates may resemble: runs, and tokens per parameter at the optimum, too."""
    if not {"N", "D"} <= set(runs):
        return {}
    ratios = (each["D"] / each["N"] for each in (runs, best.inputs))
    return {"N": runs["N"], "D": runs["D"], "D/N": np.concatenate([*ratios])}


def _near(pool: Pool, known: Mapping[str, FloatArray]) -> NDArray[np.bool_]:
    """Which candidates the runs are a guide to: neither far smaller nor of other proportions."""
    places = {**pool.inputs, "D/N": pool.inputs["D"] / pool.inputs["N"]}
    kept = np.ones(len(pool), bool)
    for name, values in known.items():
        kept &= places[name] >= values.min() / FAR
    if known:
        kept &= known["D/N"].max() * FAR >= places["D/N"]
    return kept


def _paid(
    grids: Sequence[NDArray[np.int64]],
    cost: FloatArray,
    affordable: NDArray[np.bool_],
    budget: float,
) -> list[list[int]]:
    """The grids that can be paid, by their places among the candidates that can."""
    places = np.cumsum(affordable) - 1
    return [
        places[grid].tolist()
        for grid in grids
        if np.all(affordable[grid]) and cost[grid].sum() <= budget * (1 + 1e-9)
    ]


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
    return [
        Note("fewer", f"{made} runs, for the budget pays no more of use ({asked} were allowed)")
    ]
