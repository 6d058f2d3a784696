"""The least that a loss costs, serving included: the frontier, read from the other side."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import ClassVar, final

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
from scalingfit.allocation.parts import require_room
from scalingfit.allocation.question import Asked, subject
from scalingfit.allocation.roots import crossing
from scalingfit.allocation.solver import (
    EDGE,
    basin,
    budget_loss,
    largest_log_n,
    lowest_point,
    smallest_log_n,
)
from scalingfit.allocation.terms import Rule, Terms, terms
from scalingfit.declare import Law
from scalingfit.result import Note

__all__ = ["Cheapest", "cheapest", "least_cost"]

LOWEST, HIGHEST = 1e-16, 1e18
"""The cost is searched between these multiples of that of 1e9 parameters on 1e12 tokens."""


@final
class Cheapest(Answer):
    """What each loss costs at least.

    ``asked`` has L; ``draws`` has C, the whole cost in FLOP, and N, D and tokens_per_param of the
    run. In a draw where no budget reaches the loss, C, N and D are infinite.
    """

    title: ClassVar[str] = "Least cost of a loss: median [5 %, 95 %]"
    name: ClassVar[str] = "losses"
    row: ClassVar[str] = "loss"
    label: ClassVar[str] = "L"


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

    With `inference_tokens` the cost is that of both. This is the question of Sardana et al. 2024,
    "Beyond Chinchilla-Optimal", arXiv 2401.00448, equation 1: a smaller model trained for longer is
    cheaper to serve.

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
    stated = terms(counting, max_params, inference_tokens)
    require_room(asked.law, others, "max_params", stated.max_params)
    rule = stated.life or stated.rule
    C, N, D, binds = least_cost(asked.law, targets, rule, stated.max_params, others)
    N_middle, D_middle = (np.median(v.reshape(-1, v.shape[-1]), axis=0) for v in (N, D))
    middle = {"N": N_middle, "D": D_middle}
    return Cheapest(
        asked={"L": targets, **others},
        draws={"C": C, **priced(costs, C), "N": N, "D": D, "tokens_per_param": _ratio(D, N)},
        notes=(
            *stated.caveats(asked, N_middle),
            *_unreached(targets, C, stated),
            *in_draws("limit", "L", targets, binds, stated.binding),
            *stated.reach("losses", middle, asked).notes,
        ),
        provenance=stated.record(asked, extras) | {"counting": rule.describe()},
    )


def least_cost(
    law: Law,
    L: FloatArray,
    rule: Counting,
    max_params: float,
    extras: Mapping[str, FloatArray],
) -> tuple[FloatArray, FloatArray, FloatArray, NDArray[np.bool_]]:
    """The least cost that reaches a loss, the N and D of the run, and where max_params binds.

    Parameters
    ----------
    law : Law
    L : array, shape (row,) or ``leaves.shape + (row,)``
    rule : Counting
    max_params : float
    extras : mapping of str to array, shape (row,)

    Returns
    -------
    tuple of array, shape ``leaves.shape + (row,)``
        Infinite where no budget reaches the loss.
    """
    with jax.enable_x64(True):
        found = _solve(law, L, rule, max_params, dict(extras))
        C, N, D, binds = (np.asarray(values) for values in found)
    return C, np.where(np.isinf(N), N, np.minimum(N, max_params)), D, binds  # rounding aside


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
