"""What advice may look like in Python and on the command line.

Every error that a test provokes is spelled for both: the reader of one never sees the other's
syntax. What is quoted is the user's own, or a value, and is left out of the search.
"""

import re
import sys
from types import FrameType

from scalingfit._errors import InputError
from scalingfit._messages import PYTHON
from scalingfit.cli._spelling import COMMAND_LINE

__all__ = ["callers", "foreign"]

QUOTED = re.compile(r"""'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*\"""")
DISTRIBUTION = re.compile(r"\b[A-Z]\w+\([^()]*\)")
ASSIGNING_OPTION = re.compile(r"--(?:column|prior|input|published) \S+|(?<!\S)-c \S+")

KEYWORD = re.compile(r"\b\w+=(?=\.\.\.|[\[({'\"])|\b[a-z_]{3,}=(?!=)")
CALL = re.compile(r"\b[a-z_]+\((?=\.\.\.|\)|['\"])")
OPTION = re.compile(r"(?<![\w-])--[a-z]")


def foreign(error: InputError, *, typed: bool = False) -> list[str]:
    """What of the other language stands in an error; one about a command is in no Python."""
    on_line = ASSIGNING_OPTION.sub("", _bare(error.spelled(COMMAND_LINE)))
    found = [f"on the command line: {each[0]}" for each in _all(on_line, KEYWORD, CALL)]
    if not typed:
        found += [f"in Python: {each[0]}" for each in _all(_bare(error.spelled(PYTHON)), OPTION)]
    return found


def callers() -> set[str]:
    """The modules of ours that are being called, but for the tests."""
    frame: FrameType | None = sys._getframe(1)
    found = set()
    while frame and (frame := frame.f_back):
        found.add(frame.f_globals.get("__name__", ""))
    return {name for name in found if name.startswith("scalingfit.")}


def _bare(text: str) -> str:
    return DISTRIBUTION.sub("", QUOTED.sub("''", text))


def _all(text: str, *patterns: re.Pattern[str]) -> list[re.Match[str]]:
    return [found for pattern in patterns for found in pattern.finditer(text)]
