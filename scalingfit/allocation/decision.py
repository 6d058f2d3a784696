"""What plans cost: each one's regret, overspend, and chance of being as good as the best."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, final, override

import numpy as np

from scalingfit._text import engineering, quantity
from scalingfit.allocation.answer import FloatArray, headed, intervals, quantiles_of
from scalingfit.allocation.costs import Costs
from scalingfit.result import Axes, Column, Interval, Labels, Note, Result, Table

__all__ = ["Decision", "dollars", "percent", "spent"]

NEAR = (0.01, 0.05)
"""Plans within these shares of the best compute are as good as it, and nearly so."""


@final
@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Decision(Result):
    """Plans compared by what being wrong would cost: ``print`` it.

    Attributes
    ----------
    plans : sequence of str
        Their names, one a row; at each budget the best under the posterior comes first.
    C, N, D : array, shape (row,)
        What each plan spends in FLOP, its parameters and its tokens.
    L, regret, overspend : array, shape (chain, draw, row)
        The loss; how far it lies above the least that the plan's compute buys, in its units; and
        the factor by which that compute is more than the least that buys the loss, infinite from a
        million on. Of a law that is a single point, shape (row,).
    hinges : sequence of (str, float) or None
        The parameter that a plan's overspend hangs on most, and the share of its variance that
        knowing that parameter would take away; None where there are too few draws to tell. "error"
        is how much larger the law's error is there than at the best plan of each draw.
    risk : str
        What the best plan makes least.
    costs : Costs or None
    served : mapping of str to array, shape (row,)
        Where tokens are served, FLOP over the life of each plan: serving, and total beside a budget
        of training, or training where the budget pays for both.
    provenance : mapping
    notes : sequence of Note
    """

    plans: Sequence[str]
    C: FloatArray
    N: FloatArray
    D: FloatArray
    L: FloatArray
    regret: FloatArray
    overspend: FloatArray
    hinges: Sequence[tuple[str, float] | None]
    risk: str
    costs: Costs | None
    provenance: Mapping[str, object]
    served: Mapping[str, FloatArray] = dataclasses.field(default_factory=dict)
    notes: Sequence[Note] = ()

    @property
    def wasted(self) -> FloatArray:
        """FLOP beyond those that would have bought the plan's loss, expected, shape (row,)."""
        return self.C * _mean(1.0 - 1.0 / self.overspend)

    def within(self, share: float) -> FloatArray:
        """The probability that a plan overspends by no more than a share, shape (row,)."""
        return _mean(self.overspend <= 1.0 + share)

    @property
    @override
    def tables(self) -> Sequence[Table]:
        share = self.wasted / self.C
        wide = intervals(self.overspend)
        columns = {
            "C": Column([*map(float, self.C)], [quantity("C", C) for C in self.C]),
            "plan": Column([*self.plans]),
            "N": _column("N", self.N),
            "D": _column("D", self.D),
            "tokens_per_param": _column("", self.D / self.N, heading="D/N"),
            "L": Column(intervals(self.L)),
            "regret": Column(intervals(self.regret), [*map(_brief, intervals(self.regret))]),
            "overspend": Column(wide, [*map(_percents, wide)], "overspend [%]"),
            "wasted_share": Column(
                [*map(float, share)], [*map(percent, share)], heading="wasted [%]"
            ),
        }
        for at in (0.25, 0.75):
            quartile = quantiles_of(_flat(self.overspend), (at,), axis=0)[0]
            columns[f"overspend_q{100 * at:g}"] = Column([*map(float, quartile)], hidden=True)
        for at in NEAR:
            near = self.within(at)
            columns[f"within_{100 * at:g}_percent"] = Column(
                [*map(float, near)], [f"{p:.2f}" for p in near], f"P(< {100 * at:g} %)"
            )
        columns |= spent(self.wasted, self.costs, "wasted")
        for name, flops in self.served.items():
            columns |= spent(flops, self.costs, name)
        columns["hinges_on"] = Column(
            [None if one is None else one[0] for one in self.hinges],
            ["-" if one is None else f"{one[0]} {100 * one[1]:.0f} %" for one in self.hinges],
            "hinges on",
        )
        title = headed("Plans, and what they overspend: median [5 %, 95 %]", self.provenance)
        return (Table("plans", "plan", columns, title),)

    @property
    @override
    def conclusion(self) -> str:
        return "\n".join(
            self._sentence(row) for row, name in enumerate(self.plans) if name == self.best
        )

    @property
    def best(self) -> str:
        """What the best plan under the posterior is called."""
        return "best" if self.risk == "mean" else f"best {self.risk}"

    @property
    @override
    def details(self) -> Mapping[str, object]:
        costs = None if self.costs is None else dataclasses.asdict(self.costs)
        return {"risk": self.risk, "costs": costs, "provenance": self.provenance}

    @property
    @override
    def arrays(self) -> Mapping[str, Axes]:
        names = ("chain", "draw", "plan") if self.L.ndim == 3 else ("plan",)
        draws = {name: Axes(names, getattr(self, name)) for name in ("L", "regret", "overspend")}
        rows = {name: getattr(self, name) for name in ("C", "N", "D")} | dict(self.served)
        return {name: Axes(("plan",), values) for name, values in rows.items()} | draws

    @property
    @override
    def coordinates(self) -> Mapping[str, Labels]:
        return {"plan": Labels("plan", self.plans)}

    def _waste(self, row: int) -> str:
        """What is wasted: as a share, in FLOP, and in money."""
        wasted = float(self.wasted[row])
        money = dollars(wasted, self.costs, ", {}")
        return f"{percent(wasted / self.C[row])} % ({quantity('C', wasted)} FLOP{money})"

    def _sentence(self, row: int) -> str:
        """A sentence about a budget, whose best plan stands in this row."""
        there = [at for at in range(len(self.C)) if self.C[at] == self.C[row] and at != row]
        head = (
            f"With {quantity('C', self.C[row])} FLOP train {engineering(self.N[row])} parameters "
            f"on {engineering(self.D[row])} tokens"
        )
        if self.L.ndim == 1:
            said = f"{head}."
        else:
            known = "which is what knowing the law would save"
            said = f"{head}: expected to waste {self._waste(row)}, {known}."
        if not there:
            return said
        worst = max(there, key=lambda at: self.wasted[at])
        return f"{said} {self.plans[worst]} wastes {self._waste(worst)}."


def spent(C: FloatArray, costs: Costs | None, name: str) -> dict[str, Column]:
    """Columns of compute: FLOP, and dollars or else hours, where these are known."""
    columns = {name: Column([*map(float, C)], [quantity("C", one) for one in C], f"{name} [FLOP]")}
    if costs is not None:
        hours, priced = costs.hours(C), costs.price is not None
        columns[f"{name}_hours"] = Column(
            [*map(float, hours)], [engineering(one) for one in hours], f"{name} [h]", hidden=priced
        )
        if priced:
            money = costs.money(C)
            columns[f"{name}_money"] = Column(
                [*map(float, money)], [f"${engineering(one)}" for one in money], f"{name} [$]"
            )
    return columns


def dollars(C: float, costs: Costs | None, form: str) -> str:
    """What so much compute costs, in a form for it; nothing where its price is unknown."""
    if costs is None or costs.price is None:
        return ""
    return form.format(f"${engineering(costs.money(np.array([C])).item())}")


def percent(share: float) -> str:
    """A share with three digits and no sign: 0.16, 25.4, 2740.

    >>> percent(0.0016), percent(0.254), percent(27.4), percent(np.inf)
    ('0.16', '25.4', '2740', 'over 1e8')
    """
    if not np.isfinite(share):
        return "over 1e8"
    return f"{float(f'{100 * share:.3g}'):.8g}" if share >= 5e-6 else "0"


def _percents(factor: Interval) -> str:
    low, middle, high = (percent(end - 1.0) for end in factor)
    return middle if low == high else f"{middle} [{low}, {high}]"


def _brief(found: Interval) -> str:
    low, middle, high = (f"{end:.2g}" for end in found)
    return middle if low == high else f"{middle} [{low}, {high}]"


def _column(name: str, values: FloatArray, heading: str | None = None) -> Column:
    return Column([*map(float, values)], [quantity(name, one) for one in values], heading)


def _flat(draws: Any) -> Any:
    return draws.reshape(-1, draws.shape[-1])


def _mean(draws: Any) -> FloatArray:
    return np.asarray(_flat(draws).mean(axis=0), np.float64)
