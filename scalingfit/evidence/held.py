"""Runs that were held out, and what was forecast of them: by one law, or by several mixed."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any, Protocol

import jax
import numpy as np
from numpy.typing import NDArray

from scalingfit.evidence.density import log_predictive, new_runs
from scalingfit.noise import Noise

__all__ = ["RATES", "Forecasts", "Held", "Mixed", "Part", "Places", "beyond"]

Floats = NDArray[np.float64]
type Rates = Sequence[float | Floats]  # of a discrepancy: each for all runs, or of shape (run,)

RATES = np.concatenate([[0.0], np.geomspace(1e-4, 0.5, 38)])
"""Discrepancies tried: relative error a factor of ten away."""

THINNED = 500
"""Draws that the scores with a discrepancy are made from: there are many rates to try."""


def beyond(distance: Any) -> Floats:
    """Factors of ten beyond the largest run that was fitted; none for a smaller one."""
    return np.asarray(np.log10(np.maximum(distance, 1.0)))


@dataclasses.dataclass(frozen=True, eq=False)
class Places:
    """The runs, all horizons one after the other; each array of shape (run,).

    Attributes
    ----------
    observed : array
        What happened.
    distance : array
        Scale over the largest that was fitted, `limit`.
    limit : array
    largest : array
        The largest loss that was fitted.
    cut, table, row : array of int
        Which cut of which table the forecast belongs to; which row of that table the run is.
    """

    observed: Floats
    distance: Floats
    limit: Floats
    largest: Floats
    cut: NDArray[np.int64]
    table: NDArray[np.int64]
    row: NDArray[np.int64]

    @classmethod
    def together(cls, several: Sequence[Places]) -> Places:
        """The runs of several, one after the other."""
        names = [field.name for field in dataclasses.fields(Places)]
        return Places(
            **{name: np.concatenate([getattr(each, name) for each in several]) for name in names}
        )

    @property
    def fits(self) -> list[tuple[int, int]]:
        """The table and the cut that each of the runs was forecast from."""
        return list(zip(self.table.tolist(), self.cut.tolist(), strict=True))


class Forecasts(Protocol):
    """What forecasts held-out runs."""

    @property
    def places(self) -> Places:
        """The runs."""

    @property
    def means(self) -> Floats:
        """The law's loss, (draw, run)."""

    @property
    def scores(self) -> Floats:
        """Log predictive density of each run with each of `RATES`, (rate, run)."""

    def new_runs(self, rates: Rates, seed: int = 0) -> Floats:
        """Draws of the runs' losses, (rate, draw, run), with each of several discrepancies."""


@dataclasses.dataclass(frozen=True, eq=False)
class Held:
    """Forecasts by one law.

    Attributes
    ----------
    places : Places
    means : array, shape (draw, run)
        The law's loss.
    noise : Noise
        Leaves of shape (draw, run).
    loss_se : array, shape (run,), or None
        Known standard errors of the observed losses.
    """

    places: Places
    means: Floats
    noise: Noise
    loss_se: Floats | None

    @functools.cached_property
    def scores(self) -> Floats:
        """Log predictive density of each run with each of `RATES`, (rate, run)."""
        step = -(-len(self.means) // THINNED)
        few = Held(
            places=self.places,
            means=self.means[::step],
            noise=jax.tree.map(lambda leaf: leaf[::step], self.noise),
            loss_se=self.loss_se,
        )
        return np.concatenate([self.log_scores(), few.log_scores(list(RATES[1:]))])

    def log_scores(self, rates: Rates = (0.0,)) -> Floats:
        """Log predictive density of each run with each of several discrepancies, (rate, run)."""
        observed, errors = self.places.observed, self._errors(rates)
        return log_predictive(self.noise, self.means, observed, self.loss_se, errors)

    def new_runs(self, rates: Rates, seed: int = 0) -> Floats:
        """Draws of the runs' losses, (rate, draw, run), with each of several discrepancies."""
        return new_runs(self.noise, self.means, self.loss_se, self._errors(rates), seed)

    def _errors(self, rates: Rates) -> Floats:
        """Relative errors of the law at each run, (rate, run)."""
        return np.stack([rate * beyond(self.places.distance) for rate in rates])


@dataclasses.dataclass(frozen=True, eq=False)
class Part:
    """What one law gives to a mixture.

    Attributes
    ----------
    forecasts : Held
    columns, at : array of int, shape (run,)
        Where its forecasts of these runs are, and where the mixture's are.
    share : array, shape (run,)
        What the law weighs there.
    """

    forecasts: Held
    columns: NDArray[np.int64]
    at: NDArray[np.int64]
    share: Floats


@dataclasses.dataclass(frozen=True, eq=False)
class Mixed:
    """Forecasts by several laws together.

    Attributes
    ----------
    places : Places
    parts : sequence of Part
        Their shares sum to one at every run.
    """

    places: Places
    parts: Sequence[Part]

    @property
    def means(self) -> Floats:
        """The laws' losses, (draw, run)."""
        return self._drawn([part.forecasts.means[:, part.columns] for part in self.parts], seed=0)

    @functools.cached_property
    def scores(self) -> Floats:
        """Log predictive density of each run with each of `RATES`, (rate, run)."""
        found = np.full((len(RATES), len(self.places.observed)), -np.inf)
        with np.errstate(divide="ignore"):
            for part in self.parts:
                weighed = np.log(part.share) + part.forecasts.scores[:, part.columns]
                found[:, part.at] = np.logaddexp(found[:, part.at], weighed)
        return found

    def new_runs(self, rates: Rates, seed: int = 0) -> Floats:
        """Draws of the runs' losses, (rate, draw, run), with each of several discrepancies."""
        whole = np.stack([np.broadcast_to(rate, self.places.observed.shape) for rate in rates])
        each = []
        for part in self.parts:
            own = np.zeros((len(whole), len(part.forecasts.places.observed)))
            own[:, part.columns] = whole[:, part.at]
            each.append(part.forecasts.new_runs(list(own), seed)[..., part.columns])
        return self._drawn(each, seed)

    def _drawn(self, each: Sequence[Floats], seed: int) -> Floats:
        """Take every draw of every run, (..., draw, run), from one of the laws, by chance."""
        *several, count, _ = each[0].shape
        size = (count, len(self.places.observed))
        chance, found = np.random.default_rng(seed).random(size), np.empty((*several, *size))
        below = np.zeros(size[1])
        for part, draws in zip(self.parts, each, strict=True):
            later = chance[:, part.at] >= below[part.at]
            found[..., part.at] = np.where(later, draws, found[..., part.at])
            below[part.at] += part.share
        return found
