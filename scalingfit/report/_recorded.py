"""Answers of commands, as ``--json`` printed them, as results again."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, override

from scalingfit._errors import InputError
from scalingfit._messages import Message, OnlyIn
from scalingfit.result import SCHEMA, Column, Interval, Note, Result, Table

__all__ = ["Recorded", "recorded"]

INTERVAL = {"q5", "q50", "q95"}


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Recorded(Result):
    """An answer that was printed as JSON.

    Attributes
    ----------
    title : str
        The name of its file.
    answer : mapping
    """

    title: str
    answer: Mapping[str, Any]

    @property
    @override
    def tables(self) -> Sequence[Table]:
        found = {name: rows for part in self._parts() for name, rows in part.items()}
        return [
            _table(name, rows)
            for name, rows in found.items()
            if name != "notes" and isinstance(rows, list) and rows and isinstance(rows[0], dict)
        ]

    @property
    @override
    def notes(self) -> Sequence[Note]:
        return [Note(**note) for part in self._parts() for note in part.get("notes", [])]

    @property
    @override
    def conclusion(self) -> str:
        said = [part.get("conclusion", "") for part in self._parts()]
        return "\n".join(sentence for sentence in said if sentence)

    def _parts(self) -> Iterator[Mapping[str, Any]]:
        """The answer, and the answers within it."""
        yield self.answer
        for part in self.answer.values():
            if isinstance(part, dict) and "schema" in part:
                yield part


def recorded(path: str | os.PathLike[str]) -> Recorded:
    """Read an answer that a command printed with ``--json``.

    Raises
    ------
    InputError
        There is no such file, or it holds something else.
    """
    named = Path(path)
    try:
        answer = json.loads(named.read_text("utf-8"))
    except OSError as error:
        raise InputError(
            f"cannot read {named}: {error.strerror}", remedy="check the path."
        ) from None
    except ValueError:
        answer = None
    if not isinstance(answer, dict) or answer.get("schema") != SCHEMA or "error" in answer:
        raise InputError(
            f"{named} holds no answer of scalingfit",
            remedy=Message(
                OnlyIn("python", ("give the result itself.",)),
                OnlyIn("command line", ("keep one: scalingfit compare runs.csv --json > FILE.",)),
            ),
        )
    return Recorded(named.stem, answer)


def _table(name: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    columns = {}
    for key, first in rows[0].items():
        values = [_value(row.get(key)) for row in rows]
        if not isinstance(first, list):  # too long for a page
            columns[key] = Column(values)
    return Table(name, name, columns, name, labels=1)


def _value(value: Any) -> object:
    """A cell; an interval with an end that JSON cannot write is infinite there."""
    if not isinstance(value, dict) or value.keys() != INTERVAL:
        return value
    return Interval(*(float("inf") if end is None else end for end in value.values()))
