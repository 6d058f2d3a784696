"""The least that a loss costs, serving included: the frontier, read from the other side."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ClassVar, final

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import ArrayLike

from scalingfit._errors import InputError
from scalingfit.allocation.answer import Answer, FloatArray, engineering
from scalingfit.allocation.flops import Counting, WithInference
from scalingfit.allocation.flops import counting as counting_rule
from scalingfit.allocation.frontier import extras_of
from scalingfit.allocation.question import cost, numbers, reach, subject
from scalingfit.allocation.roots import crossing
from scalingfit.allocation.solver import (
    basin,
    budget_loss,
    largest_log_n,
    lowest_point,
    smallest_log_n,
)
from scalingfit.law import Law

__all__ = ["Cheapest", "cheapest"]

LOWEST, HIGHEST = 1e6, 1e40
"""The cost is searched between these budgets, in FLOP."""


@final
class Cheapest(Answer):
    """What each loss costs at least.

    ``asked`` has L; ``draws`` has C, the whole cost in FLOP, and N, D and tokens_per_param of the
    run. In a draw where no budget reaches the loss, C, N and D are infinite.
    """

    title: ClassVar[str] = "Least cost of a loss: median [5 %, 95 %]"


def cheapest(
    posterior: Any,
    L: ArrayLike,
    *,
    counting: str | Counting | Callable[[Any, Any], Any] = "6ND",
    inference_tokens: float | None = None,
    **extras: ArrayLike,
) -> Cheapest:
    """Find the least cost, of training or of training and serving, that reaches a loss.

    With `inference_tokens` this is the question of Sardana et al. 2024, "Beyond
    Chinchilla-Optimal", arXiv 2401.00448, equation 1: a smaller model trained for longer is
    cheaper to serve.

    Parameters
    ----------
    posterior : Posterior or Law
        What ``fit`` returned, or a law with values such as a published point.
    L : float or array, shape (target,)
        Losses to reach.
    counting, inference_tokens, **extras
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
    training = counting_rule(counting)
    rule = training
    if inference_tokens is not None:
        rule = WithInference(training, float(numbers("inference_tokens", inference_tokens)[0]))
    with jax.enable_x64(True):
        law = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), asked.law)
        C, N, D = (np.asarray(found) for found in _solve(law, targets, rule, others))
    share = np.mean(np.isinf(C).reshape(-1, len(targets)), axis=0)
    N_middle, D_middle = (np.median(v.reshape(-1, v.shape[-1]), axis=0) for v in (N, D))
    middle = {"C": cost(training, N_middle, D_middle), "N": N_middle, "D": D_middle}
    return Cheapest(
        asked={"L": targets, **others},
        draws={"C": C, "N": N, "D": D, "tokens_per_param": _ratio(D, N)},
        messages=(
            *_unreached(targets, share),
            *reach("losses", middle, asked.counted(training)),
        ),
        provenance={
            "law": type(asked.law).name,
            "counting": rule.describe(),
            "posterior": dict(asked.provenance),
        },
    )


@jax.jit
def _solve(law: Law, L: Array, rule: Counting, extras: Any) -> tuple[Array, Array, Array]:
    loss = functools.partial(budget_loss, law.expand(1), rule, extras)

    def best_log_n(log_c: Array) -> Array:
        bottom, top = smallest_log_n(law, extras), largest_log_n(rule, log_c, jnp.inf)
        return lowest_point(loss, log_c, *basin(loss, log_c, bottom, top))

    def short(log_c: Array) -> Array:
        least = loss(best_log_n(log_c), log_c)
        # A budget that cannot even pay for serving reaches no loss at all.
        return jnp.where(jnp.isnan(least), -jnp.inf, L - least)

    shape = jnp.broadcast_shapes(*(jnp.shape(leaf) for leaf in jax.tree.leaves(law))) + L.shape
    low, high = (jnp.full(shape, jnp.log(bound)) for bound in (LOWEST, HIGHEST))
    log_c = crossing(short, low, high)
    x = best_log_n(log_c)
    C, N = jnp.exp(log_c), jnp.exp(x)
    reached = log_c < high
    return tuple(jnp.where(reached, v, jnp.inf) for v in (C, N, rule.tokens(N, C)))  # type: ignore[return-value]


def _ratio(D: FloatArray, N: FloatArray) -> FloatArray:
    return np.divide(D, N, out=np.full_like(D, np.inf), where=np.isfinite(N))


def _unreached(targets: FloatArray, share: FloatArray) -> list[str]:
    if np.any(share == 1.0):
        raise InputError(
            "no budget reaches the loss in any draw",
            [f"L = {engineering(L)}" for L in targets[share == 1.0]],
            remedy="ask for a loss above the law's irreducible one.",
        )
    return [
        f"L {engineering(L)}: in {100 * part:.3g} % of the draws no budget reaches it"
        for L, part in zip(targets, share, strict=True)
        if part > 0
    ]
