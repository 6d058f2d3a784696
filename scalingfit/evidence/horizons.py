"""Which runs are fitted and which are forecast: cuts of a table by scale, or the source's own."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalingfit._errors import InputError, listed
from scalingfit.allocation.answer import engineering
from scalingfit.evidence.budgets import clusters, scale_of
from scalingfit.runs import Runs

__all__ = ["Horizon", "horizons"]

Floats = NDArray[np.float64]

SHARES = (0.4, 0.55, 0.7, 0.85)
"""Shares of the runs that are fitted where no cuts are asked for."""
REACH = 0.1
"""How far from such a share a cut may be, to fall between budgets."""


@dataclasses.dataclass(frozen=True, eq=False)
class Horizon:
    """A cut: fit the runs on one side, forecast those on the other.

    Attributes
    ----------
    limit : float
        The largest scale that is fitted.
    train, test : array of bool, shape (run,)
    distance : array, shape (run,)
        Scale of each run over the largest that is fitted.
    """

    limit: float
    train: NDArray[np.bool_]
    test: NDArray[np.bool_]
    distance: Floats

    @property
    def farthest(self) -> float:
        """The largest distance that is forecast."""
        return float(np.max(self.distance[self.test]))


def horizons(
    runs: Runs,
    least: int,
    cuts: ArrayLike | None = None,
    split: str | None = None,
) -> list[Horizon]:
    """Cut a table for forecasts.

    Parameters
    ----------
    runs : Runs
    least : int
        Fewest runs that can be fitted.
    cuts : array, optional
        Largest scales to fit, in FLOP; by default so that about 40, 55, 70 and 85 % of the runs
        are fitted, whole budgets at a time.
    split : str, optional
        A label with the values "train" and "test" (or a column of zeros and ones): the one cut
        that the source of the runs made.

    Raises
    ------
    InputError
        No cut leaves enough runs to fit and any to forecast.
    """
    _, scale = scale_of(runs)
    if split is not None:
        train = _source_split(runs, split)
        pairs = [(train, ~train)]
    else:
        limits = _default_cuts(scale, least) if cuts is None else np.atleast_1d(np.asarray(cuts))
        pairs = [(scale <= limit, scale > limit) for limit in np.unique(limits)]
    bad = [int(train.sum()) for train, test in pairs if train.sum() < least or not test.any()]
    if bad or not pairs:
        counts = "no cut lies between them"
        if bad:
            counts = f"the cuts have {listed(map(str, bad))} of {len(runs)} runs below them"
        raise InputError(
            f"a forecast needs at least {least} runs to fit and one beyond them",
            [f"{counts}; the runs' scales go from {engineering(scale.min())} to "
             f"{engineering(scale.max())}"],
            remedy="choose other cuts, or add runs.",
        )  # fmt: skip
    return [_horizon(scale, train, test) for train, test in pairs]


def _horizon(scale: Floats, train: NDArray[np.bool_], test: NDArray[np.bool_]) -> Horizon:
    limit = float(scale[train].max())
    return Horizon(limit, train, test, scale / limit)


def _default_cuts(scale: Floats, least: int) -> Floats:
    """Near each share of the runs, the widest gap between budgets; none is cut in two."""
    order = np.argsort(scale)
    ordered, budget = np.log(scale[order]), clusters(scale)[order]
    below = 1 + np.flatnonzero(np.diff(budget))  # how many runs lie below each gap
    gaps = np.round(ordered[below] - ordered[below - 1], 2)  # so that the nearest of equals wins
    off = np.abs(below / len(scale) - np.array(SHARES)[:, None])
    found = []
    for away in off:
        near = np.flatnonzero((away <= REACH) & (below >= least))
        if near.size:
            best = near[np.lexsort((away[near], -gaps[near]))[0]]
            found.append(scale[order[below[best] - 1]])
    return np.unique(found)


def _source_split(runs: Runs, split: str) -> NDArray[np.bool_]:
    table = {**runs.columns, **runs.labels}
    if split not in table:
        raise InputError(
            f"there is no column {split!r} that says which runs to fit",
            [f"columns: {listed(table)}"],
            remedy="keep it when reading: read(..., labels=['split']).",
        )
    values = [str(value).lower() for value in table[split].tolist()]
    known = {"train": True, "1": True, "1.0": True, "test": False, "0": False, "0.0": False}
    unknown = sorted({value for value in values if value not in known})
    if unknown:
        raise InputError(
            f"column {split!r} must say train or test, and says {listed(unknown)}",
            remedy="name a column with these two values.",
        )
    return np.array([known[value] for value in values])
