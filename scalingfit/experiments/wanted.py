"""What the next runs are to tell: the optimum at budgets, or the loss at points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from scalingfit._arguments import numbers
from scalingfit._errors import InputError
from scalingfit._messages import Argument, Message
from scalingfit._text import listed, quantity
from scalingfit.allocation import (
    Costs,
    FloatArray,
    Spending,
    Terms,
    extras_of,
    flop,
    require_finite,
)
from scalingfit.declare import Law
from scalingfit.experiments.outlook import ENOUGH, Outlook, Stake, effective
from scalingfit.experiments.pool import Pool
from scalingfit.experiments.proposal import Expected
from scalingfit.result import Interval

__all__ = ["Aim", "Target", "Wanted"]

Aim = Literal["size", "loss"]

Target = ArrayLike | str | Sequence[str] | Mapping[str, ArrayLike]


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

    @classmethod
    def of(
        cls,
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
            return _at_points(law, outlook, target, aim)
        budgets = flop("target", target, costs)
        others = extras_of(law, extras, len(budgets))
        spending = Spending(budgets, stated.rule, others, stated.max_params)
        return _at_budgets(law, spending, aim, log=outlook.noise.on_log)

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

    def waste(self, weights: Sequence[FloatArray], left: Sequence[FloatArray]) -> FloatArray:
        """Expected waste at each target, now and after each batch, shape (target, 1 + batch).

        Parameters
        ----------
        weights : sequence of array, shape (outcome, draw)
            Of the draws, once each batch is made.
        left : sequence of array, shape (row,)
            Shares of the variances that each leaves, which count where few draws remain.
        """
        trusted = min(map(effective, weights)) >= ENOUGH

        def after(stake: Stake, place: int) -> list[float]:
            if trusted:
                return [float(stake.after(each).mean()) for each in weights]
            return [stake.now * float(each[place]) for each in left]

        rows = [[stake.now, *after(stake, place)] for place, stake in enumerate(self.stakes)]
        return np.array(rows).reshape(-1, 1 + len(weights))


def _at_budgets(law: Law, spending: Spending, aim: Aim, *, log: bool) -> Wanted:
    """Optimum, its loss and the exponent at budgets, and what is at stake there."""
    budgets = spending.C
    optimum = spending.solve(law)
    require_finite(optimum, spending)
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


def _at_points(law: Law, outlook: Outlook, target: Mapping[str, ArrayLike], aim: Aim) -> Wanted:
    """Losses at points, by the inputs of the law."""
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
