"""Positive numbers held as their logarithms, so that powers cost one exponential.

``A / N**alpha`` on plain arrays makes XLA call a general power function for every run and every
gradient, which costs ten times the rest of the density. On `Positive` numbers products, quotients
and powers are sums of logarithms, and the value is formed once, at the first addition. The laws are
written as in the papers and never see the difference. Functions of JAX refuse `Positive` numbers:
they take ``log(x)`` of `scalingfit.declare`, or ``jnp.asarray(x)`` for the value itself.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

__all__ = ["Positive", "plain"]


def plain(value: Any) -> Any:
    """The value itself, whether or not it is held as a logarithm."""
    return jnp.exp(value.log) if isinstance(value, Positive) else value


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class Positive:
    """A positive number, or an array of them, with its logarithm."""

    log: Any

    def __jax_array__(self) -> Array:
        return jnp.exp(self.log)

    def __pow__(self, exponent: Any) -> Positive:
        return Positive(self.log * plain(exponent))

    def __mul__(self, other: Any) -> Any:
        return (
            Positive(self.log + other.log) if isinstance(other, Positive) else plain(self) * other
        )

    def __truediv__(self, other: Any) -> Any:
        return (
            Positive(self.log - other.log) if isinstance(other, Positive) else plain(self) / other
        )

    def __rtruediv__(self, other: Any) -> Any:
        return other * jnp.exp(-self.log)

    def __rpow__(self, base: Any) -> Any:
        return base ** plain(self)

    def __neg__(self) -> Any:
        return -plain(self)

    def __add__(self, other: Any) -> Any:
        return plain(self) + plain(other)

    def __sub__(self, other: Any) -> Any:
        return plain(self) - plain(other)

    def __rsub__(self, other: Any) -> Any:
        return other - plain(self)

    def __lt__(self, other: Any) -> Any:
        return plain(self) < plain(other)

    def __gt__(self, other: Any) -> Any:
        return plain(self) > plain(other)

    __radd__ = __add__
    __rmul__ = __mul__
