"""Frontiers and forecasts of many fits at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import cast

import numpy as np

from scalingfit._errors import InputError
from scalingfit._text import interval, listed, quantity
from scalingfit.allocation import QUANTILES, Answer, FloatArray, quantiles_of
from scalingfit.result import Axes, Column, Interval, Labels, Note, Result, Table

__all__ = ["FEW", "Answers", "listed_of"]

FEW = 12
"""Fits that people get one by one."""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Answers[Kind: Answer](Result):
    """One question put to every fit: ``print`` it, or take a fit's answer by its label.

    Attributes
    ----------
    pooled : Frontier or Forecast
        The answer of all fits together: its draws have the shape (fit, chain, draw, row), its
        table is that of the mixture of their posteriors, and its notes say of how many fits the
        question is an extrapolation.
    """

    pooled: Kind

    @property
    def labels(self) -> tuple[Hashable, ...]:
        """Of the fits."""
        return tuple(self.pooled.fits)

    def __getitem__(self, label: Hashable) -> Kind:
        if label not in self.pooled.fits:
            raise InputError(
                f"there is no answer of {label!r}",
                [f"fits: {listed_of(self.labels)}"],
                remedy="name one of these.",
            )
        return cast(Kind, self.pooled.fits[label])

    def __len__(self) -> int:
        return len(self.labels)

    def quantiles(self, name: str, shares: Sequence[float] = QUANTILES) -> FloatArray:
        """Quantiles of one answer over each fit's draws, shape (quantile, fit, row)."""
        draws = self.pooled.draws[name]
        flat = draws.reshape(len(draws), -1, draws.shape[-1])
        return quantiles_of(flat, shares, axis=1)

    @property
    def tables(self) -> Sequence[Table]:
        """Each fit's answers, of which people get a few; and how they differ.

        "across fits" is the median of the fits' medians, and their 90 % interval; "within a fit"
        the median of the fits' own median and interval ends.
        """
        title, *counted = self.pooled.heading.splitlines()
        heading = "\n".join([f"{title}, of {len(self)} fits", *counted])
        found = {name: self.quantiles(name) for name in self.pooled.draws}
        across = {name: np.quantile(value[1], QUANTILES, axis=0) for name, value in found.items()}
        within = {name: np.median(value, axis=1) for name, value in found.items()}
        each = [{n: value[:, fit] for n, value in found.items()} for fit in range(len(self))]
        spread = {"across fits": across, "within a fit": within}
        few = len(self) <= FEW
        return (
            self._table("fits", self.labels, each, heading, None if few else 0),
            self._table("spread", [*spread], [*spread.values()], "" if few else heading),
        )

    def _table(
        self,
        name: str,
        labels: Sequence[Hashable],
        found: Sequence[Mapping[str, FloatArray]],
        title: str,
        limit: int | None = None,
    ) -> Table:
        """Intervals of several, one row for each and each question."""
        pooled = self.pooled
        columns = {"fit": Column([label for label in labels for _ in range(len(pooled))])}
        for asked, values in pooled.asked.items():
            every = np.tile(values, len(labels)).tolist()
            columns[asked] = Column(every, [quantity(asked, value) for value in every])
        for drawn in pooled.draws:
            rows = [Interval(*ends) for one in found for ends in one[drawn].T.tolist()]
            shown = [interval(drawn, *ends) for ends in rows]
            columns[drawn] = Column(rows, shown, hidden=drawn in pooled.hidden)
        return Table(name, "fit", columns, title, labels=1, limit=limit)

    @property
    def notes(self) -> Sequence[Note]:
        """What to know of the fits' answers."""
        return self.pooled.notes

    @property
    def details(self) -> Mapping[str, object]:
        """How the fits were asked."""
        return {"provenance": self.pooled.provenance}

    @property
    def arrays(self) -> Mapping[str, Axes]:
        """Draws of all fits."""
        return self.pooled.arrays

    @property
    def coordinates(self) -> Mapping[str, Labels]:
        """The fits, and what was asked."""
        return self.pooled.coordinates


def listed_of(labels: Iterable[Hashable]) -> str:
    """Labels as text; a long list is cut."""
    return listed(map(repr, labels), limit=6)
