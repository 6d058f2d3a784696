"""Any source of runs -> a raw data frame, with the place of each row for messages."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scalingfit._errors import InputError
from scalingfit._messages import Argument, Call, Message
from scalingfit._text import listed
from scalingfit.runs.files.delimited import refuse_repeated
from scalingfit.runs.files.formats import load_file
from scalingfit.runs.files.logs import Log, find_log, run_names, sizes_in
from scalingfit.runs.files.records import to_frame, unpacked

LONGEST_NAME = 300
"""Characters that a header may have."""


@dataclass(frozen=True)
class Source:
    """A raw table: untouched cells, and what to call its rows.

    ``broken`` tells of rows that are not whole, by position; ``log`` is set where the table is the
    log of single runs.
    """

    frame: pd.DataFrame
    row_numbers: NDArray[np.int64]
    name: str
    row_word: str = "row"
    sha256: str | None = None
    broken: Mapping[int, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    log: Log | None = None


def load_source(source: object, *, last: bool = False) -> Source:
    """Read a file by its suffix, several of them, or whatever holds columns.

    Parameters
    ----------
    source
        A path, a list of paths, a frame, a mapping of columns or of records, records, or a
        structured array.
    last
        Whether each file, or each column of a chart, is the log of one run, of which the last
        values count.
    """
    if isinstance(source, str | os.PathLike):
        paths = [Path(source)]
    elif (
        isinstance(source, list | tuple)
        and source
        and all(isinstance(path, str | os.PathLike) for path in source)
    ):
        paths = [Path(path) for path in source]
    else:
        frame, notes = to_frame(source, f"an object of type {type(source).__name__}")
        name = type(source).__name__
        found = Source(frame, np.arange(1, len(frame) + 1), name, notes=notes)
        return _checked(replace(found, log=find_log(frame)))
    sources = [_checked(_from_path(path)) for path in paths]
    if last:
        return _ends(sources, paths)
    return sources[0] if len(sources) == 1 else _joined(sources, paths)


def _from_path(path: Path) -> Source:
    content, sha256 = load_file(path)
    log = find_log(content.data, path.name)
    if log is not None:
        frame, notes = log.records, tuple(content.notes)
    else:
        frame, notes = to_frame(content.data, path.name)
        notes = (*content.notes, *notes)
    numbers = content.numbers
    if numbers is None or len(numbers) != len(frame):
        numbers = np.arange(1, len(frame) + 1)
    return Source(frame, numbers, path.name, content.word, sha256, content.broken, notes, log)


def _checked(source: Source) -> Source:
    names = [str(name).strip() for name in source.frame.columns]
    refuse_repeated(names, source.name)
    for place, name in enumerate(names, start=1):
        if len(name) > LONGEST_NAME:
            raise InputError(
                f"the header of column {place} of {source.name} has {len(name):,} characters",
                [f"it begins {name[:60]!r}"],
                remedy=f"give it a name of at most {LONGEST_NAME} characters.",
            )
    if source.frame.empty:
        raise InputError(
            f"{source.name} holds no run{': a header and no rows' if names else ''}",
            [f"columns: {listed(names)}"],
            remedy="give a header and one row per training run.",
        )
    frame = source.frame.set_axis(names, axis="columns").reset_index(drop=True)
    return replace(source, frame=unpacked(frame, source.name))


# --- several files -------------------------------------------------------------------------------


def _ends(sources: list[Source], paths: list[Path]) -> Source:
    """The last values of each log: one row a run."""
    if len(sources) == 1 and sources[0].log is None:
        return sources[0]  # a table, whose runs its rows name
    if len(sources) == 1 and sources[0].log is not None and sources[0].log.ends is not None:
        frame = sources[0].log.ends
    else:
        rows: dict[str, dict[str, object]] = {}
        for source, run in zip(sources, run_names(paths), strict=True):
            log = source.log if source.log is not None else Log("a table", source.frame)
            name = log.run or run  # which may have several files, one for each of its scalars
            rows[name] = rows.get(name, {}) | {"run": name} | log.end()
        frame = pd.DataFrame([*rows.values()])
    sizes = sizes_in([str(run) for run in frame["run"]])
    if sizes is not None:
        frame = frame.assign(size_in_name=sizes)
    name = sources[0].name if len(sources) == 1 else f"{len(sources)} files"
    rows_read = sum(len(source.frame) for source in sources)
    note = f"the last values of each run, of {rows_read} rows"
    return Source(
        frame, np.arange(1, len(frame) + 1), name, "run", _one_sha(sources), notes=(note,)
    )


def _joined(sources: list[Source], paths: list[Path]) -> Source:
    """Tables under each other, each row with its file."""
    for source in sources:
        if source.log is not None:
            raise not_a_table(source, len(sources))
    frames = [
        source.frame.assign(file=run) for source, run in zip(sources, run_names(paths), strict=True)
    ]
    starts = np.cumsum([0, *(len(frame) for frame in frames)])
    broken = {
        int(start) + row: reason
        for start, source in zip(starts, sources, strict=False)
        for row, reason in source.broken.items()
    }
    frame = pd.concat(frames, ignore_index=True)
    notes = tuple(f"{s.name}: {note}" for s in sources for note in s.notes)
    rows = np.arange(1, len(frame) + 1)
    name = f"{len(sources)} files"
    return Source(frame, rows, name, "row", _one_sha(sources), broken, notes)


def _one_sha(sources: list[Source]) -> str | None:
    return sources[0].sha256 if len(sources) == 1 else None


def not_a_table(source: Source, files: int = 1) -> InputError:
    """Say that a source is a log, what a table of runs is, and how to make one from logs."""
    kind = source.log.kind if source.log is not None else "the log of one run"
    several = source.log is not None and source.log.ends is not None
    what = (
        "keep the last value of each run: "
        if several or files > 1
        else ("give the logs of several runs together, and keep the last values of each: ")
    )
    return InputError(
        f"{source.name} is {kind}, not a table of runs",
        ["a table of runs has one row a run: its parameters, its tokens and its final loss"],
        remedy=Message(what, Call("read", (Argument("last", True),)), "."),
    )
