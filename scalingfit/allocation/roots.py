"""Elementwise searches along a line, traceable, and safe where a function jumps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

__all__ = ["crossing", "last_true"]

TOLERANCE = 1e-9
"""Width at which `crossing` stops; a smooth root inside is then interpolated to rounding."""

HALVINGS = 60
"""From any bracket to the last bit of a float64."""


def last_true(holds: Callable[[Array], Array], low: Array, high: Array) -> Array:
    """The end of the stretch, starting at `low`, on which `holds` is true.

    Parameters
    ----------
    holds : callable
        Elementwise.
    low, high : array
        Same shape, low <= high.
    """

    def halve(_: int, bracket: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = bracket
        middle = 0.5 * (low + high)
        true = holds(middle)
        return jnp.where(true, middle, low), jnp.where(true, high, middle)

    ends: tuple[Array, Array] = jax.lax.fori_loop(0, HALVINGS, halve, (low, high))
    return ends[0]


def crossing(function: Callable[[Array], Array], low: Array, high: Array) -> Array:
    """Where `function` goes from negative to not negative; an end of the bracket if it never does.

    The method is ITP (Oliveira & Takahashi 2020, "An Enhancement of the Bisection Method Average
    Performance Preserving Minmax Optimality", ACM TOMS 47(1)): as quick as the secant method where
    the function is smooth, and never more than one step slower than bisection.

    Parameters
    ----------
    function : callable
        Elementwise.
    low, high : array
        Same shape, low <= high.
    """
    f_low, f_high = function(low), function(high)
    low, high = jnp.where(f_high < 0, high, low), jnp.where(f_low < 0, high, low)
    first = high - low

    def unfinished(state: Any) -> Array:
        step, bracket, *_ = state
        return jnp.logical_and(step <= HALVINGS, jnp.any(bracket.high - bracket.low > TOLERANCE))

    def advance(state: Any) -> Any:
        # The value comes out of the loop's state, where there is one of it. Used where it is
        # computed, XLA may compute it once for each use, and next to zero the copies may differ
        # in sign: one end of the bracket would then go with the other end's value.
        step, bracket, guess, value = state
        bracket = bracket.cut(guess, value)
        guess = bracket.guess(first, step)
        return step + 1, bracket, guess, function(guess)

    # The first cut, at an end, changes nothing.
    start = (jnp.zeros((), low.dtype), _Bracket(low, high, f_low, f_high), high, f_high)
    _, bracket, guess, value = jax.lax.while_loop(unfinished, advance, start)
    return bracket.cut(guess, value).secant()


class _Bracket(NamedTuple):
    """Two points and their values: negative at `low`, not negative at `high`."""

    low: Array
    high: Array
    f_low: Array
    f_high: Array

    def cut(self, x: Array, value: Array) -> _Bracket:
        """The bracket on the side of `x` where the function changes sign."""
        negative = value < 0
        return _Bracket(
            jnp.where(negative, x, self.low),
            jnp.where(negative, self.high, x),
            jnp.where(negative, value, self.f_low),
            jnp.where(negative, self.f_high, value),
        )

    def secant(self) -> Array:
        """The root of the line through both points; the middle where there is no such line."""
        share = jnp.clip(self.f_low / (self.f_low - self.f_high), 0.0, 1.0)
        share = jnp.where(jnp.isnan(share), 0.5, share)
        return self.low + (self.high - self.low) * share

    def guess(self, first: Array, step: Array) -> Array:
        """The point that ITP looks at next, where `first` is the width that it began with."""
        middle, width = 0.5 * (self.low + self.high), self.high - self.low
        # Interpolate; truncate, that is move towards the middle so that the other end moves too
        # (by a part of the tolerance at least, lest rounding swallow it) ...
        x = self.secant()
        side = jnp.sign(middle - x)
        nudge = jnp.maximum(0.2 * width**2 / first, 0.25 * TOLERANCE)
        x = jnp.where(nudge <= jnp.abs(middle - x), x + side * nudge, middle)
        # ... and project onto where bisection could be a step later.
        slack = jnp.maximum(first * 0.5**step - 0.5 * width, 0.0)
        x = jnp.where(jnp.abs(x - middle) <= slack, x, middle - side * slack)
        return jnp.where(width > TOLERANCE, x, middle)
