"""Counting rules: what a training run of N parameters and D tokens costs.

A rule turns (N, D) into FLOP and, given a budget, N into the tokens it leaves. N is always the N
that the law was fitted on; where the budget is counted by another N, the rule holds the conversion,
and its `describe` goes into the record of every result.
"""

from __future__ import annotations

import abc
import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, final, override

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from scalingfit._arrays import Number

FloatArray = NDArray[np.float64]

__all__ = [
    "Counting",
    "Custom",
    "PerToken",
    "WithInference",
    "named",
]


class Counting(abc.ABC):
    """Base of the counting rules: frozen pytrees, elementwise over NumPy and JAX arrays alike."""

    name: ClassVar[str]

    @abc.abstractmethod
    def flops(self, N: Number, D: Number) -> Number:
        """FLOP of a run with N parameters and D tokens."""

    @abc.abstractmethod
    def tokens(self, N: Number, C: Number) -> Number:
        """Tokens that a budget of C FLOP leaves to N parameters; not positive where it is short."""

    @abc.abstractmethod
    def describe(self) -> str:
        """The rule in one line, with its numbers, as results record it."""

    @property
    def total(self) -> bool | None:
        """Whether the fit's N must count the embeddings; None where either N will do."""
        return None

    def caveats(self, N: Number) -> tuple[str, ...]:
        """What to know before the rule is used for models of N parameters, shape ``(row,)``."""
        return ()

    def size(self, N: Number) -> Number:
        """The parameters that the rule counts, of which exponents in C speak; mostly N itself."""
        return N

    def of_runs(self, N: FloatArray, ratio: FloatArray | None) -> Counting:
        """The rule for a fit of runs of N parameters, shape ``(run,)``; mostly the rule itself.

        `ratio` is C / (6 N D) as they state it, None where they state no C of their own.
        """
        return self

    @property
    def sized(self) -> str:
        """What `size` gives, in the words of `describe`."""
        return "N"


class PerToken(Counting):
    """Base of the rules under which every token costs the same."""

    @abc.abstractmethod
    def per_token(self, N: Number) -> Number:
        """FLOP to train N parameters on one token, forward and backward."""

    @override
    def flops(self, N: Number, D: Number) -> Number:
        return self.per_token(N) * D

    @override
    def tokens(self, N: Number, C: Number) -> Number:
        return C / self.per_token(N)


@final
@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class WithInference(Counting):
    """Training and serving together: a served token costs a third of a trained one.

    Under 6 N D this is 6 N D + 2 N D_inf, Sardana et al. 2024, "Beyond Chinchilla-Optimal",
    arXiv 2401.00448, equation 1: the forward pass is a third of forward and backward.

    Parameters
    ----------
    training : Counting
        The rule for the training run.
    served : float
        Tokens the model will read and write over its life.
    """

    name: ClassVar[str] = "with-inference"
    training: Counting
    served: float

    @override
    def size(self, N: Number) -> Number:
        return self.training.size(N)

    @property
    @override
    def sized(self) -> str:
        return self.training.sized

    @override
    def of_runs(self, N: FloatArray, ratio: FloatArray | None) -> Counting:
        return dataclasses.replace(self, training=self.training.of_runs(N, ratio))

    def serving(self, N: Number) -> Number:
        """FLOP to serve all the tokens."""
        return self.training.flops(N, self.served) / 3.0

    @override
    def flops(self, N: Number, D: Number) -> Number:
        return self.training.flops(N, D) + self.serving(N)

    @override
    def tokens(self, N: Number, C: Number) -> Number:
        return self.training.tokens(N, C - self.serving(N))

    @override
    def describe(self) -> str:
        return f"{self.training.describe()}; plus {self.served:g} tokens served at a third of that"

    @property
    @override
    def total(self) -> bool | None:
        return self.training.total

    @override
    def caveats(self, N: Number) -> tuple[str, ...]:
        return self.training.caveats(N)


@final
@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Custom(Counting):
    """A function (N, D) -> C of your own, solved for D numerically.

    Parameters
    ----------
    function : callable
        Elementwise, traceable by JAX (operators and ``jax.numpy``), rising with D.
    """

    name: ClassVar[str] = "custom"
    function: Callable[[Number, Number], Number] = dataclasses.field(metadata={"static": True})

    # Bisection over log D: tokens from 1 to 1e40, to the last bit of a float64.
    LARGEST_LOG_D: ClassVar[float] = 92.0
    HALVINGS: ClassVar[int] = 60

    @override
    def flops(self, N: Number, D: Number) -> Number:
        return self.function(N, D)

    @override
    def tokens(self, N: Number, C: Number) -> Number:
        N, C = jnp.broadcast_arrays(jnp.asarray(N), jnp.asarray(C))

        def halve(_: int, bracket: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
            low, high = bracket
            middle = 0.5 * (low + high)
            short = self.function(N, jnp.exp(middle)) < C
            return jnp.where(short, middle, low), jnp.where(short, high, middle)

        start = (jnp.zeros_like(C), jnp.full_like(C, self.LARGEST_LOG_D))
        low, _ = jax.lax.fori_loop(0, self.HALVINGS, halve, jax.lax.stop_gradient(start))
        log_d = jax.lax.stop_gradient(low)
        # A step of Newton's: nothing to the value, but through it flow the derivatives that the
        # bisection does not have (implicit function theorem).
        cost, rise = jax.jvp(
            lambda y: self.function(N, jnp.exp(y)), (log_d,), (jnp.ones_like(log_d),)
        )
        tokens = jnp.exp(log_d + (C - cost) / jax.lax.stop_gradient(rise))
        return jnp.where(self.function(N, jnp.ones_like(C)) > C, 0.0, tokens)

    @override
    def describe(self) -> str:
        return f"C = {named(self.function)} of N and D"


def named(function: Callable[..., object]) -> str:
    """A function of the user's by its name and the place where it is written."""
    while isinstance(function, functools.partial):
        function = function.func
    name = getattr(function, "__name__", type(function).__name__)
    code = getattr(function, "__code__", None)
    place = "" if code is None else f" ({Path(code.co_filename).name}:{code.co_firstlineno})"
    return f"{name}{place}"
