"""Choosing runs that narrow what is asked for: greedy, then by exchange.

The draws' joint moments are taken for those of a normal distribution. A run at a candidate i, with
log loss f_i and noise s_i, then lowers the variance of a target T by Cov(T, f_i)^2 / (Var f_i +
s_i^2), whatever its outcome, and the covariances of all candidates by a matrix of rank one
(Chaloner & Verdinelli 1995, Statist. Sci. 10, 273). That is exact for laws linear in their
parameters.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from scalingfit.allocation import FloatArray

__all__ = ["Moments", "Rules", "least", "select"]

POWERS = (0.0, 0.5, 1.0)
"""Of the cost by which gains are divided, on three ways through the pool; the best is kept."""

SWEEPS = 3
"""Over the batch, at most, in search of exchanges."""


@dataclasses.dataclass(frozen=True, eq=False)
class Moments:
    """Second moments of targets and candidates over the draws.

    Attributes
    ----------
    targets : array, shape (draw, target)
        What is asked for, with its mean taken off.
    candidates : array, shape (draw, candidate)
        The law at each candidate, likewise, on the scale of the noise.
    noise : array, shape (candidate,)
        Variance of a run about the law.
    """

    targets: FloatArray
    candidates: FloatArray
    noise: FloatArray

    @classmethod
    def of(cls, targets: FloatArray, candidates: FloatArray, noise: FloatArray) -> Moments:
        """Those of draws as they are."""
        return cls(targets - targets.mean(axis=0), candidates - candidates.mean(axis=0), noise)

    @functools.cached_property
    def variance(self) -> FloatArray:
        """Of each target, shape (target,)."""
        return np.asarray(np.mean(self.targets**2, axis=0))

    @functools.cached_property
    def _cross(self) -> FloatArray:
        """Covariances of targets and candidates, shape (target, candidate)."""
        return self.targets.T @ self.candidates / len(self.targets)

    @functools.cached_property
    def _spread(self) -> FloatArray:
        """Variances of the candidates."""
        return np.asarray(np.mean(self.candidates**2, axis=0))

    @functools.cached_property
    def _columns(self) -> dict[int, FloatArray]:
        return {}

    def column(self, at: int) -> FloatArray:
        """Covariances of one candidate with all, shape (candidate,): never all of them at once."""
        if at not in self._columns:
            self._columns[at] = self.candidates[:, at] @ self.candidates / len(self.candidates)
        return self._columns[at]

    def given(self, chosen: Sequence[int]) -> Given:
        """What remains unknown once runs are made."""
        state = Given(self, self._spread, self._cross, self.variance, ())
        return functools.reduce(Given.then, chosen, state)


@dataclasses.dataclass(frozen=True, eq=False)
class Given:
    """Moments given runs that are made.

    Attributes
    ----------
    spread : array, shape (candidate,)
        Variances of the law at the candidates.
    cross : array, shape (target, candidate)
    variance : array, shape (target,)
    known : tuple of array
        A vector of shape (candidate,) for each run: together they are what was subtracted from the
        covariances of the candidates.
    """

    prior: Moments
    spread: FloatArray
    cross: FloatArray
    variance: FloatArray
    known: tuple[FloatArray, ...]

    def gain(self, weight: FloatArray) -> FloatArray:
        """What a run at each candidate takes off the weighted variances, shape (candidate,)."""
        return np.asarray(weight @ (self.cross**2 / (self.spread + self.prior.noise)))

    def then(self, at: int) -> Given:
        """The moments once a run at a candidate is made, too."""
        column = self.prior.column(at) - sum(vector * vector[at] for vector in self.known)
        total = np.sqrt(column[at] + self.prior.noise[at])
        vector, shift = column / total, self.cross[:, at] / total
        return Given(
            self.prior,
            np.maximum(self.spread - vector**2, 0.0),
            self.cross - shift[:, None] * vector,
            np.maximum(self.variance - shift**2, 0.0),
            (*self.known, vector),
        )


@dataclasses.dataclass(frozen=True)
class Rules:
    """What a batch may be.

    Attributes
    ----------
    budget : float
        What its runs may cost together.
    count : int
        How many there may be.
    repeats : int
        How many of them may stand on one candidate.
    first : tuple of int
        Candidates that are in it whatever they gain.
    """

    budget: float
    count: int
    repeats: int
    first: tuple[int, ...] = ()

    def allowed(self, chosen: Sequence[int], cost: FloatArray) -> NDArray[np.bool_]:
        """Which candidates may be added, shape (candidate,)."""
        times = np.bincount(np.asarray(chosen, int), minlength=len(cost))
        left = self.budget * (1 + 1e-9) - cost[list(chosen)].sum()
        return (times < self.repeats) & (cost <= left)


def select(
    moments: Moments,
    weight: FloatArray,
    cost: FloatArray,
    rules: Rules,
    known: Sequence[Sequence[int]] = (),
) -> list[int]:
    """The batch that leaves the least of the weighted variances of the targets.

    Greedy by gain over a power of the cost (Khuller, Moss & Naor 1999, Inf. Process. Lett. 70, 39,
    for the powers 0 and 1), then run by run exchanged for a better one while that helps (Fedorov
    1972). Batches that are known to be good are improved likewise.

    Parameters
    ----------
    moments : Moments
    weight : array, shape (target,)
    cost : array, shape (candidate,)
    rules : Rules
    known : sequence of batches, optional
        Which keep to the rules.

    Returns
    -------
    list of int
        Candidates, the most useful first; repeats are replicates.
    """
    batches = [_greedy(moments, weight, cost / cost.min(), rules, cost, p) for p in POWERS]
    if known:
        batches.append([*least(moments, weight, known)])
    return least(
        moments, weight, [_exchanged(moments, weight, cost, rules, each) for each in batches]
    )


def least[Batch: Sequence[int]](
    moments: Moments, weight: FloatArray, batches: Sequence[Batch]
) -> Batch:
    """Of batches the one that leaves the least of the weighted variances."""
    return min(batches, key=lambda batch: float(weight @ moments.given(batch).variance))


def _greedy(
    moments: Moments,
    weight: FloatArray,
    price: FloatArray,
    rules: Rules,
    cost: FloatArray,
    power: float,
) -> list[int]:
    chosen = list(rules.first)
    state = moments.given(chosen)
    while len(chosen) < rules.count:
        allowed = rules.allowed(chosen, cost)
        if not allowed.any():
            break
        gain = np.where(allowed, state.gain(weight) / price**power, -1.0)
        best = int(np.argmax(gain))
        if not gain[best] > 0:
            break
        chosen.append(best)
        state = state.then(best)
    return chosen


def _exchanged(
    moments: Moments, weight: FloatArray, cost: FloatArray, rules: Rules, chosen: list[int]
) -> list[int]:
    """Each run exchanged for the best in its place, and one added where one fits."""
    batch = list(chosen)
    for _ in range(SWEEPS):
        before = list(batch)
        for place in range(len(rules.first), rules.count):
            rest = batch[:place] + batch[place + 1 :]
            gain = moments.given(rest).gain(weight)
            now = gain[batch[place]] if place < len(batch) else 0.0
            gain = np.where(rules.allowed(rest, cost), gain, -1.0)
            best = int(np.argmax(gain))
            if gain[best] > now * (1 + 1e-9):
                batch[place : place + 1] = [best]
        if batch == before:
            break
    return batch
