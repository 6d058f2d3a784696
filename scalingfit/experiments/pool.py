"""Runs that could be made: a table of candidates."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Self, final

import jax
import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalingfit._errors import InputError
from scalingfit._text import listed
from scalingfit.allocation import Counting, FloatArray, cost
from scalingfit.runs import read_inputs

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Candidates", "Pool"]

COUNTS = 1e3
"""From here on parameters and tokens are counts, and whole; fewer may be in a unit of their own."""

type Candidates = str | os.PathLike[str] | Mapping[str, ArrayLike] | pd.DataFrame
"""A table of runs that could be made."""


@final
@dataclasses.dataclass(frozen=True, eq=False)
class Pool:
    """Runs that could be made.

    Attributes
    ----------
    inputs : mapping of str to array, shape (candidate,)
        The inputs of a law, by symbol.
    cost : array, shape (candidate,)
        What each run costs: FLOP, unless the table had a column of costs in another unit.
    labels : mapping of str to array, shape (candidate,)
        What else a launcher needs to know: width, depth, batch, steps, names.
    """

    inputs: Mapping[str, FloatArray]
    cost: FloatArray
    labels: Mapping[str, NDArray[np.generic]]

    def __len__(self) -> int:
        return len(self.cost)

    @classmethod
    def of(cls, given: Candidates, needed: tuple[str, ...], rule: Counting) -> Self:
        """Read a table of candidates.

        Parameters
        ----------
        given : path, data frame or mapping of columns
            With a column for each input of the law, by its symbol or a name that `read` knows. D or
            C may be left out. A column "cost" says what a run costs where that is not C.
        needed : tuple of str
            The inputs of the law.
        rule : Counting
            Completes D and C.

        Raises
        ------
        InputError
            A column is missing or cannot be used.
        """
        table = read_inputs(given, [*dict.fromkeys(("N", "D", "C", "M", "cost", *needed))])
        columns = _completed({**table.values}, needed, rule)
        missing = [name for name in needed if name not in columns]
        if missing or not {"C", "cost"} & set(columns):
            lacking = listed(missing or ["cost"])
            raise InputError(
                f"the pool lacks {lacking}",
                [f"it has: {listed(table.names)}", f"the law takes {', '.join(needed)}"],
                remedy="name its columns by these symbols, or by names that are read as such "
                "(params, tokens, flops); what a run costs is C, or cost where it is counted in "
                "another unit.",
            )
        spent = columns.get("cost", columns.get("C"))
        assert spent is not None
        labels: dict[str, NDArray[np.generic]] = {**table.labels}
        labels |= {n: columns[n] for n in ("N", "D", "C") if n in columns and n not in needed}
        return cls({name: columns[name] for name in needed}, spent, labels)

    def take(self, chosen: ArrayLike) -> Self:
        """Some of the candidates, repeats allowed."""
        at = np.asarray(chosen)
        return dataclasses.replace(
            self,
            inputs={name: values[at] for name, values in self.inputs.items()},
            cost=self.cost[at],
            labels={name: values[at] for name, values in self.labels.items()},
        )

    def joined(self, other: Self) -> Self:
        """These candidates and then others, which have the same inputs and labels."""

        def both(own: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
            return {name: np.concatenate([own[name], others[name]]) for name in own}

        cost = np.concatenate([self.cost, other.cost])
        inputs, labels = both(self.inputs, other.inputs), both(self.labels, other.labels)
        return dataclasses.replace(self, inputs=inputs, cost=cost, labels=labels)

    def to_pandas(self) -> pd.DataFrame:
        """Inputs, cost and labels; the cost is left out where it is C."""
        import pandas as pd

        spent = {} if np.array_equal(self.labels.get("C", ()), self.cost) else {"cost": self.cost}
        columns = {**self.inputs, **spent, **self.labels}
        return pd.DataFrame({name: _whole(values) for name, values in columns.items()})


def _whole(values: NDArray[np.generic]) -> NDArray[np.generic]:
    """Whole numbers as such, as launchers take them."""
    if not np.issubdtype(values.dtype, np.floating):
        return values
    numbers = values.astype(np.float64)
    whole = np.all(numbers == np.round(numbers)) and np.all(numbers < 2**53)
    return numbers.astype(np.int64) if whole else values


def _completed(
    columns: dict[str, FloatArray], needed: tuple[str, ...], rule: Counting
) -> dict[str, FloatArray]:
    """Whole parameters and tokens, and what follows of D and C by the counting rule."""
    if "M" in columns and "N" in columns:
        columns["D"] = columns["M"] * columns["N"]
    elif "M" in columns and "D" in columns:
        columns["N"] = columns["D"] / columns["M"]
    columns |= {name: _whole_counts(columns[name]) for name in ("N", "D") if name in columns}
    with jax.enable_x64(True):
        if "D" in needed and "D" not in columns and {"N", "C"} <= set(columns):
            tokens = rule.tokens(columns["N"], columns.pop("C"))
            columns["D"] = _whole_counts(np.asarray(tokens, np.float64), np.floor)
        if "C" not in columns and {"N", "D"} <= set(columns):
            columns["C"] = cost(rule, columns["N"], columns["D"])
    return columns


def _whole_counts(
    values: FloatArray, rounded: Callable[[FloatArray], FloatArray] = np.round
) -> FloatArray:
    return np.where(values < COUNTS, values, rounded(values))
