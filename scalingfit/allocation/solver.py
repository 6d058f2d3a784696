"""The compute-optimal split of a budget, for any law and any counting rule.

Along a budget the loss is a function of log N alone. A scan over all of log N finds the deepest
basin, so several minima and minima at the ends are no special case. There the root of the
derivative is found: unlike the loss, which is flat about its minimum, it tells N* to rounding.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from scalingfit.allocation.answer import FloatArray
from scalingfit.allocation.flops import Counting
from scalingfit.allocation.parts import sizes
from scalingfit.allocation.search import (
    EDGE,
    STEP,
    Loss,
    budget_loss,
    known_inputs,
    largest_log_n,
    lowest_point,
    smallest_log_n,
)
from scalingfit.allocation.window import Line, between, window
from scalingfit.declare import Law

__all__ = ["Optimum", "solve"]

SAME = 1e-6
"""Of a loss: less than runs or rounding tell apart."""

TWICE = float(np.log(2.0))


class Optimum(NamedTuple):
    """The optimum at each budget; every array of shape ``leaves.shape + (budget,)``.

    ``parts`` holds the law's own sizes, whose sum is N. ``a`` and ``b`` are the local exponents
    d log N*/d log C and d log D*/d log C, where ``a`` is that of the N that the rule counts;
    ``slope`` is dL*/d log C. ``lowest`` and ``highest`` mark optima at the smallest and the largest
    possible N: one parameter, and what leaves a token to train on (or the largest allowed).
    ``beyond`` marks those at an end of the `window`, outside of which no N was searched.
    ``smaller`` and ``larger`` are the farthest N, in steps of a factor of two, up to which the loss
    is the same to `SAME`: N itself, where that is the optimum and not one of many.
    """

    N: FloatArray
    D: FloatArray
    L: FloatArray
    a: FloatArray
    b: FloatArray
    slope: FloatArray
    parts: Mapping[str, FloatArray]
    lowest: NDArray[np.bool_]
    highest: NDArray[np.bool_]
    beyond: NDArray[np.bool_]
    smaller: FloatArray
    larger: FloatArray

    @property
    def flat(self) -> NDArray[np.bool_]:
        """Where sizes that differ by a factor of two or more are equally good."""
        return np.asarray(self.larger > 1.5 * self.smaller)

    @property
    def middle(self) -> dict[str, NDArray[np.float64]]:
        """Medians of N, D and the law's own sizes, each of shape (budget,)."""
        every = {**self.parts, "N": self.N, "D": self.D}
        return {name: np.median(v.reshape(-1, v.shape[-1]), axis=0) for name, v in every.items()}


def solve(
    law: Law,
    C: FloatArray,
    rule: Counting,
    *,
    extras: Mapping[str, FloatArray] | None = None,
    max_params: float = np.inf,
) -> Optimum:
    """Split each budget between parameters and tokens so that the loss is least.

    Parameters
    ----------
    law : Law
        Leaves of any one shape, float64.
    C : array, shape (budget,), or ``leaves.shape + (budget,)``
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
    count = C.shape[-1]
    # Powers of two: another number of budgets then rarely means another compilation.
    width = (0, (1 << (count - 1).bit_length()) - count)
    padded = {name: np.pad(values, width, mode="edge") for name, values in (extras or {}).items()}
    with jax.enable_x64(True):
        wide = np.pad(C, [*[(0, 0)] * (C.ndim - 1), width], mode="edge")
        traced = _solve(law, wide, rule, padded, float(max_params))
        found = jax.tree.map(lambda values: np.asarray(values)[..., :count], traced)
    # The search runs over log N, whose exponential may round above the limit.
    return Optimum(**found | {"N": np.minimum(found["N"], max_params)})


@jax.jit
def _solve(
    law: Law, C: Array, rule: Counting, extras: Mapping[str, Array], max_params: Array
) -> dict[str, Array | dict[str, Array]]:
    law, log_c, log_max_n = law.expand(1), jnp.log(C), jnp.log(max_params)
    # Three budgets at once, on a new leading axis: a little less, this one, a little more.
    near = log_c + STEP * jnp.arange(-1.0, 2.0).reshape(3, *(1,) * len(law.shape))
    first, last = smallest_log_n(law, extras), largest_log_n(rule, near, log_max_n)
    bottom, top = window(law, rule, extras, log_c, first, last)
    loss: Loss = functools.partial(budget_loss, law, rule, extras)
    line = Line.of(law, rule, bottom, top)
    low, high = line.around(loss, log_c, near)
    close = between(law, line, extras, near, low, high)
    x = lowest_point(close, near, low, high)
    log_d = jnp.log(rule.tokens(jnp.exp(x), jnp.exp(near)))
    value = close(x, near)
    smaller, larger = (
        jnp.exp(_as_good(loss, log_c, x[1], value[1], way, bottom, top[1])) for way in (-1, 1)
    )

    feasible = (last[1] > first) & jnp.isfinite(value[1])
    numbers = {
        "N": jnp.exp(x[1]),
        "D": jnp.exp(log_d[1]),
        "L": value[1],
        "a": _slope(jnp.log(rule.size(jnp.exp(x)))),
        "b": _slope(log_d),
        "slope": _slope(value),
        "smaller": smaller,
        "larger": larger,
        "parts": sizes(law.exact, jnp.exp(x[1]), known_inputs(rule, extras, x[1], log_c)),
    }
    numbers = jax.tree.map(lambda number: jnp.where(feasible, number, jnp.nan), numbers)
    lowest, highest = feasible & (x[1] < first + EDGE), feasible & (x[1] > last[1] - EDGE)
    at_end = feasible & ((x[1] < bottom + EDGE) | (x[1] > top[1] - EDGE))
    beyond = at_end & ~lowest & ~highest
    return {**numbers, "lowest": lowest, "highest": highest, "beyond": beyond}


def _as_good(
    loss: Loss, log_c: Array, x: Array, least: Array, way: int, bottom: Array, top: Array
) -> Array:
    """Log N of the farthest size to one side, by factors of two, whose loss is as good.

    Mostly the first is not, and it ends there.
    """

    def farther(state: tuple[Array, Array]) -> tuple[Array, Array]:
        at, going = state
        tried = at + way * TWICE
        inside = (tried >= bottom) & (tried <= top)
        as_good = going & inside & (loss(tried, log_c) - least <= SAME * jnp.abs(least))
        return jnp.where(as_good, tried, at), as_good

    start = x, jnp.ones(x.shape, bool)
    found: Array = jax.lax.while_loop(lambda state: jnp.any(state[1]), farther, start)[0]
    return found


def _slope(values: Array) -> Array:
    """The derivative with respect to log C, from a little less and a little more of it."""
    return (values[2] - values[0]) / (2 * STEP)
