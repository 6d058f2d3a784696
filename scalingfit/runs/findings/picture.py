"""The design of a table as text: its runs in the plane of N and D."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from scalingfit._text import quantity
from scalingfit.runs.values import FloatArray, Label, group_key

WIDTH, HEIGHT = 56, 14
"""Characters across, and lines down."""

LETTERS = "abcdefgh"
"""Marks of groups."""


def picture(
    columns: Mapping[str, FloatArray], groups: tuple[str, Label] | None = None
) -> str | None:
    """Draw where the runs lie; None where N and D do not both vary.

    A point is one run, a digit so many, + more than nine; with groups a letter is runs of one
    group, and * of several.

    Parameters
    ----------
    columns
        With N and D, each of shape ``(run,)``.
    groups
        The name of a label and its values, shape ``(run,)``; more than eight groups are not told
        apart.
    """
    if not {"N", "D"} <= columns.keys():
        return None
    N, D = np.log(columns["N"]), np.log(columns["D"])
    if np.ptp(N) == 0 or np.ptp(D) == 0:
        return None
    across, down = _places(N, WIDTH), HEIGHT - 1 - _places(D, HEIGHT)
    marks, legend = _marks(groups, len(N))
    cells: dict[tuple[int, int], list[str]] = {}
    for place, mark in zip(zip(down.tolist(), across.tolist(), strict=True), marks, strict=True):
        cells.setdefault(place, []).append(mark)
    ends = {0: quantity("D", columns["D"].max()), HEIGHT - 1: quantity("D", columns["D"].min())}
    margin = max(map(len, ends.values()))
    lines = [
        f"{ends.get(row, ''):>{margin}} |"
        + "".join(_mark(cells.get((row, place), [])) for place in range(WIDTH)).rstrip()
        for row in range(HEIGHT)
    ]
    low, high = (quantity("N", value) for value in (columns["N"].min(), columns["N"].max()))
    axis = f"{'D':>{margin}} +{'-' * WIDTH}"
    names = f"{'':>{margin}}  {low}{'N':^{WIDTH - len(low) - len(high)}}{high}"
    return "\n".join([*lines, axis, names, *legend])


def _places(logarithms: FloatArray, count: int) -> NDArray[np.int64]:
    share = (logarithms - logarithms.min()) / np.ptp(logarithms)
    return np.rint(share * (count - 1)).astype(np.int64)


def _marks(groups: tuple[str, Label] | None, count: int) -> tuple[list[str], list[str]]:
    """The mark of each run, and what the marks mean."""
    if groups is None:
        return ["."] * count, []
    name, values = groups
    keys = [str(group_key(value)) for value in values.tolist()]
    known = list(dict.fromkeys(keys))
    if len(known) > len(LETTERS):
        return ["."] * count, []
    letters = dict(zip(known, LETTERS, strict=False))
    return [letters[key] for key in keys], [
        f"{name}: " + ", ".join(f"{letter} {key}" for key, letter in letters.items())
    ]


def _mark(marks: list[str]) -> str:
    if not marks:
        return " "
    if set(marks) == {"."}:
        count = len(marks)
        return "." if count == 1 else str(count) if count < 10 else "+"
    return marks[0] if len(set(marks)) == 1 else "*"
