"""Stack forecasts: weight laws by how well each predicts the last of the runs that a cut fits.

Stacking of predictive densities (Yao et al. 2018, arXiv 1704.02030) with the densities of runs that
are the largest, as those to be forecast are, instead of runs left out in between.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import logsumexp, softmax

from scalingfit.evidence.forecasts.forecasting import Task
from scalingfit.evidence.forecasts.held_out import (
    Component,
    HeldOutRuns,
    LawForecasts,
    StackedForecasts,
)

__all__ = ["STACKED", "Weights", "best_weights", "stack_forecasts"]

type Floats = NDArray[np.float64]
type Fit = tuple[int, int]  # number of the table, number of the cut

STACKED = "stacked"
"""The name of all laws together among the laws."""

FREE = 12.0
"""Bound on the weights' logarithms, up to a constant: no weight is below exp(-24)."""


@dataclasses.dataclass(frozen=True)
class Weights:
    """Each law's weight in the forecasts of some tables from one of their cuts.

    Attributes
    ----------
    domain : object
        Of the tables.
    cut : int
    weights : mapping of str to float
        By law; without those that were not fitted to all of these tables.
    """

    domain: Hashable
    cut: int
    weights: Mapping[str, float]


def stack_forecasts(
    tasks: Sequence[Task],
    domains: Sequence[Hashable],
    outer: Mapping[str, LawForecasts],
    inner: Mapping[str, LawForecasts],
) -> tuple[StackedForecasts | None, tuple[Weights, ...]]:
    """Stack the laws' forecasts, with one set of weights for each cut of each domain.

    Parameters
    ----------
    tasks : sequence of Task
        What is to be stacked.
    domains : sequence
        The domain of each table, by the table's number.
    outer : mapping of str to LawForecasts
        By law, the forecasts to be stacked.
    inner : mapping of str to LawForecasts
        By law, forecasts within what each task fits, which the weights are made from.

    Returns
    -------
    stacked : StackedForecasts, or None where there is nothing to stack
    weights : tuple of Weights
    """
    groups: dict[tuple[Hashable, int], list[Task]] = {}
    for task in tasks:
        groups.setdefault((domains[task.place], task.number), []).append(task)
    made = {law: {*outer[law].runs.fits} & {*inner[law].runs.fits} for law in inner}
    scores = {law: forecasts.scores for law, forecasts in inner.items()}
    found: dict[tuple[Hashable, int], dict[str, float]] = {}
    for group, members in groups.items():
        fits_of = {task.fit for task in members}
        able = [law for law in inner if fits_of <= made[law]]
        if able:
            found[group] = _weights({law: (inner[law], scores[law]) for law in able}, fits_of)
    of = {task.fit: found[group] for group in found for task in groups[group]}
    if not of:
        return None, ()
    places = HeldOutRuns.together([task.held_out for task in tasks if task.fit in of])
    fits, parts = places.fits, []
    for law, forecasts in outer.items():
        at = [number for number, fit in enumerate(fits) if law in of[fit]]
        columns = [n for n, fit in enumerate(forecasts.runs.fits) if law in of.get(fit, {})]
        if at:
            share = np.array([of[fits[number]][law] for number in at])
            parts.append(Component(forecasts, np.array(columns), np.array(at), share))
    return StackedForecasts(places, parts), tuple(Weights(*group, found[group]) for group in found)


def _weights(inner: Mapping[str, tuple[LawForecasts, Floats]], fits: set[Fit]) -> dict[str, float]:
    """The weights that would have been best within the runs that were fitted."""
    scores, kept = [], []
    for forecasts, score in inner.values():
        forecast_from = forecasts.runs.fits
        scores.append(score[[fit in fits for fit in forecast_from]])
        kept = [fit for fit in forecast_from if fit in fits]
    counts = Counter(kept)
    share = np.array([1 / counts[fit] for fit in kept])
    return dict(zip(inner, best_weights(np.array(scores), share).tolist(), strict=True))


def best_weights(scores: Floats, share: Floats) -> Floats:
    """The weights that maximise the log score of a mixture.

    Parameters
    ----------
    scores : array, shape (law, run)
        Log predictive densities.
    share : array, shape (run,)
        What each run counts for: so that every table counts the same, however long it is.

    Returns
    -------
    array, shape (law,)
        Not negative, and of sum one.
    """

    def loss(free: Floats) -> tuple[float, Floats]:
        mixed = np.log(softmax(free))[:, None] + scores
        total = logsumexp(mixed, axis=0)
        part = np.exp(mixed - total) @ share
        return -float(share @ total), np.asarray(share.sum() * softmax(free) - part)

    free = np.zeros(len(scores))
    bounds = [(-FREE, FREE)] * len(free)
    found = minimize(loss, free, jac=True, bounds=bounds)
    return np.asarray(softmax(found.x))
