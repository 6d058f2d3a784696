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
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scalingfit._late import room
from scalingfit._messages import PYTHON, Face, Message, Text, spelled
from scalingfit._text import listed

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from matplotlib.axes import Axes as Panel
    from rich.console import RenderableType

__all__ = [
    "SCHEMA",
    "Axes",
    "Column",
    "Interval",
    "Json",
    "Labels",
    "Note",
    "Result",
    "Table",
    "jsonable",
]

type Json = dict[str, Json] | list[Json] | str | int | float | bool | None
type Value = object
"""Of a cell: a number, a text, an `Interval`, or None where there is none."""

SCHEMA = 1
"""Of the JSON that results become: a number that rises where a key changes its meaning."""
WIDTH = 100
"""Characters of a line of text."""

NOTES = 5
"""Notes that are shown; `Result.text` shows all where it is asked to."""
NAMED = 8
"""Rows or parts that a note names; the others are counted."""


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

    @classmethod
    def of(
        cls,
        values: Iterable[float | Interval | None],
        spec: str,
        heading: str | None = None,
        doubtful: Sequence[bool] = (),
    ) -> Column:
        """Numbers and intervals as a format specification writes them; a dash for None.

        >>> Column.of([0.5, Interval(1.0, 2.0, 3.0), None], ".1f").texts()
        ['0.5', '2.0 [1.0, 3.0]', '-']
        """
        every = [*values]
        return cls(every, [_written(value, spec) for value in every], heading, doubtful)

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
    limit : int, optional
        How many rows people get, and how many more there are is said; machines get all. A table
        of limit 0 is for machines alone.
    """

    name: str
    row: str
    columns: Mapping[str, Column]
    title: str = ""
    labels: int = 0
    limit: int | None = None

    @classmethod
    def of_texts(cls, name: str, columns: Mapping[str, Sequence[str]]) -> Table:
        """Columns of text alone, by their headings."""
        made = {heading: Column(texts) for heading, texts in columns.items()}
        return cls(name, name, made, labels=len(made))

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())).values)

    @property
    def more(self) -> str:
        """How many rows people do not get, in words; nothing where they get all."""
        rest = 0 if self.limit is None else len(self) - self.limit
        return f"and {rest} more" if rest > 0 else ""

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
        return [head, *map(list, itertools.islice(zip(*texts, strict=True), self.limit))]

    def as_shown(self) -> Json:
        """What people get, ready for JSON: the title, and the texts of cells by their headings."""
        head, *rows = self.shown()
        rows += [[self.more, *[""] * (len(head) - 1)]] if self.more else []
        shown = {"title": self.title, "labels": self.labels, "headings": head, "rows": rows}
        return jsonable(shown)

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
        if self.more:
            look.add_row(RichText(self.more))
        return look

    def text(self, width: int = WIDTH) -> str:
        """The table as lines of text; columns that do not fit stand below, beside the keys."""
        lines = [self.title] if self.title else []
        parts = ["\n".join(_lines(part.rich(plain=True))) for part in self._parts(width)]
        return "\n".join([*lines, "\n\n".join(parts)])

    def _parts(self, width: int) -> list[Table]:
        """The table in parts that fit; each has the first columns, which tell rows apart."""
        kept = [name for name, column in self.columns.items() if not column.hidden]
        rows = self.shown()
        sizes = {
            name: max(map(len, cells)) + 2
            for name, cells in zip(kept, zip(*rows, strict=True), strict=True)
        }
        apart = (n for n in range(1, len(kept)) if len({(*row[:n],) for row in rows}) == len(rows))
        keys = kept[: max(self.labels, next(apart, len(kept)))]
        parts = [keys]
        for name in kept[len(keys) :]:
            # The last column needs no space after it.
            if sum(sizes[each] for each in (*parts[-1], name)) - 2 > width and parts[-1] != keys:
                parts.append(keys)
            parts[-1] = [*parts[-1], name]
        return [
            dataclasses.replace(self, columns={name: self.columns[name] for name in part})
            for part in parts
        ]

    def html(self) -> str:
        """The table for a notebook or a page; all text is escaped."""
        head, *rows = [[html.escape(cell) for cell in row] for row in self.shown()]
        caption = f"<caption>{html.escape(self.title)}</caption>" if self.title else ""
        above = f"<thead><tr>{_tagged('th', head)}</tr></thead>" if any(head) else ""
        rows += [[self.more]] if self.more else []
        body = "".join(f"<tr>{_tagged('td', row)}</tr>" for row in rows)
        return f"<table>{caption}{above}<tbody>{body}</tbody></table>"


@dataclasses.dataclass(frozen=True)
class Note:
    """Something to know before acting on a result.

    Notes that say the same of several places are shown as one.

    Attributes
    ----------
    code : str
        For machines, such as "beyond_runs"; the documentation lists them.
    text : str or Message
        What it is, and what to do about it.
    of : str
        Which row or part of the result it is about; nothing where it is about all of it.
    share : float, optional
        Of the draws, where it holds in some of them.
    """

    code: str
    text: Text
    of: str = ""
    share: float | None = None

    def within(self, part: str) -> Note:
        """The note as one of a larger result, of which this is a part."""
        return dataclasses.replace(self, of=f"{part}, {self.of}" if self.of else part)

    @property
    def sentence(self) -> Message:
        """All of it as one sentence."""
        return Message(_places([self]), _shares([self]), self.text)

    def __str__(self) -> str:
        return str(self.sentence)


class Result(abc.ABC):
    """Base of every answer: ``print`` it, or take it as JSON, pandas or xarray."""

    @property
    @abc.abstractmethod
    def tables(self) -> Sequence[Table]:
        """What was found; the first table is the main one. There may be none."""

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

    def plot(self, *arguments: object, **options: object) -> Panel | NDArray[np.object_]:
        """Draw it with Matplotlib.

        Parameters
        ----------
        *arguments, **options
            ``ax``, the axes to draw into, for pictures of one panel; ``figure`` for those of
            several; and what `scalingfit.report.pictures` says of each kind of result.

        Returns
        -------
        matplotlib axes, or an array of these
            Of several panels all, in the order of reading.

        Raises
        ------
        InputError
            There is no picture of this kind of result.
        """
        return room("report").plot(self, *arguments, **options)  # type: ignore[no-any-return]

    def text(self, face: Face = PYTHON, *, verbose: bool = True) -> str:
        """Everything as text, with arguments as the face spells them."""
        parts = ["\n\n".join(table.text() for table in self._shown()), *self._said(face, verbose)]
        return "\n".join(part for part in parts if part)

    def rich(self, face: Face = PYTHON, *, verbose: bool = True) -> RenderableType:
        """Everything for a terminal."""
        from rich.console import Group
        from rich.text import Text as RichText

        said = self._said(face, verbose)
        styled = [
            RichText(line, style="yellow" if line.startswith("!") else "") for line in said if line
        ]
        return Group(*(table.rich() for table in self._shown()), *styled)

    def as_json(self, face: Face = PYTHON) -> dict[str, Json]:
        """Everything but draws, in JSON's own types; infinities and NaN become null."""
        tables = (*self.tables, self._noted(face))
        return {
            "schema": SCHEMA,
            **{table.name: jsonable(table.records()) for table in tables},
            "conclusion": spelled(self.conclusion, face),
            "shown": [table.as_shown() for table in self._shown()],
            **{name: jsonable(value) for name, value in self.details.items()},
        }

    def to_pandas(self) -> pd.DataFrame:
        """The main table as a frame; the notes, where there is none."""
        return self._main().to_pandas()

    def to_xarray(self) -> xr.Dataset:
        """Arrays with named dimensions and coordinates: draws where there are any."""
        import xarray as xr

        found = xr.Dataset({name: (names, array) for name, (names, array) in self.arrays.items()})
        counted = {name: range(size) for name, size in found.sizes.items()}
        labels = {
            name: (along, [*map(_label, values)])
            for name, (along, values) in self.coordinates.items()
            if along in counted
        }
        return found.assign_coords(counted | labels)

    @property
    def arrays(self) -> Mapping[str, Axes]:
        """What `to_xarray` holds; here the numbers of the main table."""
        return self._main().arrays()

    @property
    def coordinates(self) -> Mapping[str, Labels]:
        """The labels along the dimensions of `arrays`; here the first column of the main table.

        A dimension without labels is counted from 0.
        """
        main = self._main()
        labels = next(iter(main.columns.values())).values
        return {
            main.row: Labels(main.row, [*map(_label, labels)]),
            "quantile": Labels("quantile", QUANTILE_SHARES),
        }

    def _noted(self, face: Face = PYTHON) -> Table:
        """The notes as a table, as machines get them."""
        return Table(
            "notes",
            "note",
            {
                "code": Column([note.code for note in self.notes]),
                "of": Column([note.of for note in self.notes]),
                "share": Column([note.share for note in self.notes]),
                "text": Column([spelled(note.text, face) for note in self.notes]),
            },
        )

    def _main(self) -> Table:
        return self.tables[0] if self.tables else self._noted()

    def _shown(self) -> list[Table]:
        """The tables that people get."""
        return [table for table in self.tables if table.limit != 0 and len(table)]

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
        return "".join(table.html() for table in self._shown()) + said


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
    groups: dict[str, list[Note]] = {}
    for note in notes:
        groups.setdefault(spelled(note.text, face), []).append(note)
    return [f"{_places(same)}{_shares(same)}{text}" for text, same in groups.items()]


def _places(notes: Sequence[Note]) -> str:
    """What notes are about; a word that all of them begin with is written once."""
    of = [note.of for note in notes if note.of]
    if not of:
        return ""
    heads, _, tails = zip(*(place.partition(" ") for place in of), strict=True)
    if len(set(heads)) == 1 and all(tails):
        return f"{heads[0]} {listed(tails, NAMED)}: "
    return f"{listed(of, NAMED)}: "


def _shares(notes: Sequence[Note]) -> str:
    """In how many of the draws it holds."""
    shares = [note.share for note in notes if note.share is not None]
    if not shares:
        return ""
    ends = dict.fromkeys(f"{100 * end:.3g}" for end in (min(shares), max(shares)))
    return f"in {' to '.join(ends)} % of the draws "


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


def _written(value: float | Interval | None, spec: str) -> str:
    match value:
        case None:
            return "-"
        case Interval(low, median, high):
            return f"{median:{spec}} [{low:{spec}}, {high:{spec}}]"
        case _:
            return f"{value:{spec}}"


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def _label(value: object) -> str | int | float | np.generic:
    """A label as indexes can hold it."""
    return value if isinstance(value, str | int | float | np.generic) else str(value)


def _wide(value: Value) -> Interval:
    return value if isinstance(value, Interval) else Interval(math.nan, math.nan, math.nan)


def _part(value: Value, at: int) -> float:
    return _wide(value)[at]
