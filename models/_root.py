"""The root of a monotone equation, for laws that state their loss implicitly."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array


def root(function: Callable[[Array], Array], start: Array, steps: int) -> Array:
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

    def newton(residual: Callable[[Array], Array], guess: Array) -> Array:
        def step(_: int, x: Array) -> Array:
            value: Array
            slope: Array
            value, slope = jax.jvp(residual, (x,), (jnp.ones_like(x),))
            return x - value / slope

        found: Array = jax.lax.fori_loop(0, steps, step, guess)
        return found

    def divide(linear: Callable[[Array], Array], right: Array) -> Array:
        return right / linear(jnp.ones_like(right))

    found: Array = jax.lax.custom_root(function, start, newton, divide)
    return found
