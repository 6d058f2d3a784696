"""Coordinates of a law's error: what it differs from its mean given all else, in its spread.

Runs tell the sum of a law and its error to a tenth of a percent, the two parts hardly at all. In
the error's own coordinates a sampler that moves one part leaves the sum's narrow valley. So each
coefficient of the error is sampled as the part of it that the law, the scale and the scatter leave
open: with fixed weights of the runs instead of the scatter's true ones, its coordinate is standard
normal whatever the others are. The density remains that of the true scatter.

Rows of one run may share an effect besides. The coefficients then come first, as they are where the
effects are integrated out, and each run's effect, given the coefficients, after them.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.lax.linalg import SvdAlgorithm, svd

__all__ = ["Conditional", "Funnel", "RunEffects", "Scales"]


class Scales(NamedTuple):
    """Standard deviations of the scatter, of a law's error, and of the effects of runs."""

    sigma: Any
    tau: Any = None
    omega: Any = None


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class RunEffects:
    """What rows of one run share, for given weights of the rows.

    Attributes
    ----------
    run : array of int, shape (row,)
        The run of each row.
    strength : array, shape (run,)
        Sum of the weights of its rows; zero for padding.
    """

    run: Any
    strength: Any

    @classmethod
    def given(cls, run: Array, runs: int, weight: Array) -> RunEffects:
        """For the run of each row, the number of runs, and weights of the rows."""
        return cls(run, jax.ops.segment_sum(weight, run, runs))

    def total(self, values: Array) -> Array:
        """The sum over the rows of each run, (run, ...), of what each row has, (row, ...)."""
        found: Array = jax.ops.segment_sum(values, self.run, len(self.strength))
        return found


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Conditional:
    """Coefficients of an error that are independent given all else, for given weights of the rows.

    The error at the rows is ``basis @ coefficients``, and the coefficients have the prior
    ``Normal(0, tau)``.

    Attributes
    ----------
    weight : array, shape (row,)
        Precision of each row in units of one over the scale of the scatter squared.
    basis : array, shape (row, feature)
    strength : array, shape (feature,)
        ``basis.T @ diag(weight) @ basis``, which is diagonal; less what `effects` take up of it.
    rotation : array, shape (feature, feature)
        From these coefficients to those of the features.
    effects : RunEffects or None
        Of the runs that the rows are of.
    ratio : scalar or None
        Scale of the effects over that of the scatter, for which `strength` is diagonal.
    total : array, shape (run, feature), or None
        Of the weighted basis, over the rows of each run.
    """

    weight: Any
    basis: Any
    strength: Any
    rotation: Any
    effects: RunEffects | None = None
    ratio: Any = None
    total: Any = None

    @classmethod
    def given(
        cls,
        features: Array,
        weight: Array,
        effects: RunEffects | None = None,
        ratio: Any = None,
    ) -> Conditional:
        """For features whose coefficients have independent priors, and weights of the rows.

        Parameters
        ----------
        features : array, shape (row, feature)
        weight : array, shape (row,)
        effects, ratio
            As the attributes.
        """
        product, total = (features * weight[:, None]).T @ features, None
        if effects is not None:
            total = effects.total(weight[:, None] * features)
            share = _absorbed(effects.strength, ratio)
            product -= (total * share[:, None]).T @ total
        if not features.shape[1]:
            return cls(weight, features, product[:, :0].sum(axis=1), product, effects, ratio, total)
        # Its eigenvectors, by what LAPACK does not spread over threads: for so small a matrix that
        # takes a hundred times as long where other work keeps the cores busy.
        algorithm = SvdAlgorithm.QR if jax.default_backend() == "cpu" else None
        rotation, strength, _ = svd(product, algorithm=algorithm)
        total = None if total is None else total @ rotation
        return cls(weight, features @ rotation, strength, rotation, effects, ratio, total)

    @property
    def last(self) -> Array:
        """The strengths of what has the last of the scales: of the features, or of the runs."""
        if self.effects is None or self.strength.shape[-1]:
            return jnp.asarray(self.strength)
        return jnp.asarray(self.effects.strength)

    def told(self, values: Array) -> Array:
        """What values, (row, column), say along each of what has the last scale."""
        if self.effects is None or self.strength.shape[-1]:
            return jnp.asarray(self.basis.T @ values)
        return self.effects.total(values)

    def apart(
        self, residual: Array, scales: Scales, white: Array
    ) -> tuple[Array, Array | None, Array]:
        """What the error and the runs' effects make of the law's residuals.

        Parameters
        ----------
        residual : array, shape (row,)
            Of the law without its error, on the scale of the scatter.
        scales : Scales
        white : array, shape (feature + run,)
            The coordinates, about standard normal.

        Returns
        -------
        coefficients : array, shape (feature,)
        effects : array, shape (run,), or None
        density : scalar
            Log density of their prior by their coordinates.
        """
        own, behind = jnp.split(white, [self.strength.shape[-1]])
        if self.effects is None:
            coefficients, density = self.coefficients(residual, scales.sigma, scales.tau, own)
            return coefficients, None, density
        coefficients, density = self._beside_effects(residual, scales, own)
        left = residual - self.basis @ coefficients
        told = self.effects.total(self.weight * left) * (scales.omega / scales.sigma**2)
        precision = 1 + (scales.omega / scales.sigma) ** 2 * self.effects.strength
        scaled, of_effects = _independent(told, precision, behind)
        return coefficients, scales.omega * scaled, density + of_effects

    def coefficients(
        self, residual: Array, sigma: Any, tau: Any, white: Array
    ) -> tuple[Array, Array]:
        """The coefficients where runs have no effects, and the log density of their prior.

        Parameters
        ----------
        residual : array, shape (row,)
        sigma, tau : scalar
            Scales of the scatter and of the error.
        white : array, shape (feature,)
        """
        precision = 1 + (tau / sigma) ** 2 * self.strength
        told = (self.weight * residual) @ self.basis * (tau / sigma**2)
        scaled, density = _independent(told, precision, white)
        return tau * scaled, density

    def _beside_effects(self, residual: Array, scales: Scales, white: Array) -> tuple[Array, Array]:
        """The coefficients where the effects of runs are integrated out."""
        assert self.effects is not None
        if not white.size:
            return white, jnp.zeros((), white.dtype)
        sigma, tau, omega = scales
        strength, weighted = self.effects.strength, self.weight * residual
        share = _absorbed(strength, omega / sigma)
        told = weighted @ self.basis - (share * self.effects.total(weighted)) @ self.total
        # Its diagonal alone: the rest is zero at the ratio that the coordinates are made for.
        change = (_absorbed(strength, self.ratio) - share) @ self.total**2
        precision = 1 + (tau / sigma) ** 2 * (self.strength + change)
        scaled, density = _independent(told * (tau / sigma**2), precision, white)
        return tau * scaled, density

    def precise(self, values: Array) -> Array:
        """The product with the precision of the rows, the effects of runs integrated out.

        In units of one over the scale of the scatter squared, at `ratio`.

        Parameters
        ----------
        values : array, shape (row, column)
        """
        weighted: Array = self.weight[:, None] * values
        if self.effects is None or not self.strength.shape[-1]:
            return weighted
        share = _absorbed(self.effects.strength, self.ratio)[:, None] * self.effects.total(weighted)
        left: Array = weighted - self.weight[:, None] * share[self.effects.run]
        return left


def _independent(told: Array, precision: Array, white: Array) -> tuple[Array, Array]:
    """Independent coefficients in units of their prior's scale, and its log density by `white`."""
    scaled = (told + jnp.sqrt(precision) * white) / precision
    density = -0.5 * (jnp.sum(scaled**2) + jnp.sum(jnp.log(2 * math.pi * precision)))
    return scaled, density


def _absorbed(strength: Array, ratio: Any) -> Array:
    """How much of what rows tell along a coefficient its prior takes up.

    Parameters
    ----------
    strength : array
    ratio : scalar
        Scale of the prior over that of the scatter.
    """
    share: Array = ratio**2 / (1 + ratio**2 * strength)
    return share


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Funnel:
    """How the spread of a law's parameters grows with the scale of its error, or of the effects.

    Where the error is small, runs tell the parameters as of an exact law; the larger it is, the
    less. So what remains of the precision along each whitened direction is, by Gauss and Newton,
    ``full - absorbed(ratio) @ taken``.

    Attributes
    ----------
    conditional : Conditional
        The coordinates of error and effects.
    sigma, scale : scalar
        Scales at the mode: of the scatter, and the last of the others.
    full : array, shape (direction,)
        Precision without an error, and by the priors.
    taken : array, shape (feature, direction)
        Or of shape (run, direction), where there is no error.
    """

    conditional: Conditional
    sigma: Any
    scale: Any
    full: Any
    taken: Any

    @classmethod
    def nowhere(cls, fits: int, sizes: tuple[int, int, int], directions: int, real: Any) -> Funnel:
        """Of the shapes and types of many fits', and of no use.

        Parameters
        ----------
        fits : int
        sizes : tuple of int
            Numbers of rows, features and runs with effects.
        directions : int
        real : dtype
        """
        rows, features, runs = sizes
        none = functools.partial(jnp.zeros, dtype=real)
        index = jnp.zeros((fits, rows), jnp.int32)
        conditional = Conditional(
            weight=none((fits, rows)),
            basis=none((fits, rows, features)),
            strength=none((fits, features)),
            rotation=none((fits, features, features)),
            effects=RunEffects(index, none((fits, runs))) if runs else None,
            ratio=none(fits) if runs else None,
            total=none((fits, runs, features)) if runs else None,
        )
        full, taken = none((fits, directions)), none((fits, features or runs, directions))
        return cls(conditional, none(fits), none(fits), full, taken)

    def stretch(self, scale: Any) -> Array:
        """Spread of each direction in units of that at the mode."""
        there, here = (self.left(each) for each in (self.scale, scale))
        return jnp.sqrt(there / here)

    def left(self, scale: Any) -> Array:
        """What remains of the precision along each direction."""
        left: Array = self.full - _absorbed(self.conditional.last, scale / self.sigma) @ self.taken
        return left
