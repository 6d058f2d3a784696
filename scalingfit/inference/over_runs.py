"""Sums over runs that are fast to differentiate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

__all__ = ["each_run", "sum_over_places", "sum_over_runs"]


def sum_over_runs(
    function: Callable[[Any, Any], Array], shared: Any, runs: Any, weight: Any
) -> Array:
    """The weighted sum of a function of every run, and of what the runs share.

    Its derivatives are taken run by run and summed by products with the weights, which a CPU does
    several at a time. Differentiated by themselves, sums become one reduction for every leaf of
    `shared`, which XLA neither vectorises nor joins with what comes before.

    Parameters
    ----------
    function : callable
        ``(shared, run) -> scalar``; it closes over nothing that is traced.
    shared : pytree
        What to differentiate by; a matter of few numbers.
    runs : pytree
        Arrays of shape (run,), taken as constants.
    weight : array, shape (run,)
        Likewise.
    """
    return sum_over_places(lambda shared, own, run: function(shared, run), shared, (), runs, weight)


def sum_over_places(
    function: Callable[[Any, Any, Any], Array], shared: Any, own: Any, runs: Any, weight: Any
) -> Array:
    """As `sum_over_runs`, of a function also of what each run has of its own.

    Parameters
    ----------
    function : callable
        ``(shared, own, run) -> scalar``; it closes over nothing that is traced.
    shared : pytree
        What to differentiate by; a matter of few numbers.
    own : pytree
        Arrays of shape (run,), to differentiate by too.
    runs : pytree
        Arrays of shape (run,), taken as constants.
    weight : array, shape (run,)
        Likewise.
    """
    at_each = (None, 0, 0)

    @jax.custom_jvp
    def total(shared: Any, own: Any, runs: Any, weight: Any) -> Array:
        return jnp.sum(weight * jax.vmap(function, at_each)(shared, own, runs))

    @total.defjvp
    def slope(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Array, Array]:
        *given, weight = primals
        each = jax.vmap(jax.value_and_grad(function, argnums=(0, 1)), at_each)
        values, (gradients, own_gradients) = each(*given)
        rises = jax.tree.map(
            lambda gradient, rise: _weighted(weight, gradient) * rise, gradients, tangents[0]
        )
        own_rises = jax.tree.map(
            lambda gradient, rise: jnp.sum(weight * gradient * rise), own_gradients, tangents[1]
        )
        every = jax.tree.leaves((own_rises, rises))
        return _weighted(weight, values), sum(every, jnp.zeros_like(values[0]))

    result: Array = total(shared, own, runs, weight)
    return result


def each_run(function: Callable[[Any, Any, Any], Array], shared: Any, own: Any, runs: Any) -> Array:
    """A function of every run, of what the runs share, and of what each has of its own.

    Its derivatives are taken run by run, as in `sum_over_runs`.

    Parameters
    ----------
    function : callable
        ``(shared, own, run) -> scalar``; it closes over nothing that is traced.
    shared : pytree
        What to differentiate by; a matter of few numbers.
    own : pytree
        Arrays of shape (run,), to differentiate by too.
    runs : pytree
        Arrays of shape (run,), taken as constants.
    """
    at_each = (None, 0, 0)

    @jax.custom_jvp
    def values(shared: Any, own: Any, runs: Any) -> Array:
        found: Array = jax.vmap(function, at_each)(shared, own, runs)
        return found

    @values.defjvp
    def slope(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Array, Array]:
        each = jax.vmap(jax.value_and_grad(function, argnums=(0, 1)), at_each)
        found, (gradients, own_gradients) = each(*primals)
        rises, own_rises = map(jax.tree.leaves, tangents[:2])
        change = _weighted(jnp.stack(rises), jnp.stack(jax.tree.leaves(gradients)))
        return found, sum(map(jnp.multiply, jax.tree.leaves(own_gradients), own_rises), change)

    result: Array = values(shared, own, runs)
    return result


def _weighted(weight: Any, values: Array) -> Array:
    """In full precision on accelerators too."""
    return jnp.dot(weight, values, precision=jax.lax.Precision.HIGHEST)
