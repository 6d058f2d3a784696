"""What a command returns, and how it reaches standard output and standard error."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from scalingfit.cli._words import as_typed

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
    from scalingfit.report.tables import laid_out

    console = Console(highlight=False)
    for position, item in enumerate(reply.shown):
        if position:
            print()
        if console.is_terminal:
            console.print(laid_out(item, as_typed))
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
    return as_typed(str(error))


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
