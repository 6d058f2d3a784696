"""Arguments as options: how the command line spells what the library's messages name."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import override

from scalingfit._messages import Argument, Call, Face

__all__ = ["COMMAND_LINE", "CommandLine"]

INPUTS: Mapping[str, str] = {"N": "--params", "D": "--tokens", "C": "--compute"}
"""The inputs of a law that have options of their own; the others go through ``--input``."""


class CommandLine(Face):
    """Options of the command that was typed.

    >>> print(CommandLine().argument(Argument("max_params", 3e5)))
    --max-params 300000
    """

    name = "command line"

    @override
    def argument(self, argument: Argument) -> str:
        name, value = argument.name, argument.value
        match argument.kind:
            case "column":
                return f"--column {shlex.quote(f'{name}={_column(value)}')}"
            case "input":
                own = INPUTS.get(name)
                return f"{own} {_typed(value)}" if own else f"--input {name}={_typed(value)}"
            case "prior":
                named = f"{argument.law}.{name}" if argument.law else name
                return f"--prior {shlex.quote(f'{named}={_typed(value)}')}"
            case "option":
                option = f"--{name.replace('_', '-')}"
                if value is True:
                    return option
                typed = _typed(value)
                return f"{option} {typed if value is ... else shlex.quote(typed)}"

    @override
    def call(self, call: Call) -> str:
        options = [self.argument(argument) for argument in call.arguments]
        return " ".join([*(["scalingfit", call.verb] if call.other else []), *options])


COMMAND_LINE = CommandLine()


def _column(value: object) -> str:
    """A column's name, with its factor where it has one."""
    if isinstance(value, tuple):
        name, factor = value
        return f"{name}*{_typed(factor)}"
    return _typed(value)


def _typed(value: object) -> str:
    match value:
        case None:
            return "none"
        case _ if value is ...:
            return "..."
        case list() | tuple():
            return ",".join(map(_typed, value))
        case float():
            return f"{value:g}" if float(f"{value:g}") == value else repr(value)
        case _:
            return str(value)
