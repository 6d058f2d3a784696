"""IsoFLOP profiles: where each budget's loss is least, and how sure that is.

The curve through each budget's runs is a cubic, since a parabola is biased wherever the two sides
differ (Czech et al., arXiv 2603.22339), and runs scatter about it with heavy tails. Losses enter as
logarithms, sizes as log N from the middle of the budget's runs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalingfit._text import flop, interval, listed
from scalingfit.evidence.exponents.budgets import (
    FEWEST,
    LEAST,
    NAMED,
    aligned,
    log_middle,
    size_count,
    sparse,
)
from scalingfit.result import Axes, Column, Interval, Labels, Note, Result, Table
from scalingfit.runs import Runs

__all__ = ["Profiles", "profiles"]

Floats = NDArray[np.float64]

EDGE = 0.1
"""A budget whose minimum lies at an end of its runs in more of the draws takes no part."""

TAIL = 4.0  # degrees of freedom of the scatter
COEFFICIENT_SDS = np.array([1.0, 0.3, 0.1, 0.03])
"""Prior sds of the cubic, in log loss for each power of log N: published surfaces curve by 0.01 to
0.05, and change that by a few thousandths."""
NOISE_SHAPE, NOISE_SCALE = 1.0, 0.003  # inverse gamma on the variance: a few tenths of a percent
BURN_IN = 300


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Profiles(Result):
    """The minima of all budgets: ``print`` it for a table.

    Budgets with too few sizes stand among them without a minimum, all NaN, unless they are the
    most: then the runs were not made for budgets, and such groups are counted in a note alone.

    Attributes
    ----------
    C : array, shape (budget,)
        FLOP, geometric mean of the budget's runs.
    log_N : array, shape (draw, budget)
        Log of the N of least loss, among sizes that were trained.
    log_L : array, shape (draw, budget)
        Log of the loss there.
    log_ND : array, shape (budget,)
        Log of N D along the budget, from which D* follows.
    at_edge : array, shape (budget,)
        Share of the draws in which that is the smallest or the largest size trained.
    runs : array of int, shape (budget,)
        How many runs the curve was drawn through; all of the budget's where there is none.
    notes : sequence of Note
        Which budgets were left out.
    """

    C: Floats
    log_N: Floats
    log_L: Floats
    log_ND: Floats
    at_edge: Floats
    runs: NDArray[np.int64]
    notes: Sequence[Note] = ()

    @property
    def used(self) -> NDArray[np.bool_]:
        """Which budgets have a minimum inside their runs."""
        return self.at_edge <= EDGE

    @property
    def refused(self) -> NDArray[np.bool_]:
        """Which budgets have one that may lie beyond their runs."""
        return self.at_edge > EDGE

    @property
    def tables(self) -> Sequence[Table]:
        """One row a budget; where the minimum may lie beyond its runs there is none."""
        ends = [None if np.isnan(share) else share for share in self.at_edge.tolist()]
        optima = {"N": self.log_N, "D": self.log_ND - self.log_N, "L": self.log_L}
        columns = {
            "C": Column(self.C.tolist(), [*map(flop, self.C)]),
            **{name: self._column(name, np.exp(values)) for name, values in optima.items()},
            "runs": Column(self.runs.tolist()),
            "at_edge": Column.of(ends, ".0%", "at an end"),
            "used": Column(self.used.tolist(), hidden=True),
        }
        return (Table("profiles", "budget", columns, "Minima of the budgets: median [5 %, 95 %]"),)

    def _column(self, name: str, draws: Floats) -> Column:
        found = [
            each if used else None for each, used in zip(_intervals(draws), self.used, strict=True)
        ]
        return Column(found, ["-" if each is None else interval(name, *each) for each in found])

    @property
    def arrays(self) -> Mapping[str, Axes]:
        """Draws of the minima, and what is known of each budget."""
        return {
            "log_N": Axes(("draw", "budget"), self.log_N),
            "log_L": Axes(("draw", "budget"), self.log_L),
            "log_ND": Axes(("budget",), self.log_ND),
            "at_edge": Axes(("budget",), self.at_edge),
            "runs": Axes(("budget",), self.runs),
        }

    @property
    def coordinates(self) -> Mapping[str, Labels]:
        """The budgets in FLOP."""
        return {"budget": Labels("budget", self.C.tolist())}


def profiles(
    runs: Runs,
    *,
    budgets: ArrayLike | None = None,
    window: float = 0.1,
    least: int = FEWEST,
    draws: int = 2000,
    seed: int = 0,
) -> Profiles:
    """Find each budget's best size.

    Parameters
    ----------
    runs : Runs
        With N, D, C and L.
    budgets : array, optional
        FLOP; see `Budgets.numbered`.
    window : float
        Only runs whose log loss lies within this of the budget's best are used (but the five
        nearest to the best size always are): far from the minimum no cubic holds.
    least : int
        Budgets with fewer sizes are left out.
    draws, seed : int

    Returns
    -------
    Profiles
        Budgets in the order of C. Those with too few sizes have no minimum, and those whose runs
        differ in compute by more than a factor of two are left out; the notes name both.

    Raises
    ------
    InputError
        Fewer than three budgets have enough sizes at nearly the same compute.
    """
    groups, log_C, log_L, caveats = aligned(runs, budgets, least)
    chosen = [_near_best(runs["N"], log_L, group, window) for group in groups]
    place = [np.log(runs["N"][group]) for group in chosen]
    centre = np.array([(x.min() + x.max()) / 2 for x in place])
    size = max(map(len, chosen))
    u, y, real = (np.zeros((len(chosen), size)) for _ in range(3))
    for row, (group, x, middle) in enumerate(zip(chosen, place, centre, strict=True)):
        u[row, : len(group)] = x - middle
        y[row, : len(group)] = log_L[group]
        real[row, : len(group)] = 1.0
    level = np.sum(y, axis=1) / np.sum(real, axis=1)
    curves = draw_cubics(u, (y - level[:, None]) * real, real, draws, np.random.default_rng(seed))
    ends = np.array([[x.min(), x.max()] for x in place]) - centre[:, None]
    where, height, edge = lowest(curves, ends)
    few = sparse(runs, budgets, least)
    bare = few if len(few) <= len(groups) else []
    every = [*groups, *bare]
    middles = np.array([*log_C, *(log_middle(runs, group) for group in bare)])
    order = np.argsort(middles, kind="stable")

    def ordered(values: Floats) -> Floats:
        none = np.full((*values.shape[:-1], len(bare)), np.nan)
        return np.asarray(np.concatenate([values, none], axis=-1)[..., order])

    return Profiles(
        C=np.exp(middles[order]),
        log_N=ordered(where + centre),
        log_L=ordered(height + level),
        log_ND=np.array([np.mean(np.log(runs["N"][at] * runs["D"][at])) for at in every])[order],
        at_edge=ordered(edge.mean(axis=0)),
        runs=np.array([*map(len, chosen), *map(len, bare)])[order],
        notes=(*caveats, *_few_sizes(runs, groups, log_C)),
    )


def _few_sizes(runs: Runs, groups: list[NDArray[np.int64]], log_C: Floats) -> list[Note]:
    """Say which budgets have hardly enough sizes."""
    few = [
        flop(float(np.exp(middle)))
        for group, middle in zip(groups, log_C, strict=True)
        if size_count(runs, group) < LEAST
    ]
    text = (
        f"fewer than {LEAST} sizes were trained at C {listed(few, NAMED)}: how the loss bends "
        "between them is mostly the prior's, and the intervals are as wide as that"
    )
    return [Note("few_sizes", text)] if few else []


def _near_best(
    N: Floats, log_L: Floats, group: NDArray[np.int64], window: float
) -> NDArray[np.int64]:
    excess = log_L[group] - log_L[group].min()
    best = N[group][np.argmin(excess)]
    near = np.argsort(np.abs(np.log(N[group] / best)))[:LEAST]
    return np.asarray(group[np.union1d(np.flatnonzero(excess <= window), near)])


def draw_cubics(
    u: Floats, y: Floats, real: Floats, draws: int, random: np.random.Generator
) -> Floats:
    """Draws of the cubics, (draw, budget, 4), with Student-t scatter; all budgets at once.

    The t is a normal whose precision is a gamma variable of each run, so that every step is
    conjugate (Geweke 1993).
    """
    basis = np.stack([u**power for power in range(4)], axis=-1)
    prior = np.diag(COEFFICIENT_SDS**-2.0)
    precision, noise = real.copy(), np.full(len(u), NOISE_SCALE**2)
    kept = np.empty((draws, len(u), 4))
    for turn in range(-BURN_IN, draws):
        scaled = precision / noise[:, None]
        inner = np.einsum("br,bri,brj->bij", scaled, basis, basis) + prior
        centre = np.linalg.solve(inner, np.einsum("br,bri->bi", scaled * y, basis)[..., None])
        factor = np.linalg.cholesky(inner)
        white = random.standard_normal((len(u), 4, 1))
        curve = (centre + np.linalg.solve(factor.swapaxes(1, 2), white))[..., 0]
        squared = (y - np.einsum("bri,bi->br", basis, curve)) ** 2 * real
        shape = NOISE_SHAPE + real.sum(axis=1) / 2
        rate = NOISE_SHAPE * NOISE_SCALE**2 + np.sum(precision * squared, axis=1) / 2
        noise = rate / random.gamma(shape)
        precision = real * random.gamma((TAIL + 1) / 2, size=u.shape)
        precision /= (TAIL + squared / noise[:, None]) / 2
        if turn >= 0:
            kept[turn] = curve
    return kept


def lowest(curves: Floats, ends: Floats) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Where each cubic is least between two ends, how low, and whether that is at an end."""
    c0, c1, c2, c3 = np.moveaxis(curves, -1, 0)

    def height(at: Floats) -> Floats:
        return np.asarray(c0 + at * (c1 + at * (c2 + at * c3)))

    with np.errstate(invalid="ignore", divide="ignore"):
        # The root of the derivative at which the cubic curves upwards.
        inner = -c1 / (c2 + np.sqrt(c2**2 - 3 * c1 * c3))
    inside = (inner > ends[:, 0]) & (inner < ends[:, 1])  # False for NaN
    places: Sequence[Floats] = [
        np.where(inside, inner, ends[:, 0]),
        np.broadcast_to(ends[:, 0], c0.shape),
        np.broadcast_to(ends[:, 1], c0.shape),
    ]
    heights = np.stack([height(place) for place in places])
    best = np.argmin(heights, axis=0)
    where = np.take_along_axis(np.stack(places), best[None], axis=0)[0]
    return where, heights.min(axis=0), (best > 0) | ~inside


def _intervals(draws: Floats) -> list[Interval]:
    """Of each column of draws."""
    return [Interval(*ends) for ends in np.quantile(draws, [0.05, 0.5, 0.95], axis=0).T.tolist()]
