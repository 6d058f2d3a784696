"""The library's advice in the words of the command line.

Messages say what to write in Python; whoever typed a command is told what to type.
"""

from __future__ import annotations

import re
from collections.abc import Callable

__all__ = ["as_typed", "option"]


def _columns(found: re.Match[str]) -> str:
    """``N="params", D="tokens"`` as options, one a column."""
    return re.sub(r"""(\w+)=["']([^"']+)["'],?""", r'--column "\1=\2"', found[1])


def _inputs(found: re.Match[str]) -> str:
    """``add U=..., N=...`` as an option for each input."""
    names = re.findall(r"(\w+)=\.\.\.", found[0])
    return "add " + " ".join(map(option, names))


def option(name: str) -> str:
    """How an input of a law is typed."""
    usual = {"N": "--params ...", "D": "--tokens ...", "C": "--compute ..."}
    return usual.get(name, f"--input {name}=...")


WORDS: list[tuple[str, str | Callable[[re.Match[str]], str]]] = [
    (r'laws=\["chinchilla", "kaplan"\]', "--laws chinchilla,kaplan"),
    (r'noises=\["normal", \.\.\.\]', "--noise normal,student_t"),
    (r"\bby=\.\.\.", "--by ..."),
    (r'batch="critical"', "--input batch=critical"),
    (r"\n +to be built: .*", ""),
    (r", or give a function \(N, D\) -> FLOP", ""),
    (r"priors=\{'(\w+)': \{'(\w+)': ([^}]+)\}\}", r"--prior \1.\2=\3"),
    (r"priors=\{'(\w+)': ([^}]+)\}", r"--prior \1=\2"),
    (r"noise='(\w+)'", r"--noise \1"),
    (r"""read\(\.\.\., ((?:\w+=["'][^"']+["'],? ?)+)\)""", _columns),
    (r"keep it when reading: read\(\.\.\., labels=\['split'\]\)", "name one of these"),
    (r"leave it out of the stages", "leave it out: name the others with --stages"),
    (r"add \w+=\.\.\.(?:, \w+=\.\.\.)*", _inputs),
    (r"or C=\.\.\. from", "or --compute ... from"),
    (r"\(draws=, warmup=\)", "(--draws, --warmup)"),
]


def as_typed(message: str) -> str:
    """The message with Python's arguments spelled as options.

    >>> as_typed('name it: read(..., L="val_loss").')
    'name it: --column "L=val_loss".'
    """
    for python, typed in WORDS:
        message = re.sub(python, typed, message)
    return message
