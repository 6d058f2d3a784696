"""Where N* is looked for, and how, under a law with an error.

A draw of an error wanders ever further from zero as one leaves the runs, so that over all of N its
least loss may lie decades from any run, at a budget that the runs do cover. N* is therefore the
best split within a window: within a decade of the runs, in parameters and in tokens, or likewise of
where the law without its error has its optimum, by the median of the draws. How many draws are best
at an end of it is stated, unless they are too few to matter.
"""

from __future__ import annotations

import functools
import math
import operator
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from scalingfit._text import quantity
from scalingfit.allocation.answer import FEW, FloatArray, share
from scalingfit.allocation.flops import Counting, WithInference
from scalingfit.allocation.roots import last_true
from scalingfit.allocation.search import (
    EDGE,
    STEP,
    Loss,
    basin,
    budget_loss,
    lowest_point,
)
from scalingfit.declare import Law
from scalingfit.result import Note

__all__ = ["Line", "between", "ends_of_window", "window"]

DECADE = math.log(10.0)

UNDETERMINED = 0.05
"""Share of the draws at the ends of the window beyond which a 90 % interval may end there."""

AT_END = (
    "N* lies at an end of what was searched, a decade about the runs and about the optimum of the "
    "law without its error"
)

NODES = np.cos(np.pi * (np.arange(6) + 0.5) / 6)
"""Chebyshev's, of the polynomial that stands for an error between two points of a scan: a tenth of
a decade, over which the error is that polynomial to 1e-9; where D/N is scanned, some tenths."""


def window(
    law: Law, rule: Counting, extras: Any, log_c: Array, first: Any, last: Array
) -> tuple[Any, Array]:
    """The ends, in log N, of the search along each budget; all that is possible for an exact law.

    Parameters
    ----------
    law : Law
        Expanded, so that its draws broadcast against budgets.
    rule, extras
        As of `budget_loss`.
    log_c : array, shape (budget,), or (chain, draw, budget)
    first, last : array
        The smallest and the largest N that are possible.
    """
    if law.exact is law:
        return first, last
    exact = functools.partial(budget_loss, law.exact, rule, extras)
    own = lowest_point(exact, log_c, *basin(exact, log_c, first, last[1]))
    # Where draws have budgets of their own, N* about as the square root of each.
    usual = 0.5 * log_c
    middle = jnp.median(own - usual, axis=tuple(range(own.ndim - 1)), keepdims=True) + usual
    low, high = _near_runs(law, rule, log_c, jnp.zeros_like(middle))
    empty = low > high
    low, high = jnp.where(empty, jnp.inf, low), jnp.where(empty, -jnp.inf, high)
    above = middle + DECADE
    if isinstance(rule, WithInference):  # a decade of N may be many of D
        log_d = jnp.log(rule.tokens(jnp.exp(middle), jnp.exp(log_c)))
        above = _leaving(rule, log_c, log_d - DECADE, middle, above)
    low, high = jnp.minimum(low, middle - DECADE), jnp.maximum(high, above)
    return jnp.maximum(first, low), jnp.minimum(last, high)


def ends_of_window(name: str, asked: FloatArray, beyond: NDArray[np.bool_]) -> list[Note]:
    """Say of each question in how many draws N* is at an end of the window, where it is in some.

    Parameters
    ----------
    name : str
        What was asked for, such as C.
    asked : array, shape (row,)
    beyond : array of bool, shape (chain, draw, row)
    """
    found = []
    for row, part in zip(asked, share(beyond), strict=True):
        if part > UNDETERMINED:
            said = f"{AT_END}: the runs do not determine it"
            found.append(Note("undetermined", said, f"{name} {quantity(name, row)}", float(part)))
        elif part > FEW:
            found.append(Note("window", AT_END, f"{name} {quantity(name, row)}", float(part)))
    return found


def _near_runs(law: Any, rule: Counting, log_c: Array, zero: Array) -> tuple[Array, Array]:
    """Log N along each budget within a decade of the least and the greatest N and D of the runs."""
    least, greatest = (dict(zip(law.inputs(), end * DECADE, strict=True)) for end in law.error.runs)
    low = jnp.log(sum(jnp.exp(least[part]) for part in law.size)) - DECADE + zero
    high = jnp.log(sum(jnp.exp(greatest[part]) for part in law.size)) + DECADE + zero
    if "D" not in least:
        return low, high

    return (
        _leaving(rule, log_c, greatest["D"] + DECADE, low, high),
        _leaving(rule, log_c, least["D"] - DECADE, low, high),
    )


def _leaving(rule: Counting, log_c: Array, log_d: Any, low: Array, high: Array) -> Array:
    """The largest log N between two that leaves so many tokens of the budget."""

    def enough(x: Array) -> Array:
        return jnp.asarray(jnp.log(rule.tokens(jnp.exp(x), jnp.exp(log_c))) >= log_d)

    return last_true(enough, low, high)


class Line(NamedTuple):
    """What a budget pays for, and the coordinate in which N is looked for along it.

    That is log N; but log N/D for a law with an error where a part of the budget is for serving.
    All of it is at some N, near which D falls by decades while N hardly moves, and the error with
    it.

    Attributes
    ----------
    rule : Counting
    bottom, top : array
        The least and the greatest log N.
    by_ratio : bool
        Whether the coordinate is log N/D.
    """

    rule: Counting
    bottom: Any
    top: Array
    by_ratio: bool

    @classmethod
    def of(cls, law: Law, rule: Counting, bottom: Any, top: Array) -> Line:
        """That of a law under a rule."""
        return cls(rule, bottom, top, law.exact is not law and isinstance(rule, WithInference))

    def place(self, x: Any, log_c: Any) -> Any:
        """The coordinate of a log N."""
        if not self.by_ratio:
            return x
        return x - jnp.log(self.rule.tokens(jnp.exp(x), jnp.exp(log_c)))

    def size(self, place: Any, log_c: Any) -> Any:
        """The log N at a coordinate, between the least and the greatest."""
        if not self.by_ratio:
            return place
        shape = jnp.broadcast_shapes(*map(jnp.shape, (place, log_c, self.bottom, self.top)))
        low, high = (jnp.broadcast_to(end, shape) for end in (self.bottom, self.top))
        return last_true(lambda x: self.place(x, log_c) <= place, low, high)

    def around(self, loss: Loss, log_c: Array, near: Array) -> tuple[Array, Array]:
        """Log N to both sides of the least loss along each budget, and along those near it."""
        one = self._replace(top=self.top[1])
        low, high = basin(
            lambda place, log_c: loss(one.size(place, log_c), log_c),
            log_c,
            one.place(one.bottom, log_c),
            one.place(one.top, log_c),
        )
        low, high = self.size(low - STEP, near), self.size(high + STEP, near)
        return jnp.maximum(low, self.bottom), jnp.minimum(high, self.top)


def between(law: Any, line: Line, extras: Any, log_c: Array, low: Array, high: Array) -> Loss:
    """The loss between two points of a scan, with the law's error as a polynomial.

    To look for a root takes dozens of values, of which each of an error is a long sum.
    """
    rule = line.rule
    if law.exact is law:
        return functools.partial(budget_loss, law, rule, extras)
    ends = line.place(low, log_c), line.place(high, log_c)
    middle, half = 0.5 * (ends[0] + ends[1]), jnp.maximum(0.5 * (ends[1] - ends[0]), EDGE)
    exact = functools.partial(budget_loss, law.exact, rule, extras)
    places = [line.size(middle + half * node, log_c) for node in NODES]
    errors = [
        law.error_in(budget_loss(law, rule, extras, x, log_c), exact(x, log_c)) for x in places
    ]
    inverse = np.linalg.inv(np.vander(NODES))
    coefficients = [sum(map(operator.mul, row.tolist(), errors)) for row in inverse]

    def loss(x: Any, log_c: Any) -> Any:
        place = (line.place(x, log_c) - middle) / half
        error = functools.reduce(lambda sum, each: sum * place + each, coefficients)
        return law.with_error(exact(x, log_c), error)

    return loss
