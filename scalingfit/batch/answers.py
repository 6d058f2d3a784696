"""Frontiers and forecasts of many fits at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from scalingfit._errors import InputError
from scalingfit._text import engineering, listed, quantity
from scalingfit.allocation import Answer, FloatArray, quantiles_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Answers"]

QUANTILES = (0.05, 0.5, 0.95)
FEW = 12  # fits that are printed one by one


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Answers[Kind: Answer]:
    """One question put to every fit: ``print`` it, or take a fit's answer by its label.

    Attributes
    ----------
    pooled : Frontier or Forecast
        The answer of all fits together: its draws have the shape (fit, chain, draw, row), its
        summary is that of the mixture of their posteriors, and its messages say of how many fits
        the question is an extrapolation.
    """

    pooled: Kind

    @property
    def labels(self) -> tuple[Any, ...]:
        """Of the fits."""
        return tuple(self.pooled.fits)

    def __getitem__(self, label: Any) -> Kind:
        if label not in self.pooled.fits:
            raise InputError(f"there is no answer of {label!r}: there are {listed_of(self.labels)}")
        own: Kind = self.pooled.fits[label]
        return own

    def __len__(self) -> int:
        return len(self.labels)

    def quantiles(self, name: str, quantiles: Sequence[float] = QUANTILES) -> FloatArray:
        """Quantiles of one answer over each fit's draws, shape (quantile, fit, row)."""
        draws = self.pooled.draws[name]
        flat = draws.reshape(len(draws), -1, draws.shape[-1])
        return quantiles_of(flat, quantiles, axis=1)

    def summary(self, quantiles: Sequence[float] = QUANTILES) -> list[dict[str, Any]]:
        """One dictionary per fit and row, as `Answer.summary`, with the fit's label."""
        return [
            {"fit": label, **row}
            for label, own in self.pooled.fits.items()
            for row in own.summary(quantiles)
        ]

    def to_pandas(self, quantiles: Sequence[float] = QUANTILES) -> pd.DataFrame:
        """One row per fit and question; columns such as ``fit, C, N_q5, N_q50``."""
        import pandas as pd

        count, rows = len(self.labels), len(self.pooled)
        labels = [label for label in self.labels for _ in range(rows)]
        columns: dict[str, Any] = {"fit": pd.Series(labels, dtype=object).infer_objects()}
        columns |= {name: np.tile(values, count) for name, values in self.pooled.asked.items()}
        for name in self.pooled.draws:
            found = self.quantiles(name, quantiles)
            columns |= {
                f"{name}_q{100 * q:g}": values.ravel()
                for q, values in zip(quantiles, found, strict=True)
            }
        return pd.DataFrame(columns)

    def cells(self) -> list[list[str]]:
        """The table as text, header first: few fits one by one, many by how they differ.

        "across fits" is the median of the fits' medians, and their 5 % to 95 % interval; "within a
        fit" the median of the fits' own median and interval ends.
        """
        asked = self.pooled.asked
        names = [name for name in self.pooled.draws if name not in self.pooled.hidden]
        found = {name: self.quantiles(name) for name in names}
        across = {name: np.quantile(value[1], QUANTILES, axis=0) for name, value in found.items()}
        within = {name: np.median(value, axis=1) for name, value in found.items()}
        table = [[*asked, "fits", *names]]
        for row in range(len(self.pooled)):
            place = [quantity(name, values[row]) for name, values in asked.items()]
            for fit, label in enumerate(self.labels if len(self) <= FEW else ()):
                cells = [_interval(*found[name][:, fit, row]) for name in names]
                table.append([*place, str(label), *cells])
            for title, values in (("across fits", across), ("within a fit", within)):
                table.append([*place, title, *(_interval(*values[name][:, row]) for name in names)])
        return table

    def __str__(self) -> str:
        title, *counted = self.pooled.heading.splitlines()
        title = f"{title}, of {len(self)} fits"
        return "\n".join(
            [
                title,
                *counted,
                *aligned(self.cells()),
                *(f"! {message}" for message in self.pooled.messages),
            ]
        )

    __repr__ = __str__


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table, its cells to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    ]


def listed_of(labels: Sequence[Any]) -> str:
    """Labels as text; a long list is cut."""
    return listed(map(repr, labels), limit=6)


def _interval(low: float, middle: float, high: float) -> str:
    return f"{engineering(middle)} [{engineering(low)}, {engineering(high)}]"
