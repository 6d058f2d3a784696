"""What every answer is: tables, notes and a conclusion; and from these every way to show it.

A result says what it found once, as data. Text, a terminal's tables, a notebook's, JSON, pandas
and xarray are all made here, from the same columns::

    class Frontier(Result):
        @property
        def tables(self): ...      # what was found
        @property
        def notes(self): ...       # what to know before acting on it
        @property
        def conclusion(self): ...  # the answer in a sentence
"""

from __future__ import annotations

import abc
import dataclasses
import html
import io
import itertools
import math
from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scalingfit._messages import PYTHON, Face, Text, spelled

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from rich.console import RenderableType

__all__ = ["Axes", "Column", "Interval", "Json", "Note", "Result", "Table", "jsonable"]

type Json = dict[str, Json] | list[Json] | str | int | float | bool | None
type Value = object
"""Of a cell: a number, a text, an `Interval`, or None where there is none."""

NOTES = 5
"""Notes that are shown; `Result.text` shows all where it is asked to."""


class Interval(NamedTuple):
    """A median between the ends of its 90 % interval."""

    low: float
    median: float
    high: float


class Axes(NamedTuple):
    """An array and the names of its axes."""

    names: tuple[str, ...]
    values: NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes
    ----------
    values : sequence
        Numbers, texts, `Interval` or None, one a row, as machines get them.
    shown : sequence of str, optional
        The same as people get them; by default a number with four digits.
    heading : str, optional
        Above them; by default the column's name.
    doubtful : sequence of bool, optional
        Cells that stand out in colour.
    hidden : bool
        Whether machines alone get it.
    """

    values: Sequence[Value]
    shown: Sequence[str] | None = None
    heading: str | None = None
    doubtful: Sequence[bool] = ()
    hidden: bool = False

    def texts(self) -> list[str]:
        """The cells as people get them."""
        return [_plain(value) for value in self.values] if self.shown is None else [*self.shown]


@dataclasses.dataclass(frozen=True)
class Table:
    """Columns of one length.

    Attributes
    ----------
    name : str
        Of the table among those of its result: its key in JSON.
    row : str
        What a row is, such as "budget": the dimension of its arrays.
    columns : mapping of str to Column
    title : str
        A line or two above it.
    labels : int
        How many columns, the first ones, are texts: aligned to the left.
    """

    name: str
    row: str
    columns: Mapping[str, Column]
    title: str = ""
    labels: int = 0

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())).values)

    def records(self) -> list[dict[str, Json]]:
        """One dictionary a row, ready for JSON: an interval is ``{"q5", "q50", "q95"}``."""
        return [
            {name: jsonable(column.values[row]) for name, column in self.columns.items()}
            for row in range(len(self))
        ]

    def to_pandas(self) -> pd.DataFrame:
        """One row a row; an interval N is the columns ``N_q5, N_q50, N_q95``."""
        import pandas as pd

        flat: dict[str, list[Value]] = {}
        for name, column in self.columns.items():
            found = next((value for value in column.values if value is not None), None)
            if isinstance(found, Interval):
                for at, key in enumerate(QUANTILES):
                    flat[f"{name}_{key}"] = [_part(value, at) for value in column.values]
            else:
                flat[name] = [*column.values]
        return pd.DataFrame(flat)

    def arrays(self) -> dict[str, Axes]:
        """The columns of numbers, over (row,), and of intervals, over (row, quantile)."""
        found = {}
        for name, column in self.columns.items():
            values = [np.nan if value is None else value for value in column.values]
            if all(isinstance(value, Interval) or _is_number(value) for value in values):
                wide = any(isinstance(value, Interval) for value in values)
                rows = [_wide(value) if wide else value for value in values]
                axes = (self.row, "quantile") if wide else (self.row,)
                found[name] = Axes(axes, np.asarray(rows, np.float64))
        return found

    def shown(self) -> list[list[str]]:
        """The cells that people get, the headings first."""
        kept = {name: column for name, column in self.columns.items() if not column.hidden}
        head = [name if column.heading is None else column.heading for name, column in kept.items()]
        texts = [column.texts() for column in kept.values()]
        return [head, *map(list, zip(*texts, strict=True))]

    def __rich__(self) -> RenderableType:
        return self.rich()

    def rich(self, *, plain: bool = False) -> RenderableType:
        """The table for a terminal; plain without lines and colours, for text."""
        from rich import box
        from rich.table import Table as RichTable
        from rich.text import Text as RichText

        head, *rows = self.shown()
        look = (
            RichTable(box=None, pad_edge=False, padding=(0, 2, 0, 0))
            if plain
            else RichTable(box=box.SIMPLE_HEAD, title_justify="left")
        )
        look.title = None if plain or not self.title else RichText(self.title, style="bold")
        for number, name in enumerate(head):
            left = number < self.labels
            look.add_column(RichText(name), justify="left" if left else "right", no_wrap=plain)
        look.show_header = any(head)
        marks = [column.doubtful for column in self.columns.values() if not column.hidden]
        for number, row in enumerate(rows):
            cells = [
                RichText(cell, style="bold red" if number < len(mark) and mark[number] else "")
                for cell, mark in zip(row, marks, strict=True)
            ]
            look.add_row(*cells)
        return look

    def text(self) -> str:
        """The table as lines of text, as wide as it is."""
        lines = [self.title] if self.title else []
        return "\n".join([*lines, *_lines(self.rich(plain=True))])

    def html(self) -> str:
        """The table for a notebook or a page; all text is escaped."""
        head, *rows = [[html.escape(cell) for cell in row] for row in self.shown()]
        caption = f"<caption>{html.escape(self.title)}</caption>" if self.title else ""
        above = f"<thead><tr>{_tagged('th', head)}</tr></thead>" if any(head) else ""
        body = "".join(f"<tr>{_tagged('td', row)}</tr>" for row in rows)
        return f"<table>{caption}{above}<tbody>{body}</tbody></table>"


@dataclasses.dataclass(frozen=True)
class Note:
    """Something to know before acting on a result.

    Notes of one `code` say one thing of several places; where only the places differ, they are
    told as one.

    Attributes
    ----------
    code : str
        For machines, such as "beyond_runs"; the documentation lists them.
    text : str or Message
        What it is, and what to do about it.
    of : str
        Which row or part of the result it is about; nothing where it is about all of it.
    """

    code: str
    text: Text
    of: str = ""


class Result(abc.ABC):
    """Base of every answer: ``print`` it, or take it as JSON, pandas or xarray."""

    @property
    @abc.abstractmethod
    def tables(self) -> Sequence[Table]:
        """What was found; the first table is the main one."""

    @property
    def notes(self) -> Sequence[Note]:
        """What to know before acting on it, the worst first."""
        return ()

    @property
    def conclusion(self) -> Text:
        """The answer in a sentence or two; empty where the table says it all."""
        return ""

    @property
    def details(self) -> Mapping[str, object]:
        """What machines get beside the tables: provenance, and whatever is too long to print."""
        return {}

    def text(self, face: Face = PYTHON, *, verbose: bool = True) -> str:
        """Everything as text, with arguments as the face spells them."""
        parts = ["\n\n".join(table.text() for table in self.tables), *self._said(face, verbose)]
        return "\n".join(part for part in parts if part)

    def rich(self, face: Face = PYTHON, *, verbose: bool = True) -> RenderableType:
        """Everything for a terminal."""
        from rich.console import Group
        from rich.text import Text as RichText

        said = self._said(face, verbose)
        styled = [
            RichText(line, style="yellow" if line.startswith("!") else "") for line in said if line
        ]
        return Group(*(table.rich() for table in self.tables), *styled)

    def as_json(self) -> dict[str, Json]:
        """Everything but draws, in JSON's own types; infinities and NaN become null."""
        found: dict[str, Json] = {table.name: jsonable(table.records()) for table in self.tables}
        found["notes"] = [
            {"code": note.code, "of": note.of, "text": spelled(note.text)} for note in self.notes
        ]
        found["conclusion"] = spelled(self.conclusion)
        return found | {name: jsonable(value) for name, value in self.details.items()}

    def to_pandas(self) -> pd.DataFrame:
        """The main table as a frame."""
        return self.tables[0].to_pandas()

    def to_xarray(self) -> xr.Dataset:
        """Arrays with named dimensions and coordinates: draws where there are any."""
        import xarray as xr

        arrays = {name: (axes.names, axes.values) for name, axes in self.arrays.items()}
        used = {name for names, _ in arrays.values() for name in names}
        coords = {name: [*at] for name, at in self.coordinates.items() if name in used}
        return xr.Dataset(arrays, coords)

    @property
    def arrays(self) -> Mapping[str, Axes]:
        """What `to_xarray` holds; here the numbers of the main table."""
        return self.tables[0].arrays()

    @property
    def coordinates(self) -> Mapping[str, Sequence[Hashable]]:
        """The labels along the dimensions of `arrays`; here the first column of the main table."""
        main = self.tables[0]
        labels = next(iter(main.columns.values())).values
        found = [label if isinstance(label, int | float | str) else str(label) for label in labels]
        return {main.row: found, "quantile": QUANTILE_SHARES}

    def _said(self, face: Face, verbose: bool) -> list[str]:
        """Notes and conclusion as lines."""
        lines = _grouped(self.notes, face)
        rest = 0 if verbose else max(0, len(lines) - NOTES)
        shown = lines[: len(lines) - rest]
        more = [f"! and {rest} more notes: -v shows them"] if rest else []
        return [*(f"! {line}" for line in shown), *more, spelled(self.conclusion, face)]

    def __str__(self) -> str:
        return self.text()

    __repr__ = __str__

    def _repr_html_(self) -> str:
        said = "".join(f"<p>{html.escape(line)}</p>" for line in self._said(PYTHON, True) if line)
        return "".join(table.html() for table in self.tables) + said


QUANTILES = ("q5", "q50", "q95")
QUANTILE_SHARES = (0.05, 0.5, 0.95)


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


def _grouped(notes: Sequence[Note], face: Face) -> list[str]:
    """Each thing that is said, once, with all that it is said of."""
    said: dict[str, list[str]] = {}
    for note in notes:
        said.setdefault(spelled(note.text, face), []).append(note.of)
    return [
        f"{', '.join(of)}: {text}" if any(of) else text
        for text, of in ((text, [one for one in of if one]) for text, of in said.items())
    ]


def _lines(renderable: RenderableType) -> list[str]:
    """What rich draws, as lines of text that are never wrapped."""
    from rich.console import Console

    console = Console(
        file=io.StringIO(), width=100_000, color_system=None, force_terminal=False, highlight=False
    )
    with console.capture() as made:
        console.print(renderable)
    return [line.rstrip() for line in made.get().splitlines()]


def _tagged(tag: str, cells: Sequence[str]) -> str:
    return "".join(itertools.chain.from_iterable((f"<{tag}>", cell, f"</{tag}>") for cell in cells))


def _plain(value: Value) -> str:
    """A cell without a way of its own to be shown."""
    if value is None:
        return "-"
    if isinstance(value, Interval):
        return f"{value.median:.4g} [{value.low:.4g}, {value.high:.4g}]"
    return f"{value:.4g}" if isinstance(value, float | np.floating) else str(value)


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def _wide(value: Value) -> Interval:
    return value if isinstance(value, Interval) else Interval(math.nan, math.nan, math.nan)


def _part(value: Value, at: int) -> float:
    return _wide(value)[at]
