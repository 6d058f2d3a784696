"""What a budget returns: the loss that more of it buys, and what the next hundredth costs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import final, override

import numpy as np
from numpy.typing import ArrayLike

from scalingfit._arguments import numbers
from scalingfit._text import interval
from scalingfit.allocation.answer import FloatArray, in_draws, intervals
from scalingfit.allocation.costs import Costs, flop
from scalingfit.allocation.decision import spent
from scalingfit.allocation.extras import extras_of
from scalingfit.allocation.question import Asked, subject
from scalingfit.allocation.terms import Rule, terms
from scalingfit.allocation.window import ends_of_window
from scalingfit.allocation.worth import Spending, require_finite
from scalingfit.result import Axes, Column, Note, Result, Table

__all__ = ["BudgetReturns", "returns"]

NO_GAIN = "a little more compute does not lower the loss, and a price for less of it is infinite"

STEP = 0.01
"""Of the loss: what the price of a little less of it is quoted for."""


@final
@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class BudgetReturns(Result):
    """What budgets buy at the best split: ``print`` it.

    Attributes
    ----------
    C : array, shape (budget,)
        Budgets in FLOP.
    L : array, shape (chain, draw, budget)
        The least loss. Of a law that is a single point, all shapes are (budget,).
    doubling : array, like L
        What twice the budget takes off the loss: near gamma (L - E) ln 2, gamma = alpha beta /
        (alpha + beta), for L = E + A/N^alpha + B/D^beta.
    price : array, like L
        FLOP for each unit of loss less, at the margin: C over minus dL/d ln C.
    costs : Costs or None
    provenance : mapping
    notes : sequence of Note
    """

    C: FloatArray
    L: FloatArray
    doubling: FloatArray
    price: FloatArray
    costs: Costs | None
    provenance: Mapping[str, object]
    notes: Sequence[Note] = ()

    @property
    @override
    def tables(self) -> Sequence[Table]:
        step = intervals(STEP * self.price)
        columns = {
            **spent(self.C, self.costs, "C"),
            "L": Column(intervals(self.L)),
            "doubling": Column(intervals(self.doubling), heading="twice as much takes off"),
            "price": Column(
                intervals(self.price),
                [interval("C", *one) for one in step],
                heading=f"{STEP:g} less costs [FLOP]",
            ),
        }
        if self.costs is not None and self.costs.price is not None:
            money = intervals(self.costs.money(self.price))
            columns["price_money"] = Column(
                money,
                [interval("", *(STEP * end for end in one)) for one in money],
                heading=f"{STEP:g} less costs [$]",
            )
        return (Table("budgets", "budget", columns, "What budgets return: median [5 %, 95 %]"),)

    @property
    @override
    def details(self) -> Mapping[str, object]:
        return {"provenance": self.provenance}

    @property
    @override
    def arrays(self) -> Mapping[str, Axes]:
        names = ("chain", "draw", "budget") if self.L.ndim == 3 else ("budget",)
        return {name: Axes(names, getattr(self, name)) for name in ("L", "doubling", "price")}


def returns(
    posterior: Asked,
    C: ArrayLike | str | Sequence[str],
    *,
    times: ArrayLike = (1.0, 2.0, 10.0),
    counting: Rule = "6ND",
    max_params: float | None = None,
    costs: Costs | None = None,
    **extras: ArrayLike,
) -> BudgetReturns:
    """Say what budgets buy, and multiples of them.

    Parameters
    ----------
    posterior : Posterior or Law
        What ``fit`` returned, or a law with values such as a published point.
    C : float, str or a sequence of these
        Budgets, as in `decide`.
    times : float or array
        Multiples of each budget that are answered too.
    counting, max_params, costs, **extras
        As in `decide`; inputs have one value each.

    Returns
    -------
    BudgetReturns
        One row for each distinct budget, rising.

    Raises
    ------
    InputError
        As in `frontier`.
    """
    asked = subject(posterior)
    stated = terms(counting, max_params, asked=asked)
    multiples = np.outer(flop("C", C, costs), numbers("times", times))
    budget = np.unique([float(f"{one:.12g}") for one in multiples.ravel()])  # rounding aside
    others = extras_of(asked.law, extras, len(budget))
    budgets = Spending(budget, stated.rule, others, stated.max_params)
    now, twice = budgets.solve(asked.law), budgets._replace(C=2 * budget).solve(asked.law)
    require_finite(now, budgets)
    with np.errstate(divide="ignore"):
        price = np.where(now.slope < 0, -budget / now.slope, np.inf)
    return BudgetReturns(
        C=budget,
        L=now.L,
        doubling=now.L - twice.L,
        price=price,
        costs=costs,
        notes=[
            *stated.caveats(asked, now.middle["N"]),
            *ends_of_window("C", budget, now.beyond),
            *in_draws("no_gain", "C", budget, now.slope >= 0, NO_GAIN),
            *stated.reach("budgets", now.middle, asked).notes,
        ],
        provenance=stated.record(asked, extras),
    )
