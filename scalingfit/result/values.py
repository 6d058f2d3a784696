"""Values of an answer: numbers, intervals and labelled arrays, for machines and for people."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "QUANTILES",
    "QUANTILE_SHARES",
    "Axes",
    "Interval",
    "Json",
    "Labels",
    "Value",
    "jsonable",
    "plain",
    "written",
]

type Json = dict[str, Json] | list[Json] | str | int | float | bool | None
type Value = object
"""Of a cell: a number, a text, an `Interval`, or None where there is none."""

QUANTILES = ("q5", "q50", "q95")
QUANTILE_SHARES = (0.05, 0.5, 0.95)


class Interval(NamedTuple):
    """A median between the ends of its 90 % interval."""

    low: float
    median: float
    high: float


class Axes(NamedTuple):
    """An array and the names of its axes."""

    names: tuple[str, ...]
    values: NDArray[np.generic]


class Labels(NamedTuple):
    """Coordinates along an axis."""

    along: str
    values: Sequence[Hashable] | NDArray[np.generic]


def jsonable(value: object) -> Json:
    """The value in JSON's own types; NaN and infinity, which JSON lacks, become null."""
    match value:
        case Interval():
            return {key: jsonable(part) for key, part in zip(QUANTILES, value, strict=True)}
        case None | bool() | str() | int():
            return value
        case float():
            return value if math.isfinite(value) else None
        case Mapping():
            return {str(key): jsonable(item) for key, item in value.items()}
        case list() | tuple():
            return [jsonable(item) for item in value]
        case np.ndarray() | np.generic():
            return jsonable(value.tolist())
        case _:
            return str(value)


def plain(value: Value) -> str:
    """A value without a way of its own to be shown."""
    if value is None:
        return "-"
    if isinstance(value, Interval):
        return f"{value.median:.4g} [{value.low:.4g}, {value.high:.4g}]"
    return f"{value:.4g}" if isinstance(value, float | np.floating) else str(value)


def written(value: float | Interval | None, spec: str) -> str:
    """A number or an interval as a format specification writes it; a dash for None."""
    match value:
        case None:
            return "-"
        case Interval(low, median, high):
            return f"{median:{spec}} [{low:{spec}}, {high:{spec}}]"
        case _:
            return f"{value:{spec}}"
