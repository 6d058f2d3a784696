"""What a column of a table of runs may hold."""

import hashlib
from collections.abc import Hashable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalingfit._errors import InputError
from scalingfit._text import listed

__all__ = [
    "NOT_INPUTS",
    "FloatArray",
    "Label",
    "as_floats",
    "as_labels",
    "digest_of",
    "group_key",
    "group_names",
    "out_of_range",
    "require_loss_and_input",
    "require_range",
    "words",
]

FloatArray = NDArray[np.float64]

type Label = NDArray[np.generic]
"""A grouping column: numbers, or Python objects."""
NOT_INPUTS = ("L", "loss_se", "weight")
"""Numeric columns that describe the observed loss; every other one is an input of a law."""


def words(text: str) -> frozenset[str]:
    """The words of a text: a set that reads better than its literal."""
    return frozenset(text.split())


def as_floats(name: str, values: ArrayLike) -> FloatArray:
    """Turn a column into float64, or say that it is not numeric."""
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"column {name!r} is not numeric: {error}",
            remedy="give numbers, or pass the column among the labels.",
        ) from error


def as_labels(values: ArrayLike | Sequence[object]) -> Label:
    """Keep numbers as they are, text as Python objects so that missing values stay apart."""
    array = np.asarray(values)
    return array.astype(object) if array.dtype.kind in "USO" else array


def group_key(value: object) -> Hashable:
    """Turn a label into the key of its group: no value makes "(missing)", a list its text."""
    if not isinstance(value, Hashable):
        return str(value)
    return "(missing)" if value is None or value != value else value


def group_names(values: Label) -> NDArray[np.object_]:
    """The texts of the keys of labels, shape ``(run,)``."""
    cells = values.tolist()
    try:
        known = {cell: str(group_key(cell)) for cell in set(cells)}
        return np.array([known[cell] for cell in cells], dtype=object)
    except TypeError:  # lists, which have no hash
        return np.array([str(group_key(cell)) for cell in cells], dtype=object)


def require_loss_and_input(columns: Mapping[str, FloatArray]) -> None:
    """Refuse a table without losses, without any input or without runs."""
    if "L" not in columns or all(name in NOT_INPUTS for name in columns):
        raise InputError(
            "a table of runs needs the loss L and at least one input (N, D, C or another)",
            [f"columns given: {listed(columns)}"],
            remedy='name them: Runs.from_columns({"N": ..., "D": ..., "L": ...}).',
        )
    if columns["L"].size == 0:
        raise InputError("the table holds no run", remedy="give at least one run.")


def require_range(
    name: str,
    values: FloatArray,
    row_numbers: NDArray[np.int64],
    *,
    allow_negative_loss: bool,
) -> None:
    """Refuse values that are not finite, or not positive where they must be."""
    fault = out_of_range(name, values, allow_negative_loss=allow_negative_loss)
    bad = np.flatnonzero(fault)
    if bad.size:
        raise InputError(
            f"{bad.size} of {len(values)} values of {name} cannot be used",
            [f"row {row_numbers[i]}, {name}: {values[i]} {fault[i]}" for i in bad[:10]],
            remedy="correct or remove these runs.",
        )


def out_of_range(
    name: str, values: FloatArray, *, allow_negative_loss: bool
) -> NDArray[np.object_]:
    """Say why each value cannot stand in a column of this name; an empty text where it can."""
    if name == "weight":
        below, reason = values < 0, "is negative"
    elif name == "L" and allow_negative_loss:
        below, reason = np.zeros(values.shape, dtype=bool), ""
    else:
        below, reason = values <= 0, "is not positive"
    fault = np.where(below, reason, "")
    return np.where(np.isfinite(values), fault, "is not finite").astype(object)


def digest_of(columns: Mapping[str, FloatArray]) -> str:
    """sha256 of numeric columns: of names, values and the order of rows, as hexadecimal text."""
    content = hashlib.sha256(b"scalingfit runs 1\n")
    for name in sorted(columns):
        # "+ 0.0" makes one zero of the two; the byte order is fixed so machines agree.
        values = (columns[name] + 0.0).astype("<f8")
        content.update(f"{name} {len(values)}\n".encode())
        content.update(values.tobytes())
    return content.hexdigest()
