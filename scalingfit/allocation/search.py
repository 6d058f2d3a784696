"""The loss along a budget, and where it is least: what every search for N* is made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from scalingfit.allocation.flops import Counting
from scalingfit.allocation.parts import fixed, sizes
from scalingfit.allocation.roots import crossing, last_true
from scalingfit.declare import Law

__all__ = [
    "EDGE",
    "STEP",
    "Loss",
    "basin",
    "budget_loss",
    "known_inputs",
    "largest_log_n",
    "lowest_point",
    "smallest_log_n",
]

Loss = Callable[[Any, Any], Any]
"""The loss as a function of log N and log C, elementwise."""

POINTS = 128
"""Points of the scan: two or more per e-fold of N, where basins of scaling laws span several."""

LARGEST_LOG_N = 92.0
"""Of any model: 1e40 parameters. Budgets tell nothing, for they may be in any unit."""

STEP = 1e-3
"""Half width, in log C, of the central difference that gives the exponents."""

EDGE = 1e-9
"""In log N: nearer than this to an end of the search is at the end."""


def budget_loss(law: Law, rule: Counting, extras: Any, x: Any, log_c: Any) -> Any:
    """The loss where ``exp(x)`` parameters use up the budget ``exp(log_c)``."""
    known = known_inputs(rule, extras, x, log_c)
    known |= sizes(law.exact, jnp.exp(x), known)
    if "batch" in law.inputs() and "batch" not in known:
        return law.critical_loss(known["N"], known["D"])  # type: ignore[operator]
    return law.loss(**{name: known[name] for name in law.inputs()})


def known_inputs(rule: Counting, extras: Any, x: Any, log_c: Any) -> dict[str, Any]:
    """Every input but the sizes that are to be found."""
    D = rule.tokens(jnp.exp(x), jnp.exp(log_c))
    steps = {"S": D / extras["batch"]} if "batch" in extras else {}
    return {"D": D, **steps, **extras}


def basin(loss: Loss, log_c: Array, bottom: Any, top: Array) -> tuple[Array, Array]:
    """Points to both sides of the least loss along each budget, by a scan from bottom to top."""
    spacing = (top - bottom) / (POINTS - 1)
    best = _scan(lambda k: loss(bottom + k * spacing, log_c))
    low, high = jnp.maximum(best - 1, 0), jnp.minimum(best + 1, POINTS - 1)
    return bottom + low * spacing, bottom + high * spacing


def lowest_point(loss: Loss, log_c: Array, low: Array, high: Array) -> Array:
    """Log N of the least loss between two ends of one basin."""

    def slope(x: Array) -> Array:
        derivative: Array = jax.jvp(lambda x: loss(x, log_c), (x,), (jnp.ones_like(x),))[1]
        return derivative

    return crossing(slope, *jnp.broadcast_arrays(low, high))


def smallest_log_n(law: Law, extras: Any) -> Any:
    """Log of the smallest N: one parameter beside those that are given."""
    return jnp.log1p(jnp.asarray(fixed(law, extras), jnp.float64))


def largest_log_n(rule: Counting, log_c: Array, log_max_n: Any) -> Array:
    """Log of the largest N that leaves a token of the budget, or that is allowed."""

    def leaves_a_token(x: Array) -> Array:
        return jnp.asarray(rule.tokens(jnp.exp(x), jnp.exp(log_c)) >= 1.0)

    none, most = jnp.zeros_like(log_c), jnp.full_like(log_c, LARGEST_LOG_N)
    return jnp.minimum(last_true(leaves_a_token, none, most), log_max_n)


def _scan(value_at: Callable[[Array], Array]) -> Array:
    """The index in 0 .. POINTS - 1 where the value is least; NaN never wins."""

    def step(k: Array, best: tuple[Array, Array]) -> tuple[Array, Array]:
        least, where = best
        value = value_at(k)
        better = value < least
        return jnp.where(better, value, least), jnp.where(better, k, where)

    first = value_at(jnp.zeros((), int))
    start = jnp.where(jnp.isnan(first), jnp.inf, first), jnp.zeros(first.shape, int)
    # A loop that carries the best so far keeps memory at one array, however fine the scan.
    where: Array = jax.lax.fori_loop(1, POINTS, step, start)[1]
    return where
