"""The optimum at budgets as a linear function of what is not known, and what runs leave of it.

Around a law that may be true, the runs' losses are nearly linear in its parameters, and log N* in
these and in the law's error, a smooth random function (`scalingfit.law_error`). Parameters, error,
runs and optimum are then jointly normal.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from scalingfit.allocation import FloatArray, Spending, worth
from scalingfit.declare import Law
from scalingfit.experiments.pool import Pool
from scalingfit.law_error import covariance

__all__ = ["DECADE", "Optima", "expected_overspend"]

STEP = 1e-3
"""In each coordinate of the law, and in log N, for derivatives."""

DECADE = np.log(10.0)
"""Of log N: how far from the runs or the optimum one searches."""

NEAR = 0.1
"""In log C, to both sides of a target, for the exponent there."""


class Optima(NamedTuple):
    """log N* at budgets, as a linear function of the law's coordinates and of its error.

    At each target and a little to both sides of it, of laws that may be true. An error delta moves
    log N* by minus its slope along the budget over the second derivative of the log loss there.

    Attributes
    ----------
    place, along : array, shape (truth, 3 target, 2)
        Decimal logarithms of N* and D*, and their change with log N along the budget.
    slope : array, shape (truth, 3 target, parameter)
        Of log N* in the law's coordinates.
    stiffness : array, shape (truth, 3 target)
        Second derivative of the log loss in log N along the budget.
    """

    place: FloatArray
    along: FloatArray
    slope: FloatArray
    stiffness: FloatArray

    @classmethod
    def of(cls, truths: Law, spending: Spending) -> Optima:
        """Those of laws with leaves (truth,)."""
        C = np.concatenate([spending.C * np.exp(side * NEAR) for side in (0.0, -1.0, 1.0)])
        every = spending._replace(C=C)
        best = every.solve(truths)
        count = len(truths.values())
        shifts = STEP * np.concatenate([np.eye(count), -np.eye(count)])
        moved = np.log(every.solve(_moved(truths, shifts[:, None, :])).N)
        slope = np.moveaxis(moved[:count] - moved[count:], 0, -1) / (2 * STEP)
        with jax.enable_x64(True):
            tokens = [np.asarray(every.rule.tokens(best.N * np.exp(x), C)) for x in (-STEP, STEP)]
        fall = np.log(tokens[1] / tokens[0]) / (2 * STEP)
        along = np.stack([np.ones_like(fall), fall], axis=-1) / DECADE
        place = np.log10(np.stack([best.N, best.D], axis=-1))
        stiffness = -_curvature(truths, every) * best.slope / best.L
        return cls(place, along, slope, stiffness)

    def spreads(
        self, truths: Law, grids: Sequence[Pool], prior: FloatArray, sigma: float, error: FloatArray
    ) -> list[tuple[FloatArray, FloatArray]]:
        """Variances of log N* and of a that the runs of each grid leave, each (truth, target)."""
        inputs = {name: np.concatenate([g.inputs[name] for g in grids]) for name in ("N", "D")}
        with jax.enable_x64(True):
            jacobian = np.asarray(_jacobian(truths, inputs))
        runs = np.log10(np.stack([inputs["N"], inputs["D"]], axis=-1))
        ends = np.cumsum([len(grid) for grid in grids])[:-1]
        pairs = zip(np.split(jacobian, ends, axis=1), np.split(runs, ends), strict=True)
        return [self._left(own, places, prior, sigma, error) for own, places in pairs]

    def _left(
        self,
        jacobian: FloatArray,
        runs: FloatArray,
        prior: FloatArray,
        sigma: float,
        error: FloatArray,
    ) -> tuple[FloatArray, FloatArray]:
        """The same of one grid: the joint normal distribution, conditioned on its runs."""
        scale = error[:, None, None]
        push = error[:, None] / self.stiffness
        sides = [self.place + side * STEP * self.along for side in (1.0, -1.0)]
        slopes = (covariance(sides[0], runs) - covariance(sides[1], runs)) / (2 * STEP)
        bends = (
            sum(
                one * two * covariance(sides[i], sides[j])
                for (i, one), (j, two) in itertools.product(((0, 1.0), (1, -1.0)), repeat=2)
            )
            / (2 * STEP) ** 2
        )
        known = jacobian @ prior @ np.swapaxes(jacobian, 1, 2)
        known = known + scale**2 * covariance(runs, runs) + sigma**2 * np.eye(len(runs))
        cross = self.slope @ prior @ np.swapaxes(jacobian, 1, 2) - scale * push[..., None] * slopes
        own = self.slope @ prior @ np.swapaxes(self.slope, 1, 2)
        own = own + push[:, :, None] * push[:, None, :] * bends
        left = own - cross @ np.linalg.solve(known, np.swapaxes(cross, 1, 2))
        count = left.shape[-1] // 3
        ones = np.eye(count)
        size = np.concatenate([ones, 0 * ones, 0 * ones], axis=1)
        exponent = np.concatenate([0 * ones, -ones, ones], axis=1) / (2 * NEAR)
        by_size, by_exponent = (
            np.einsum("ci,tij,cj->tc", one, left, one) for one in (size, exponent)
        )
        return by_size, by_exponent


def expected_overspend(truths: Law, spending: Spending, sd: FloatArray) -> FloatArray:
    """The mean over a normal log N*, within a decade of which one searches, (truth, target)."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(7)
    z = np.clip(sd[..., None] * nodes, -DECADE, DECADE)
    return np.asarray((_overspend(truths, spending, z) - 1.0) @ weights / weights.sum())


def _moved(law: Law, shift: Any) -> Law:
    """The law with each parameter times the exponential of its shift, (..., parameter)."""
    values = law.values().items()
    return type(law)(
        **{name: value * jnp.exp(shift[..., at]) for at, (name, value) in enumerate(values)}
    )


@jax.jit
def _jacobian(law: Law, inputs: Any) -> Array:
    """Derivatives of the log loss in the coordinates of the law, (truth, run, parameter)."""
    count = len(law.values())

    def log_loss(shift: Array) -> Array:
        return jnp.log(_moved(law, shift).expand(1).loss(**inputs))

    found: Array = jax.jacfwd(log_loss)(jnp.zeros(count))
    return found


def _curvature(truths: Law, spending: Spending) -> FloatArray:
    """The second derivative of the overspend in log N at the optimum, (truth, target)."""
    z = np.array([-0.1, 0.1])
    apart = np.broadcast_to(z, (*spending.solve(truths).N.shape, 2))
    return np.asarray(2.0 * (_overspend(truths, spending, apart) - 1.0).mean(axis=-1) / z[0] ** 2)


def _overspend(truths: Law, spending: Spending, z: FloatArray) -> FloatArray:
    """Of plans at log N* + z, with a z, (truth, target, plan), for each law that may be true."""
    optimum = spending.solve(truths)
    found = np.empty_like(z)
    for place in range(len(spending.C)):
        one = spending.at(np.array([place]))
        N = (optimum.N[:, place, None] * np.exp(z[:, place])).ravel()
        judged = worth(truths, N, one, np.zeros(len(N), int), one.solve(truths))
        every = judged.overspend.reshape(len(z), *z[:, place].shape)
        found[:, place] = every[np.arange(len(z)), np.arange(len(z))]
    return found
