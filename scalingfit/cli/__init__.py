"""The command line: the same verbs as the library.

A command is a function of a module in this folder that returns a `Reply`. To add one, write it and
name it in `COMMANDS`; its docstring is its help. Commands reach the library as ``sf.fit(...)``,
which is loaded on first use, or import inside the function: ``--help`` loads nothing heavy.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import NoReturn

from cyclopts import App, CycloptsError

from scalingfit import __version__
from scalingfit._errors import ScalingfitError
from scalingfit.cli._cache import use_cache
from scalingfit.cli._reply import Reply, answer, refuse
from scalingfit.cli.decisions import decide, multiplier, returns
from scalingfit.cli.demo import demo
from scalingfit.cli.doctor import doctor
from scalingfit.cli.evidence import backtest, calibrate, compare
from scalingfit.cli.experiments import design, plan
from scalingfit.cli.fits import fit
from scalingfit.cli.laws import laws
from scalingfit.cli.questions import cheapest, forecast, frontier
from scalingfit.cli.reconcile import reconcile
from scalingfit.cli.refits import refit
from scalingfit.cli.runs import datasets, read

__all__ = ["app", "main", "run"]

COMMANDS: tuple[Callable[..., Reply], ...] = (
    read,
    fit,
    frontier,
    forecast,
    cheapest,
    decide,
    returns,
    multiplier,
    design,
    plan,
    refit,
    compare,
    backtest,
    calibrate,
    reconcile,
    laws,
    datasets,
    demo,
    doctor,
)

OK, WARNED, REFUSED, BROKEN = 0, 1, 2, 3

app = App(
    name="scalingfit",
    help="Bayesian fits of neural scaling laws: how to spend the next training budget, "
    "and how sure one may be.",
    help_format="markdown",
    help_epilogue="Every command takes `--json` and then prints one JSON object and nothing else. "
    "Exit codes: 0 fine, 1 the answer comes with a warning, 2 refused.",
    version=__version__,
)
for _place, _command in enumerate(COMMANDS):
    app.command(_command, sort_key=_place)


def main() -> int:
    """Run the command that the process's arguments ask for; return the exit code."""
    use_cache()
    signal.signal(signal.SIGTERM, _stop)
    return run(sys.argv[1:])


def _stop(number: int, _: object) -> NoReturn:
    """End as an exception does, so that files half written are taken away."""
    raise SystemExit(128 + number)


def run(arguments: Sequence[str]) -> int:
    """Run one command.

    Returns
    -------
    int
        0 fine; 1 the answer comes with a warning; 2 refused; 3 a defect of scalingfit.
    """
    as_json = "--json" in arguments
    tokens = [word for word in arguments if word != "--json"]
    try:
        reply = app(tokens, exit_on_error=False, print_error=False, result_action="return_value")
        if not isinstance(reply, Reply):  # --help and --version have printed already
            return OK
        answer(reply, as_json=as_json)
        if reply.failed is not None:
            return REFUSED
        return WARNED if reply.warned else OK
    except BrokenPipeError:  # the reader of a pipe, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except (CycloptsError, ScalingfitError, OSError) as error:
        refuse(error, as_json=as_json)
        return REFUSED
    except Exception as error:
        traceback.print_exc()
        if as_json:
            refuse(error, as_json=True)
        return BROKEN
