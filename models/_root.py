"""The root of a monotone equation, for laws that state their loss implicitly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp


def root(function: Callable[[Any], Any], start: Any, steps: int) -> Any:
    """Where an element-wise function vanishes, by Newton's method from `start`.

    The number of steps is fixed, so that all draws of a batch do the same work. Derivatives come
    from the implicit function theorem and not from the steps: they are exact to any order.

    Parameters
    ----------
    function : callable
        Monotone, and convex or concave: Newton's method then needs no safeguard.
    start : array
        First guess, already of the shape of the result.
    steps : int
        Newton steps.
    """

    def newton(residual: Callable[[Any], Any], guess: Any) -> Any:
        def step(_: int, x: Any) -> Any:
            value, slope = jax.jvp(residual, (x,), (jnp.ones_like(x),))
            return x - value / slope

        return jax.lax.fori_loop(0, steps, step, guess)

    def divide(linear: Callable[[Any], Any], right: Any) -> Any:
        return right / linear(jnp.ones_like(right))

    return jax.lax.custom_root(function, start, newton, divide)
