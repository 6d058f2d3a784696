"""Counting rules: what a training run of N parameters and D tokens costs.

A rule turns (N, D) into FLOP and, given a budget, N into the tokens it leaves. N is always the N
that the law was fitted on; where the budget is counted by another N, the rule holds the conversion,
and its `describe` goes into the record of every result.
"""

from __future__ import annotations

import abc
import dataclasses
import difflib
from collections.abc import Callable
from types import ModuleType
from typing import Any, ClassVar, final, override

import jax
import jax.numpy as jnp
import numpy as np

from scalingfit._errors import InputError

__all__ = [
    "Counting",
    "Custom",
    "NonEmbedding",
    "PerToken",
    "SixND",
    "WithEmbedding",
    "WithInference",
    "counting",
    "non_embedding",
    "with_embedding",
]

CHINCHILLA_OMEGA = 47491.0
"""Pearce & Song 2024, from Chinchilla's 50 architectures with a vocabulary of 32,000."""


class Counting(abc.ABC):
    """Base of the counting rules: frozen pytrees, elementwise over NumPy and JAX arrays alike."""

    name: ClassVar[str]

    @abc.abstractmethod
    def flops(self, N: Any, D: Any) -> Any:
        """FLOP of a run with N parameters and D tokens."""

    @abc.abstractmethod
    def tokens(self, N: Any, C: Any) -> Any:
        """Tokens that a budget of C FLOP leaves to N parameters; not positive where it is short."""

    @abc.abstractmethod
    def describe(self) -> str:
        """The rule in one line, with its numbers, as results record it."""


class PerToken(Counting):
    """Base of the rules under which every token costs the same."""

    @abc.abstractmethod
    def per_token(self, N: Any) -> Any:
        """FLOP to train N parameters on one token, forward and backward."""

    @override
    def flops(self, N: Any, D: Any) -> Any:
        return self.per_token(N) * D

    @override
    def tokens(self, N: Any, C: Any) -> Any:
        return C / self.per_token(N)


@final
@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class SixND(PerToken):
    """C = 6 N D: two FLOP per parameter forward, four backward.

    Kaplan et al. 2020, arXiv 2001.08361, section 2.1, where N leaves the embeddings out; Hoffmann
    et al. 2022, arXiv 2203.15556, where N counts them. Either way N is the N of the fit.
    """

    name: ClassVar[str] = "6ND"

    @override
    def per_token(self, N: Any) -> Any:
        return 6.0 * N

    @override
    def describe(self) -> str:
        return "C = 6 N D, with N as in the fit"


@final
@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class NonEmbedding(PerToken):
    """C = 6 N_E D, for a fit on total parameters N = N_E + omega N_E^(1/3).

    Pearce & Song 2024, "Reconciling Kaplan and Chinchilla Scaling Laws", arXiv 2406.12907.

    Parameters
    ----------
    omega : float
        Size of the embeddings in that relation: vocabulary times the cube root of (aspect ratio
        / 12). The default is their fit to Chinchilla's architectures.
    """

    name: ClassVar[str] = "6ND-non-embedding"
    omega: float = CHINCHILLA_OMEGA

    @override
    def per_token(self, N: Any) -> Any:
        return 6.0 * non_embedding(N, self.omega)

    @override
    def describe(self) -> str:
        return f"C = 6 N_E D, where the fit's N is total: N = N_E + {self.omega:g} N_E^(1/3)"


@final
@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class WithEmbedding(PerToken):
    """C = 6 (N + omega N^(1/3)) D, for a fit on non-embedding parameters N.

    The same relation as `NonEmbedding`, the other way round.
    """

    name: ClassVar[str] = "6ND-with-embedding"
    omega: float = CHINCHILLA_OMEGA

    @override
    def per_token(self, N: Any) -> Any:
        return 6.0 * with_embedding(N, self.omega)

    @override
    def describe(self) -> str:
        return f"C = 6 (N + {self.omega:g} N^(1/3)) D, where the fit's N leaves embeddings out"


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
    def flops(self, N: Any, D: Any) -> Any:
        return self.training.flops(N, D) + self.training.flops(N, self.served) / 3.0

    @override
    def tokens(self, N: Any, C: Any) -> Any:
        return self.training.tokens(N, C - self.training.flops(N, self.served) / 3.0)

    @override
    def describe(self) -> str:
        return f"{self.training.describe()}; plus {self.served:g} tokens served at a third of that"


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
    function: Callable[[Any, Any], Any] = dataclasses.field(metadata={"static": True})

    # Bisection over log D: tokens from 1 to 1e40, to the last bit of a float64.
    LARGEST_LOG_D: ClassVar[float] = 92.0
    HALVINGS: ClassVar[int] = 60

    @override
    def flops(self, N: Any, D: Any) -> Any:
        return self.function(N, D)

    @override
    def tokens(self, N: Any, C: Any) -> Any:
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
        function = getattr(self.function, "__qualname__", repr(self.function))
        return f"C = {function}(N, D)"


def non_embedding(N: Any, omega: float = CHINCHILLA_OMEGA) -> Any:
    """Non-embedding parameters N_E of N total ones: the root of N = N_E + omega N_E^(1/3).

    Pearce & Song 2024, arXiv 2406.12907. In u = N_E^(1/3) it is a cubic with a single real root.
    """
    xp = _numpy_of(N, omega)
    third = omega / 3.0
    return (2.0 * xp.sqrt(third) * xp.sinh(xp.arcsinh(N / (2.0 * third**1.5)) / 3.0)) ** 3


def with_embedding(N: Any, omega: float = CHINCHILLA_OMEGA) -> Any:
    """Total parameters of N non-embedding ones: N + omega N^(1/3)."""
    return N + omega * _numpy_of(N, omega).cbrt(N)


RULES: dict[str, type[Counting]] = {cls.name: cls for cls in (SixND, NonEmbedding, WithEmbedding)}


def counting(rule: str | Counting | Callable[[Any, Any], Any]) -> Counting:
    """The counting rule of a name, a rule (passes through) or a function (N, D) -> C.

    Raises
    ------
    InputError
        Unknown name; a rule with numbers that are not positive and finite; or a function that JAX
        cannot trace, or that does not rise with D.
    """
    if isinstance(rule, Counting):
        _require_positive(rule)
        return rule
    if callable(rule):
        return _checked(rule)
    if rule in RULES:
        return RULES[rule]()
    near = difflib.get_close_matches(str(rule), RULES, n=2, cutoff=0.4)
    hint = f"use {' or '.join(near)}" if near else "use one of these"
    raise InputError(
        f"unknown counting rule {rule!r}",
        [f"by name: {', '.join(RULES)}", "to be built: AspectRatio, ListedShapes, WithInference"],
        remedy=f"{hint}, or give a function (N, D) -> FLOP.",
    )


def _require_positive(rule: Counting) -> None:
    for path, leaf in jax.tree_util.tree_leaves_with_path(rule):
        values = np.asarray(leaf, np.float64)
        wrong = values[~(np.isfinite(values) & (values > 0))]
        if wrong.size:
            name = jax.tree_util.keystr(path).removeprefix(".")
            raise InputError(
                f"the counting rule {rule.name} has {name} = {wrong.flat[0]:g}",
                remedy=f"give it a {name} that is positive and finite.",
            )


def _checked(function: Callable[[Any, Any], Any]) -> Custom:
    D = np.array([1e3, 1e9, 1e12, 1e15])
    try:
        with jax.enable_x64(True):
            cost = np.asarray(jax.jit(function)(np.full_like(D, 1e9), D))
    except Exception as error:
        raise InputError(
            f"the counting function failed on N=1e9, D=1e9: {type(error).__name__}: "
            f"{str(error).splitlines()[0] if str(error) else ''}",
            remedy="write it with operators and jax.numpy, elementwise over arrays N and D.",
        ) from error
    if cost.shape != D.shape or not (np.all(cost > 0) and np.all(np.diff(cost) > 0)):
        raise InputError(
            "the counting function must be positive and rise with D",
            [f"at N=1e9, D={', '.join(f'{d:g}' for d in D)} it gives {cost.tolist()}"],
            remedy="return the FLOP of training N parameters on D tokens.",
        )
    return Custom(function)


def _numpy_of(*values: Any) -> ModuleType:
    """The namespace for these values: NumPy keeps float64 where no JAX array is involved."""
    return jnp if any(isinstance(value, jax.Array) for value in values) else np
