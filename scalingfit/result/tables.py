"""Tables of an answer, and every way to show them."""

from __future__ import annotations

import dataclasses
import html
import io
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from scalingfit.result.values import (
    QUANTILES,
    Axes,
    Interval,
    Json,
    Value,
    jsonable,
    plain,
    written,
)

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import RenderableType

__all__ = ["Column", "Table"]

WIDTH = 100
"""Characters of a line of text."""


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
        return cls(every, [written(value, spec) for value in every], heading, doubtful)

    def texts(self) -> list[str]:
        """The cells as people get them."""
        return [plain(value) for value in self.values] if self.shown is None else [*self.shown]


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


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def _wide(value: Value) -> Interval:
    return value if isinstance(value, Interval) else Interval(math.nan, math.nan, math.nan)


def _part(value: Value, at: int) -> float:
    return _wide(value)[at]
