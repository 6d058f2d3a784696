"""The compute-optimal split of a budget, for any law and any counting rule.

Along a budget the loss is a function of log N alone. A scan over all of log N finds the deepest
basin, so several minima and minima at the ends are no special case. There the root of the
derivative is found: unlike the loss, which is flat about its minimum, it tells N* to rounding.
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
from scalingfit.allocation.parts import fixed, sizes
from scalingfit.allocation.roots import crossing, last_true
from scalingfit.declare import Law

__all__ = [
    "Optimum",
    "basin",
    "budget_loss",
    "largest_log_n",
    "lowest_point",
    "smallest_log_n",
    "solve",
]

Loss = Callable[[Any, Any], Any]
"""The loss as a function of log N and log C, elementwise."""

POINTS = 128
"""Points of the scan: two or more per e-fold of N, where basins of scaling laws span several."""

STEP = 1e-3
"""Half width, in log C, of the central difference that gives the exponents."""

LARGEST_LOG_N = 92.0
"""Of any model: 1e40 parameters. Budgets tell nothing, for they may be in any unit."""

EDGE = 1e-9
"""In log N: nearer than this to an end of the search is at the end."""


class Optimum(NamedTuple):
    """The optimum at each budget; every array of shape ``leaves.shape + (budget,)``.

    ``parts`` holds the law's own sizes, whose sum is N. ``a`` and ``b`` are the local exponents
    d log N*/d log C and d log D*/d log C, where ``a`` is that of the N that the rule counts;
    ``slope`` is dL*/d log C. ``lowest`` and ``highest`` mark optima at the ends of what was
    searched: N = 1, and the largest N that leaves a token to train on (or the largest allowed).
    """

    N: Any
    D: Any
    L: Any
    a: Any
    b: Any
    slope: Any
    parts: Any
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
        Leaves of any one shape, float64.
    C : array, shape (budget,)
        Budgets in FLOP, as `rule` counts them.
    rule : Counting
        The counting rule.
    extras : mapping of str to array, shape (budget,)
        The law's other inputs. A law of batch sizes that is given none trains at the critical one.
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
        traced = _solve(law, np.pad(C, width, mode="edge"), rule, padded, float(max_params))
        found: Optimum = jax.tree.map(lambda values: np.asarray(values)[..., :count], traced)
    # The search runs over log N, whose exponential may round above the limit.
    return found._replace(N=np.minimum(found.N, max_params))


@jax.jit
def _solve(law: Law, C: Array, rule: Counting, extras: Any, max_params: Array) -> Optimum:
    law, log_c, log_max_n = law.expand(1), jnp.log(C), jnp.log(max_params)
    loss = functools.partial(budget_loss, law, rule, extras)
    # Three budgets at once, on a new leading axis: a little less, this one, a little more.
    axes = max(leaf.ndim for leaf in jax.tree.leaves(law))
    near = log_c + STEP * jnp.arange(-1.0, 2.0).reshape(3, *(1,) * axes)
    bottom, top = smallest_log_n(law, extras), largest_log_n(rule, near, log_max_n)
    low, high = basin(loss, log_c, bottom, top[1])
    x = lowest_point(loss, near, jnp.maximum(low - STEP, bottom), jnp.minimum(high + STEP, top))
    log_d = jnp.log(rule.tokens(jnp.exp(x), jnp.exp(near)))
    value, top = loss(x, near), top[1]

    feasible = (top > bottom) & jnp.isfinite(value[1])
    numbers = {
        "N": jnp.exp(x[1]),
        "D": jnp.exp(log_d[1]),
        "L": value[1],
        "a": _slope(jnp.log(rule.size(jnp.exp(x)))),
        "b": _slope(log_d),
        "slope": _slope(value),
        "parts": sizes(law, jnp.exp(x[1]), _known(rule, extras, x[1], log_c)),
    }
    numbers = jax.tree.map(lambda number: jnp.where(feasible, number, jnp.nan), numbers)
    lowest, highest = feasible & (x[1] < bottom + EDGE), feasible & (x[1] > top - EDGE)
    return Optimum(**numbers, lowest=lowest, highest=highest)


def _slope(values: Array) -> Array:
    """The derivative with respect to log C, from a little less and a little more of it."""
    return (values[2] - values[0]) / (2 * STEP)


def budget_loss(law: Law, rule: Counting, extras: Any, x: Any, log_c: Any) -> Any:
    """The loss where ``exp(x)`` parameters use up the budget ``exp(log_c)``."""
    known = _known(rule, extras, x, log_c)
    known |= sizes(law, jnp.exp(x), known)
    if "batch" in law.inputs() and "batch" not in known:
        return law.critical_loss(known["N"], known["D"])  # type: ignore[attr-defined]
    return law.loss(**{name: known[name] for name in law.inputs()})


def _known(rule: Counting, extras: Any, x: Any, log_c: Any) -> dict[str, Any]:
    """Every input but the sizes that are to be found."""
    D = rule.tokens(jnp.exp(x), jnp.exp(log_c))
    steps = {"S": D / extras["batch"]} if "batch" in extras else {}
    return {"D": D, **steps, **extras}


def basin(loss: Loss, log_c: Array, bottom: Any, top: Array) -> tuple[Array, Array]:
    """Log N to both sides of the least loss along each budget, by a scan from bottom to top."""
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
