"""Files -> what they hold: cells of a table, or the content of a JSON document."""

import contextlib
import gzip
import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scalingfit._errors import InputError
from scalingfit._messages import Call, Message, OnlyIn
from scalingfit._text import listed
from scalingfit.runs.files.delimited import MOST_CELLS, delimited, markdown

MOST_BYTES = 200_000_000
"""Bytes that a file may have, after it is unpacked."""


@dataclass
class Content:
    """What a file holds.

    Attributes
    ----------
    data
        A data frame, or what a JSON document holds.
    numbers
        Lines that the rows start in; None where rows are counted.
    word
        What a row is called: line, row or record.
    broken
        Rows that are not whole, by position, and why.
    """

    data: object
    word: str
    numbers: NDArray[np.int64] | None = None
    broken: dict[int, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def load_file(path: Path) -> tuple[Content, str]:
    """Read a file by its suffix; and the sha256 of the file.

    Raises
    ------
    InputError
        It is not there, is too large, is damaged, or is of a kind that is not read.
    """
    if not _is_file(path):
        raise _no_such_file(path)
    suffixes = [suffix.lower() for suffix in path.suffixes]
    zipped = suffixes[-1:] == [".gz"]
    kind = suffixes[-2 if zipped else -1] if len(suffixes) > zipped else ""
    if kind not in KINDS:
        raise InputError(
            f"{path.name}: files of type {kind or '(no suffix)'} are not read",
            [f"types that are read, each also as .gz: {', '.join(KINDS)}"],
            remedy=Message(
                "save it as CSV",
                OnlyIn("python", (", or load it yourself and pass the data frame",)),
                ".",
            ),
        )
    if path.stat().st_size > MOST_BYTES:
        raise _too_large(path.name)
    stored = path.read_bytes()
    content = _unzip(stored, path.name) if zipped else stored
    if not content.strip():
        raise InputError(f"{path.name} is empty", remedy="give a header and one row per run.")
    return KINDS[kind](content, path.name), hashlib.sha256(stored).hexdigest()


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long for a path, or no path at all
        return False


def _no_such_file(path: Path) -> InputError:
    text = str(path)
    if "\n" in text or len(text) > 1000:
        return InputError(
            f"{text[:60]!r}... is not a path: it looks like the content of a file",
            remedy="save it in a file and give its path.",
        )
    if path.is_dir():
        what, folder = f"{path} is a folder, not a file of runs", path
    else:
        what, folder = f"there is no file {path}", path.parent
    present = sorted(p.name for p in folder.iterdir() if p.is_file()) if folder.is_dir() else []
    close = get_close_matches(path.name, present, n=3) or present[:5]
    where = [f"in that folder: {listed(close)}"] if close else [f"folder: {folder.absolute()}"]
    parts: list[str | OnlyIn | Call] = ["check the path."]
    if not path.suffix and not path.is_dir():
        by_name = f' A shipped or published table is read with datasets.read("{path.name}").'
        parts.append(OnlyIn("python", (by_name,)))
        listing = (" Tables by name: ", Call("datasets", other=True), ".")
        parts.append(OnlyIn("command line", listing))
    return InputError(what, where, remedy=Message(*parts))


def _too_large(name: str) -> InputError:
    return InputError(
        f"{name} holds more than {MOST_BYTES // 10**6} MB",
        remedy="keep the columns and rows that the fit needs.",
    )


def _unzip(stored: bytes, name: str) -> bytes:
    try:
        with gzip.open(io.BytesIO(stored)) as file:
            content = file.read(MOST_BYTES + 1)
    except Exception as error:  # zlib's, gzip's and struct's own
        raise InputError(
            f"{name} is not a whole gzip file: {error}", remedy="pack it again."
        ) from None
    if len(content) > MOST_BYTES:
        raise _too_large(name)
    return content


def _decode(content: bytes, name: str) -> str:
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise InputError(
            f"{name} is not UTF-8 text",
            [f"line {line}: byte 0x{content[error.start]:02x}"],
            remedy="save it as UTF-8; if it is a binary file, give it its proper suffix.",
        ) from error
    if "\0" in text:
        raise InputError(
            f"{name} holds binary data, not text",
            remedy="save it as UTF-8 CSV, or give the file its proper suffix.",
        )
    return text.replace("\r\n", "\n").replace("\r", "\n")


# --- kinds of files ------------------------------------------------------------------------------


def _separated(usual: str) -> Callable[[bytes, str], Content]:
    def load(content: bytes, name: str) -> Content:
        found = delimited(_decode(content, name), usual, name)
        return Content(found.frame, "line", found.numbers, found.broken, found.notes)

    return load


def _markdown(content: bytes, name: str) -> Content:
    found = markdown(_decode(content, name), name)
    return Content(found.frame, "line", found.numbers, found.broken, found.notes)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """An object of JSON; a key that stands twice would lose a value."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice[:80]!r} stands twice in one object")
    return found


def _parse(text: str, name: str, kind: str, line: int, remedy: str) -> object:
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        raise InputError(
            f"{name} is not valid {kind}: {error.msg}",
            [f"line {line + error.lineno}, character {error.colno}"],
            remedy=remedy,
        ) from None
    except (ValueError, RecursionError) as error:
        what = str(error) if isinstance(error, ValueError) else "it is nested too deep"
        if "integer string conversion" in what:
            what = "a whole number in it has thousands of digits"
        raise InputError(
            f"{name} is not read: {what[:160]}",
            [f"line {line + 1}"] if kind != "JSON" else [],
            remedy="write one record per run, of plain numbers and texts.",
        ) from None


def _json(content: bytes, name: str) -> Content:
    remedy = "one object per line is JSON Lines: name the file .jsonl."
    return Content(_parse(_decode(content, name), name, "JSON", 0, remedy), "record")


def _json_lines(content: bytes, name: str) -> Content:
    lines = _decode(content, name).split("\n")
    numbers = [number for number, line in enumerate(lines, start=1) if line.strip()]
    remedy = "write one JSON object per line."
    records = [
        _parse(lines[number - 1], name, "JSON Lines", number - 1, remedy) for number in numbers
    ]
    return Content(records, "line", np.array(numbers, dtype=np.int64))


def _require(package: str, extra: str, what: str, name: str) -> None:
    if find_spec(package) is None:
        raise InputError(
            f"{name}: reading {what} needs {package}, which is not installed",
            remedy=f'pip install "scalingfit[{extra}]".',
        )


@contextlib.contextmanager
def _sound(name: str, kind: str, remedy: str) -> Iterator[None]:
    """A damaged file can fail anywhere in the reader."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{name} is not {kind}: {str(error)[:160]}", remedy=remedy) from None


def _parquet(content: bytes, name: str) -> Content:
    _require("pyarrow", "parquet", "Parquet", name)
    import pyarrow.parquet as pq

    with _sound(name, "a Parquet file", "write it again."):
        size = pq.read_metadata(io.BytesIO(content))
        if size.num_rows * size.num_columns > MOST_CELLS:
            raise _too_large(name)
        return Content(pd.read_parquet(io.BytesIO(content), engine="pyarrow"), "row")


def _excel(content: bytes, name: str) -> Content:
    _require("openpyxl", "excel", "Excel files", name)
    import openpyxl

    with _sound(name, "an Excel file", "save it again, or as CSV."):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(part.file_size for part in archive.infolist()) > MOST_BYTES:
                raise _too_large(name)
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        sheets = {sheet.title: [*sheet.iter_rows(values_only=True)] for sheet in book.worksheets}
    filled = {title: rows for title, rows in sheets.items() if any(map(_any, rows))}
    if len(filled) != 1:
        raise InputError(
            f"{name} has {len(filled) or 'no'} sheet{'s' if len(filled) > 1 else ''} with values",
            [f"sheets: {listed(sheets)}"],
            remedy="keep one sheet, or save the one you mean as CSV.",
        )
    return _sheet(next(iter(filled.values())), name)


def _any(row: tuple[object, ...]) -> bool:
    return any(cell is not None and cell != "" for cell in row)


def _sheet(rows: list[tuple[object, ...]], name: str) -> Content:
    from scalingfit.runs.files.delimited import refuse_repeated

    numbered = [(number, row) for number, row in enumerate(rows, start=1) if _any(row)]
    width = max(place for _, row in numbered for place, cell in enumerate(row) if cell is not None)
    header = [
        f"column {place}" if cell is None else str(cell).strip()
        for place, cell in enumerate(numbered[0][1][: width + 1], start=1)
    ]
    refuse_repeated(header, name)
    cells = [[*row[: width + 1], *[None] * (width + 1 - len(row))] for _, row in numbered[1:]]
    frame = pd.DataFrame(cells, columns=header, dtype=object).infer_objects()
    numbers = np.array([number for number, _ in numbered[1:]], dtype=np.int64)
    return Content(frame, "row", numbers)


KINDS: Mapping[str, Callable[[bytes, str], Content]] = {
    ".csv": _separated(","),
    ".tsv": _separated("\t"),
    ".txt": _separated("\t"),
    ".md": _markdown,
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".json": _json,
    ".parquet": _parquet,
    ".xlsx": _excel,
}
"""Kinds of files by suffix."""
