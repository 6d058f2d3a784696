"""What an answer holds: the questions, draws of every number that was asked for, and notes."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Mapping, Sequence
from typing import ClassVar, Literal, NamedTuple, Self, override

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalingfit._messages import Text
from scalingfit._text import interval, quantity
from scalingfit.allocation.rules.six_nd import SixND
from scalingfit.result import Axes, Column, Interval, Labels, Note, Result, Table

__all__ = [
    "FEW",
    "QUANTILES",
    "UNDEFINED",
    "Answer",
    "FloatArray",
    "Reach",
    "in_draws",
    "intervals",
    "quantiles_of",
    "share",
]

FloatArray = NDArray[np.float64]

QUANTILES = (0.05, 0.5, 0.95)

FEW = 0.01
"""Share of the draws that is not mentioned: it hardly moves the ends of a 90 % interval."""

UNDEFINED = "undefined"
"""What stands for a number that there is none of."""

DRAWN = ("fit", "chain", "draw")
"""The axes of draws, before that of the rows."""


class Reach(NamedTuple):
    """How far questions lie beyond the runs of a fit.

    ``times`` is the factor of the farthest, where it is an extrapolation, else 0; ``notes`` say so.
    """

    times: float = 0.0
    notes: tuple[Note, ...] = ()

    def joined(self, other: Reach) -> Reach:
        """With that of other questions, the farther first."""
        first, second = (self, other) if self.times >= other.times else (other, self)
        return Reach(first.times, (*first.notes, *second.notes))


NEAR = Reach()


@dataclasses.dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Answer(Result):
    """Base of what the solvers and forecasts return: ``print`` it, or read its draws.

    Attributes
    ----------
    asked : mapping of str to array, shape (row,)
        The questions: budgets, or points.
    draws : mapping of str to array, shape (chain, draw, row)
        The answers, one for every draw of the posterior. For a law that is a single point, such as
        a published one, the shape is ``(row,)``.
    notes : sequence of Note
        What to know before acting on the answer: extrapolations, optima at an edge, inputs that
        were derived. Empty where there is nothing to warn of.
    provenance : mapping
        JSON-able record: law, counting rule, other inputs, and the posterior's own record.
    reach : Reach
        How far the questions lie beyond the runs, as `notes` say.
    fits : mapping of label to Answer
        Of many fits that were asked at once, the answer of each.
    """

    title: ClassVar[str]
    name: ClassVar[str]
    row: ClassVar[str]
    label: ClassVar[str | None] = None
    hidden: ClassVar[frozenset[str]] = frozenset()

    asked: Mapping[str, FloatArray]
    draws: Mapping[str, FloatArray]
    notes: Sequence[Note] = ()
    provenance: Mapping[str, object]
    reach: Reach = NEAR
    fits: Mapping[Hashable, Self] = dataclasses.field(default_factory=dict)

    def __len__(self) -> int:
        return len(next(iter(self.asked.values())))

    def quantiles(self, name: str, shares: Sequence[float] = QUANTILES) -> FloatArray:
        """Quantiles of one answer over the draws, shape ``(quantile, row)``.

        Parameters
        ----------
        name : str
            Of `draws`.
        shares : sequence of float
            Between 0 and 1.
        """
        return quantiles_of(_flat(self.draws[name]), shares, axis=0)

    @property
    def heading(self) -> str:
        """The title of the table, as `headed` makes it."""
        return headed(self.title, self.provenance)

    @property
    @override
    def tables(self) -> Sequence[Table]:
        columns = {
            name: Column([*map(float, values)], [quantity(name, value) for value in values])
            for name, values in self.asked.items()
        }
        columns |= {name: self.column(name) for name in self.draws}
        return (Table(self.name, self.row, columns, self.heading),)

    def column(self, name: str) -> Column:
        """One answer as the table shows it: median and 90 % interval, one a row."""
        found = intervals(self.draws[name])
        shown = [UNDEFINED if np.isnan(e.median) else interval(name, *e) for e in found]
        return Column(found, shown, hidden=name in self.hidden)

    @property
    @override
    def details(self) -> Mapping[str, object]:
        return {"provenance": self.provenance}

    @property
    @override
    def arrays(self) -> Mapping[str, Axes]:
        return {
            name: Axes((*DRAWN[len(DRAWN) + 1 - values.ndim :], self.row), values)
            for name, values in self.draws.items()
        }

    @property
    @override
    def coordinates(self) -> Mapping[str, Labels]:
        named = {} if self.label is None else {self.row: Labels(self.row, self.asked[self.label])}
        asked = {name: Labels(self.row, values) for name, values in self.asked.items()}
        return {**named, **asked, "fit": Labels("fit", [*self.fits])}


def headed(title: str, provenance: Mapping[str, object]) -> str:
    """A title with what the loss is measured in, and how FLOP are counted where not as 6 N D."""
    usual = SixND().describe()
    unit, counted = provenance.get("loss_unit"), provenance.get("counting", usual)
    first = title if unit is None else f"{title}; L in {unit}"
    return first if counted == usual else f"{first}\n{counted}"


def quantiles_of(draws: FloatArray, shares: ArrayLike, axis: int) -> FloatArray:
    """Quantiles along an axis; those of the shares come first.

    Draws may be infinite, as a loss that no budget reaches: between such there is nothing to
    interpolate.
    """
    finite = bool(np.all(np.isfinite(draws)))
    method: Literal["linear", "inverted_cdf"] = "linear" if finite else "inverted_cdf"
    return np.asarray(np.quantile(draws, np.asarray(shares), axis=axis, method=method), np.float64)


def intervals(draws: FloatArray) -> list[Interval]:
    """Median and 90 % interval over the draws, one a row."""
    low, middle, high = quantiles_of(_flat(draws), QUANTILES, axis=0)
    return [Interval(*map(float, ends)) for ends in zip(low, middle, high, strict=True)]


def share(flags: NDArray[np.bool_] | FloatArray) -> FloatArray:
    """The share of draws in which each row is flagged, shape ``(row,)``."""
    return np.asarray(np.mean(flags.reshape(-1, flags.shape[-1]), axis=0), np.float64)


def in_draws(
    code: str, name: str, asked: FloatArray, flags: NDArray[np.bool_], what: Text
) -> list[Note]:
    """Say of each row in how many of the draws something holds, where it does in more than a few.

    Parameters
    ----------
    code : str
        Of the notes.
    name : str
        What was asked for, such as C.
    asked : array, shape (row,)
    flags : array of bool, shape (chain, draw, row) or (row,)
    what : str
        What holds where a flag is set.
    """
    return [
        Note(code, what, f"{name} {quantity(name, row)}", float(part))
        for row, part in zip(asked, share(flags), strict=True)
        if part > FEW
    ]


def _flat(draws: FloatArray) -> FloatArray:
    return draws.reshape(-1, draws.shape[-1])
