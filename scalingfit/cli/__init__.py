"""The command line: the same verbs as the library.

A command is a function of a module in this folder that returns a `Reply`. To add one, write it and
name it in `COMMANDS`, with its module; its docstring is its help. Commands reach the library as
``sf.fit(...)``, which is loaded on first use, or import inside the function: ``--help`` loads
nothing heavy.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn, TextIO

from cyclopts import App, CycloptsError

from scalingfit import __version__
from scalingfit._errors import InputError, ScalingfitError
from scalingfit.cli._cache import use_cache
from scalingfit.cli._reply import Reply, answer, complain, refuse, warn

__all__ = ["app", "main", "run", "use_cache"]

COMMANDS = {
    "read": "runs",
    "fit": "fits",
    "frontier": "questions",
    "forecast": "questions",
    "cheapest": "questions",
    "decide": "decisions",
    "returns": "decisions",
    "multiplier": "decisions",
    "design": "experiments",
    "plan": "experiments",
    "refit": "refits",
    "compare": "comparison",
    "backtest": "evidence",
    "calibrate": "evidence",
    "reconcile": "reconcile",
    "report": "report",
    "laws": "catalogs",
    "noises": "catalogs",
    "rules": "catalogs",
    "datasets": "runs",
    "demo": "demo",
    "doctor": "doctor",
}
"""The module of each command, in the order of the help."""

OK, WARNED, REFUSED, BROKEN = 0, 1, 2, 3
JSON, VERBOSE, QUIET = {"--json"}, {"-v", "--verbose"}, {"-q", "--quiet"}
"""What every command takes, in any place."""
LONGEST = 10_000  # characters of one argument

app = App(
    name="scalingfit",
    help="Bayesian fits of neural scaling laws: how to spend the next training budget, "
    "and how sure you can be.",
    help_format="markdown",
    help_epilogue="Every command takes `--json`, and then prints one JSON object and nothing else. "
    "`-v` shows all notes on an answer; `-q` shows no progress, and no warnings on standard error. "
    "Exit codes: 0 fine; 1 the answer comes with a warning, such as a verdict that is not ok or an "
    "answer more than 100 times beyond the runs; 2 refused; 3 a bug in scalingfit.",
    version=__version__,
)
app.register_install_completion_command(help="Install completion for your shell.")
for _place, (_command, _module) in enumerate(COMMANDS.items()):
    _function = getattr(importlib.import_module(f"{__name__}.{_module}"), _command)
    app.command(_function, sort_key=_place)


def main() -> int:
    """Run the command that the process's arguments ask for; return the exit code."""
    if sys.stderr is None:  # closed by the caller; `print` would take standard output instead
        sys.stderr = _nowhere()
    if sys.stdout is None:
        sys.stdout = _nowhere()
        complain("error: standard output is closed: there is no place for an answer")
        return REFUSED
    use_cache()
    warnings.showwarning = _show_warning
    signal.signal(signal.SIGTERM, _stop)
    try:
        return run(sys.argv[1:])
    except (KeyboardInterrupt, _Terminated) as stop:
        complain("stopped")
        # Not by `sys.exit`, which waits for threads: they may be compiling for a minute.
        os._exit(128 + (signal.SIGTERM if isinstance(stop, _Terminated) else signal.SIGINT))


def _nowhere() -> TextIO:
    return Path(os.devnull).open("w", encoding="utf-8")


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    """As this command's own warnings are: where in the code it arose is for developers."""
    warn(str(message))


class _Terminated(BaseException):
    """The process was asked to end."""


def _stop(*_: object) -> NoReturn:
    """End as an exception does, so that files half written are taken away."""
    raise _Terminated


def run(arguments: Sequence[str]) -> int:
    """Run one command.

    Returns
    -------
    int
        0 fine; 1 the answer comes with a warning; 2 refused; 3 a bug in scalingfit.
    """
    as_json = not JSON.isdisjoint(arguments)
    try:
        code = _run(arguments, as_json)
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # the reader of a pipe, such as head, has seen enough
        _silence()
        return OK
    except OSError as error:
        _silence()
        complain(f"error: standard output takes no more: {error.strerror}")
        return REFUSED


def _run(arguments: Sequence[str], as_json: bool) -> int:
    try:
        tokens = [_checked(place, word) for place, word in enumerate(arguments, 1)]
        tokens = [word for word in tokens if word not in JSON | VERBOSE | QUIET]
        quiet = not QUIET.isdisjoint(arguments)
        with contextlib.redirect_stderr(io.StringIO() if quiet else sys.stderr):
            reply = app(
                tokens, exit_on_error=False, print_error=False, result_action="return_value"
            )
    except BrokenPipeError:
        raise
    except (CycloptsError, ScalingfitError, OSError) as error:
        refuse(error, as_json=as_json)
        return REFUSED
    except Exception as error:
        traceback.print_exc()
        if as_json:
            refuse(error, as_json=True)
        return BROKEN
    if not isinstance(reply, Reply):  # --help and --version have printed already
        return OK
    answer(reply, as_json=as_json, verbose=not VERBOSE.isdisjoint(arguments))
    if reply.failed is not None:
        return REFUSED
    return WARNED if reply.warned else OK


def _checked(place: int, word: str) -> str:
    """An argument that is text, and not longer than anybody would type."""
    if len(word) > LONGEST:
        raise InputError(
            f"argument {place} has {len(word)} characters, at most {LONGEST}",
            remedy="put what is long into a file.",
        )
    if any(letter == "\0" or "\ud800" <= letter <= "\udfff" for letter in word):
        raise InputError(
            f"argument {place}, {word!a}, is not text",
            remedy="give files and columns names in UTF-8.",
        )
    return word


def _silence() -> None:
    """Write no more to standard output, nor when the process ends."""
    with contextlib.suppress(OSError, ValueError):  # one of a notebook or a test is no file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
