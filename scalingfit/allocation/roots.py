"""Elementwise searches along a line, traceable, and safe where a function jumps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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
        step, low, high, *_ = state
        return jnp.logical_and(step <= HALVINGS, jnp.any(high - low > TOLERANCE))

    def advance(state: Any) -> Any:
        step, low, high, f_low, f_high = state
        # The first three lines of the method: interpolate, truncate towards the middle (so that
        # both ends move), project onto what bisection would have reached one step later.
        middle, width = 0.5 * (low + high), high - low
        secant = _secant(low, high, f_low, f_high)
        side = jnp.sign(middle - secant)
        # At least a part of the tolerance, lest rounding leaves the far end where it is.
        nudge = jnp.maximum(0.2 * width**2 / first, 0.25 * TOLERANCE)
        guess = jnp.where(nudge <= jnp.abs(middle - secant), secant + side * nudge, middle)
        slack = jnp.maximum(first * 0.5**step - 0.5 * width, 0.0)
        guess = jnp.where(jnp.abs(guess - middle) <= slack, guess, middle - side * slack)
        guess = jnp.where(width > TOLERANCE, guess, middle)
        # Without the barrier XLA may compute the value once for each use, and next to zero the
        # copies may differ in sign: an end would then go with the other end's value.
        guess, value = jax.lax.optimization_barrier((guess, function(guess)))
        negative = value < 0
        return (
            step + 1,
            jnp.where(negative, guess, low),
            jnp.where(negative, high, guess),
            jnp.where(negative, value, f_low),
            jnp.where(negative, f_high, value),
        )

    start = (jnp.zeros((), low.dtype), low, high, f_low, f_high)
    _, low, high, f_low, f_high = jax.lax.while_loop(unfinished, advance, start)
    return _secant(low, high, f_low, f_high)


def _secant(low: Array, high: Array, f_low: Array, f_high: Array) -> Array:
    """The root of the line through two points, kept between them; the middle if there is none."""
    share = f_low / (f_low - f_high)
    inside: Array = low + (high - low) * jnp.where((share >= 0) & (share <= 1), share, 0.5)
    return inside
