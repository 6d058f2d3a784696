"""Coordinates of a law's error: what it differs from its mean given all else, in its spread.

Runs tell the sum of a law and its error to a tenth of a percent, the two parts hardly at all. In
the error's own coordinates a sampler that moves one part leaves the sum's narrow valley. So each
coefficient of the error is sampled as the part of it that the law, the scale and the scatter leave
open: with fixed weights of the runs instead of the scatter's true ones, its coordinate is standard
normal whatever the others are. The density remains that of the true scatter.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.lax.linalg import SvdAlgorithm, svd

__all__ = ["Conditional"]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Conditional:
    """Coefficients of an error that are independent given all else, for given weights of the runs.

    The error at the runs is ``basis @ coefficients``, and the coefficients have the prior
    ``Normal(0, tau)``.

    Attributes
    ----------
    weight : array, shape (run,)
        Precision of each run in units of one over the scale of the scatter squared.
    basis : array, shape (run, feature)
    strength : array, shape (feature,)
        ``basis.T @ diag(weight) @ basis``, which is diagonal.
    rotation : array, shape (feature, feature)
        From these coefficients to those of the features.
    """

    weight: Any
    basis: Any
    strength: Any
    rotation: Any

    @classmethod
    def given(cls, features: Array, weight: Array) -> Conditional:
        """For features whose coefficients have independent priors, and weights of the runs.

        Parameters
        ----------
        features : array, shape (run, feature)
        weight : array, shape (run,)
        """
        # Its eigenvectors, by what LAPACK does not spread over threads: for so small a matrix that
        # takes a hundred times as long where other work keeps the cores busy.
        algorithm = SvdAlgorithm.QR if jax.default_backend() == "cpu" else None
        square = (features * weight[:, None]).T @ features
        rotation, strength, _ = svd(square, algorithm=algorithm)
        return cls(weight, features @ rotation, strength, rotation)

    def coefficients(
        self, residual: Array, sigma: Any, tau: Any, white: Array
    ) -> tuple[Array, Array]:
        """The coefficients, and the log density of their prior by their coordinates.

        Parameters
        ----------
        residual : array, shape (run,)
            Of the law without its error, on the scale of the scatter.
        sigma, tau : scalar
            Scales of the scatter and of the error.
        white : array, shape (feature,)
            The coordinates, about standard normal.
        """
        precision = 1 + (tau / sigma) ** 2 * self.strength
        told = (self.weight * residual) @ self.basis * (tau / sigma**2)
        scaled = (told + jnp.sqrt(precision) * white) / precision
        density = -0.5 * (jnp.sum(scaled**2) + jnp.sum(jnp.log(2 * math.pi * precision)))
        return tau * scaled, density

    def absorbed(self, ratio: Any) -> Array:
        """How much the error takes up of what runs tell along each coefficient, (feature,).

        Parameters
        ----------
        ratio : scalar
            Scale of the error over that of the scatter.
        """
        share: Array = ratio**2 / (1 + ratio**2 * self.strength)
        return share


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Funnel:
    """How the spread of a law's parameters grows with the scale of the law's error.

    Where the error is small, runs tell the parameters as of an exact law; the larger it is, the
    less. So what remains of the precision along each whitened direction is, by Gauss and Newton,
    ``full - absorbed(ratio) @ taken``.

    Attributes
    ----------
    conditional : Conditional
        The coordinates of the error.
    sigma, tau : scalar
        Scales of scatter and error at the mode.
    full : array, shape (direction,)
        Precision without an error, and by the priors.
    taken : array, shape (feature, direction)
    """

    conditional: Conditional
    sigma: Any
    tau: Any
    full: Any
    taken: Any

    @classmethod
    def nowhere(cls, shape: tuple[int, ...], directions: int, real: Any) -> Funnel:
        """Of the shapes and types of many fits', and of no use.

        Parameters
        ----------
        shape : tuple of int
            Of the features: (fit, run, feature).
        directions : int
        real : dtype
        """
        fits, runs, features = shape
        none = functools.partial(jnp.zeros, dtype=real)
        conditional = Conditional(
            weight=none((fits, runs)),
            basis=none((fits, runs, features)),
            strength=none((fits, features)),
            rotation=none((fits, features, features)),
        )
        full, taken = none((fits, directions)), none((fits, features, directions))
        return cls(conditional, none(fits), none(fits), full, taken)

    def stretch(self, tau: Any) -> Array:
        """Spread of each direction in units of that at the mode."""
        there, here = (
            self.full - self.conditional.absorbed(scale / self.sigma) @ self.taken
            for scale in (self.tau, tau)
        )
        return jnp.sqrt(there / here)
