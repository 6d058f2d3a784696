"""The axis of fits, which the programs of all of them share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax

__all__ = ["each_fit"]


def each_fit(function: Callable[..., Any]) -> Any:
    """A function of one fit as a function of many, along a leading axis of every array.

    As `jax.vmap`; but where there is one fit alone, as always on a CPU, nothing is batched, which
    takes tracing and compiling less time.
    """

    def many(*arguments: Any) -> Any:
        if {len(leaf) for leaf in jax.tree.leaves(arguments)} != {1}:
            return jax.vmap(function)(*arguments)
        alone = jax.tree.map(lambda leaf: leaf[0], arguments)
        return jax.tree.map(lambda leaf: leaf[None], function(*alone))

    return many


def once(values: Any) -> Any:
    """The same values, computed here: on a CPU XLA else does it again wherever they are used."""
    return jax.lax.optimization_barrier(values) if jax.default_backend() == "cpu" else values
