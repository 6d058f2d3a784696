"""Runs that could be made: a table of candidates, or a ladder of budgets about the optimum."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Self, final

import jax
import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalingfit._arguments import number, numbers
from scalingfit._errors import InputError
from scalingfit._messages import Argument, Message
from scalingfit._text import listed
from scalingfit.allocation import AspectRatio, Counting, FloatArray, Shape, cost

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Candidates", "Pool", "isoflop", "ladder", "realised"]

RUNGS = 10
"""Budgets of a ladder, each half of the one above."""

SIZES, SPAN = 13, 8.0
"""Sizes at each budget, from an eighth of the optimum to eight times as much."""

HEADS = 64.0
"""Widths of models are multiples of it."""


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
            With a column for each input of the law, by its symbol. Of N, D and C one may be left
            out. A column "cost" says what a run costs where that is not C.
        needed : tuple of str
            The inputs of the law.
        rule : Counting
            Completes N, D and C.

        Raises
        ------
        InputError
            A column is missing or cannot be used.
        """
        table = _table(given)
        columns = {
            name: numbers(name, table[name]) for name in ("C", "cost", *needed) if name in table
        }
        columns = _completed(columns, needed, rule)
        missing = [name for name in needed if name not in columns]
        if missing or not {"C", "cost"} & set(columns):
            lacking = listed(missing or ["cost"])
            raise InputError(
                f"the pool lacks {lacking}",
                [f"it has: {listed(table)}", f"the law takes {', '.join(needed)}"],
                remedy="name its columns by these symbols; what a run costs is C, or cost where "
                "it is counted in another unit.",
            )
        spent = columns.get("cost", columns.get("C"))
        assert spent is not None
        used = {*needed, "cost"}
        labels = {name: values for name, values in table.items() if name not in used}
        if "C" in columns:
            labels["C"] = columns["C"]
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


def ladder(
    optimum: Callable[[FloatArray], FloatArray], top: float
) -> tuple[FloatArray, FloatArray]:
    """Sizes N about the optimum at budgets C that halve from the top, each (candidate,).

    Parameters
    ----------
    optimum : callable
        From budgets, (budget,), to sizes N, (budget,).
    top : float
        The largest budget in FLOP.
    """
    budgets = np.asarray(top / 2.0 ** np.arange(RUNGS), np.float64)
    about = np.geomspace(1.0 / SPAN, SPAN, SIZES)
    return np.outer(optimum(budgets), about).ravel(), np.repeat(budgets, SIZES)


def isoflop(
    option: tuple[int, int, float, float],
    total: float,
    optimum: Callable[[FloatArray], FloatArray],
) -> tuple[FloatArray, FloatArray]:
    """Sizes N about the optimum at the same C for each of a few budgets, each (candidate,).

    Parameters
    ----------
    option : tuple of int, int, float, float
        How many budgets and how many sizes of each; the ratio of neighbouring budgets; and the
        factor from the optimum to the least and the greatest size.
    total : float
        What all runs cost together, FLOP.
    optimum : callable
        As in `ladder`.
    """
    count, sizes, ratio, span = option
    steps = ratio ** -np.arange(count, dtype=float)
    budgets = total / (sizes * steps.sum()) * steps
    about = np.geomspace(1.0 / span, span, sizes)
    return np.outer(optimum(budgets), about).ravel(), np.repeat(budgets, sizes)


def realised(
    N: FloatArray,
    C: FloatArray,
    rule: Counting,
    *,
    shapes: AspectRatio | None = None,
    batch_tokens: float | None = None,
    max_params: float = np.inf,
) -> Pool:
    """Runs of about N parameters and C FLOP, as they can be made; what cannot is left out.

    Parameters
    ----------
    N, C : array, shape (candidate,)
    rule : Counting
    shapes : AspectRatio, optional
        Then every size is one that can be built: its width a multiple of 64, its depth whole.
    batch_tokens : float, optional
        Tokens in a step; the number of steps is then whole.
    max_params : float

    Raises
    ------
    InputError
        None of them can be made.
    """
    labels: dict[str, NDArray[np.generic]] = {}
    if shapes is not None:
        built = [_built(shapes, size) for size in N]
        N = np.array([float(shape.parameters) for shape in built])
        labels = {name: np.array([getattr(s, name) for s in built]) for name in ("width", "depth")}
    with jax.enable_x64(True):
        D = np.asarray(rule.tokens(N, C), np.float64)
    if batch_tokens is not None:
        batch = number("batch_tokens", batch_tokens)
        steps = np.maximum(np.round(D / batch), 1.0)
        D = steps * batch
        labels |= {"batch": np.full(len(D), batch), "steps": steps}
    _, first = np.unique(np.stack([N, D]), axis=1, return_index=True)
    kept = np.intersect1d(np.flatnonzero((D >= 1.0) & (N >= 1.0) & (max_params >= N)), first)
    if len(kept) == 0:
        raise InputError(
            "no run can be made: the budget leaves no model a token, or all are above max_params",
            remedy=Message("raise the budget, or leave ", Argument("max_params"), " out."),
        )
    C = cost(rule, N, D)
    return Pool({"N": N, "D": D}, C, {"C": C, **labels}).take(kept)


def _built(shapes: AspectRatio, N: float) -> Shape:
    """The nearest shape whose width is a multiple of 64 and whose depth is whole."""
    ideal = shapes.shape(N)
    width = max(HEADS, HEADS * round(float(ideal.width) / HEADS))
    depth = max(1, round(width / shapes.aspect))
    return dataclasses.replace(ideal, width=width, depth=depth, heads=width / shapes.head_width)


def _whole(values: NDArray[np.generic]) -> NDArray[np.generic]:
    """Whole numbers as such, as launchers take them."""
    if not np.issubdtype(values.dtype, np.floating):
        return values
    numbers = values.astype(np.float64)
    whole = np.all(numbers == np.round(numbers)) and np.all(numbers < 2**53)
    return numbers.astype(np.int64) if whole else values


def _table(given: Candidates) -> dict[str, NDArray[np.generic]]:
    """Columns of whatever was given."""
    if isinstance(given, str | os.PathLike):
        given = _read(given)
    columns = {str(name): np.asarray(values) for name, values in given.items()}
    if len({len(values) for values in columns.values()}) != 1:
        raise InputError(
            "the columns of the pool differ in length",
            [f"{name}: {len(values)}" for name, values in columns.items()],
        )
    return columns


def _read(path: str | os.PathLike[str]) -> pd.DataFrame:
    import pandas as pd

    try:
        return pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise InputError(
            f"the pool {os.fspath(path)!r} cannot be read: {error}",
            remedy="give a CSV file with a column for each input of the law.",
        ) from error


def _completed(
    columns: dict[str, FloatArray], needed: tuple[str, ...], rule: Counting
) -> dict[str, FloatArray]:
    """With what follows of D and C by the counting rule."""
    with jax.enable_x64(True):
        if "D" in needed and "D" not in columns and {"N", "C"} <= set(columns):
            columns["D"] = np.asarray(rule.tokens(columns["N"], columns["C"]), np.float64)
        if "C" not in columns and {"N", "D"} <= set(columns):
            columns["C"] = cost(rule, columns["N"], columns["D"])
    return columns
