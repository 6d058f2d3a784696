"""Which runs are fitted and which are forecast: cuts of a table by scale, or the source's own."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalingfit._arguments import numbers
from scalingfit._errors import InputError
from scalingfit._messages import Argument, Call, Message, OnlyIn
from scalingfit._text import flop, listed
from scalingfit.result import Note
from scalingfit.runs import Runs

__all__ = ["Horizon", "horizons", "moved", "several_runs", "within"]

Floats = NDArray[np.float64]

SHARES = (0.4, 0.55, 0.7, 0.85)
"""Shares of the runs that are fitted where no cuts are asked for."""
REACH = 0.1
"""How far from such a share a cut may be, to fall between budgets."""
INNER = 2 / 3
"""Share of the fitted runs that a cut within them fits."""


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
    asked : tuple of float
        The cuts that were named within the last budget that is fitted, and moved to its end.
    """

    limit: float
    train: NDArray[np.bool_]
    test: NDArray[np.bool_]
    distance: Floats
    asked: tuple[float, ...] = ()

    @property
    def farthest(self) -> float:
        """The largest distance that is forecast."""
        return float(np.max(self.distance[self.test]))


def horizons(
    runs: Runs,
    least: int,
    cuts: ArrayLike | None = None,
    held_out: str | None = None,
    budgets: ArrayLike | None = None,
) -> list[Horizon]:
    """Cut a table for forecasts, so that no run and no budget is parted.

    Parameters
    ----------
    runs : Runs
    least : int
        Fewest runs that can be fitted.
    cuts : array, optional
        Largest scales to fit, in FLOP; one that would part a budget moves to that budget's end. By
        default up to four, so that about 40, 55, 70 and 85 % of the runs are fitted.
    held_out : str, optional
        A label with the values "train" and "test" (or a column of zeros and ones): the one cut
        that the source of the runs made.
    budgets : array, optional
        See `Budgets.numbered`.

    Raises
    ------
    InputError
        No cut leaves enough runs to fit and any to forecast.
    """
    scale, show = whole_runs(runs), runs.budgets.text
    what = f"a forecast needs at least {least} runs to fit and one beyond them"
    reach = f"the runs' {runs.budgets.measure} goes from {show(scale.min())} to {show(scale.max())}"
    if held_out is not None and cuts is not None:
        raise InputError(
            "cuts and a column of held-out runs are both given, and either says which runs are "
            "fitted",
            remedy=Message(
                "leave out ", Argument("cuts"), " or ", Argument("held_out", held_out), "."
            ),
        )
    if held_out is not None:
        found = [_horizon(runs.budgets.scale, _train_of(runs, held_out))]
    else:
        ends = _ends(scale, dataclasses.replace(runs.budgets, scale=scale).numbered(budgets))
        if cuts is not None:
            # An input that is no compute has no budgets to keep whole.
            kept = ends if runs.budgets.in_flop else scale
            limits = _named(numbers("cuts", cuts), scale, kept)
        else:
            limits = dict.fromkeys(_usual(scale, ends, least), ())
        found = [_cut(runs, scale, limit, asked) for limit, asked in limits.items()]
    if not found:
        raise InputError(
            f"{what}; no cut between budgets has that, and about {100 * SHARES[0]:.0f} "
            f"to {100 * SHARES[-1]:.0f} % of the {len(runs)} runs, below it",
            [reach],
            remedy=Message("name cuts (", Argument("cuts"), "), or add runs."),
        )
    if any(cut.train.sum() < least or not cut.test.any() for cut in found):
        below = [
            f"{cut.train.sum()} up to {listed(map(show, cut.asked or (cut.limit,)))}"
            for cut in found
        ]
        raise InputError(
            what,
            [f"of {len(runs)} runs there are {listed(below)}; {reach}"],
            remedy=Message("choose other cuts (", Argument("cuts"), "), or add runs."),
        )
    return found


def within(runs: Runs, cut: Horizon) -> Horizon | None:
    """Cut once more what a cut fits, near two thirds of it; None where all is of one budget."""
    scale = whole_runs(runs)
    inside = np.flatnonzero(cut.train)
    budgets = dataclasses.replace(runs.budgets, scale=scale)
    budget = budgets.usual if budgets.in_flop else np.full(len(runs), -1)
    ends = _ends(scale[inside], budget[inside])[:-1]
    if not ends.size:
        return None
    below = np.searchsorted(np.sort(scale[inside]), ends, side="right")
    limit = float(ends[np.argmin(np.abs(below / len(inside) - INNER))])
    found = _cut(runs, scale, limit)
    return dataclasses.replace(found, train=cut.train & found.train, test=cut.train & found.test)


def several_runs(runs: Runs) -> str | None:
    """The label that names runs, where there are several of them, and several rows of one.

    Of one run, such as a learning curve by itself, rows are all that can be held out.
    """
    return runs.run_label if runs.run_count > 1 else None


def whole_runs(runs: Runs) -> Floats:
    """The scale of the run that each row is of, (row,): that of its last row, where it has several.

    Rows of one run share what is odd about it: a run whose first rows are fitted is not held out.
    """
    scale = runs.budgets.scale
    if runs.run_numbers is None:
        return scale
    last = np.zeros(runs.run_count)
    np.maximum.at(last, runs.run_of, scale)
    return np.asarray(last[runs.run_of])


def moved(cuts: Sequence[Horizon]) -> list[Note]:
    """What to say of cuts that are not where they were asked for, or leave rows of runs out."""
    left = [int(np.sum(~(cut.train | cut.test))) for cut in cuts]
    whole = Note(
        "whole_runs",
        f"runs are held out whole: of those beyond a cut, up to {max(left, default=0)} earlier "
        "rows are neither fitted nor forecast",
    )
    return [whole] * any(left) + [
        Note(
            "cut_moved",
            f"a cut at {listed(map(flop, cut.asked))} would part a budget, and was moved to its "
            f"end: the {cut.train.sum()} runs up to {flop(cut.limit)} are fitted",
        )
        for cut in cuts
        if cut.asked
    ]


def _cut(runs: Runs, scale: Floats, limit: float, asked: tuple[float, ...] = ()) -> Horizon:
    """At a scale of whole runs: of larger ones, only rows beyond it are forecast."""
    found = _horizon(scale, scale <= limit, asked)
    own = runs.budgets.scale
    test = found.test & (own > found.limit)
    return dataclasses.replace(found, test=test, distance=own / found.limit)


def _horizon(scale: Floats, train: NDArray[np.bool_], asked: tuple[float, ...] = ()) -> Horizon:
    limit = float(scale[train].max(initial=scale.min()))
    return Horizon(limit, train, ~train, scale / limit, asked)


def _ends(scale: Floats, budget: NDArray[np.int64]) -> Floats:
    """The scales, rising, at which a cut parts no budget; a run of no budget is one by itself."""
    single = len(scale) + np.arange(len(scale))
    order = np.argsort(scale)
    ordered, places = scale[order], np.arange(len(scale))
    _, group = np.unique(np.where(budget < 0, single, budget)[order], return_inverse=True)
    last = np.zeros(len(scale), np.int64)
    np.maximum.at(last, group, places)
    whole = np.maximum.accumulate(last[group]) == places
    return np.asarray(ordered[whole & (np.diff(ordered, append=np.inf) > 0)])


def _named(cuts: Floats, scale: Floats, ends: Floats) -> dict[float, tuple[float, ...]]:
    """The largest scale that each cut fits, and which cuts moved there to keep a budget whole."""
    found: dict[float, tuple[float, ...]] = {}
    for cut in np.unique(cuts).tolist():
        largest = np.max(scale[scale <= cut], initial=0)
        end = float(ends[ends >= largest].min()) if largest else 0.0
        found[end] = found.get(end, ()) + (() if 0 < end <= cut else (cut,))
    return found


def _usual(scale: Floats, ends: Floats, least: int) -> list[float]:
    """Near each share of the runs, the widest gap between budgets; none is cut in two."""
    ordered, limits = np.sort(scale), ends[:-1]
    below = np.searchsorted(ordered, limits, side="right")  # how many runs lie below each gap
    gaps = np.round(np.log(ordered[below] / limits), 2)  # so that the nearest of equals wins
    found = set()
    for share in SHARES:
        away = np.abs(below / len(scale) - share)
        near = np.flatnonzero((away <= REACH) & (below >= least))
        if near.size:
            found.add(float(limits[near[np.lexsort((away[near], -gaps[near]))[0]]]))
    return sorted(found)


def _train_of(runs: Runs, held_out: str) -> NDArray[np.bool_]:
    column = runs.named(
        held_out,
        "that says which runs to fit",
        Message(
            OnlyIn(
                "python",
                ("keep it when reading: ", Call("read", (Argument("labels", [held_out]),)), "."),
            ),
            OnlyIn("command line", ("name one of these.",)),
        ),
    )
    values = [str(value).lower() for value in column.tolist()]
    known = {"train": True, "1": True, "1.0": True, "test": False, "0": False, "0.0": False}
    unknown = sorted({value for value in values if value not in known})
    if unknown:
        raise InputError(
            f"column {held_out!r} must say train or test, and says {listed(unknown)}",
            remedy="name a column with these two values.",
        )
    return np.array([known[value] for value in values])
