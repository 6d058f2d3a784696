"""Sentences that name arguments: spelled as Python here, as options by the command line.

A message is made of text and of arguments. The library never writes ``noise="normal"`` or
``--noise normal`` into a sentence; it says which argument and which value, and whoever speaks to
the reader spells them::

    Message("use ", Argument("noise", "normal_level"), ".")
"""

from __future__ import annotations

import abc
import dataclasses
import itertools
from collections.abc import Iterable
from types import EllipsisType
from typing import Any, Literal, override

__all__ = [
    "PYTHON",
    "Argument",
    "Call",
    "Face",
    "Message",
    "OnlyIn",
    "Record",
    "Text",
    "from_record",
    "joined",
    "spelled",
    "to_record",
]

type FaceName = Literal["python", "command line"]
type Part = str | Argument | Call | OnlyIn
type Text = str | Message


@dataclasses.dataclass(frozen=True)
class Argument:
    """An argument to write, and its value.

    Attributes
    ----------
    name : str
        As in Python: ``max_params``, ``noise``; for a column or an input the law's symbol; for a
        prior the parameter.
    value : object
        What to give; the Ellipsis where the value is the reader's own.
    kind : str
        "option", or what is written in a way of its own: "column" (of a table, by symbol; the
        value is the column's name, or ``(name, factor)``), "input" (of a law) and "prior".
    law : str
        The law that a prior belongs to, where several are asked for.
    """

    name: str
    value: object = ...
    kind: Literal["option", "column", "input", "prior"] = "option"
    law: str = ""


@dataclasses.dataclass(frozen=True)
class Call:
    """A verb with arguments, such as ``read(..., N="params")``.

    On the command line the verb is the one that was typed, so the arguments alone are spelled;
    with `other` it is another command than that, and is spelled too.
    """

    verb: str
    arguments: tuple[Argument, ...] = ()
    other: bool = False


@dataclasses.dataclass(frozen=True)
class OnlyIn:
    """Parts of a sentence that mean something to the users of one face only."""

    face: FaceName
    parts: tuple[Part, ...]


class Face(abc.ABC):
    """How a reader writes arguments."""

    name: FaceName

    @abc.abstractmethod
    def argument(self, argument: Argument) -> str:
        """One argument."""

    @abc.abstractmethod
    def call(self, call: Call) -> str:
        """A verb with its arguments."""

    def part(self, part: Part) -> str:
        """Any part of a message."""
        match part:
            case str():
                return part
            case Argument():
                return self.argument(part)
            case Call():
                return self.call(part)
            case OnlyIn():
                return "".join(map(self.part, part.parts)) if part.face == self.name else ""


class Python(Face):
    """Keyword arguments."""

    name = "python"

    @override
    def argument(self, argument: Argument) -> str:
        if argument.kind != "prior":
            return f"{argument.name}={_literal(argument.value)}"
        given = f"{{{argument.name!r}: {_literal(argument.value)}}}"
        return f"priors={{{argument.law!r}: {given}}}" if argument.law else f"priors={given}"

    @override
    def call(self, call: Call) -> str:
        return f"{call.verb}({', '.join(['...', *map(self.argument, call.arguments)])})"


PYTHON = Python()


@dataclasses.dataclass(frozen=True, init=False)
class Message:
    """A sentence of text and arguments; ``str`` spells it as Python."""

    parts: tuple[Part, ...]

    def __init__(self, *parts: Text | Part) -> None:
        flat: list[Part] = []
        for part in parts:
            flat.extend(part.parts if isinstance(part, Message) else [part])
        object.__setattr__(self, "parts", tuple(flat))

    def spelled(self, face: Face) -> str:
        """The sentence for the reader of a face."""
        return "".join(map(face.part, self.parts))

    def __str__(self) -> str:
        return self.spelled(PYTHON)


def joined(parts: Iterable[Text | Part], between: str = " and ") -> Message:
    """Parts of a sentence with a word between them."""
    first, *others = parts
    return Message(first, *itertools.chain.from_iterable((between, part) for part in others))


def spelled(text: Text, face: Face = PYTHON) -> str:
    """A sentence as text, whether or not it names arguments."""
    return text.spelled(face) if isinstance(text, Message) else text


def _literal(value: object) -> str:
    """A value as Python code, with double quotes as in the documentation."""
    match value:
        case EllipsisType():
            return "..."
        case str() if '"' not in value and value.isprintable():
            return f'"{value}"'
        case list():
            return f"[{', '.join(map(_literal, value))}]"
        case tuple():
            return f"({', '.join(map(_literal, value))}{',' if len(value) == 1 else ''})"
        case float():
            return f"{value:g}" if float(f"{value:g}") == value else repr(value)
        case _:
            return repr(value)


# --- sentences in files ---------------------------------------------------------------------------

type Record = str | list[str | dict[str, Any]]


def to_record(text: Text) -> Record:
    """A sentence in JSON's own types; `from_record` reads it."""
    return text if isinstance(text, str) else [_part_record(part) for part in text.parts]


def from_record(record: Record) -> Text:
    """The sentence that `to_record` wrote."""
    return record if isinstance(record, str) else Message(*map(_part_of, record))


def _part_record(part: Part) -> str | dict[str, Any]:
    match part:
        case str():
            return part
        case Argument():
            fields = {field.name: getattr(part, field.name) for field in dataclasses.fields(part)}
            return {key: value for key, value in fields.items() if value is not ...}
        case Call():
            arguments = [_part_record(argument) for argument in part.arguments]
            return {"verb": part.verb, "arguments": arguments, "other": part.other}
        case OnlyIn():
            return {"face": part.face, "parts": [_part_record(each) for each in part.parts]}


def _part_of(record: str | dict[str, Any]) -> Part:
    match record:
        case str():
            return record
        case {"verb": verb, "arguments": arguments, "other": other}:
            return Call(verb, tuple(_argument_of(each) for each in arguments), other)
        case {"face": face, "parts": parts}:
            return OnlyIn(face, tuple(map(_part_of, parts)))
        case _:
            return _argument_of(record)


def _argument_of(record: dict[str, Any]) -> Argument:
    value = record.get("value", ...)
    given = tuple(value) if isinstance(value, list) else value
    return Argument(record["name"], given, record["kind"], record["law"])
