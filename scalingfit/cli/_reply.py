"""What a command returns, and how it reaches standard output and standard error."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from scalingfit._errors import InputError
from scalingfit.cli._spelling import COMMAND_LINE
from scalingfit.cli._words import as_typed
from scalingfit.result import Result

__all__ = ["Reply", "answer", "jsonable", "refuse", "warn"]


@dataclasses.dataclass(frozen=True)
class Reply:
    """The answer of a command.

    Attributes
    ----------
    data : mapping
        What ``--json`` prints.
    shown : sequence
        What people see: text, or anything that `report.tables` knows how to lay out.
    warned : bool
        Whether the exit code is 1.
    failed : exception, optional
        What could not be done with the answer; it is told after it, and the exit code is 2.
    """

    data: Mapping[str, Any]
    shown: Sequence[Any]
    warned: bool = False
    failed: BaseException | None = None


def answer(reply: Reply, *, as_json: bool) -> None:
    """Print a reply to standard output: one JSON object, or tables and text."""
    if as_json:
        failure = {} if reply.failed is None else {"error": _said(reply.failed)}
        print(json.dumps(jsonable({**reply.data, **failure}), allow_nan=False), flush=True)
        return
    from scalingfit.report import tables

    console = Console(highlight=False)
    for position, item in enumerate(reply.shown):
        if position:
            print()
        if isinstance(item, Result):
            whole = item.rich(COMMAND_LINE) if console.is_terminal else item.text(COMMAND_LINE)
            console.print(whole, soft_wrap=not console.is_terminal)
        elif console.is_terminal:
            console.print(tables.laid_out(item, as_typed))
        else:  # never wrapped: other programs and the next reader cut it as they like
            print(as_typed(str(item)))
    sys.stdout.flush()
    if reply.failed is not None:
        refuse(reply.failed, as_json=False)


def refuse(error: BaseException, *, as_json: bool) -> None:
    """Say why a command was refused: on standard error, or as a JSON object."""
    message = _said(error)
    if as_json:
        print(json.dumps({"error": message}), flush=True)
    else:
        print(f"error: {message}", file=sys.stderr)


def _said(error: BaseException) -> str:
    said = error.spelled(COMMAND_LINE) if isinstance(error, InputError) else str(error)
    return as_typed(said)


def warn(message: str) -> None:
    """Print a warning to standard error."""
    print(f"warning: {as_typed(message)}", file=sys.stderr)


def jsonable(value: Any) -> Any:
    """The value in JSON's own types; NaN and infinity, which JSON lacks, become null."""
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    if hasattr(value, "tolist"):  # NumPy's arrays and scalars
        return jsonable(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, str | int) else str(value)
