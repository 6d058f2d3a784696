"""IsoFLOP profiles: where each budget's loss is least, how sure that is, and the exponent across.

The second of Hoffmann et al. 2022's approaches (arXiv 2203.15556, section 3.2), with three changes.
The curve through each budget's runs is a cubic, since a parabola is biased wherever the two sides
differ (Czech et al., arXiv 2603.22339). Runs scatter about it with heavy tails. And the
uncertainty of every minimum goes into the exponent, together with scatter between the minima that
the runs of a budget cannot know of.

Losses enter as logarithms, sizes as log N from the middle of the budget's runs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalingfit._errors import InputError
from scalingfit.allocation.answer import engineering
from scalingfit.evidence.budgets import budget_of
from scalingfit.runs import Runs

__all__ = ["Exponent", "Profiles", "envelope", "isoflop", "profiles"]

Floats = NDArray[np.float64]

TAIL = 4.0  # degrees of freedom of the scatter
COEFFICIENT_SDS = np.array([1.0, 0.3, 0.1, 0.03])
"""Prior sds of the cubic, in log loss for each power of log N: published surfaces curve by 0.01 to
0.05, and change that by a few thousandths."""
NOISE_SHAPE, NOISE_SCALE = 1.0, 0.003  # inverse gamma on the variance: a few tenths of a percent
BURN_IN = 300
EDGE = 0.1
"""A budget whose minimum lies at an end of its runs in more of the draws takes no part."""
SCATTERS = np.concatenate([[1e-4], np.geomspace(3e-3, 1.0, 60)])


@dataclasses.dataclass(frozen=True, eq=False)
class Profiles:
    """The minima of all budgets.

    Attributes
    ----------
    C : array, shape (budget,)
        FLOP, geometric mean of the budget's runs.
    log_N : array, shape (draw, budget)
        Log of the N of least loss, among sizes that were trained.
    log_L : array, shape (draw, budget)
        Log of the loss there.
    at_edge : array, shape (budget,)
        Share of the draws in which that is the smallest or the largest size trained.
    runs : array of int, shape (budget,)
        How many runs the curve was drawn through.
    """

    C: Floats
    log_N: Floats
    log_L: Floats
    at_edge: Floats
    runs: NDArray[np.int64]

    @property
    def used(self) -> NDArray[np.bool_]:
        """Which budgets have a minimum inside their runs."""
        return self.at_edge <= EDGE


@dataclasses.dataclass(frozen=True, eq=False)
class Exponent:
    """N* = k C^a.

    Attributes
    ----------
    a : array, shape (draw,)
    log_k : array, shape (draw,)
    budgets : int
        How many budgets it rests on.
    messages : tuple of str
    """

    a: Floats
    log_k: Floats
    budgets: int
    messages: tuple[str, ...] = ()

    def interval(self) -> tuple[float, float, float]:
        """Median, 5 % and 95 % quantile."""
        low, middle, high = np.quantile(self.a, [0.05, 0.5, 0.95])
        return float(middle), float(low), float(high)


def profiles(
    runs: Runs,
    *,
    budgets: ArrayLike | None = None,
    window: float = 0.1,
    least: int = 5,
    draws: int = 2000,
    seed: int = 0,
) -> Profiles:
    """Find each budget's best size.

    Parameters
    ----------
    runs : Runs
        With N, C and L.
    budgets : array, optional
        FLOP; runs within 10 % of one belong to it, all others take no part. By default runs of
        nearly the same compute are grouped.
    window : float
        Only runs whose log loss lies within this of the budget's best are used (but the `least`
        nearest to the best size always are): far from the minimum no cubic holds.
    least : int
        Budgets with fewer runs are left out.
    draws, seed : int

    Raises
    ------
    InputError
        Fewer than three budgets have enough runs.
    """
    groups = [g for g in grouped(runs, budgets) if len(g) >= least]
    if len(groups) < 3:
        raise InputError(
            f"isoFLOP profiles need three budgets of {least} runs each; there are {len(groups)}",
            remedy="name the budgets of the experiment (budgets=[6e18, 1e19, ...]), or fit a law.",
        )
    chosen = [_near_best(runs, group, window, least) for group in groups]
    C = np.array([np.exp(np.mean(np.log(runs["C"][group]))) for group in groups])
    place = [np.log(runs["N"][group]) for group in chosen]
    centre = np.array([(x.min() + x.max()) / 2 for x in place])
    size = max(map(len, chosen))
    u, y, real = (np.zeros((len(chosen), size)) for _ in range(3))
    for row, (group, x, middle) in enumerate(zip(chosen, place, centre, strict=True)):
        u[row, : len(group)] = x - middle
        y[row, : len(group)] = np.log(runs["L"][group])
        real[row, : len(group)] = 1.0
    level = np.sum(y, axis=1) / np.sum(real, axis=1)
    curves = _gibbs(u, (y - level[:, None]) * real, real, draws, np.random.default_rng(seed))
    ends = np.array([[x.min(), x.max()] for x in place]) - centre[:, None]
    where, height, edge = _lowest(curves, ends)
    return Profiles(
        C=C,
        log_N=where + centre,
        log_L=height + level,
        at_edge=edge.mean(axis=0),
        runs=np.array([len(group) for group in chosen]),
    )


def isoflop(found: Profiles, *, draws: int = 2000, seed: int = 0) -> Exponent:
    """The exponent across budgets: N* against C in logarithms.

    Each minimum counts by its own variance plus a variance between the minima, which is unknown
    and drawn too (half-normal prior of scale 0.3 on its root, as in random-effects meta-analysis:
    DerSimonian & Laird 1986, in its Bayesian form).
    """
    used = found.used
    if used.sum() < 3:
        raise InputError(
            f"only {used.sum()} budgets have their minimum inside their runs",
            [f"C {engineering(C)}: at an end in {share:.0%} of the draws"
             for C, share in zip(found.C, found.at_edge, strict=True)],
            remedy="train smaller or larger models at these budgets, or fit a law.",
        )  # fmt: skip
    x = np.log(found.C[used])
    middle = x.mean()
    y, variance = found.log_N[:, used].mean(axis=0), found.log_N[:, used].var(axis=0)
    design = np.stack([np.ones_like(x), x - middle], axis=1)
    random = np.random.default_rng(seed)
    log_weight, centres, factors = [], [], []
    for scatter in SCATTERS:
        precision = 1 / (variance + scatter**2)
        inner = design.T @ (design * precision[:, None])
        centre = np.linalg.solve(inner, design.T @ (precision * y))
        misfit = np.sum(precision * (y - design @ centre) ** 2)
        log_weight.append(
            0.5 * (np.sum(np.log(precision)) - np.linalg.slogdet(inner)[1] - misfit)
            - 0.5 * (scatter / 0.3) ** 2
        )
        centres.append(centre)
        factors.append(np.linalg.cholesky(np.linalg.inv(inner)))
    weight = np.exp(np.array(log_weight) - max(log_weight)) * np.gradient(SCATTERS)
    drawn = random.choice(len(SCATTERS), draws, p=weight / weight.sum())
    line = np.array(centres)[drawn] + np.einsum(
        "dij,dj->di", np.array(factors)[drawn], random.standard_normal((draws, 2))
    )
    out = [engineering(C) for C in found.C[~used]]
    message = f"no minimum inside the runs at C {', '.join(out)}: these take no part"
    return Exponent(
        a=line[:, 1],
        log_k=line[:, 0] - line[:, 1] * middle,
        budgets=int(used.sum()),
        messages=(message,) if out else (),
    )


def envelope(
    runs: Runs, *, budgets: ArrayLike | None = None, draws: int = 2000, seed: int = 0
) -> Exponent:
    """The lower envelope: the size of the best run of each budget, and a line through those.

    Hoffmann et al. 2022's first approach, for tables that hold one loss a run: nothing is
    interpolated, so steps between the sizes that were trained come through. The draws are
    bootstraps of the runs within budgets.
    """
    groups = grouped(runs, budgets)
    if len(groups) < 3:
        raise InputError(f"an envelope needs three budgets; there are {len(groups)}")
    random = np.random.default_rng(seed)
    x = np.array([np.mean(np.log(runs["C"][group])) for group in groups])
    best = []
    for group in groups:
        picked = group[random.integers(0, len(group), (draws, len(group)))]
        rows = picked[np.arange(draws), np.argmin(runs["L"][picked], axis=1)]
        best.append(np.log(runs["N"][rows]))
    y = np.stack(best, axis=1)
    offset = x - x.mean()
    a = (y @ offset) / np.sum(offset**2)
    return Exponent(a, y.mean(axis=1) - a * x.mean(), len(groups))


def grouped(runs: Runs, budgets: ArrayLike | None = None) -> list[NDArray[np.int64]]:
    """Positions of the runs of each budget; see `scalingfit.evidence.budgets.budget_of`."""
    numbers = budget_of(runs, budgets)
    return [np.flatnonzero(numbers == number) for number in np.unique(numbers[numbers >= 0])]


def _near_best(
    runs: Runs, group: NDArray[np.int64], window: float, least: int
) -> NDArray[np.int64]:
    excess = np.log(runs["L"][group])
    excess = excess - excess.min()
    best = runs["N"][group][np.argmin(excess)]
    near = np.argsort(np.abs(np.log(runs["N"][group] / best)))[:least]
    return np.asarray(group[np.union1d(np.flatnonzero(excess <= window), near)])


def _gibbs(u: Floats, y: Floats, real: Floats, draws: int, random: np.random.Generator) -> Floats:
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


def _lowest(curves: Floats, ends: Floats) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Where each cubic is least between two ends, how low, and whether that is at an end."""
    c0, c1, c2, c3 = np.moveaxis(curves, -1, 0)

    def height(at: Any) -> Any:
        return c0 + at * (c1 + at * (c2 + at * c3))

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
