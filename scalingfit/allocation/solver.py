"""The compute-optimal split of a budget, for any law and any counting rule.

Along a budget the loss is a function of log N alone. A scan over all of log N finds the deepest
basin, so several minima and minima at the ends are no special case; then the derivative's sign is
bisected, which is accurate to rounding (the loss itself is flat there) and safe at kinks.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from scalingfit.allocation.flops import Counting
from scalingfit.law import Law

__all__ = ["Optimum", "derive", "optimum", "solve"]

POINTS = 256
"""Points of the scan: several per e-fold of N, far finer than any basin of a scaling law."""

HALVINGS = 55
"""Bisections: from two spacings of the scan, about half an e-fold, down to rounding."""

STEP = 1e-3
"""Half width, in log C, of the central difference that gives the exponents."""


class Optimum(NamedTuple):
    """The optimum at each budget; every array of shape ``leaves.shape + (budget,)``.

    ``a`` and ``b`` are the local exponents d log N*/d log C and d log D*/d log C. ``lowest`` and
    ``highest`` mark optima at the ends of what was searched: N = 1, and the largest N that leaves
    a token to train on (or the largest allowed).
    """

    N: Any
    D: Any
    L: Any
    a: Any
    b: Any
    lowest: Any
    highest: Any


def solve(
    law: Law,
    C: NDArray[np.float64],
    rule: Counting,
    *,
    extras: Mapping[str, NDArray[np.float64]] | None = None,
    max_params: float = np.inf,
) -> Optimum:
    """Split each budget between parameters and tokens so that the loss is least.

    Parameters
    ----------
    law : Law
        Leaves of any one shape.
    C : array, shape (budget,)
        Budgets in FLOP, as `rule` counts them.
    rule : Counting
        The counting rule.
    extras : mapping of str to array, shape (budget,)
        The law's other inputs.
    max_params : float
        Largest N allowed.

    Returns
    -------
    Optimum
        NumPy arrays of shape ``leaves.shape + (budget,)``; NaN where no split is feasible.
    """
    count = len(C)
    # Powers of two: another number of budgets then rarely means another compilation.
    width = (0, (1 << (count - 1).bit_length()) - count)
    padded = {name: np.pad(values, width, mode="edge") for name, values in (extras or {}).items()}
    with jax.enable_x64(True):
        law = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), law)
        found = _solve(law, np.pad(C, width, mode="edge"), rule, padded, float(max_params))
        found = Optimum(*(np.asarray(values)[..., :count] for values in found))
    # The search runs over log N, whose exponential may round above the limit.
    return found._replace(N=np.minimum(found.N, max_params))


@jax.jit
def _solve(law: Law, C: Array, rule: Counting, extras: Any, max_params: Array) -> Optimum:
    return optimum(law.expand(1), jnp.log(C), rule, extras, jnp.log(max_params))


def optimum(law: Law, log_c: Array, rule: Counting, extras: Any, log_max_n: Any) -> Optimum:
    """Solve inside a traced program; the law's leaves broadcast against `log_c`."""
    loss = functools.partial(split_loss, law, rule, extras)
    top = largest_log_n(rule, log_c, log_max_n)
    spacing = top / (POINTS - 1)
    best = _scan(lambda k: loss(k * spacing, log_c))

    def refine(log_c: Array) -> Array:
        low = jnp.maximum((best - 1) * spacing - STEP, 0.0)
        high = (best + 1) * spacing + STEP
        high = jnp.minimum(high, largest_log_n(rule, log_c, log_max_n))
        return _stationary(lambda x: loss(x, log_c), low, high)

    def tokens(x: Array, log_c: Array) -> Array:
        return rule.tokens(jnp.exp(x), jnp.exp(log_c))

    less, more = log_c - STEP, log_c + STEP
    x, x_less, x_more = refine(log_c), refine(less), refine(more)
    value = loss(x, log_c)
    feasible = (top > 0) & jnp.isfinite(value)
    numbers = (
        jnp.exp(x),
        tokens(x, log_c),
        value,
        (x_more - x_less) / (2 * STEP),
        jnp.log(tokens(x_more, more) / tokens(x_less, less)) / (2 * STEP),
    )
    return Optimum(
        *(jnp.where(feasible, number, jnp.nan) for number in numbers),
        lowest=feasible & (x < 1e-9),
        highest=feasible & (x > top - 1e-9),
    )


def split_loss(law: Law, rule: Counting, extras: Any, x: Any, log_c: Any) -> Any:
    """The loss where ``exp(x)`` parameters use up the budget ``exp(log_c)``."""
    N, C = jnp.exp(x), jnp.exp(log_c)
    known = derive({"N": N, "D": rule.tokens(N, C), "C": C, **extras})
    return law.loss(**{name: known[name] for name in law.inputs()})


def derive(known: Mapping[str, Any]) -> dict[str, Any]:
    """Add the inputs that follow from N and D: M tokens per parameter, S steps of a batch."""
    found = dict(known)
    found.setdefault("M", known["D"] / known["N"])
    if "batch" in known:
        found.setdefault("S", known["D"] / known["batch"])
    return found


def largest_log_n(rule: Counting, log_c: Array, log_max_n: Any) -> Array:
    """Log of the largest N that leaves a token of the budget, or that is allowed."""

    def leaves_a_token(x: Array) -> Array:
        return rule.tokens(jnp.exp(x), jnp.exp(log_c)) >= 1.0

    # A parameter costs more than a FLOP, so N cannot exceed C.
    low, _ = _bisect(leaves_a_token, jnp.zeros_like(log_c), log_c)
    return jnp.minimum(low, log_max_n)


def _scan(value_at: Callable[[Array], Array]) -> Array:
    """The index in 0 .. POINTS - 1 where the value is least; NaN never wins."""

    def step(k: Array, best: tuple[Array, Array]) -> tuple[Array, Array]:
        least, where = best
        value = value_at(k.astype(least.dtype))
        better = value < least
        return jnp.where(better, value, least), jnp.where(better, k.astype(least.dtype), where)

    like = jax.eval_shape(value_at, jax.ShapeDtypeStruct((), jnp.float64))
    start = jnp.full(like.shape, jnp.inf, like.dtype), jnp.zeros(like.shape, like.dtype)
    # A loop that carries the best so far keeps memory at one array, however fine the scan.
    return jax.lax.fori_loop(0, POINTS, step, start)[1]


def _stationary(loss: Callable[[Array], Array], low: Array, high: Array) -> Array:
    """Where the slope of `loss` changes from falling to rising; an end where it does not."""

    def falls(x: Array) -> Array:
        return jax.jvp(loss, (x,), (jnp.ones_like(x),))[1] < 0

    return 0.5 * sum(_bisect(falls, low, high))


def _bisect(holds: Callable[[Array], Array], low: Array, high: Array) -> tuple[Array, Array]:
    """Bracket the end of the stretch, starting at `low`, on which `holds` is true."""

    def halve(_: int, bracket: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = bracket
        middle = 0.5 * (low + high)
        true = holds(middle)
        return jnp.where(true, middle, low), jnp.where(true, high, middle)

    low, high = jnp.broadcast_arrays(low, high)
    return jax.lax.fori_loop(0, HALVINGS, halve, (low, high))
