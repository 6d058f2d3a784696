"""The compute-optimal frontier of a posterior: N*(C), D*(C), L*(C) for every draw."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, final, override

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from scalingfit._errors import InputError
from scalingfit._text import engineering, interval, quantity
from scalingfit.allocation.answer import (
    UNDEFINED,
    Answer,
    FloatArray,
    Reach,
    in_draws,
    intervals,
    quantiles_of,
    share,
)
from scalingfit.allocation.cheapest import least_cost
from scalingfit.allocation.costs import Costs, flop, priced
from scalingfit.allocation.extras import extras_of
from scalingfit.allocation.flops import Counting, WithInference
from scalingfit.allocation.life import as_cost, in_units, over_life
from scalingfit.allocation.parts import require_room
from scalingfit.allocation.question import Asked, Subject, answered, by_fit, subject
from scalingfit.allocation.solver import Optimum
from scalingfit.allocation.terms import Rule, Terms, terms
from scalingfit.allocation.undefined import defined, undefined
from scalingfit.allocation.window import ends_of_window
from scalingfit.allocation.worth import Spending
from scalingfit.declare import Law
from scalingfit.result import Column, Note

__all__ = ["Frontier", "frontier"]

KEPT = frozenset({"L", "N_lean", "D_lean", "total_lean"})
"""What rests on no best size of a budget."""

NEGLIGIBLE = 1e-3
"""Of the loss: no run's noise lets one see less."""


@final
class Frontier(Answer):
    """How to spend each budget: ``print`` it, or read the draws.

    ``asked`` has C; ``draws`` has N, D, tokens_per_param, L and the local exponents a and b, with U
    also epochs, with batch also S, and with a size in parts also those. At the critical batch size
    it also has batch and S, and their local exponents batch_exponent and S_exponent. Where tokens
    are served it also has the FLOP of training, serving and both (total); and beside a training
    budget N_lean, D_lean and total_lean, those of the run that reaches the same loss at the least
    cost of both, and saved, the share of the total that it saves, which is also in saved_flop and,
    with `costs`, in saved_hours and saved_dollars. N is that of the fit; a is the exponent of the N
    that the counting rule counts, as a study that counts by that rule would report it: they differ
    under "6ND-non-embedding" and "6ND-with-embedding" alone.
    """

    title: ClassVar[str] = "Compute-optimal frontier: median [5 %, 95 %]"
    name: ClassVar[str] = "budgets"
    row: ClassVar[str] = "budget"
    label: ClassVar[str] = "C"
    hidden: ClassVar[frozenset[str]] = frozenset({"b", "total_lean"})

    @property
    @override
    def heading(self) -> str:
        """The title, the count, and which N the exponent ``a`` is of, where it is not the fit's."""
        sized = self.provenance.get("a_of", "N")
        return super().heading + ("" if sized == "N" else f"; a is the exponent of {sized}")

    @property
    @override
    def conclusion(self) -> str:
        if "saved" not in self.draws:
            return ""
        leaner = ("N_lean", "D_lean", "saved", "saved_flop")
        rows = zip(self.C, *(self.quantiles(name, (0.5,))[0] for name in leaner), strict=True)
        return "\n".join(
            f"C {quantity('C', C)}: {quantity('N', N)} parameters on {quantity('D', D)} tokens "
            f"reach the same loss and cost {100 * saved:.3g} % less over the model's life "
            f"({quantity('C', flops)} FLOP{self._money(row)})."
            for row, (C, N, D, saved, flops) in enumerate(rows)
            if not np.isnan(saved)
        )

    def _money(self, row: int) -> str:
        """What the leaner run at a budget saves in dollars, or else hours, where they are known."""
        if "saved_dollars" in self.draws:
            return f", ${engineering(self.quantiles('saved_dollars', (0.5,))[0, row])}"
        if "saved_hours" in self.draws:
            return f", {engineering(self.quantiles('saved_hours', (0.5,))[0, row])} h"
        return ""

    @override
    def column(self, name: str) -> Column:
        found = super().column(name)
        if name == "saved":
            ends = intervals(100 * self.draws[name])
            shown = [UNDEFINED if np.isnan(e.median) else interval(name, *e) for e in ends]
            return dataclasses.replace(found, shown=shown, heading="saved [%]")
        return as_cost(found, name, self.draws)

    @property
    def C(self) -> FloatArray:
        """Budgets in FLOP, shape ``(budget,)``."""
        return self.asked["C"]

    @property
    def N(self) -> FloatArray:
        """Optimal parameters, shape ``(chain, draw, budget)``."""
        return self.draws["N"]

    @property
    def D(self) -> FloatArray:
        """Optimal tokens, shape ``(chain, draw, budget)``."""
        return self.draws["D"]

    @property
    def tokens_per_param(self) -> FloatArray:
        """D*/N*, shape ``(chain, draw, budget)``."""
        return self.draws["tokens_per_param"]

    @property
    def L(self) -> FloatArray:
        """Loss of the law there, without a run's noise, shape ``(chain, draw, budget)``."""
        return self.draws["L"]

    @property
    def a(self) -> FloatArray:
        """Local exponent d log N*/d log C of the counted N, shape ``(chain, draw, budget)``."""
        return self.draws["a"]

    @property
    def b(self) -> FloatArray:
        """Local exponent d log D*/d log C, shape ``(chain, draw, budget)``."""
        return self.draws["b"]


def frontier(
    posterior: Asked,
    C: ArrayLike | str | Sequence[str],
    *,
    counting: Rule = "6ND",
    max_params: float | None = None,
    inference_tokens: float | None = None,
    costs: Costs | None = None,
    **extras: ArrayLike,
) -> Frontier:
    """Split budgets between parameters and tokens so that the loss is least, draw by draw.

    Parameters
    ----------
    posterior : Posterior or Law
        What ``fit`` returned, or a law with values such as a published point.
    C : float, str or a sequence of these, shape (budget,)
        Budgets in FLOP, as `counting` counts them; or, with `costs`, as "5000h" and "$2M".
    counting : str, Counting or callable
        What a run costs: a name, a rule, or a function (N, D) -> C.
    max_params : float, optional
        Largest model allowed, for instance by memory.
    inference_tokens : float, optional
        Tokens that the model will serve, each at a third of what a trained one costs (Sardana et
        al. 2024, arXiv 2401.00448). The budget is that of training; the answer states what serving
        adds, and what a smaller model that reaches the same loss would save. A budget that pays for
        both is counted so: ``counting=WithInference(SixND(), 2e12)``.
    costs : Costs, optional
        What compute costs.
    **extras : float or array, shape (budget,)
        The law's other inputs, such as unique tokens U. A law of steps S needs the batch size in
        tokens, ``batch``. Under Kaplan's law a smaller batch always saves compute and costs steps:
        ``batch=1`` is the least compute, C_min of Kaplan et al. 2020, arXiv 2001.08361, and
        ``batch="critical"``, the batch size B_crit(L) of the loss that is reached, costs twice as
        much for the same N and loss. Where the law's size has two parts, such as N_nv and N_v, N
        is their sum, and each may be given.

    Returns
    -------
    Frontier

    Raises
    ------
    InputError
        The law has nothing to split; an input is missing, unknown or not positive; a budget is too
        small to train anything.
    """
    asked = subject(posterior)
    budgets = flop("C", C, costs)
    others = extras_of(asked.law, extras, len(budgets))
    stated = terms(counting, max_params, inference_tokens, asked=asked)
    require_room(asked.law, others, "max_params", stated.max_params)
    spent = Spending(budgets, stated.rule, others, stated.max_params)
    found = by_fit(asked, spent.solve)
    _require_feasible(found, budgets, stated.rule)
    ratio = found.D / found.N
    draws = {**found.parts, "N": found.N, "D": found.D, "tokens_per_param": ratio}
    draws |= {"L": found.L, "a": found.a, "b": found.b}
    if "U" in others:
        draws["epochs"] = found.D / others["U"]
    if "batch" in others:
        draws["S"] = found.D / others["batch"]
    if stated.life is not None:
        life = functools.partial(_over_life, spent, stated.training, stated.life, costs)
        draws |= by_fit(asked, life)
    if extras.get("batch") is not None and "batch" not in others:
        draws |= _at_critical_batch(asked.law, found)
    draws = defined(draws, found, KEPT)

    def answer(asked: Subject, made: tuple[Optimum, dict[str, FloatArray]]) -> Frontier:
        found, draws = made
        middle = found.middle
        far = stated.reach("budgets", middle, asked)
        if "N_lean" in draws:
            far = far.joined(_reach_of_leaner(draws, asked, stated))
        return Frontier(
            asked={"C": budgets, **priced(costs, budgets), **others},
            draws=draws,
            notes=(
                *stated.caveats(asked, middle["N"]),
                *undefined("C", budgets, found),
                *_edges(found, budgets, stated),
                *ends_of_window("C", budgets, found.beyond),
                *_saturated(found, budgets, "U" in others),
                *far.notes,
            ),
            provenance=stated.record(asked, extras) | {"a_of": stated.rule.sized},
            reach=far,
        )

    return answered(asked, (found, draws), answer)


def _over_life(
    spent: Spending, training: Counting, life: WithInference, costs: Costs | None, law: Law
) -> dict[str, FloatArray]:
    """What training and serving cost, and the cheapest run that reaches the same loss."""
    found = spent.solve(law)
    parts = over_life(training, life, found.N, found.D)
    if spent.rule is life:  # whose optimum is the cheapest run already
        return in_units(parts, costs)
    least = least_cost(law, found.L, life, spent.max_params, spent.extras)
    saved = parts["total"] - least.C
    beside = {name: parts[name] for name in ("serving", "total")}  # the budget is that of training
    return {
        **in_units(beside, costs),
        "N_lean": least.N,
        "D_lean": least.D,
        "total_lean": least.C,
        "saved": saved / parts["total"],
        **in_units({"saved_flop": saved}, costs),
    }


def _reach_of_leaner(draws: Mapping[str, FloatArray], asked: Subject, stated: Terms) -> Reach:
    """How far the runs that save something over a model's life lie beyond those of the fit."""
    places = {
        name: quantiles_of(draws[lean].reshape(-1, draws[lean].shape[-1]), (0.5,), axis=0)[0]
        for name, lean in (("N", "N_lean"), ("D", "D_lean"))
    }
    found = stated.reach("budgets", places, asked)
    return found._replace(notes=tuple(note.within("the leaner run") for note in found.notes))


def _at_critical_batch(law: Any, found: Optimum) -> dict[str, FloatArray]:
    """The critical batch size of the loss, the steps that it leaves, and their exponents in C."""
    with jax.enable_x64(True):
        critical = law.expand(1).critical_batch
        values = jax.jvp(critical, (jnp.asarray(found.L),), (jnp.asarray(found.slope),))
        batch, rise = (np.asarray(value, np.float64) for value in values)
    growth = rise / batch
    return {
        "batch": batch,
        "S": found.D / batch,
        "batch_exponent": growth,
        "S_exponent": found.b - growth,
    }


def _require_feasible(found: Optimum, budgets: FloatArray, rule: Counting) -> None:
    lost = np.isnan(found.L)
    if np.any(lost):
        where = [
            f"C = {quantity('C', C)}: {100 * part:.3g} % of the draws"
            for C, part in zip(budgets, share(lost), strict=True)
            if part > 0
        ]
        raise InputError(
            "no split of the budget has a finite loss",
            [*where, f"counted as {rule.describe()}"],
            remedy="ask for a larger budget; N and D are both at least 1.",
        )


def _edges(found: Optimum, budgets: FloatArray, stated: Terms) -> list[Note]:
    """Say where the optimum lies at an end of what was searched."""
    top = "the best split is the largest possible model: the law gains nothing from tokens there"
    bottom = "the best split is the smallest possible model: the law gains nothing from size there"
    return [
        *in_draws("smallest", "C", budgets, found.lowest, bottom),
        *(
            in_draws("limit", "C", budgets, found.highest, stated.binding)
            if np.isfinite(stated.max_params)
            else in_draws("largest", "C", budgets, found.highest, top)
        ),
    ]


def _saturated(found: Optimum, budgets: FloatArray, repeated: bool) -> list[Note]:
    """Say where compute has next to nothing left to buy, so that the split hardly matters.

    The loss falls ever more slowly in log C, so its slope bounds what ten times as much buys.
    """
    flat = -found.slope * np.log(10.0) < NEGLIGIBLE * np.abs(found.L)
    cure = "; more unique tokens would help, more compute does not" if repeated else ""
    little = (
        "ten times the budget would lower the loss by less than "
        f"{100 * NEGLIGIBLE:g} %: N and D hardly matter there{cure}"
    )
    return in_draws("saturated", "C", budgets, flat, little)
