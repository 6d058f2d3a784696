"""The least that a loss costs, serving included: the frontier, read from the other side."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import ClassVar, NamedTuple, final, override

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import ArrayLike, NDArray

from scalingfit._arguments import numbers
from scalingfit._errors import InputError
from scalingfit._text import engineering
from scalingfit.allocation.answer import Answer, FloatArray, in_draws, share
from scalingfit.allocation.costs import Costs, priced
from scalingfit.allocation.extras import extras_of
from scalingfit.allocation.flops import Counting
from scalingfit.allocation.life import as_cost, in_units, over_life
from scalingfit.allocation.parts import require_room
from scalingfit.allocation.question import Asked, subject
from scalingfit.allocation.roots import crossing
from scalingfit.allocation.search import (
    EDGE,
    basin,
    budget_loss,
    largest_log_n,
    lowest_point,
    smallest_log_n,
)
from scalingfit.allocation.solver import Optimum
from scalingfit.allocation.terms import Rule, Terms, terms
from scalingfit.allocation.window import ends_of_window
from scalingfit.allocation.worth import Spending, equal_budget
from scalingfit.declare import Law
from scalingfit.result import Column, Note

__all__ = ["Cheapest", "cheapest", "least_cost"]

LOWEST, HIGHEST = 1e-16, 1e18
"""The cost is searched between these multiples of that of 1e9 parameters on 1e12 tokens."""


@final
class Cheapest(Answer):
    """What each loss costs at least.

    ``asked`` has L; ``draws`` has C, the whole cost in FLOP, and N, D and tokens_per_param of the
    run. Where tokens are served it also has the FLOP of training, serving and both (total). In a
    draw where no budget reaches the loss, all of these are infinite.
    """

    title: ClassVar[str] = "Least cost of a loss: median [5 %, 95 %]"
    name: ClassVar[str] = "losses"
    row: ClassVar[str] = "loss"
    label: ClassVar[str] = "L"

    @override
    def column(self, name: str) -> Column:
        return as_cost(super().column(name), name, self.draws)


def cheapest(
    posterior: Asked,
    L: ArrayLike,
    *,
    counting: Rule = "6ND",
    max_params: float | None = None,
    inference_tokens: float | None = None,
    costs: Costs | None = None,
    **extras: ArrayLike,
) -> Cheapest:
    """Find the least cost, of training or of training and serving, that reaches a loss.

    With `inference_tokens` the cost is that of both, and stands beside that of each. This is the
    question of Sardana et al. 2024, "Beyond Chinchilla-Optimal", arXiv 2401.00448, equation 1: a
    smaller model trained for longer is cheaper to serve.

    Parameters
    ----------
    posterior : Posterior or Law
        What ``fit`` returned, or a law with values such as a published point.
    L : float or array, shape (target,)
        Losses to reach.
    counting, max_params, inference_tokens, costs, **extras
        As in `frontier`.

    Returns
    -------
    Cheapest

    Raises
    ------
    InputError
        As in `frontier`; or no draw reaches a loss.
    """
    asked = subject(posterior)
    targets = numbers("L", L, signed=True)  # negative where it is normalised, as by `vocabulary`
    others = extras_of(asked.law, extras, len(targets))
    stated = terms(counting, max_params, inference_tokens, asked=asked)
    require_room(asked.law, others, "max_params", stated.max_params)
    if stated.life is not None:
        stated = dataclasses.replace(stated, rule=stated.life)
    found = least_cost(asked.law, targets, stated.rule, stated.max_params, others)
    C, N, D = found.C, found.N, found.D
    N_middle, D_middle = (np.median(v.reshape(-1, v.shape[-1]), axis=0) for v in (N, D))
    middle = {"N": N_middle, "D": D_middle}
    draws = {"C": C, **priced(costs, C), "N": N, "D": D, "tokens_per_param": _ratio(D, N)}
    if stated.life is not None:
        parts = over_life(stated.training, stated.life, N, D)
        total = parts.pop("total")  # C, which has its hours and dollars
        draws |= {**in_units(parts, costs), "total": total}
    return Cheapest(
        asked={"L": targets, **others},
        draws=draws,
        notes=(
            *stated.caveats(asked, N_middle),
            *_unreached(targets, C, stated),
            *in_draws("limit", "L", targets, found.binds, stated.binding),
            *ends_of_window("L", targets, found.beyond),
            *stated.reach("losses", middle, asked).notes,
        ),
        provenance=stated.record(asked, extras),
    )


class LeastCost(NamedTuple):
    """What a loss costs at least; arrays of shape ``leaves.shape + (row,)``.

    C, N and D are infinite where no budget reaches the loss; ``binds`` marks optima at the largest
    model allowed, ``beyond`` those at an end of the window that is searched.
    """

    C: FloatArray
    N: FloatArray
    D: FloatArray
    binds: NDArray[np.bool_]
    beyond: NDArray[np.bool_]


def least_cost(
    law: Law,
    L: FloatArray,
    rule: Counting,
    max_params: float,
    extras: Mapping[str, FloatArray],
) -> LeastCost:
    """The least cost that reaches a loss, and the run that does.

    Parameters
    ----------
    law : Law
    L : array, shape (row,) or ``leaves.shape + (row,)``
    rule : Counting
    max_params : float
    extras : mapping of str to array, shape (row,)
    """
    with jax.enable_x64(True):
        found = _solve(law.exact, L, rule, max_params, dict(extras))
        C, N, D, binds = (np.asarray(values) for values in found)
    beyond = np.zeros(C.shape, bool)
    if law.exact is not law:
        C, optimum = _with_error(law, L, C, Spending(C, rule, extras, max_params))
        N, D, binds, beyond = optimum.N, optimum.D, optimum.highest, optimum.beyond
    return LeastCost(C, np.where(np.isinf(N), N, np.minimum(N, max_params)), D, binds, beyond)


@jax.jit
def _solve(
    law: Law, L: Array, rule: Counting, max_params: Array, extras: Mapping[str, Array]
) -> tuple[Array, Array, Array, Array]:
    loss = functools.partial(budget_loss, law.expand(1), rule, extras)

    log_max_n = jnp.log(max_params)

    def best_log_n(log_c: Array) -> Array:
        bottom, top = smallest_log_n(law, extras), largest_log_n(rule, log_c, log_max_n)
        return lowest_point(loss, log_c, *basin(loss, log_c, bottom, top))

    def short(log_c: Array) -> Array:
        least = loss(best_log_n(log_c), log_c)
        # A budget that cannot even pay for serving reaches no loss at all.
        return jnp.where(jnp.isnan(least), -jnp.inf, L - least)

    draws = jnp.broadcast_shapes(*(jnp.shape(leaf) for leaf in jax.tree.leaves(law)))
    shape = (*draws, L.shape[-1])
    usual = jnp.asarray(rule.flops(1e9, 1e12), jnp.float64)
    low, high = (jnp.full(shape, jnp.log(usual * times)) for times in (LOWEST, HIGHEST))
    log_c = crossing(short, low, high)
    x = best_log_n(log_c)
    C, N = jnp.exp(log_c), jnp.exp(x)
    reached = log_c < high
    C, N, D = (jnp.where(reached, v, jnp.inf) for v in (C, N, rule.tokens(N, C)))
    return C, N, D, reached & (x > log_max_n - EDGE)


def _with_error(
    law: Law, L: FloatArray, exact: FloatArray, budgets: Spending
) -> tuple[FloatArray, Optimum]:
    """The cost, and the optimum there, from what the losses cost by the law without its error.

    Where the error makes the least loss rise with the budget, the cost is the nearest that has it.
    """
    finite = np.where(np.isfinite(exact), exact, np.nan)
    usual = np.nanmedian(finite.reshape(-1, finite.shape[-1]), axis=0)
    centre = np.where(np.isnan(usual), np.nanmax(usual), usual)
    rows = np.arange(len(usual))
    about = budgets._replace(C=centre)
    least = about.solve(law).L
    wanted = np.broadcast_to(L, least.shape)
    less, more = (equal_budget(law, wanted, about, rows, more=more) for more in (False, True))
    log_c = np.where(least > wanted, more, less)
    reached = np.isfinite(log_c)
    found = about.at(rows, np.exp(np.where(reached, log_c, np.log(centre)))).solve(law)
    return np.where(reached, np.exp(log_c), np.inf), found._replace(
        N=np.where(reached, found.N, np.inf),
        D=np.where(reached, found.D, np.inf),
        highest=reached & found.highest,
        beyond=reached & found.beyond,
    )


def _ratio(D: FloatArray, N: FloatArray) -> FloatArray:
    return np.divide(D, N, out=np.full_like(D, np.inf), where=np.isfinite(N))


def _unreached(targets: FloatArray, C: FloatArray, stated: Terms) -> list[Note]:
    never = share(np.isinf(C)) == 1.0
    limited = np.isfinite(stated.max_params)
    limit = f" with at most {engineering(stated.max_params)} parameters" if limited else ""
    if np.any(never):
        raise InputError(
            f"no budget reaches the loss in any draw{limit}",
            [f"L = {engineering(L)}" for L in targets[never]],
            remedy="ask for a loss above the law's irreducible one"
            + (", or raise max_params." if limited else "."),
        )
    return in_draws("unreached", "L", targets, np.isinf(C), f"no budget reaches it{limit}")
