"""How programs are laid out: where they run, the axis of fits, and what is computed once."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import jax

__all__ = ["each_fit", "once", "placed"]


@contextlib.contextmanager
def placed(device: Any, precision: str) -> Iterator[None]:
    """Where and how precisely the programs of this thread run."""
    with jax.enable_x64(precision == "float64"), jax.default_device(device):
        yield


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


def once[Values](values: Values) -> Values:
    """The same arrays, computed here and not again for every element of what uses them.

    On a CPU XLA writes cheap operations into each loop that reads their results, even where these
    are scalars that a whole chain of them leads to; derivatives by these arrays likewise. On an
    accelerator, where starting a kernel costs more than arithmetic, XLA is left free to. Timed in
    `benchmarks/DECISIONS.md`.
    """
    if jax.default_backend() != "cpu":
        return values
    found: Values = jax.lax.optimization_barrier(values)
    return found
