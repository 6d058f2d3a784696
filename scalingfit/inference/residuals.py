"""What a law, with its error where it has one, leaves of the losses, and what explains it.

Under the law the residuals are scatter: whatever else is asked of them, columns of numbers beside
the law explain no more than chance lets them. That is tested as by a regression to which variables
are added (Davidson & MacKinnon 1993, Estimation and Inference in Econometrics, section 6.4): what
the law's own parameters, or its error, can still take up is removed from residuals and columns
alike, so that the F test holds wherever the law was fitted, and priors do not disturb it.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.special import fdtrc

from scalingfit.declare import Law
from scalingfit.inference.departure import Departure
from scalingfit.inference.group import Draws
from scalingfit.inference.model import Model
from scalingfit.inference.programs import landmarks_of
from scalingfit.noise import At, Noise
from scalingfit.runs import Runs, group_key

__all__ = ["Explained", "Residuals", "added"]

DRAWS = 400
"""Draws of the law that are looked at."""

FEW = 100
"""Of these, draws whose differences tell the directions in which a law moves: some ten."""

CLIPPED = 4.0
"""Scales at which a residual is cut off, so that one bad run hides nothing."""

DEGREE = 3
"""Of the polynomial that stands for whatever is smooth."""

MOST_VALUES = 20
FEWEST_ROWS = 3
ONE_SIZE = 1.2
"""Inputs within this factor are one: a label with one size a value names sizes."""

type Floats = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Explained:
    """What columns explain of residuals.

    Attributes
    ----------
    what : str
        "smooth", "order", or the name of a label.
    share : float
        Of their variance, or of that of the scatter where it is larger; adjusted for the number of
        columns.
    chance : float
        How probable so large a share is where the law holds.
    of, total : float
        Standard deviations, of the explained part and of all, in log loss (or in loss).
    columns : array, shape (run, column)
    """

    what: str
    share: float
    chance: float
    of: float
    total: float
    columns: Floats = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True)
class Residuals:
    """Residuals of a fit in units of its scatter, and what the law can take up.

    Where rows of one run share an effect, residuals are those beside it.

    Attributes
    ----------
    values : array, shape (run,)
        Log of observed over expected loss (or the difference), over `scale`.
    scale : float
        Median scale of the scatter, in log loss (or in loss).
    taken : array, shape (run, direction)
        Orthonormal directions in which the runs, not the prior, hold the law; and the level, of
        each run with an effect by itself.
    runs : Runs
    inputs : mapping of str to array, shape (run,)
    departure : Departure or None
        What the law's error makes of it, where it has one.
    """

    values: Floats
    scale: float
    taken: Floats
    runs: Runs
    inputs: Mapping[str, Floats]
    departure: Departure | None = None

    @classmethod
    def of(cls, model: Model, runs: Runs, draws: Draws, law: Law, noise: Noise) -> Residuals:
        """Those of a posterior's draws, on the runs that it used.

        Parameters
        ----------
        model : Model
        runs : Runs
        draws : Draws
        law, noise
            The same draws, of shape (chain, draw); the law without its error, where it has one.
        """
        runs = runs.used()
        inputs = runs.input(model.law.inputs())
        law, noise = _thinned(law), _thinned(noise)
        with jax.enable_x64(True), np.errstate(all="ignore"):
            mean = np.asarray(law.loss(**inputs), np.float64)
            at = At(mean, {name: np.log(values) for name, values in inputs.items()})
            # A scale along slopes is nearly one over a table; they are not worth their cost here.
            scale = np.asarray(noise.sigma if noise.along else noise.scale(at))
        scales = np.broadcast_to(scale, mean.shape)
        scale = np.median(scales, axis=0)
        on_log = model.noise.on_log
        mean, observed = (np.log(mean), np.log(runs["L"])) if on_log else (mean, runs["L"])
        taken, departure = _taken(mean / scale, model.free), None
        if model.error is not None and draws.errors is not None:
            errors = _errors(model, runs, draws.errors)
            rank = model.error.tau(on_log).cdf(np.median(draws.values["tau"]))
            departure = Departure.between(errors, scales, taken, float(rank))
            mean = mean + errors
            taken = _taken(mean / scale, len(runs))
        if draws.effects is not None and (numbers := runs.run_numbers) is not None:
            mean = mean + _thin(draws.effects, draws.effects.shape[2:])[:, numbers]
            taken = _orthonormal(np.hstack([taken, _levels(numbers)]))
        return cls(
            (observed - mean.mean(axis=0)) / scale,
            float(np.median(scale)),
            taken,
            runs,
            inputs,
            departure,
        )

    @property
    def freedom(self) -> int:
        """Residual degrees of freedom."""
        return int(np.subtract(*self.taken.shape))

    @property
    def most(self) -> int:
        """How many columns may be asked about: a third of the freedom."""
        return max(self.freedom, 0) // 3

    def spread(self) -> float:
        """A standard deviation that a few outliers do not move, in units of the scatter."""
        middle = np.median(self.values)
        return max(float(1.4826 * np.median(np.abs(self.values - middle))), 1e-300)

    @property
    def smooth(self) -> Floats:
        """Columns that stand for whatever is smooth in the inputs, shape (run, column)."""
        return self.surface(DEGREE)[:, : self.most]

    def surface(self, degree: int) -> Floats:
        """Polynomials of the log inputs, shape (run, column)."""
        logs = np.stack([_standard(np.log(x)) for x in self.inputs.values()])
        return _polynomial(logs, degree)

    @property
    def order(self) -> Floats:
        """Columns that run with the order of the rows, fewer, for `smooth` stands beside them."""
        rows = _standard(np.arange(len(self.values), dtype=float))
        return _polynomial(rows[None], DEGREE)[:, : self.most // 2]

    def groups(self) -> Iterator[tuple[str, Floats]]:
        """Labels with few values, and their indicators, each of shape (run, value - 1)."""
        for name, labels in self.runs.labels.items():
            groups = _groups(labels)
            if groups is not None and groups.shape[1] <= self.most and not self._sizes(groups):
                yield name, groups

    def explained(self, what: str, columns: Floats, beside: Floats) -> Explained:
        """What columns explain beside what the law and other columns do."""
        bound = CLIPPED * self.spread()
        clipped = np.clip(self.values, -bound, bound)
        share, chance, of, total = added(clipped, np.hstack([self.taken, beside]), columns)
        share *= min(1.0, total) ** 2
        return Explained(what, share, chance, of * self.scale, total * self.scale, columns)

    def _sizes(self, groups: Floats) -> bool:
        """Whether a label's values each stand for one size of some input or of the budget."""
        sizes = [*self.inputs.values()]
        if {"N", "D"} <= self.inputs.keys():
            sizes.append(self.inputs["N"] * self.inputs["D"])
        number = np.hstack([groups, 1 - groups.sum(axis=1, keepdims=True)]).argmax(axis=1)
        return any(
            all(
                np.ptp(np.log(size[number == group])) <= np.log(ONE_SIZE)
                for group in np.unique(number)
            )
            for size in sizes
        )


def added(values: Floats, base: Floats, columns: Floats) -> tuple[float, float, float, float]:
    """The F test of columns added to a regression.

    Parameters
    ----------
    values : array, shape (run,)
    base : array, shape (run, column)
        What the regression has.
    columns : array, shape (run, column)
        What is added.

    Returns
    -------
    share, chance, of, total : float
        Adjusted share of the residual variance that they explain; the probability of a larger F;
        standard deviations of the explained part and of all.
    """
    base = _orthonormal(base)
    rest = values - base @ (base.T @ values)
    new = _orthonormal(columns - base @ (base.T @ columns))
    freedom, more = len(values) - base.shape[1], new.shape[1]
    left = freedom - more
    whole, part = float(rest @ rest), float(np.sum((new.T @ rest) ** 2))
    if left <= 0 or more == 0 or whole <= 0:
        return 0.0, 1.0, 0.0, 0.0
    within = max(whole - part, 0.0) / left
    share = 1 - within / (whole / freedom)
    chance = float(fdtrc(more, left, (part / more) / within)) if within > 0 else 0.0
    total = np.sqrt(whole / freedom)
    return share, chance, float(total * np.sqrt(max(share, 0.0))), float(total)


def _thinned[Kind: (Law, Noise)](draws: Kind) -> Kind:
    """At most about `DRAWS` draws, with an axis for runs: leaves of shape (draw, 1)."""
    thinned: Kind = jax.tree.map(lambda leaf: _thin(leaf, ())[:, None], draws)
    return thinned


def _thin(values: Floats, inner: tuple[int, ...]) -> Floats:
    """Draws (chain, draw, ...), evenly taken of all, (draw, ...)."""
    flat = np.reshape(values, (-1, *inner))
    return flat[:: max(1, len(flat) // DRAWS)]


def _errors(model: Model, runs: Runs, errors: Floats) -> Floats:
    """The law's error at the runs, (draw, run), from that at its landmarks."""
    known = landmarks_of(model, runs)
    thinned = _thin(errors, errors.shape[2:])
    normal: Floats = solve_triangular(known.own, thinned.T, lower=True)
    return (known.factor @ normal).T


def _levels(numbers: NDArray[np.int64]) -> Floats:
    """Indicators, (row, run), of the runs that have several rows."""
    several = np.flatnonzero(np.bincount(numbers) > 1)
    return np.equal.outer(numbers, several).astype(np.float64)


def _taken(draws: Floats, most: int) -> Floats:
    """Directions (run, direction) in which draws of a law differ because the runs let them.

    The scatter moves a least-squares fit by one scale along each; the prior holds a direction
    along which the posterior moves by less than half of that.

    Parameters
    ----------
    draws : array, shape (draw, run)
        In units of the scatter.
    most : int
        Directions that there are.
    """
    few = draws[:: max(1, len(draws) // FEW)]
    moves = few - few.mean(axis=0)
    if not np.isfinite(moves).all():
        return np.full((moves.shape[1], 1), moves.shape[1] ** -0.5)
    # The eigenvectors of a Gram matrix of the draws cost a tenth of singular vectors.
    variances, mixes = np.linalg.eigh(moves @ moves.T / len(moves))
    free = variances[-most:] > 0.25
    level = np.ones((moves.shape[1], 1))
    return _orthonormal(np.hstack([level, moves.T @ mixes[:, -most:][:, free]]))


def _orthonormal(columns: Floats) -> Floats:
    if columns.shape[1] == 0:
        return columns
    left, sizes, _ = np.linalg.svd(columns, full_matrices=False)
    return np.asarray(left[:, sizes > 1e-8 * max(np.sqrt(len(columns)), sizes[0])])


def _standard(values: Floats) -> Floats:
    width = values.std()
    return (values - values.mean()) / width if width > 0 else np.zeros_like(values)


def _polynomial(standard: Floats, highest: int) -> Floats:
    """Monomials of rows (variable, run), by degree, mixed ones first: shape (run, column)."""
    which = range(len(standard))
    terms = [
        term
        for degree in range(1, highest + 1)
        for term in sorted(
            itertools.combinations_with_replacement(which, degree), key=lambda t: -len(set(t))
        )
    ]
    return np.stack([np.prod(standard[list(term)], axis=0) for term in terms], axis=1)


def _groups(labels: NDArray[Any]) -> Floats | None:
    """Indicators (run, value - 1) of a label with few values; None where it has many, or one."""
    keys = np.array([str(group_key(value)) for value in labels.tolist()])
    values, number, counts = np.unique(keys, return_inverse=True, return_counts=True)
    if not 2 <= len(values) <= MOST_VALUES or counts.min() < FEWEST_ROWS:
        return None
    return np.asarray(number[:, None] == np.arange(len(values) - 1), np.float64)
