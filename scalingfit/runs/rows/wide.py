"""Tables whose headers hold a variable: sizes down, budgets or tokens per parameter across."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd

from scalingfit._errors import InputError
from scalingfit._messages import Argument, Call, Message
from scalingfit._text import listed
from scalingfit.runs.cells import Marks, is_missing, to_numbers
from scalingfit.runs.columns import symbol_of
from scalingfit.runs.files import Source

FEWEST = 3
"""Headers that are numbers, from which a table is taken for a wide one."""

_BEHIND = re.compile(r"\s*(?:x|×|tok(?:ens)?\s*(?:/|per)\s*param(?:eter)?s?|tpp)$", re.I)


def wide_columns(names: list[str], marks: Marks) -> dict[str, float]:
    """The headers that are numbers, and which."""
    bare = [_BEHIND.sub("", name) for name in names]
    values = to_numbers(pd.Series(bare, dtype=object), marks, counts=True).values
    return {n: float(v) for n, v in zip(names, values, strict=True) if np.isfinite(v) and v > 0}


def refuse_wide(source: Source, wide: dict[str, float]) -> InputError:
    """Offer to read a wide table as a long one."""
    middle = float(np.median([*wide.values()]))
    rows = {symbol_of(name) for name in source.frame.columns if name not in wide}
    ratio = any(_BEHIND.search(name) for name in wide)
    across = "C" if middle > 1e15 else "M" if ratio or middle < 1e5 else "D" if "N" in rows else "N"
    return InputError(
        f"{source.name} has no column of losses: {len(wide)} headers are numbers, so its cells may "
        "be the losses",
        [f"headers: {listed(wide)}"],
        remedy=Message(
            "say what stands in the headers, N, D, C, or M for tokens per parameter: ",
            Call("read", (Argument("across", across),)),
            ".",
        ),
    )


def melted(source: Source, across: str, marks: Marks) -> Source:
    """The table with one row for each cell of the wide one that holds something.

    Raises
    ------
    InputError
        No header is a number.
    """
    frame = source.frame
    wide = wide_columns([*frame.columns], marks)
    if not wide:
        raise InputError(
            f"no header of {source.name} is a number that could be {across}",
            [f"columns: {listed(frame.columns)}"],
            remedy="leave across out.",
        )
    rest = [name for name in frame.columns if name not in wide]
    pieces, rows = [], []
    for name, value in wide.items():
        there = ~np.array([is_missing(cell) for cell in frame[name]], dtype=bool)
        piece = frame.loc[there, rest].assign(**{across: value, "loss": frame.loc[there, name]})
        pieces.append(piece)
        rows.append(np.flatnonzero(there))
    place = np.concatenate(rows)
    empty = len(frame) * len(wide) - len(place)
    notes = [*source.notes, f"{len(wide)} columns read as {across}"]
    notes += [f"{empty} empty cells of them left out"] if empty else []
    broken = {new: source.broken[old] for new, old in enumerate(place) if old in source.broken}
    return replace(
        source,
        frame=pd.concat(pieces, ignore_index=True),
        row_numbers=source.row_numbers[place],
        broken=broken,
        notes=tuple(notes),
    )
