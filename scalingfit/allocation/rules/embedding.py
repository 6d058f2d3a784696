"""Embeddings: parameters with and without them, and rules for budgets counted by the other N."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, final, override

import jax
import numpy as np

from scalingfit._arrays import Number, numpy_of
from scalingfit.allocation.flops import PerToken

__all__ = ["NonEmbedding", "WithEmbedding", "non_embedding", "with_embedding"]

CHINCHILLA_OMEGA = 47491.0
"""Pearce & Song 2024, from Chinchilla's 50 architectures with a vocabulary of 32,000."""

CHINCHILLA_SMALLEST = 44e6
"""Total parameters of the smallest of them, Hoffmann et al. 2022, table A9."""

FAR = 2.0
"""Up to this factor below it the relation counts as meant. Above the largest, 16.2e9, any relation
will do: embeddings are less than one percent there."""


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
    def size(self, N: Number) -> Number:
        return non_embedding(N, self.omega)

    @property
    @override
    def sized(self) -> str:
        return "N_E"

    @override
    def per_token(self, N: Number) -> Number:
        return 6.0 * self.size(N)

    @override
    def describe(self) -> str:
        return f"C = 6 N_E D, where the fit's N is total: N = N_E + {self.omega:g} N_E^(1/3)"

    @property
    @override
    def total(self) -> bool:
        return True

    @override
    def caveats(self, N: Number) -> tuple[str, ...]:
        return _beyond_chinchillas(self.omega, N)


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
    def size(self, N: Number) -> Number:
        return with_embedding(N, self.omega)

    @property
    @override
    def sized(self) -> str:
        return "the sum"

    @override
    def per_token(self, N: Number) -> Number:
        return 6.0 * self.size(N)

    @override
    def describe(self) -> str:
        return f"C = 6 (N + {self.omega:g} N^(1/3)) D, where the fit's N leaves embeddings out"

    @property
    @override
    def total(self) -> bool:
        return False

    @override
    def caveats(self, N: Number) -> tuple[str, ...]:
        return _beyond_chinchillas(self.omega, self.size(N))


def non_embedding(N: Number, omega: float = CHINCHILLA_OMEGA) -> Number:
    """Non-embedding parameters N_E of N total ones: the root of N = N_E + omega N_E^(1/3).

    Pearce & Song 2024, arXiv 2406.12907. In u = N_E^(1/3) it is a cubic with a single real root.

    Parameters
    ----------
    N : float or array
        Total parameters.
    omega : float
        As in `NonEmbedding`.

    Returns
    -------
    float or array
        N_E, of the shape of N.
    """
    xp = numpy_of(N, omega)
    third = omega / 3.0
    root: Number = 2.0 * xp.sqrt(third) * xp.sinh(xp.arcsinh(N / (2.0 * third**1.5)) / 3.0)
    return root**3


def with_embedding(N: Number, omega: float = CHINCHILLA_OMEGA) -> Number:
    """Total parameters of N non-embedding ones: N + omega N^(1/3).

    Pearce & Song 2024, arXiv 2406.12907.

    Parameters
    ----------
    N : float or array
        Non-embedding parameters.
    omega : float
        As in `NonEmbedding`.

    Returns
    -------
    float or array
        Total parameters, of the shape of N.
    """
    total: Number = N + omega * numpy_of(N, omega).cbrt(N)
    return total


def _beyond_chinchillas(omega: float, total: Number) -> tuple[str, ...]:
    """Say where the default relation serves models unlike those that it was fitted to."""
    below = CHINCHILLA_SMALLEST / float(np.min(total))
    if omega != CHINCHILLA_OMEGA or below <= FAR:
        return ()
    return (
        f"omega = {omega:g} counts the embeddings, and was fitted to models of 44M to 16.2B "
        f"parameters with a vocabulary of 32,000; a model here is {below:,.3g} times smaller: "
        "state your own omega, the vocabulary times the cube root of width / (12 depth) (--omega, "
        "counting=NonEmbedding(omega))",
    )
