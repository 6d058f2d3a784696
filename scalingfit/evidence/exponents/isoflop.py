"""How the best size grows with compute: from the minima of all budgets, or from their best runs.

The second and the first of Hoffmann et al. 2022's approaches (arXiv 2203.15556, sections 3.2 and
3.1). The uncertainty of every minimum (see `profiles`) goes into the exponent,
together with scatter between the minima that the runs of a budget cannot know of.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalingfit._errors import InputError
from scalingfit._text import flop, listed
from scalingfit.evidence.exponents.budgets import LEAST, NAMED, aligned
from scalingfit.evidence.exponents.profiles import Profiles
from scalingfit.result import Axes, Column, Interval, Note, Result, Table
from scalingfit.runs import Runs

__all__ = ["Exponent", "envelope", "isoflop"]

Floats = NDArray[np.float64]

SCATTERS = np.concatenate([[1e-4], np.geomspace(3e-3, 1.0, 60)])


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Exponent(Result):
    """The line N* = k C^a: ``print`` it for a with its interval.

    Attributes
    ----------
    a : array, shape (draw,)
    log_k : array, shape (draw,)
    budgets : int
        How many budgets it rests on; 0 where a law alone was asked.
    notes : sequence of Note
        Which budgets take no part, and what else it rests on.
    """

    a: Floats
    log_k: Floats
    budgets: int
    notes: Sequence[Note] = ()

    def above(self, other: Exponent) -> float:
        """Probability that it is larger than another."""
        return float(np.mean(np.sort(other.a).searchsorted(self.a) / len(other.a)))

    @property
    def interval(self) -> Interval:
        """The median of a between its 5 % and 95 % quantiles."""
        return Interval(*np.quantile(self.a, [0.05, 0.5, 0.95]).tolist())

    @property
    def tables(self) -> Sequence[Table]:
        """The one row that machines get; people get the conclusion."""
        columns = {"a": Column.of([self.interval], ".3f"), "budgets": Column([self.budgets])}
        return (Table("exponent", "row", columns, limit=0),)

    @property
    def conclusion(self) -> str:
        """The exponent, and how many budgets it rests on."""
        rests = f", from {self.budgets} budgets" if self.budgets else ""
        return f"a = {self.tables[0].columns['a'].texts()[0]} in N* ~ C^a{rests}"

    @property
    def arrays(self) -> Mapping[str, Axes]:
        """The draws."""
        return {name: Axes(("draw",), getattr(self, name)) for name in ("a", "log_k")}


def isoflop(found: Profiles, *, draws: int = 2000, seed: int = 0) -> Exponent:
    """The exponent across budgets: N* against C in logarithms.

    Each minimum counts by its own variance plus a variance between the minima, which is unknown
    and drawn too (half-normal prior of scale 0.3 on its root, as in random-effects meta-analysis:
    DerSimonian & Laird 1986, in its Bayesian form).

    Parameters
    ----------
    found : Profiles
        Budgets whose minimum may lie at an end of their runs take no part.
    draws, seed : int

    Returns
    -------
    Exponent
        Its notes name the budgets that take no part.

    Raises
    ------
    InputError
        Fewer than three budgets have their minimum inside their runs.
    """
    used, refused = found.used, found.refused
    if used.sum() < 3:
        raise InputError(
            f"only {used.sum()} budgets have their minimum inside their runs",
            [f"C {flop(C)}: at an end in {share:.0%} of the draws"
             for C, share in zip(found.C[refused], found.at_edge[refused], strict=True)],
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
    out = [
        f"{flop(C)} (in {share:.0%} of the draws)"
        for C, share in zip(found.C[refused], found.at_edge[refused], strict=True)
    ]
    text = (
        f"the minimum may lie at an end of the sizes at C {listed(out, NAMED)}: these take no part"
    )
    edge = (Note("minimum_at_edge", text),) if out else ()
    return Exponent(
        a=line[:, 1],
        log_k=line[:, 0] - line[:, 1] * middle,
        budgets=int(used.sum()),
        notes=(*found.notes, *edge),
    )


def envelope(
    runs: Runs,
    *,
    budgets: ArrayLike | None = None,
    least: int = LEAST,
    draws: int = 2000,
    seed: int = 0,
) -> Exponent:
    """The lower envelope: the size of the best run of each budget, and a line through those.

    Hoffmann et al. 2022's first approach, for tables that hold one loss a run: nothing is
    interpolated, so steps between the sizes that were trained come through. The draws are
    bootstraps of the runs within budgets.

    Parameters
    ----------
    runs, budgets, least
        As in `profiles`: a few stragglers are no budget, and their best run is far from the best.
    draws, seed : int

    Returns
    -------
    Exponent
        Its notes name the budgets that are left out, as in `profiles`.

    Raises
    ------
    InputError
        Fewer than three budgets have enough sizes at nearly the same compute.
    """
    groups, x, log_L, caveats = aligned(runs, budgets, least)
    random = np.random.default_rng(seed)
    best = []
    for group in groups:
        picked = group[random.integers(0, len(group), (draws, len(group)))]
        rows = picked[np.arange(draws), np.argmin(log_L[picked], axis=1)]
        best.append(np.log(runs["N"][rows]))
    y = np.stack(best, axis=1)
    offset = x - x.mean()
    a = (y @ offset) / np.sum(offset**2)
    return Exponent(a, y.mean(axis=1) - a * x.mean(), len(groups), caveats)
