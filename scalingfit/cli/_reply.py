"""What a command returns, and how it reaches standard output and standard error."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sys
from collections.abc import Mapping, Sequence

from cyclopts.exceptions import MissingArgumentError, UnusedCliTokensError
from rich.console import Console, RenderableType
from rich.text import Text as RichText

from scalingfit._errors import InputError
from scalingfit._messages import Text, spelled
from scalingfit.cli._spelling import COMMAND_LINE
from scalingfit.result import SCHEMA, Result, Table, jsonable

__all__ = ["Reply", "answer", "complain", "refuse", "warn"]


@dataclasses.dataclass(frozen=True)
class Reply:
    """The answer of a command.

    Attributes
    ----------
    data : Result or mapping
        What ``--json`` prints; a mapping may hold results.
    shown : sequence of Result, Table or str
        What people see.
    warned : bool
        Whether the exit code is 1.
    failed : exception, optional
        What could not be done with the answer; it is said after it, and the exit code is 2.
    """

    data: Result | Mapping[str, object]
    shown: Sequence[Result | Table | str]
    warned: bool = False
    failed: BaseException | None = None


def answer(reply: Reply, *, as_json: bool, verbose: bool) -> None:
    """Print a reply to standard output: one JSON object, or tables and text."""
    if as_json:
        failure = {} if reply.failed is None else {"error": _said(reply.failed)}
        print(json.dumps({**_object(reply.data), **failure}, allow_nan=False), flush=True)
        return
    console = Console(highlight=False)
    for position, item in enumerate(reply.shown):
        if position:
            print()
        if console.is_terminal:
            console.print(_drawn(item, verbose))
        else:  # never wrapped: other programs and the next reader cut it as they like
            print(_written(item, verbose))
    sys.stdout.flush()
    if reply.failed is not None:
        refuse(reply.failed, as_json=False)


def refuse(error: BaseException, *, as_json: bool) -> None:
    """Say why a command was refused: on standard error, or as a JSON object."""
    message = _said(error)
    if as_json:
        print(json.dumps({"schema": SCHEMA, "error": message}), flush=True)
    else:
        complain(f"error: {message}")


def _said(error: BaseException) -> str:
    if isinstance(error, InputError):
        return error.spelled(COMMAND_LINE)
    if isinstance(error, MissingArgumentError):
        return _missing(error)
    return _unused(error) if isinstance(error, UnusedCliTokensError) else str(error)


def _missing(error: MissingArgumentError) -> str:
    """That an option or its value is missing; where it is one of a few words, these."""
    choices = error.argument.get_choices() if error.argument is not None else None
    if error.argument is None or not choices:
        return str(error)
    options = " or ".join(f"{error.argument.name} {choice}" for choice in choices)
    return f"{error}\nWhat to do: write {options}."


def _unused(error: UnusedCliTokensError) -> str:
    """That words belong to no option; after one that takes no value, what that is."""
    words, given = error.unused_tokens or [], error.root_input_tokens or []
    at = given.index(words[0]) if words and words[0] in given else 0
    before = given[at - 1] if at else ""
    switch = f": {before} is a switch and takes no value" if before.startswith("--") else ""
    command = " ".join(["scalingfit", *(error.command_chain or ())])
    return f"nothing takes {', '.join(words)}{switch}\nWhat to do: see {command} --help."


def warn(message: Text) -> None:
    """Print a warning to standard error."""
    complain(f"warning: {spelled(message, COMMAND_LINE)}")


def complain(line: str) -> None:
    """Print a line to standard error, where that takes it: no answer is lost for a remark."""
    with contextlib.suppress(OSError, ValueError):
        print(line, file=sys.stderr)


def _object(data: Result | Mapping[str, object]) -> Mapping[str, object]:
    if isinstance(data, Result):
        return data.as_json(COMMAND_LINE)
    parts = {
        name: _object(part) if isinstance(part, Result) else jsonable(part)
        for name, part in data.items()
    }
    return {"schema": SCHEMA, **parts}


def _drawn(item: Result | Table | str, verbose: bool) -> RenderableType:
    match item:
        case Result():
            return item.rich(COMMAND_LINE, verbose=verbose)
        case Table():
            return item.rich()
        case str():
            return RichText(item)


def _written(item: Result | Table | str, verbose: bool) -> str:
    match item:
        case Result():
            return item.text(COMMAND_LINE, verbose=verbose)
        case Table():
            return item.text()
        case str():
            return item
