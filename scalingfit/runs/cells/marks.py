"""What comma and point are in a file: decimal marks, or marks between thousands.

All cells of a file tell it together; where they leave it open, it is asked, not guessed.
"""

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Literal

from scalingfit._errors import InputError
from scalingfit._messages import Argument, Call, Message
from scalingfit.runs.cells.numbers import LONGEST, Marks, digits, shown

type Decimals = Literal[".", ","]

_SURE: Mapping[str, tuple[Callable[[str], object], ...]] = {
    mark: (
        re.compile(rf"(?:0*|\d*\d{{4}})\{mark}\d*|\d+\{mark}(?:\d{{0,2}}|\d{{4,}})").fullmatch,
        re.compile(rf"\d{{1,3}}(?:\{other}\d{{3}})+\{mark}\d*").fullmatch,
        re.compile(rf"\d{{1,3}}(?:['_ ]\d{{3}})+\{mark}\d*").fullmatch,
    )
    for mark, other in ((",", "."), (".", ","))
}
_GROUPS = {mark: re.compile(rf"\d{{1,3}}(?:\{mark}\d{{3}}){{2,}}").fullmatch for mark in ",."}
_OPEN = {mark: re.compile(rf"[1-9]\d{{0,2}}\{mark}\d{{3}}").fullmatch for mark in ",."}


_points = operator.methodcaller("count", ".")


def find_marks(columns: Mapping[str, Iterable[object]], decimal: Decimals | None) -> Marks:
    """What comma and point are, from every cell with a comma or several points.

    Raises
    ------
    InputError
        The cells contradict each other, or a comma could be either.
    """
    if decimal is not None:
        return Marks("decimal", "thousands") if decimal == "," else Marks("thousands", "decimal")
    every = {name: [cell for cell in cells if type(cell) is str] for name, cells in columns.items()}
    if not any(max(map(_points, cells), default=0) > 1 for cells in every.values()) and not any(
        "," in "\n".join(cells) for cells in every.values()
    ):
        return Marks()
    texts = {name: _with_marks(cells) for name, cells in every.items()}
    said: dict[tuple[str, str], tuple[str, str]] = {}
    for name, cells in texts.items():
        for cell in _numbers(cells):
            for mark in ",.":
                meaning = _meaning(cell, mark)
                if meaning is not None:
                    said.setdefault((mark, meaning), (name, cell))
    for mark, word in ((",", "comma"), (".", "point")):
        if {(mark, "decimal"), (mark, "thousands")} <= said.keys():
            _refuse_both(word, said[mark, "decimal"], said[mark, "thousands"])
    comma = next((meaning for mark, meaning in said if mark == "," and meaning != "open"), None)
    point = next((meaning for mark, meaning in said if mark == "." and meaning != "open"), None)
    if comma is None and (",", "open") in said:
        if point == "thousands":
            comma = "decimal"
        else:
            _refuse_open(*said[",", "open"])
    if point is None and (".", "open") in said and comma == "decimal":
        _refuse_open(*said[".", "open"])
    return Marks(comma, point or "decimal")


def _with_marks(cells: list[str]) -> list[str]:
    """The texts with a comma or a point in them, once each."""
    short = (cell for cell in cells if len(cell) < LONGEST)
    return list(dict.fromkeys(cell for cell in short if "," in cell or "." in cell))


def _numbers(texts: list[str]) -> list[str]:
    """The digits of the numbers among texts; nothing, where most are not numbers."""
    found = [number for number in map(digits, texts) if number is not None]
    return found if 2 * len(found) >= len(texts) else []


def _meaning(number: str, mark: str) -> str | None:
    if mark not in number:
        return None
    if _GROUPS[mark](number) or _SURE["," if mark == "." else "."][1](number):
        return "thousands"
    if any(sure(number) for sure in _SURE[mark]):
        return "decimal"
    return "open" if _OPEN[mark](number) else None


def _refuse_both(word: str, decimal: tuple[str, str], thousands: tuple[str, str]) -> None:
    raise InputError(
        f"the {word} is a decimal mark in some cells and stands between thousands in others",
        [
            f"{decimal[0]}: {shown(decimal[1])} has a decimal {word}",
            f"{thousands[0]}: {shown(thousands[1])} has a {word} between thousands",
        ],
        remedy="write all numbers of the table in one way.",
    )


def _refuse_open(name: str, cell: str) -> None:
    mark = "," if "," in cell else "."
    other = "." if mark == "," else ","
    raise InputError(
        f"{name}: {shown(cell)} is {cell.replace(mark, '')} or {cell.replace(mark, '.')}, "
        "and no other cell tells which",
        remedy=Message(
            "say which mark is the decimal one: ",
            Call("read", (Argument("decimal", mark),)),
            f" for {cell.replace(mark, '.')}, ",
            Call("read", (Argument("decimal", other),)),
            f" for {cell.replace(mark, '')}.",
        ),
    )
