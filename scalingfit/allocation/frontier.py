"""The compute-optimal frontier of a posterior: N*(C), D*(C), L*(C) for every draw."""

from __future__ import annotations

from typing import Any, ClassVar, final, override

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from scalingfit._arguments import numbers
from scalingfit._errors import InputError
from scalingfit._text import quantity
from scalingfit.allocation.answer import Answer, FloatArray, in_draws, share
from scalingfit.allocation.extras import extras_of
from scalingfit.allocation.flops import Counting
from scalingfit.allocation.parts import require_room
from scalingfit.allocation.question import Asked, Subject, answered, by_fit, cost, reach, subject
from scalingfit.allocation.solver import Optimum
from scalingfit.allocation.terms import Rule, Terms, terms
from scalingfit.allocation.window import ends_of_window
from scalingfit.allocation.worth import Budgets
from scalingfit.result import Note

__all__ = ["Frontier", "frontier"]

NEGLIGIBLE = 1e-3
"""Of the loss: no run's noise lets one see less."""


@final
class Frontier(Answer):
    """How to spend each budget: ``print`` it, or read the draws.

    ``asked`` has C; ``draws`` has N, D, tokens_per_param, L and the local exponents a and b, with
    U also epochs, with batch also S, and with a size in parts also those. At the critical batch
    size it also has batch and S, and their local exponents batch_exponent and S_exponent. N is that
    of the fit; a is the exponent of the N that the counting rule counts, as a study that counts by
    that rule would report it: they differ under "6ND-non-embedding" and "6ND-with-embedding" alone.
    """

    title: ClassVar[str] = "Compute-optimal frontier: median [5 %, 95 %]"
    name: ClassVar[str] = "budgets"
    row: ClassVar[str] = "budget"
    label: ClassVar[str] = "C"
    hidden: ClassVar[frozenset[str]] = frozenset({"b"})

    @property
    @override
    def heading(self) -> str:
        """The title, the count, and which N the exponent ``a`` is of, where it is not the fit's."""
        sized = self.provenance.get("a_of", "N")
        return super().heading + ("" if sized == "N" else f"; a is the exponent of {sized}")

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
    C: ArrayLike,
    *,
    counting: Rule = "6ND",
    max_params: float | None = None,
    inference_tokens: float | None = None,
    **extras: ArrayLike,
) -> Frontier:
    """Split budgets between parameters and tokens so that the loss is least, draw by draw.

    Parameters
    ----------
    posterior : Posterior or Law
        What ``fit`` returned, or a law with values such as a published point.
    C : float or array, shape (budget,)
        Budgets in FLOP, as `counting` counts them.
    counting : str, Counting or callable
        What a run costs: a name, a rule, or a function (N, D) -> C.
    max_params : float, optional
        Largest model allowed, for instance by memory.
    inference_tokens : float, optional
        Tokens the model will serve; the budget then pays for training and serving together
        (Sardana et al. 2024, arXiv 2401.00448), a served token costing a third of a trained one.
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
    budgets = numbers("C", C)
    others = extras_of(asked.law, extras, len(budgets))
    stated = terms(counting, max_params, inference_tokens)
    require_room(asked.law, others, "max_params", stated.max_params)
    spent = Budgets(budgets, stated.rule, others, stated.max_params)
    found = by_fit(asked, spent.solve)
    _require_feasible(found, budgets, stated.rule)
    ratio = found.D / found.N
    draws = {**found.parts, "N": found.N, "D": found.D, "tokens_per_param": ratio}
    draws |= {"L": found.L, "a": found.a, "b": found.b}
    if "U" in others:
        draws["epochs"] = found.D / others["U"]
    if "batch" in others:
        draws["S"] = found.D / others["batch"]
    if extras.get("batch") is not None and "batch" not in others:
        draws |= _at_critical_batch(asked.law, found)

    def answer(asked: Subject, made: tuple[Optimum, dict[str, FloatArray]]) -> Frontier:
        found, draws = made
        middle = _middle(found, stated.training)
        far = reach("budgets", middle, asked.counted(stated.training))
        return Frontier(
            asked={"C": budgets, **others},
            draws=draws,
            notes=(
                *stated.caveats(asked, middle["N"]),
                *_edges(found, budgets, stated),
                *ends_of_window("C", budgets, found.beyond),
                *_saturated(found, budgets, "U" in others),
                *far.notes,
            ),
            provenance=stated.record(asked, extras) | {"a_of": stated.rule.sized},
            reach=far,
        )

    return answered(asked, (found, draws), answer)


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


def _middle(found: Optimum, training: Counting) -> dict[str, FloatArray]:
    """The median optimum and what its training costs."""
    middle = {**found.parts, "N": found.N, "D": found.D}
    middle = {name: np.median(v.reshape(-1, v.shape[-1]), axis=0) for name, v in middle.items()}
    return {"C": cost(training, middle["N"], middle["D"]), **middle}
