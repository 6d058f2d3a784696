"""Which plan to train, and what it costs to be wrong about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
from numpy.typing import ArrayLike

from scalingfit._errors import InputError
from scalingfit._messages import Argument, Message
from scalingfit._text import engineering, quantity
from scalingfit.allocation.answer import FloatArray, share
from scalingfit.allocation.costs import Costs, flop
from scalingfit.allocation.decision import Decision
from scalingfit.allocation.extras import extras_of
from scalingfit.allocation.life import over_life, serving
from scalingfit.allocation.plans import Plan, Plans, plans_of
from scalingfit.allocation.question import Asked, Subject, cost, subject
from scalingfit.allocation.solver import Optimum
from scalingfit.allocation.terms import Rule, Terms, terms
from scalingfit.allocation.undefined import undefined
from scalingfit.allocation.window import ends_of_window
from scalingfit.allocation.worth import (
    Risk,
    Spending,
    best_size,
    error_apart,
    require_finite,
    worth,
)
from scalingfit.result import Note

__all__ = ["decide", "first_order"]

ROUNDING = 1e-6
"""Of a loss, by which it must lie below another to be less."""

BINS, FEWEST = 40, 400
"""Bins over a parameter's draws, and the draws that it takes to fill them."""


def decide(
    posterior: Asked,
    C: ArrayLike | str | Sequence[str],
    plans: Plans = (),
    *,
    risk: Risk = "mean",
    level: float = 0.9,
    counting: Rule = "6ND",
    max_params: float | None = None,
    inference_tokens: float | None = None,
    costs: Costs | None = None,
    **extras: ArrayLike,
) -> Decision:
    """Compare plans for a budget by what they would cost if they are wrong.

    A plan's regret is its loss above the least that its compute buys, L(N) - L*(C), and its
    overspend C / C_eq, where L*(C_eq) is its loss; both in every draw, by the solver. Near the
    optimum of L = E + A/N^alpha + B/D^beta the regret is alpha beta (L* - E) z^2 / 2 and the
    overspend 1 + (alpha + beta) z^2 / 2, z = ln N - ln N*.

    Parameters
    ----------
    posterior : Posterior or Law
        What ``fit`` returned, or a law with values such as a published point.
    C : float, str or a sequence of these, shape (budget,)
        Budgets in FLOP, as `counting` counts them; or as "5000h" and "$2M", with `costs`.
    plans : float, str, Shape, (N, D) or a sequence of these
        What to compare with the best under the posterior: sizes (70e9, "70B"), tokens per parameter
        ("20tpp"), published rules ("hoffmann-2022", "kaplan-2020"), a size and its tokens
        ("70B:1.4T"), or a run of the table ("run 17"). The last two are judged at what they cost.
    risk : {"mean", "quantile", "cvar"}
        What the best plan makes least: the mean of its regret, the quantile of it at `level`, or
        the mean of what lies beyond that quantile.
    level : float
        Between 0 and 1.
    counting, max_params, **extras
        As in `frontier`.
    inference_tokens : float, optional
        Tokens that the model will serve. The budget is that of training, by which plans are judged;
        the answer states what serving adds to each.
    costs : Costs, optional
        What compute costs; answers then come in hours and dollars too.

    Returns
    -------
    Decision

    Raises
    ------
    InputError
        As in `frontier`; or a plan that cannot be read.
    """
    asked = subject(posterior)
    stated = terms(counting, max_params, inference_tokens, asked=asked)
    if not 0.0 < level < 1.0:
        raise InputError(
            f"the level {level} is not a share between 0 and 1",
            remedy=Message("write ", Argument("level", 0.9), "."),
        )
    asked_C = flop("C", C, costs)
    listed = plans_of(plans, getattr(posterior, "runs", None))
    budgets, rows, left_out = _rows(asked, asked_C, listed, stated, extras)
    optimum = budgets.solve(asked.law)
    require_finite(optimum, budgets)
    count = len(asked_C)
    wanted: Optimum = jax.tree.map(lambda values: values[..., :count], optimum)
    sizes = best_size(asked.law, budgets.at(np.arange(count)), wanted, risk, level)
    name = "best" if risk == "mean" else f"best {risk}"
    rows = [*((place, name, N) for place, N in enumerate(sizes)), *rows]
    rows.sort(key=lambda row: row[0])
    place, N = np.array([row[0] for row in rows]), np.array([row[2] for row in rows])
    D = _tokens(stated, N, budgets.C[place])
    found = worth(asked.law, N, budgets, place, optimum)
    return Decision(
        plans=[row[1] for row in rows],
        C=budgets.C[place],
        N=N,
        D=D,
        **found._asdict(),
        hinges=_hinges(
            found.overspend,
            asked.law.values(),
            error_apart(asked.law, N, budgets, place, optimum, found),
        ),
        risk=risk,
        costs=costs,
        served=_served(stated, N, D),
        notes=[
            *left_out,
            *stated.caveats(asked, N),
            *undefined("C", asked_C, wanted),
            *_edges(asked_C, wanted),
            *_searched(asked_C, wanted),
            *_unsearched(rows, budgets.C[place], found.L, optimum.L[..., place]),
            *stated.reach("plans", {"N": N, "D": D}, asked).notes,
        ],
        provenance=stated.record(asked, extras),
    )


def _served(stated: Terms, N: FloatArray, D: FloatArray) -> dict[str, FloatArray]:
    """FLOP over the life of each plan, but for those that are its budget, where any are served."""
    if stated.life is None:
        return {}
    parts = over_life(stated.training, stated.life, N, D)
    budget = "total" if stated.rule is stated.life else "training"
    return {name: flops for name, flops in parts.items() if name != budget}


type Row = tuple[int, str, float]
"""A plan to judge: the place of its budget, its name, its N."""


def _rows(
    asked: Subject, C: FloatArray, plans: Sequence[Plan], stated: Terms, extras: Mapping[str, Any]
) -> tuple[Spending, list[Row], list[Note]]:
    """The budgets, those of plans with tokens of their own last, and the plans that they afford."""
    notes = [
        Note("left_out", f"left out, for {why}", name) for name, why in _empty(plans, C, stated)
    ]
    empty = {note.of for note in notes}
    plans = [plan for plan in plans if plan.name not in empty]
    own = [plan for plan in plans if plan.tokens is not None]
    sizes = np.array([plan.size(C[:1], stated.rule)[0] for plan in own])
    tokens = np.array([plan.tokens for plan in own], np.float64)
    others = extras_of(asked.law, extras, len(C))
    if own and any(len(set(values)) > 1 for values in others.values()):
        raise InputError(
            f"{own[0].name} is judged at its own compute, for which the inputs of the law are not "
            "known, because they differ between the budgets",
            remedy="ask for one budget after the other.",
        )
    spent = np.concatenate([C, cost(stated.rule, sizes, tokens)]) if own else C
    wide = {name: np.resize(values, len(spent)) for name, values in others.items()}
    budgets = Spending(spent, stated.rule, wide, stated.max_params)
    rows = [(len(C) + at, plan.name, float(sizes[at])) for at, plan in enumerate(own)]
    free = [plan for plan in plans if plan.tokens is None]
    rows += [
        (place, plan.name, float(N))
        for plan in free
        for place, N in enumerate(plan.size(C, stated.rule))
    ]
    kept = []
    for place, name, N in rows:
        why = _refused(N, float(spent[place]), stated)
        if why:
            of = f"{name} at {quantity('C', spent[place])} FLOP"
            notes.append(Note("left_out", f"left out, for {why}", of))
        else:
            kept.append((place, name, N))
    return budgets, kept, notes


def _empty(plans: Sequence[Plan], C: FloatArray, stated: Terms) -> list[tuple[str, str]]:
    """The plans that train nothing at any budget, each with the reason."""
    found = []
    for plan in plans:
        if plan.tokens is not None and not plan.tokens >= 1.0:
            found.append((plan.name, "it trains on less than one token"))
        elif not np.max(plan.size(C, stated.rule)) >= 1.0:
            found.append((plan.name, "it has less than one parameter"))
    return found


def _refused(N: float, C: float, stated: Terms) -> str:
    """Why a plan cannot be judged; nothing where it can."""
    if stated.max_params < N:
        return f"{engineering(N)} parameters are more than max_params"
    if _tokens(stated, np.array([N]), np.array([C]))[0] >= 1.0:
        return ""
    paid = stated.life if stated.rule is stated.life else None
    served = 0.0 if paid is None else float(serving(paid, np.array([N]))[0])
    if served >= C:
        return (
            f"serving {engineering(N)} parameters alone costs {quantity('C', served)} FLOP, more "
            "than the budget"
        )
    return f"the budget does not train {engineering(N)} parameters on a single token"


def _tokens(stated: Terms, N: FloatArray, C: FloatArray) -> FloatArray:
    with jax.enable_x64(True):
        return np.asarray(stated.rule.tokens(N, C), np.float64)


def _hinges(
    overspend: FloatArray, parameters: Mapping[str, Any], error: FloatArray | None
) -> list[tuple[str, float] | None]:
    """What the overspend of each plan hangs on most: a parameter, or the error of the law there."""
    hinges: list[tuple[str, float] | None] = []
    for row in range(overspend.shape[-1]):
        known = dict(parameters) if error is None else {**parameters, "error": error[..., row]}
        found = first_order(1.0 - 1.0 / overspend[..., row].ravel(), known)
        hinges.append(max(found.items(), key=lambda item: item[1]) if found else None)
    return hinges


def first_order(values: FloatArray, parameters: Mapping[str, Any]) -> dict[str, float]:
    """The share of the variance that knowing a parameter takes away, for each.

    The first-order index of Sobol' (1993, Math. Modelling Comput. Exp. 1, 407), by means within
    bins of draws, less what bins of noise would show.

    Parameters
    ----------
    values : array, shape (draw,)
    parameters : mapping of str to array
        With as many draws; a parameter that does not vary is left out.
    """
    count = len(values)
    spread = values.var()
    if count < FEWEST or not spread > 0:
        return {}
    found = {}
    for name, draws in parameters.items():
        flat = np.ravel(draws)
        if flat.shape != values.shape or np.ptp(flat) == 0:
            continue
        means = [part.mean() for part in np.array_split(values[np.argsort(flat)], BINS)]
        share = float(np.var(means) / spread)
        chance = (BINS - 1) / count
        found[name] = max(0.0, (share - chance) / (1.0 - chance))
    return found


def _searched(C: FloatArray, optimum: Optimum) -> list[Note]:
    """Where the optimum lies at an end of the window, and what that means for plans."""
    found = ends_of_window("C", C, optimum.beyond)
    text = "regret and overspend are measured from the best of what was searched"
    return [*found, Note("searched", text)] if found else []


def _unsearched(rows: Sequence[Row], C: FloatArray, L: FloatArray, least: FloatArray) -> list[Note]:
    """Of which plans the loss is below the least that was found, and in how many draws."""
    return [
        Note(
            "unsearched",
            "its loss is below the least of what was searched: it counts as the best there",
            f"{name} at {quantity('C', budget)} FLOP",
            float(part),
        )
        for (_, name, _), budget, part in zip(
            rows, C, share(least * (1 - ROUNDING) > L), strict=True
        )
        if part > 0
    ]


def _edges(C: FloatArray, optimum: Optimum) -> list[Note]:
    """Where the optimum lies at an end of what was searched."""
    return [
        Note(
            "edge",
            f"in {100 * part:.3g} % of the draws the {what} possible model is the best",
            f"{quantity('C', budget)} FLOP",
        )
        for flags, what in ((optimum.lowest, "smallest"), (optimum.highest, "largest"))
        for budget, part in zip(C, share(flags), strict=True)
        if part > 0
    ]
