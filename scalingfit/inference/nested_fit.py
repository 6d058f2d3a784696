"""The family of `nested`, fitted by Gauss and Newton's method for given weights of the runs.

    E + [(A / N^alpha)^(1/q) + (B / D^beta)^(1/q)]^q

A state takes some tens of microseconds for a few hundred runs, where a fit by NUTS takes tenths of
a second.
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.special import ndtr

from scalingfit.inference.departure import Carried
from scalingfit.inference.products import product

__all__ = ["NestedFit", "Place", "Precision", "Profile", "Scatter", "log_loss"]

Floats = NDArray[np.float64]

LOWEST, HIGHEST = 0.05, 1.5
"""Values of q, evenly: the prior of `nested`."""

CENTRE = np.array([0.0, 0.0, 0.0, np.log(0.25), np.log(0.25), 0.0])
PRIOR = np.diag([1 / 2**2, 0.0, 0.0, 1 / 0.7**2, 1 / 0.7**2, 0.0])
"""Precision of the terms, as in both laws; A and B are left open."""

STEPS, WEIGHINGS = 30, 3
"""At most, of a climb; and how often runs are weighed by what they miss."""

DAMPING = 1e-5
"""Of the first step: a share of the information."""

ENOUGH = 1e-4
"""In log density: a step that promises less is not taken."""

STEP, FALLEN, FINE = (0.004, 0.15), 6.0, 301
"""Least and greatest step of a profile in q; how far its log density falls before it ends; and the
values between which it is interpolated."""

TINY = 1e-9
"""What a term that the runs say nothing of is held by."""


class Place(NamedTuple):
    """A point of the family, and what the runs say of it.

    Attributes
    ----------
    terms : array, shape (6,)
        The logs of E, of A and B at the middle of the runs, of alpha and of beta; and q.
    height : float
        Log density.
    slope, information : array, shapes (6,) and (6, 6)
        Of the log density, the latter by Gauss and Newton.
    """

    terms: Floats
    height: float
    slope: Floats
    information: Floats

    @property
    def q(self) -> float:
        """How the terms combine: 1 where they add up."""
        return float(self.terms[5])

    @property
    def along(self) -> Floats:
        """How the best of the other terms move with q, to first order, shape (5,)."""
        inner = self.information[:5, :5] + TINY * np.eye(5)
        return np.asarray(-np.linalg.solve(inner, self.information[:5, 5]))

    @property
    def spread(self) -> float:
        """Standard deviation of q, by the information."""
        told = self.information[5, 5] + self.information[5, :5] @ self.along
        return float(max(told, TINY) ** -0.5)

    @property
    def log_mean(self) -> float:
        """The log of the mean density over the prior of q, by Laplace's approximation."""
        ends = (np.array([LOWEST, HIGHEST]) - self.q) / self.spread
        mass = np.sqrt(2 * np.pi) * self.spread * np.diff(ndtr(ends))[0]
        return self.height + float(np.log(mass / (HIGHEST - LOWEST)))

    def towards(self, q: float) -> Floats:
        """The terms at another q, to first order."""
        return np.append(self.terms[:5] + self.along * (q - self.q), q)


class Profile(NamedTuple):
    """The log density of q, the terms fitted anew at each, about the best: shapes ``(value,)``."""

    q: Floats
    height: Floats

    def quantiles(self, levels: tuple[float, ...]) -> list[float]:
        """Of q."""
        share = np.exp(self.height - self.height.max())
        below = np.concatenate([[0.0], np.cumsum((share[1:] + share[:-1]) * np.diff(self.q))])
        return [float(np.interp(level * below[-1], below, self.q)) for level in levels]


@dataclasses.dataclass(frozen=True)
class Precision:
    """Inverse covariance of the runs' misses: ``rows @ precision @ rows.T`` for rows (k, run).

    Attributes
    ----------
    root : array, shape (run,)
        Of the precision of each run alone.
    carried : Carried
        What the runs share, in units of their own scatter.
    """

    root: Floats
    carried: Carried

    @classmethod
    def of(cls, variance: Floats, shared: Floats) -> Precision:
        """Of runs' own variances, (run,), and of what they share, (run, feature)."""
        root = variance**-0.5
        return cls(root, Carried.by(shared * root[:, None]))

    def between(self, rows: Floats) -> Floats:
        """The products of rows, (row, run), with each other: (row, row)."""
        white = self.carried.out_of((rows * self.root).T)
        return product(white.T, white)

    def own(self, missed: Floats) -> Floats:
        """Of the runs' misses, (run,), what they do not share."""
        half = self.carried.out_of(missed * self.root)
        return self.carried.out_of(half) / self.root


@dataclasses.dataclass(frozen=True)
class Scatter:
    """How runs scatter: each its own way, and what they share.

    Attributes
    ----------
    variance : array, shape (run,)
    nu : float or None
        Degrees of freedom of Student's t; None where the scatter is normal.
    shared : array, shape (run, feature)
        The law's error and the effects of runs are this times independent standard normal numbers.
    """

    variance: Floats
    nu: float | None
    shared: Floats

    def weighed(self, x: Floats, y: Floats, start: Floats) -> tuple[NestedFit, Place]:
        """The fit at the q of some terms in which each run has its weight, and its best place."""
        fit = NestedFit(x, y, Precision.of(self.variance, self.shared))
        place = fit.at(start)
        if self.nu is None:
            return fit, place
        for _ in range(WEIGHINGS):
            own = fit.precision.own(y - log_loss(place.terms, x))
            variance = self.variance * (self.nu + own**2 / self.variance) / (self.nu + 1)
            fit = NestedFit(x, y, Precision.of(variance, self.shared))
            place = fit.at(place.terms)
        return fit, place


@dataclasses.dataclass(frozen=True)
class NestedFit:
    """Runs at places x, (2, run), with log losses y, (run,), weighed by a precision."""

    x: Floats
    y: Floats
    precision: Precision

    def at(self, start: Floats) -> Place:
        """The best place at the q of some terms."""
        return self._climbed(start, 5)

    def top(self, start: Floats) -> Place:
        """The best place that is reached from some terms."""
        return self._climbed(start, 6)

    def profile(self, best: Place) -> Profile:
        """About the best place, outwards until it has fallen off."""
        step = float(np.clip(best.spread, *STEP))
        found = [best]
        for end in (LOWEST, HIGHEST):
            last, steps = best, int(np.ceil(abs(end - best.q) / step))
            for q in np.linspace(best.q, end, steps + 1)[1:]:
                if last.height < best.height - FALLEN:
                    break
                last = self.at(last.towards(q))
                found.append(last)
        found.sort(key=lambda place: place.q)
        q, height = (
            np.array(values) for values in ([p.q for p in found], [p.height for p in found])
        )
        fine = np.linspace(q[0], q[-1], FINE)
        return Profile(fine, np.asarray(CubicSpline(q, height)(fine)))

    def _climbed(self, terms: Floats, free: int) -> Place:
        """The top from some terms, of which the first are free."""
        damping, place = DAMPING, self._place(terms)
        for _ in range(STEPS):
            inner = place.information[:free, :free]
            held = inner + np.diag(damping * (np.diag(inner) + TINY))
            step = np.zeros(6)
            step[:free] = np.linalg.solve(held, place.slope[:free])
            step[5] = np.clip(step[5], LOWEST - place.q, HIGHEST - place.q)
            if step @ place.slope < 2 * ENOUGH:
                break
            tried = self._place(place.terms + step)
            if tried.height > place.height:
                place, damping = tried, damping / 10
            else:
                damping *= 10
        return place

    def _place(self, terms: Floats) -> Place:
        with np.errstate(all="ignore"):  # a step too far is not taken
            products = self.precision.between(self.missed(terms))
        away = terms - CENTRE
        return Place(
            terms,
            -0.5 * float(products[0, 0] + away @ PRIOR @ away),
            products[0, 1:] - PRIOR @ away,
            products[1:, 1:] + PRIOR,
        )

    def missed(self, terms: Floats) -> Floats:
        """What the log losses are beyond the law's, and its derivatives by the terms, (7, run)."""
        E, power, parts = np.exp(terms[0]), np.exp(terms[3:5]), _parts(terms, self.x)
        both = np.logaddexp(*parts)
        shares = np.exp(parts - both)
        reducible = np.exp(terms[5] * both)
        rows = np.empty((7, len(both)))
        rows[1], rows[2:4] = E, reducible * shares  # by the log of E, of each part
        rows[4:6] = -power[:, None] * self.x * rows[2:4]
        rows[6] = reducible * (both - np.sum(shares * parts, axis=0))
        loss = E + reducible
        rows[1:] /= loss
        rows[0] = self.y - np.log(loss)
        return rows


def log_loss(terms: Floats, x: Floats) -> Floats:
    """At places x, (2, ...): logs of N and D, zero at the middle of the runs."""
    return np.asarray(np.log(np.exp(terms[0]) + np.exp(terms[5] * np.logaddexp(*_parts(terms, x)))))


def _parts(terms: Floats, x: Floats) -> Floats:
    """The logs of ``(A / N^alpha)^(1/q)`` and ``(B / D^beta)^(1/q)``."""
    A_B, power, q = terms[1:3], np.exp(terms[3:5]), terms[5]
    return np.asarray(((A_B - power * x.T) / q).T)
