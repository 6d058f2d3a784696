"""Any source of runs -> a raw data frame, with the place of each row for messages."""

import csv
import gzip
import hashlib
import io
import json
import os
import warnings
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_float_dtype

from scalingfit._errors import InputError
from scalingfit._text import listed
from scalingfit.runs._frames import refuse_repeated, to_frame

SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet")


@dataclass(frozen=True)
class Source:
    """A raw table: untouched cells, and what to call its rows."""

    frame: pd.DataFrame
    row_numbers: NDArray[np.int64]
    name: str
    row_word: str = "row"
    sha256: str | None = None


def load_source(source: Any) -> Source:
    """Read a file by its suffix, or take the columns of a frame, mapping or structured array."""
    if isinstance(source, str | os.PathLike):
        loaded = _from_path(Path(source))
    else:
        frame = to_frame(source)
        loaded = Source(frame, np.arange(1, len(frame) + 1), type(source).__name__)
    return _check_header(loaded)


def _check_header(source: Source) -> Source:
    names = [str(name).strip() for name in source.frame.columns]
    refuse_repeated(names, source.name)
    if source.frame.empty:
        raise InputError(
            f"{source.name} holds no run{': a header and no rows' if names else ''}",
            [f"columns: {listed(names)}"],
            remedy="give a header and one row per training run.",
        )
    return Source(
        source.frame.set_axis(names, axis="columns").reset_index(drop=True),
        source.row_numbers,
        source.name,
        source.row_word,
        source.sha256,
    )


# --- files ---------------------------------------------------------------------------------------


def _from_path(path: Path) -> Source:
    if not path.is_file():
        raise _no_such_file(path)
    stored = path.read_bytes()
    suffixes = [suffix.lower() for suffix in path.suffixes]
    zipped = suffixes[-1:] == [".gz"]
    kind = suffixes[-2 if zipped else -1] if len(suffixes) > zipped else ""
    if kind not in SUFFIXES:
        raise InputError(
            f"{path.name}: files of type {kind or '(no suffix)'} are not read",
            [f"types that are read, each also as .gz: {', '.join(SUFFIXES)}"],
            remedy="save it as CSV, or load it yourself and pass the data frame.",
        )
    content = _unzip(stored, path.name) if zipped else stored
    if not content.strip():
        raise InputError(f"{path.name} is empty", remedy="give a header and one row per run.")
    if kind == ".parquet":
        frame, rows, word = *_numbered(_parquet(content, path.name)), "row"
    else:
        text = _decode(content, path.name)
        if kind in (".csv", ".tsv"):
            frame, rows = _delimited(text, "\t" if kind == ".tsv" else ",", path.name)
            word = "line"
        elif kind == ".json":
            frame, rows, word = *_numbered(_json(text, path.name)), "record"
        else:
            frame, rows = _json_lines(text, path.name)
            word = "line"
    return Source(frame, rows, path.name, word, hashlib.sha256(stored).hexdigest())


def _no_such_file(path: Path) -> InputError:
    if path.is_dir():
        what, folder = f"{path} is a folder, not a file of runs", path
    else:
        what, folder = f"there is no file {path}", path.parent
    present = sorted(p.name for p in folder.iterdir() if p.is_file()) if folder.is_dir() else []
    close = get_close_matches(path.name, present, n=3) or present[:5]
    where = [f"in that folder: {listed(close)}"] if close else [f"folder: {folder.absolute()}"]
    remedy = "check the path."
    if not path.suffix and not path.is_dir():
        remedy += f' A shipped or published table is loaded with datasets.load("{path.name}").'
    return InputError(what, where, remedy=remedy)


def _unzip(stored: bytes, name: str) -> bytes:
    try:
        return gzip.decompress(stored)
    except (OSError, EOFError) as error:
        raise InputError(f"{name} is not a whole gzip file: {error}") from error


def _decode(content: bytes, name: str) -> str:
    try:
        text = content.decode("utf-8-sig")
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


def _delimited(text: str, separator: str, name: str) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    # Line numbers must survive, so blank lines are read as rows and left out afterwards.
    body = text.lstrip("\n")
    first_line = text[: len(text) - len(body)].count("\n") + 1
    _check_header_line(body, separator, name)
    try:
        with warnings.catch_warnings():
            # pandas only warns when it cuts off cells that the header has no name for.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(
                io.StringIO(body), sep=separator, dtype=str, skip_blank_lines=False, index_col=False
            )
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        raise InputError(
            f"{name} is not a regular table: {error}",
            remedy="give every line as many cells as the header has.",
        ) from error
    keep = ~frame.isna().all(axis="columns").to_numpy()
    return frame[keep].apply(_typed), np.flatnonzero(keep) + first_line + 1


def _check_header_line(body: str, separator: str, name: str) -> None:
    try:
        header = next(csv.reader(io.StringIO(body), delimiter=separator))
    except csv.Error as error:
        raise InputError(f"{name} has no readable header: {error}") from error
    other = next((mark for mark in (";", "\t", ",") if mark in header[0]), None)
    if len(header) == 1 and other is not None:
        raise InputError(
            f"{name} has one column, called {header[0]!r}: it seems to be separated by {other!r}",
            remedy=f"use {separator!r}, or pass pandas.read_csv(path, sep={other!r}) instead.",
        )
    # Asked here because pandas would rename the second one in silence.
    refuse_repeated(header, name)


def _typed(text: "pd.Series[str]") -> "pd.Series[Any]":
    """Numbers where every cell is one, exact to the last bit; else the text itself."""
    try:
        numbers = pd.to_numeric(text)
    except ValueError:
        return text
    if not is_float_dtype(numbers):
        return numbers
    exact = text.fillna("nan").to_numpy(dtype=str).astype(np.float64)
    return pd.Series(exact, index=text.index)


def _json(text: str, name: str) -> pd.DataFrame:
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(
            f"{name} is not valid JSON: {error.msg}",
            [f"line {error.lineno}, character {error.colno}"],
            remedy="one object per line is JSON Lines: name the file .jsonl.",
        ) from error
    return to_frame(content, name)


def _json_lines(text: str, name: str) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    lines = text.split("\n")
    numbers = [number for number, line in enumerate(lines, start=1) if line.strip()]
    records = []
    for number in numbers:
        try:
            records.append(json.loads(lines[number - 1]))
        except json.JSONDecodeError as error:
            raise InputError(
                f"{name} is not valid JSON Lines: {error.msg}",
                [f"line {number}, character {error.colno}"],
                remedy="write one JSON object per line.",
            ) from error
    return to_frame(records, name), np.array(numbers, dtype=np.int64)


def _parquet(content: bytes, name: str) -> pd.DataFrame:
    if find_spec("pyarrow") is None:
        raise InputError(
            f"{name}: reading Parquet needs pyarrow, which is not installed",
            remedy='pip install "scalingfit[parquet]".',
        )
    import pyarrow as pa

    try:
        return pd.read_parquet(io.BytesIO(content), engine="pyarrow")
    except pa.ArrowInvalid as error:
        raise InputError(f"{name} is not a Parquet file: {error}") from error


def _numbered(frame: pd.DataFrame) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    return frame, np.arange(1, len(frame) + 1)
