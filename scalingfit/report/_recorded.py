"""What commands wrote: answers, as ``--json`` printed them, and pictures."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, override

from scalingfit._errors import InputError
from scalingfit._messages import Message, OnlyIn
from scalingfit.result import SCHEMA, Column, Note, Result, Table

__all__ = ["Drawing", "Recorded", "recorded"]

KINDS = {".png": ("image/png", b"\x89PNG\r\n\x1a\n"), ".svg": ("image/svg+xml", b"<?xml")}
"""Pictures: what they are, and how they begin."""


class Drawing(NamedTuple):
    """A picture that a command drew.

    Attributes
    ----------
    title : str
        The name of its file.
    kind : str
        "image/png" or "image/svg+xml".
    content : bytes
    """

    title: str
    kind: str
    content: bytes


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
        return [_table(shown) for part in self._parts() for shown in part.get("shown", [])]

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


def recorded(path: str | os.PathLike[str]) -> Recorded | Drawing:
    """Read what a command wrote: an answer, with ``--json``, or a picture, with ``--plot``.

    Raises
    ------
    InputError
        There is no such file, or it holds something else.
    """
    named = Path(path)
    try:
        content = named.read_bytes()
    except OSError as error:
        raise InputError(
            f"cannot read {named}: {error.strerror}", remedy="check the path."
        ) from None
    kind, begins = KINDS.get(named.suffix.lower(), ("", b""))
    if kind and content.startswith(begins):
        return Drawing(named.stem, kind, content)
    try:
        answer = json.loads(content)
    except ValueError:
        answer = None
    if not isinstance(answer, dict) or answer.get("schema") != SCHEMA or "error" in answer:
        raise InputError(
            f"{named} holds no answer of scalingfit, and no picture that it drew",
            remedy=Message(
                OnlyIn("python", ("give the result itself.",)),
                OnlyIn(
                    "command line",
                    (
                        "keep one: scalingfit compare runs.csv --json > compare.json, or draw it: "
                        "--plot compare.svg.",
                    ),
                ),
            ),
        )
    return Recorded(named.stem, answer)


def _table(shown: Mapping[str, Any]) -> Table:
    """A table as people got it."""
    cells = zip(*shown["rows"], strict=True)
    columns = {
        f"{place}": Column(texts, heading=heading)
        for place, (heading, texts) in enumerate(zip(shown["headings"], cells, strict=True))
    }
    return Table("shown", "row", columns, shown["title"], shown["labels"])
