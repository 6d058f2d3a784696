"""What a loss is worth in compute, and the plan that is expected to cost the least.

A plan that is not the best buys a loss that less compute would have bought. What it overspends is
C / C_eq, where L*(C_eq) is its loss: exact in every draw, for C_eq is found by the solver that
finds the optimum.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from scalingfit._errors import InputError
from scalingfit._text import quantity
from scalingfit.allocation.answer import FloatArray, share
from scalingfit.allocation.flops import Counting
from scalingfit.allocation.search import budget_loss
from scalingfit.allocation.solver import Optimum, solve
from scalingfit.declare import Law

__all__ = [
    "Risk",
    "Spending",
    "Worth",
    "best_size",
    "equal_budget",
    "error_apart",
    "require_finite",
    "worth",
]

Risk = Literal["mean", "quantile", "cvar"]
"""What of the regret over the draws a plan is to make least."""

NODES, REACH, POLISH = 16, 14.0, 2
"""Budgets to one side of one (a power of two, as the solver pads them), how far they reach in log C
(a factor of a million), and how many steps of Newton's follow their interpolation."""

SIZES, ZOOMS = 48, 4
"""Sizes of a scan for the best plan, and how often it is made again about the best of them."""


class Spending(NamedTuple):
    """Budgets, and the terms on which they are spent.

    ``C`` has shape (budget,), ``extras`` are the law's other inputs, likewise.
    """

    C: FloatArray
    rule: Counting
    extras: Mapping[str, FloatArray]
    max_params: float

    def at(self, rows: NDArray[np.intp], C: FloatArray | None = None) -> Spending:
        """Some of the budgets, or other amounts of compute in their place."""
        extras = {name: values[rows] for name, values in self.extras.items()}
        return self._replace(C=self.C[rows] if C is None else C, extras=extras)

    def solve(self, law: Law) -> Optimum:
        """The optimum at each budget."""
        return solve(law, self.C, self.rule, extras=self.extras, max_params=self.max_params)


class Worth(NamedTuple):
    """What plans are worth; arrays of shape ``leaves.shape + (plan,)``.

    ``L`` is the loss, ``regret`` how far it lies above the least that the compute buys, and
    ``overspend`` the factor by which the compute is more than the least that buys the loss.
    """

    L: FloatArray
    regret: FloatArray
    overspend: FloatArray


def worth(
    law: Law, N: FloatArray, budgets: Spending, place: NDArray[np.intp], optimum: Optimum
) -> Worth:
    """Judge plans, in every draw, against the optimum for their compute.

    Parameters
    ----------
    law : Law
    N : array, shape (plan,)
    budgets : Spending
    place : array of int, shape (plan,)
        The budget that each plan spends.
    optimum : Optimum
        At the budgets.
    """
    spent = budgets.at(place)
    with jax.enable_x64(True):
        L = np.asarray(_loss(law, np.log(N), np.log(spent.C), spent.rule, spent.extras))
    regret = np.maximum(L - optimum.L[..., place], 0.0)  # rounding aside
    log_equal = equal_budget(law, L, budgets, place)
    return Worth(L, regret, np.exp(np.maximum(np.log(spent.C) - log_equal, 0.0)))


def error_apart(
    law: Any,
    N: FloatArray,
    budgets: Spending,
    place: NDArray[np.intp],
    optimum: Optimum,
    found: Worth,
) -> FloatArray | None:
    """How much larger a law's error is at plans than at the optimum; None of an exact law.

    Parameters are those of `worth`, and what it found. The result is like ``found.L``.
    """
    if law.exact is law:
        return None
    spent = budgets.at(place)

    def error(L: FloatArray, N: FloatArray) -> FloatArray:
        with jax.enable_x64(True):
            exact = _loss(law.exact, np.log(N), np.log(spent.C), spent.rule, spent.extras)
            return np.asarray(law.error_in(L, exact))

    return error(found.L, N) - error(optimum.L[..., place], optimum.N[..., place])


def equal_budget(
    law: Law, L: FloatArray, budgets: Spending, place: NDArray[np.intp], *, more: bool = False
) -> FloatArray:
    """Log of the compute at which the optimum has a loss: the nearest below each budget.

    Parameters
    ----------
    law : Law
    L : array, shape ``leaves.shape + (row,)``
        Losses, not below the least that the budget buys.
    budgets : Spending
    place : array of int, shape (row,)
        The budget that each row belongs to.
    more : bool
        Whether losses are above those of the budgets (False), or below (True), where more compute
        is needed.

    Returns
    -------
    array
        Like `L`; where nothing within a factor of a million has the loss, minus or plus infinity.
    """
    # The optimum at budgets from each one on, close together near it.
    direction = 1.0 if more else -1.0
    steps = direction * REACH * np.linspace(0.0, 1.0, NODES) ** 2
    count = len(budgets.C)
    C = (budgets.C[:, None] * np.exp(steps)).ravel()
    found = budgets.at(np.repeat(np.arange(count), NODES), C).solve(law)

    def curve(values: FloatArray) -> FloatArray:
        return np.asarray(values.reshape(*values.shape[:-1], count, NODES)[..., place, :])

    heights = curve(found.L)
    # The first piece on whose far side the loss has been passed.
    beyond = (heights < L[..., None]) if more else (heights > L[..., None])
    piece = np.argmax(beyond[..., 1:], axis=-1)

    def ends(values: FloatArray) -> tuple[FloatArray, FloatArray]:
        at_ends = (np.take_along_axis(values, piece[..., None] + k, -1)[..., 0] for k in (0, 1))
        near, far = at_ends
        return near, far

    (x0, x1), slopes = (steps[piece], steps[piece + 1]), ends(curve(found.slope))
    sizes = ends(np.log(curve(found.N)))
    step = _inverse_hermite(L, ends(heights), (x0, x1), slopes)
    # Newton's steps: the least loss is that at the interpolated optimum, but for the square of how
    # far that is off; where two optima compete, it is that at the better one.
    rows = budgets.at(place)
    for _ in range(POLISH):
        share = (step - x0) / (x1 - x0)
        log_n = np.stack([sizes[0] + share * (sizes[1] - sizes[0]), *sizes])
        slope = (1.0 - share) * slopes[0] + share * slopes[1]
        with jax.enable_x64(True):
            losses = _loss(law, log_n, np.log(rows.C) + step, rows.rule, dict(rows.extras))
        with np.errstate(divide="ignore", invalid="ignore"):
            better = step - (np.asarray(losses).min(axis=0) - L) / slope
        inside = np.clip(better, np.minimum(x0, x1), np.maximum(x0, x1))
        step = np.where(np.isfinite(better), inside, step)
    return np.where(np.any(beyond[..., 1:], axis=-1), np.log(rows.C) + step, direction * np.inf)


def _inverse_hermite(
    y: FloatArray,
    heights: tuple[FloatArray, FloatArray],
    ends: tuple[FloatArray, FloatArray],
    slopes: tuple[FloatArray, FloatArray],
) -> FloatArray:
    """Where a function has the value y between two points at which it and its slope are known."""
    (y0, y1), (x0, x1), (s0, s1) = heights, ends, slopes
    with np.errstate(divide="ignore", invalid="ignore"):
        rise = y1 - y0
        t = np.clip(np.nan_to_num((y - y0) / rise), 0.0, 1.0)
        m0, m1 = rise / s0, rise / s1  # slopes of the inverse, in units of t
        cubic = (
            x0 + t * m0 + t**2 * (3 * (x1 - x0) - 2 * m0 - m1) + t**3 * (2 * (x0 - x1) + m0 + m1)
        )
    low, high = np.minimum(x0, x1), np.maximum(x0, x1)
    inside = (cubic >= low) & (cubic <= high)  # false also where it is NaN
    return np.where(inside, cubic, x0 + t * (x1 - x0))


def require_finite(optimum: Optimum, budgets: Spending) -> None:
    """Refuse budgets that in some draws buy nothing finite."""
    lost = share(~np.isfinite(optimum.L))
    if np.any(lost):
        raise InputError(
            "no split of the budget has a finite loss",
            [
                f"C = {quantity('C', C)}: {100 * part:.3g} % of the draws"
                for C, part in zip(budgets.C, lost, strict=True)
                if part > 0
            ],
            remedy="ask for a larger budget; N and D are both at least 1.",
        )


def best_size(
    law: Law, budgets: Spending, optimum: Optimum, risk: Risk = "mean", level: float = 0.9
) -> FloatArray:
    """The N at each budget whose regret over the draws is least, to a part in 1e5.

    It lies between the least and the largest of the draws' own optima.

    Parameters
    ----------
    law : Law
    budgets : Spending
    optimum : Optimum
        At the budgets.
    risk : {"mean", "quantile", "cvar"}
        The mean of the regret; its quantile at `level`; or the mean of what lies beyond that, the
        conditional value at risk (Rockafellar & Uryasev 2000, J. Risk 2(3)).
    level : float

    Returns
    -------
    array, shape (budget,)
    """
    flat = np.log(optimum.N.reshape(-1, len(budgets.C)))
    low, high = flat.min(axis=0), flat.max(axis=0)
    steps = np.linspace(0.0, 1.0, SIZES)[:, None]
    measure = {"mean": _mean, "quantile": _quantile, "cvar": _cvar}[risk]
    for _ in range(ZOOMS):
        sizes = low + steps * (high - low)
        with jax.enable_x64(True):
            found = _risks(
                law,
                sizes,
                np.log(budgets.C),
                optimum.L,
                level,
                budgets.rule,
                dict(budgets.extras),
                measure,
            )
        best = np.argmin(np.asarray(found), axis=0)
        each = np.arange(len(best))
        low = sizes[np.maximum(best - 1, 0), each]
        high = sizes[np.minimum(best + 1, SIZES - 1), each]
    return np.asarray(np.exp(0.5 * (low + high)))


@jax.jit
def _loss(law: Law, log_n: Any, log_c: Any, rule: Counting, extras: Any) -> Array:
    return jnp.asarray(budget_loss(law.expand(1), rule, extras, log_n, log_c))


@functools.partial(jax.jit, static_argnames="measure")
def _risks(
    law: Law,
    log_n: Array,
    log_c: Array,
    least: Array,
    level: float,
    rule: Counting,
    extras: Any,
    measure: Callable[[Array, Array], Array],
) -> Array:
    """The risk of each size, shape (size, budget); NaN becomes infinity."""
    law = law.expand(1)

    def at(log_n: Array) -> Array:
        regret = budget_loss(law, rule, extras, log_n, log_c) - least
        return measure(regret.reshape(-1, log_c.shape[-1]), jnp.asarray(level))

    # One size after another: memory for one, however fine the scan.
    found: Array = jax.lax.map(at, log_n)
    return jnp.where(jnp.isnan(found), jnp.inf, found)


def _mean(regret: Array, level: Array) -> Array:
    return jnp.mean(regret, axis=0)


def _quantile(regret: Array, level: Array) -> Array:
    return jnp.quantile(regret, level, axis=0)


def _cvar(regret: Array, level: Array) -> Array:
    """Rockafellar & Uryasev's formula, exact for draws of equal weight."""
    beyond = jnp.quantile(regret, level, axis=0, method="higher")
    excess = jnp.maximum(regret - beyond, 0.0)
    return beyond + jnp.mean(excess, axis=0) / (1.0 - level)
