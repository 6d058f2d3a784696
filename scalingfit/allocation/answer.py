"""What an answer holds: the questions, draws of every number that was asked for, and caveats."""

from __future__ import annotations

import abc
import dataclasses
import html
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scalingfit._text import interval, quantity
from scalingfit.allocation.flops import SixND

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Answer",
    "FloatArray",
    "Reach",
    "in_draws",
    "quantiles_of",
    "share",
]

FloatArray = NDArray[np.float64]

QUANTILES = (0.05, 0.5, 0.95)


class Reach(NamedTuple):
    """How far questions lie beyond the runs of a fit.

    ``times`` is the factor of the farthest, where it is an extrapolation, else 0; ``messages`` says
    so.
    """

    times: float = 0.0
    messages: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Answer(abc.ABC):
    """Base of what the solvers and forecasts return.

    Attributes
    ----------
    asked : mapping of str to array, shape (row,)
        The questions: budgets, or points.
    draws : mapping of str to array, shape (chain, draw, row)
        The answers, one for every draw of the posterior. For a law that is a single point, such as
        a published one, the shape is ``(row,)``.
    messages : tuple of str
        What to know before acting on the answer: extrapolations, optima at an edge, inputs that
        were derived. Empty where there is nothing to warn of.
    provenance : mapping
        JSON-able record: law, counting rule, other inputs, and the posterior's own record.
    reach : Reach
        How far the questions lie beyond the runs, as `messages` say.
    fits : mapping of label to Answer
        Of many fits that were asked at once, the answer of each.
    """

    title: ClassVar[str]
    hidden: ClassVar[frozenset[str]] = frozenset()

    asked: Mapping[str, FloatArray]
    draws: Mapping[str, FloatArray]
    messages: tuple[str, ...]
    provenance: Mapping[str, Any]
    reach: Reach = dataclasses.field(default_factory=Reach)
    fits: Mapping[Any, Any] = dataclasses.field(default_factory=dict)

    @property
    def heading(self) -> str:
        """The title of the table, and how FLOP are counted where that is not 6 N D."""
        usual = SixND().describe()
        counted = self.provenance.get("counting", usual)
        return self.title if counted == usual else f"{self.title}\n{counted}"

    def __len__(self) -> int:
        return len(next(iter(self.asked.values())))

    def summary(self, quantiles: Sequence[float] = QUANTILES) -> list[dict[str, Any]]:
        """One dictionary per row, ready for JSON: what was asked, and quantiles over the draws.

        Parameters
        ----------
        quantiles : sequence of float
            Between 0 and 1; 0.05 gives the key ``q5``.

        Returns
        -------
        list of dict
            ``{"C": 1e21, "N": {"q5": ..., "q50": ..., "q95": ...}, ...}``; None for infinity.
        """
        names = [f"q{100 * q:g}" for q in quantiles]
        table = {name: self.quantiles(name, quantiles) for name in self.draws}
        return [
            {name: float(values[row]) for name, values in self.asked.items()}
            | {
                name: dict(zip(names, map(_json_number, values[:, row]), strict=True))
                for name, values in table.items()
            }
            for row in range(len(self))
        ]

    def quantiles(self, name: str, quantiles: Sequence[float] = QUANTILES) -> FloatArray:
        """Quantiles of one answer over the draws, shape ``(quantile, row)``."""
        draws = self.draws[name]
        return quantiles_of(draws.reshape(-1, draws.shape[-1]), quantiles, axis=0)

    def to_pandas(self, quantiles: Sequence[float] = QUANTILES) -> pd.DataFrame:
        """The summary as a frame, one row per question; columns such as ``C, N_q5, N_q50``."""
        import pandas as pd

        return pd.DataFrame(
            [
                {
                    f"{name}_{key}" if key else name: number
                    for name, value in row.items()
                    for key, number in (value if isinstance(value, dict) else {"": value}).items()
                }
                for row in self.summary(quantiles)
            ]
        )

    def cells(self) -> list[list[str]]:
        """The table as text, header first: median and 5 % to 95 % interval."""
        shown = [name for name in self.draws if name not in self.hidden]
        columns = [
            [name, *(quantity(name, value) for value in values)]
            for name, values in self.asked.items()
        ]
        for name in shown:
            low, middle, high = self.quantiles(name)
            ends = zip(low, middle, high, strict=True)
            columns.append([name, *(interval(name, *values) for values in ends)])
        return [list(row) for row in zip(*columns, strict=True)]

    def __str__(self) -> str:
        rows = self.cells()
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
            for row in rows
        ]
        return "\n".join([self.heading, *lines, *(f"! {message}" for message in self.messages)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head, *body = [[html.escape(cell) for cell in row] for row in self.cells()]
        rows = [f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in body]
        notes = "".join(f"<p>{html.escape(message)}</p>" for message in self.messages)
        return (
            f"<table><caption>{html.escape(self.heading)}</caption>"
            f"<thead><tr>{''.join(f'<th>{cell}</th>' for cell in head)}</tr></thead>"
            f"<tbody>{''.join(rows)}</tbody></table>{notes}"
        )


def quantiles_of(draws: FloatArray, shares: Sequence[Any], axis: int) -> FloatArray:
    """Quantiles along an axis; those of the shares come first.

    Draws may be infinite, as a loss that no budget reaches: between such there is nothing to
    interpolate.
    """
    method: Any = "linear" if np.all(np.isfinite(draws)) else "inverted_cdf"
    return np.asarray(np.quantile(draws, np.asarray(shares), axis=axis, method=method), np.float64)


def share(flags: Any) -> FloatArray:
    """The share of draws in which each row is flagged, shape ``(row,)``."""
    return np.asarray(np.mean(flags.reshape(-1, flags.shape[-1]), axis=0), np.float64)


def in_draws(name: str, asked: FloatArray, flags: Any, what: str) -> list[str]:
    """Say of each row in how many of the draws something holds, where it does in any.

    Parameters
    ----------
    name : str
        What was asked for, such as C.
    asked : array, shape (row,)
    flags : array of bool, shape (chain, draw, row) or (row,)
    what : str
        What holds where a flag is set.
    """
    return [
        f"{name} {quantity(name, row)}: in {100 * part:.3g} % of the draws {what}"
        for row, part in zip(asked, share(flags), strict=True)
        if part > 0
    ]


def _json_number(value: float) -> float | None:
    """JSON has no infinity."""
    return float(value) if math.isfinite(value) else None
