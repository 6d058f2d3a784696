"""The axis of fits, which the programs of all of them share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax

__all__ = ["each_fit"]


def each_fit(function: Callable[..., Any], in_axes: tuple[int | None, ...] | int = 0) -> Any:
    """A function of one fit as a function of many, along a leading axis of every array.

    As `jax.vmap`; but where there is one fit alone, as always on a CPU, nothing is batched, which
    takes tracing and compiling less time.
    """

    def many(*arguments: Any) -> Any:
        axes = in_axes if isinstance(in_axes, tuple) else (in_axes,) * len(arguments)
        pairs = list(zip(arguments, axes, strict=True))
        sizes = {len(leaf) for given, axis in pairs if axis == 0 for leaf in jax.tree.leaves(given)}
        if sizes != {1}:
            return jax.vmap(function, in_axes=axes)(*arguments)
        alone = [
            given if axis is None else jax.tree.map(lambda leaf: leaf[0], given)
            for given, axis in pairs
        ]
        return jax.tree.map(lambda leaf: leaf[None], function(*alone))

    return many
