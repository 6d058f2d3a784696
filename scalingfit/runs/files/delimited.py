"""Text with one row a line -> cells: any separator, or a Markdown table."""

import csv
import io
import re
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scalingfit._errors import InputError
from scalingfit._text import listed

SEPARATORS = (",", "\t", ";", "|")

MOST_CELLS = 20_000_000
"""Cells that a table may have."""

_SEPARATOR_LINE = re.compile(r"\s*sep=(.)\s*", re.I)
_RULE = re.compile(r"\s*\|?(\s*:?-+:?\s*\|)+\s*(:?-+:?)?\s*")
_BAR = re.compile(r"(?<!\\)\|")


@dataclass
class Lines:
    """The cells of a text, all as texts, and the line that each row starts in.

    ``broken`` tells of rows with another number of cells than the header, by position.
    """

    frame: pd.DataFrame
    numbers: NDArray[np.int64]
    broken: dict[int, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def delimited(text: str, usual: str, name: str) -> Lines:
    r"""Read CSV whatever its separator, which the header tells.

    Parameters
    ----------
    text
        With ``\n`` between the lines.
    usual
        The separator that the file's suffix stands for.
    name
        Of the file, for messages.

    Raises
    ------
    InputError
        A quote is not closed or swallows lines, a cell is too long, or two columns have one name.
    """
    first, _, rest = text.partition("\n")
    stated = _SEPARATOR_LINE.fullmatch(first)
    start = 2 if stated else 1
    body = rest if stated else text
    separator = stated[1] if stated else _separator(body, usual)
    reader = csv.reader(io.StringIO(body, newline=""), delimiter=separator, strict=True)
    rows: list[list[str]] = []
    numbers: list[int] = []
    line, cells = start, 0
    try:
        for row in reader:
            if row:
                if rows and start + reader.line_num > line + 1:
                    _refuse_swallowed(row, len(rows[0]), separator, line, name)
                rows.append(row)
                numbers.append(line)
                cells += len(row)
            if cells > MOST_CELLS:
                raise InputError(f"{name} has more than {MOST_CELLS:,} cells")
            line = start + reader.line_num
    except csv.Error as error:
        raise InputError(
            f"{name} is not a regular table: {error}",
            [f"line {line}, or the one where its quotes close"],
            remedy="close every quote, and keep cells below "
            f"{csv.field_size_limit():,} characters.",
        ) from None
    return _aligned(rows, numbers, name)


def markdown(text: str, name: str) -> Lines:
    """Read the one table of a Markdown text.

    Raises
    ------
    InputError
        There is none, or more than one.
    """
    lines = text.split("\n")
    rules = [i for i, line in enumerate(lines) if i and "|" in line and _RULE.fullmatch(line)]
    if len(rules) != 1:
        places = [f"line {rule}" for rule in rules[:10]]
        raise InputError(
            f"{name} holds {len(rules) or 'no'} Markdown table{'s' if rules else ''}",
            places,
            remedy="keep one table in the file." if rules else "save the table as CSV.",
        )
    rows, numbers = [_bars(lines[rules[0] - 1])], [rules[0]]
    for i in range(rules[0] + 1, len(lines)):
        if "|" not in lines[i]:
            break
        rows.append(_bars(lines[i]))
        numbers.append(i + 1)
    return _aligned(rows, numbers, name)


def refuse_repeated(names: list[str], source: str) -> None:
    """Refuse a header in which two columns have one name."""
    repeated = [name for name, count in _counts(names).items() if count > 1]
    if repeated:
        raise InputError(
            f"{source} has more than one column called "
            f"{', '.join(repr(name[:80]) for name in sorted(repeated)[:5])}",
            remedy="give every column its own name in the header.",
        )


def _counts(names: list[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    return counts


def _separator(text: str, usual: str) -> str:
    header = next((line for line in text.split("\n") if line.strip()), "")
    bare = re.sub(r'"[^"]*"', "", header)
    return max((usual, *SEPARATORS), key=bare.count)


def _bars(line: str) -> list[str]:
    cells = _BAR.split(line.strip().removeprefix("|"))
    if line.rstrip().endswith("|") and not line.rstrip().endswith("\\|"):
        cells = cells[:-1]
    return [_without_emphasis(cell.replace("\\|", "|").strip()) for cell in cells]


def _without_emphasis(cell: str) -> str:
    for mark in ("**", "__", "*", "`"):
        if len(cell) > 2 * len(mark) and cell.startswith(mark) and cell.endswith(mark):
            return cell[len(mark) : -len(mark)].strip()
    return cell


def _refuse_swallowed(row: list[str], width: int, separator: str, line: int, name: str) -> None:
    """Refuse a quoted cell that holds whole lines of the table."""
    for cell in row:
        if (
            "\n" in cell
            and width > 1
            and any(part.count(separator) >= width - 1 for part in cell.split("\n"))
        ):
            raise InputError(
                f"{name}: a quote that opens in line {line} holds "
                f"{cell.count(chr(10))} line ends, and what looks like rows of the table",
                [f"it begins {cell[:60]!r}"],
                remedy="close the quote in its line, or take it out.",
            )


def _aligned(rows: list[list[str]], numbers: list[int], name: str) -> Lines:
    """Rows under the header; another number of cells is a fault of its row."""
    if not rows:
        raise InputError(f"{name} is empty", remedy="give a header and one row per run.")
    header = [cell.strip() for cell in rows[0]]
    while header and not header[-1] and all(not "".join(r[len(header) - 1 :]) for r in rows[1:]):
        header.pop()  # nothing but separators stands at the ends of the lines
    header = [cell or f"column {place}" for place, cell in enumerate(header, start=1)]
    refuse_repeated(header, name)
    width, broken, notes = len(header), {}, []
    kept: list[list[str]] = []
    lines: list[int] = []
    for row, number in zip(rows[1:], numbers[1:], strict=True):
        if not "".join(row).strip():
            continue  # counted below
        if len(row) < width or any(cell.strip() for cell in row[width:]):
            broken[len(kept)] = f"has {len(row)} cells for {width} columns"
        kept.append(row if len(row) == width else (row + [""] * width)[:width])
        lines.append(number)
    empty = len(rows) - 1 - len(kept)
    if empty:
        notes.append(f"{empty} line{'s' if empty > 1 else ''} without any value left out")
    if len(broken) == len(kept) > 0:
        raise InputError(
            f"{name} is not a regular table: no line has as many cells as the header",
            [f"header: {width} cells, {listed(header)}", f"line {lines[0]} {broken[0]}"],
            remedy="give every line as many cells as the header has.",
        )
    columns = [list(column) for column in zip(*kept, strict=True)] or [[] for _ in header]
    frame = pd.DataFrame(dict(zip(header, columns, strict=True)), dtype=object)
    return Lines(frame, np.array(lines, dtype=np.int64), broken, notes)
