"""Columns of a table by name, rows by place or value; and what is said where there are none."""

from collections.abc import Hashable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalingfit._arguments import nearest
from scalingfit._errors import InputError
from scalingfit._messages import Argument, Call, Message, Text
from scalingfit._text import listed
from scalingfit.runs.columns import closest
from scalingfit.runs.values import NOT_INPUTS, FloatArray, Label, group_key

__all__ = ["by_value", "input_columns", "inputs_of", "named_column", "positions"]


def inputs_of(columns: Mapping[str, FloatArray]) -> tuple[str, ...]:
    """Names of the columns a law can use."""
    return tuple(name for name in columns if name not in NOT_INPUTS)


def input_columns(
    columns: Mapping[str, FloatArray],
    labels: Mapping[str, Label],
    names: Iterable[str],
    purpose: str,
) -> dict[str, FloatArray]:
    """Numeric columns by name, in the order asked for.

    X, the one input of a law of whatever is scaled, is the table's one input.

    Raises
    ------
    InputError
        A column is not there.
    """
    wanted, inputs = list(names), inputs_of(columns)
    one = {"X": columns[inputs[0]]} if len(inputs) == 1 else {}
    known = {**one, **columns}
    missing = [name for name in wanted if name not in known]
    if missing:
        where = [f"they have: {listed(columns)}"]
        if labels:
            where.append(f"as labels only: {listed(labels)}")
        raise InputError(
            f"these runs lack {listed(missing)}, while {purpose or 'this'} needs {listed(wanted)}",
            where,
            remedy=Message(
                "name what is missing when reading: ",
                Call("read", tuple(Argument(n, _like(n, labels), "column") for n in missing)),
                f"; or fit a law of {listed(inputs)}, of those that are listed by ",
                Call("laws", other=True),
                ".",
            ),
        )
    return {name: known[name] for name in wanted}


def _like(symbol: str, labels: Mapping[str, Label]) -> str:
    """The label that is most like a symbol, or words in its place."""
    numeric = [name for name, values in labels.items() if values.dtype.kind in "iuf"]
    return next(iter(closest(symbol, numeric)), "column in your file")


def named_column(table: Mapping[str, Label], name: str, purpose: str, remedy: Text) -> Label:
    """A column or label, shape ``(run,)``; where there is none, why it was wanted.

    Raises
    ------
    InputError
    """
    if name not in table:
        near = nearest(name, table, limit=1)
        raise InputError(
            f"there is no column {name!r} {purpose}",
            [f"columns: {listed(table)}"],
            remedy=f"write {near[0]}." if near else remedy,
        )
    return table[name]


def positions(chosen: ArrayLike, count: int) -> NDArray[np.int64]:
    """Places among so many runs, from such places or from a mask.

    Raises
    ------
    InputError
        They are neither, or none is left.
    """
    index = np.asarray(chosen)
    if index.dtype == np.bool_ and index.shape == (count,):
        index = np.flatnonzero(index)
    elif index.size and (index.ndim != 1 or index.dtype.kind not in "iu"):
        raise InputError(
            f"runs cannot be chosen by an array of {index.dtype} with shape {index.shape}",
            remedy=f"give integer positions, or a boolean mask of shape ({count},).",
        )
    outside = index[(index < -count) | (index >= count)]
    if outside.size:
        raise InputError(f"there is no run at position {outside[0]}: there are {count} runs")
    if index.size == 0:
        raise InputError(f"the choice leaves none of the {count} runs")
    return index


def by_value(values: Label) -> dict[Hashable, list[int]]:
    """Places of each distinct value, in sorted order, numbers first; "(missing)" where none is."""
    places: dict[Any, list[int]] = {}
    for place, value in enumerate(values.tolist()):
        places.setdefault(group_key(value), []).append(place)
    return {key: places[key] for key in sorted(places, key=lambda k: (isinstance(k, str), k))}
