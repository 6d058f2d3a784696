"""What a law leaves of the losses, and what explains it.

Under the law the residuals are scatter: whatever else is asked of them, columns of numbers beside
the law explain no more than chance lets them. That is tested as by a regression to which variables
are added (Davidson & MacKinnon 1993, Estimation and Inference in Econometrics, section 6.4): what
the law's own parameters can still take up is removed from residuals and columns alike, so that the
F test holds wherever the law was fitted, and priors do not disturb it.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray
from scipy.special import fdtrc

from scalingfit.declare import Law
from scalingfit.inference.model import Model
from scalingfit.noise import At, Noise
from scalingfit.runs import Runs, group_key

__all__ = ["Explained", "Residuals", "added"]

DRAWS = 200
"""Draws of the law that are looked at."""

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
        Of their variance, adjusted for the number of columns.
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
    """Residuals of a fit in units of its scatter, and what its parameters can take up.

    Attributes
    ----------
    values : array, shape (run,)
        Log of observed over expected loss (or the difference), over `scale`.
    scale : float
        Median scale of the scatter, in log loss (or in loss).
    taken : array, shape (run, direction)
        Orthonormal directions in which the runs, not the prior, hold the law; and the level.
    runs : Runs
    inputs : mapping of str to array, shape (run,)
    """

    values: Floats
    scale: float
    taken: Floats
    runs: Runs
    inputs: Mapping[str, Floats]

    @classmethod
    def of(cls, model: Model, runs: Runs, law: Law, noise: Noise) -> Residuals:
        """Those of a posterior's draws, on the runs that it used.

        Parameters
        ----------
        model : Model
        runs : Runs
        law, noise
            Draws, of shape (chain, draw); the law without its error, where it has one.
        """
        runs = runs.used()
        inputs = runs.input(model.law.inputs())
        law, noise = _thinned(law), _thinned(noise)
        with jax.enable_x64(True), np.errstate(all="ignore"):
            mean = np.asarray(law.loss(**inputs), np.float64)
            at = At(mean, {name: np.log(values) for name, values in inputs.items()})
            # A scale along slopes is nearly one over a table; they are not worth their cost here.
            scale = np.asarray(noise.sigma if noise.along else noise.scale(at))
        scale = np.median(np.broadcast_to(scale, mean.shape), axis=0)
        on_log = model.noise.on_log
        mean, observed = (np.log(mean), np.log(runs["L"])) if on_log else (mean, runs["L"])
        middle = mean.mean(axis=0)
        return cls(
            (observed - middle) / scale,
            float(np.median(scale)),
            _taken((mean - middle) / scale, model.free),
            runs,
            inputs,
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
        logs = np.stack([_standard(np.log(x)) for x in self.inputs.values()])
        return _polynomial(logs)[:, : self.most]

    @property
    def order(self) -> Floats:
        """Columns that run with the order of the rows, fewer, for `smooth` stands beside them."""
        rows = _standard(np.arange(len(self.values), dtype=float))
        return _polynomial(rows[None])[:, : self.most // 2]

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


def _thinned[Draws: (Law, Noise)](draws: Draws) -> Draws:
    """At most `DRAWS` draws, evenly taken, with an axis for runs: leaves of shape (draw, 1)."""

    def thin(leaf: Floats) -> Floats:
        flat = np.asarray(leaf).reshape(-1)
        return flat[:: max(1, len(flat) // DRAWS), None]

    thinned: Draws = jax.tree.map(thin, draws)
    return thinned


def _taken(moves: Floats, most: int) -> Floats:
    """Directions (run, direction) in which draws of a law differ because the runs let them.

    The scatter moves a least-squares fit by one scale along each; the prior holds a direction
    along which the posterior moves by less than half of that.
    """
    if not np.isfinite(moves).all():
        return np.full((moves.shape[1], 1), moves.shape[1] ** -0.5)
    _, sizes, directions = np.linalg.svd(moves, full_matrices=False)
    free = sizes / np.sqrt(len(moves)) > 0.5
    level = np.ones((moves.shape[1], 1))
    return _orthonormal(np.hstack([level, directions[:most][free[:most]].T]))


def _orthonormal(columns: Floats) -> Floats:
    if columns.shape[1] == 0:
        return columns
    left, sizes, _ = np.linalg.svd(columns, full_matrices=False)
    return np.asarray(left[:, sizes > 1e-8 * max(np.sqrt(len(columns)), sizes[0])])


def _standard(values: Floats) -> Floats:
    width = values.std()
    return (values - values.mean()) / width if width > 0 else np.zeros_like(values)


def _polynomial(standard: Floats) -> Floats:
    """Monomials of rows (variable, run), by degree, mixed ones first: shape (run, column)."""
    which = range(len(standard))
    terms = [
        term
        for degree in range(1, DEGREE + 1)
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
