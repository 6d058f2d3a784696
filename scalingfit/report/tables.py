"""Tables for terminals: plain text where nobody looks, rich ones where somebody does."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from scalingfit.allocation import Answer
from scalingfit.inference import Limits, Posterior, Verdict

__all__ = ["Grid", "laid_out"]

COLORS = {"ok": "green", "not converged": "red"}
Words = Callable[[str], str]
NUMBERS = ("mean", "sd", "q5", "q50", "q95")


@dataclasses.dataclass(frozen=True)
class Grid:
    """A table of texts: ``print`` it for aligned columns.

    Attributes
    ----------
    header : sequence of str
    rows : sequence of sequences
    """

    header: Sequence[str]
    rows: Sequence[Sequence[Any]]

    def __str__(self) -> str:
        cells = [[str(cell) for cell in row] for row in (self.header, *self.rows)]
        cells = cells if any(self.header) else cells[1:]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in cells
        )


def laid_out(item: Any, words: Words = str) -> RenderableType:
    """What rich draws in a terminal for a posterior, a frontier, a forecast or a grid.

    Advice goes through `words`, which may spell it as whoever reads it would type it.
    """
    if isinstance(item, Posterior):
        return Group(summary(item), Text(), verdict(item.verdict, words))
    if isinstance(item, Answer):
        return answer(item, words)
    if isinstance(item, Grid):
        return grid(item)
    return Text(words(str(item)))


def summary(posterior: Posterior, limits: Limits | None = None) -> Table:
    """The parameters: mean, sd, quantiles and diagnostics, those out of their limits in red."""
    limits = limits or Limits()
    table = _table(
        posterior.title, ("", "mean", "sd", "5 %", "50 %", "95 %", "ESS", "tail", "R-hat")
    )
    for name, row in posterior.summary().items():
        numbers = [f"{row[key]:.4g}" for key in NUMBERS]
        if math.isnan(row["ess_bulk"]):
            table.add_row(f"[bold]{name}", *numbers, "[dim]given", "", "")
            continue
        table.add_row(
            f"[bold]{name}",
            *numbers,
            _judged(f"{row['ess_bulk']:.0f}", row["ess_bulk"] >= limits.ess),
            _judged(f"{row['ess_tail']:.0f}", row["ess_tail"] >= limits.ess),
            _judged(f"{row['rhat']:.4f}", row["rhat"] <= limits.rhat),
        )
    return table


def answer(found: Answer, words: Words = str) -> RenderableType:
    """A frontier or a forecast, and what to know before acting on it."""
    head, *rows = found.cells()
    table = _table(found.heading, head)
    for row in rows:
        table.add_row(f"[bold]{row[0]}", *row[1:])
    notes = [Text(words(f"! {message}"), style="yellow") for message in found.messages]
    return Group(table, *notes)


def verdict(given: Verdict, words: Words = str) -> Text:
    """The verdict, in the colour of a traffic light."""
    text = Text(words(str(given)))
    text.highlight_words([given.status], f"bold {COLORS.get(given.status, 'yellow')}")
    return text


def grid(given: Grid) -> Table:
    """A table of texts, wrapped to the terminal."""
    table = _table(None, given.header, justify="left")
    table.show_header = any(given.header)
    for row in given.rows:
        table.add_row(*(Text(str(cell)) for cell in row))
    return table


def _table(title: str | None, header: Sequence[str], justify: Any = "right") -> Table:
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", title_style="bold")
    for position, name in enumerate(header):
        table.add_column(name, justify=justify if position else "left")
    return table


def _judged(text: str, good: bool) -> Text:
    return Text(text, style="" if good else "bold red")
