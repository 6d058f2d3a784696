"""What a law, with its error where it has one, leaves of the losses, and what explains it.

Under the law the residuals are scatter: whatever else is asked of them, columns of numbers beside
the law explain no more than chance lets them. That is tested as by a regression to which variables
are added (Davidson & MacKinnon 1993, Estimation and Inference in Econometrics, section 6.4): what
the law's own parameters can still take up is removed from residuals and columns alike, so that the
F test holds wherever the law was fitted, and priors do not disturb it. Where the law has an error,
what that can carry is taken out of both (generalised least squares).
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Mapping

import jax
import numpy as np
from numpy.typing import NDArray
from scipy.special import fdtrc

from scalingfit.declare import Law
from scalingfit.inference.departure import Carried, Departure
from scalingfit.inference.group import Draws
from scalingfit.inference.model import Model
from scalingfit.inference.movements import (
    directions,
    errors_at_runs,
    of_exponent,
    slopes,
    thinned,
    with_effects,
)
from scalingfit.inference.products import product
from scalingfit.inference.programs import landmarks_of
from scalingfit.inference.regression import added, indicators, orthonormal, polynomial, standard
from scalingfit.noise import At, Noise
from scalingfit.runs import Runs

__all__ = ["Explained", "Residuals"]

CLIPPED = 4.0
"""Scales at which a residual is cut off, so that one bad run hides nothing."""

DEGREE = 3
"""Of the polynomial that stands for whatever is smooth."""

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
        Log of observed over expected loss (or the difference), over `scale`; with its error.
    scale : float
        Median scale of the scatter, in log loss (or in loss).
    taken : array, shape (run, direction)
        Orthonormal directions in which the runs, not the prior, hold the law; and the level. What
        the error carries is taken out.
    runs : Runs
    inputs : mapping of str to array, shape (run,)
    departure : Departure or None
        How far the law's error takes it away, where it has one.
    carried : Carried or None
        What that can carry, and the effects of runs.
    error : array, shape (run,)
        The mean of both, over the scale of each run.
    slopes : mapping of str to array, shape (run,)
        Of log loss (or of loss) in the log of each input, by the law, over the scale of each run.
    constructed : array, shape (run,), or None
        The derivative of log loss by the exponent of Box and Cox, by the law, over that scale.
    """

    values: Floats
    scale: float
    taken: Floats
    runs: Runs
    inputs: Mapping[str, Floats]
    departure: Departure | None = None
    carried: Carried | None = None
    error: Floats | float = 0.0
    slopes: Mapping[str, Floats] = dataclasses.field(default_factory=dict)
    constructed: Floats | None = None

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
        law, noise = thinned(law), thinned(noise)
        with jax.enable_x64(True), np.errstate(all="ignore"):
            mean = np.asarray(law.loss(**inputs), np.float64)
            at = At(mean, {name: np.log(values) for name, values in inputs.items()})
            # A scale along slopes is nearly one over a table; they are not worth their cost here.
            scale = np.asarray(noise.sigma if noise.along else noise.scale(at))
        scales = np.broadcast_to(scale, mean.shape)
        scale = np.median(scales, axis=0)
        on_log = model.noise.on_log
        mean, observed = (np.log(mean), np.log(runs["L"])) if on_log else (mean, runs["L"])
        expected, taken = mean.mean(axis=0), directions(mean / scale, model.free)
        error, carried, departure = np.zeros(len(runs)), None, None
        if model.error is not None and draws.errors is not None:
            known = landmarks_of(model, runs)
            errors = errors_at_runs(known, draws.errors)
            tau = draws.values["tau"]
            rank = model.error.tau(on_log).cdf(np.median(tau))
            departure = Departure.between(errors, scales, taken, float(rank))
            error = errors.mean(axis=0)
            size = np.sqrt(np.mean(np.where(draws.errors.any(axis=-1), tau, 0.0) ** 2))
            omega = 0.0
            if draws.effects is not None and (numbers := runs.run_numbers) is not None:
                error = error + draws.effects.mean(axis=(0, 1))[numbers]
                omega = float(np.sqrt(np.mean(draws.values["omega"] ** 2)))
            factor = with_effects(size * known.factor, runs, omega)
            carried = Carried.by(factor / scale[:, None])
            taken = directions(mean / scale, model.free, carried)
        return cls(
            (observed - expected - error) / scale,
            float(np.median(scale)),
            taken,
            runs,
            inputs,
            departure,
            carried,
            error / scale,
            {name: slope / scale for name, slope in slopes(law, inputs, on_log).items()},
            of_exponent(expected) / scale if on_log else None,
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
        logs = np.stack([standard(np.log(x)) for x in self.inputs.values()])
        return polynomial(logs, degree)

    @property
    def order(self) -> Floats:
        """Columns that run with the order of the rows, fewer, for `smooth` stands beside them."""
        rows = standard(np.arange(len(self.values), dtype=float))
        return polynomial(rows[None], DEGREE)[:, : self.most // 2]

    def groups(self) -> Iterator[tuple[str, Floats]]:
        """Labels with few values, and their indicators, each of shape (run, value - 1)."""
        for name, labels in self.runs.labels.items():
            groups = indicators(labels)
            if groups is not None and groups.shape[1] <= self.most and not self._sizes(groups):
                yield name, groups

    def explained(self, what: str, columns: Floats, beside: Floats) -> Explained:
        """What columns explain beside what the law and other columns do."""
        base, new = np.hstack([self.taken, self.out_of(beside)]), self.out_of(columns)
        share, chance, of, total = added(self.left, base, new)
        share *= min(1.0, total) ** 2
        return Explained(what, share, chance, of * self.scale, total * self.scale, columns)

    def one_by_one(self, columns: Floats, beside: Floats) -> tuple[Floats, Floats]:
        """The coefficient of each column beside what the law and others do, and its chance."""
        base = orthonormal(np.hstack([self.taken, self.out_of(beside)]))
        columns = self.out_of(columns)
        both = np.column_stack([self.left, columns])
        both -= product(base, product(base.T, both))
        rest, own = both[:, 0], both[:, 1:]
        size = np.sum(own**2, axis=0)
        size[size <= 1e-8 * np.sum(columns**2, axis=0)] = np.inf
        along = own.T @ rest
        part, whole, freedom = along**2 / size, float(rest @ rest), len(rest) - base.shape[1] - 1
        return along / size, fdtrc(1, freedom, part * freedom / np.maximum(whole - part, 1e-300))

    def out_of(self, columns: Floats) -> Floats:
        """Columns without what the law's error, and effects of runs, can carry."""
        return columns if self.carried is None else self.carried.out_of(columns)

    @functools.cached_property
    def left(self) -> Floats:
        """What the law leaves and its error cannot carry; cut off where it is far from the rest."""
        bound = CLIPPED * self.spread()
        return self.out_of(np.clip(self.values, -bound, bound) + self.error)

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
