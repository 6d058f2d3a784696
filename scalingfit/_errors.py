"""Errors meant for the person who called: what is wrong, where, and what to do about it."""

import difflib
import operator
from collections.abc import Iterable
from typing import Any

from scalingfit._messages import PYTHON, Argument, Face, Message, Text, spelled


class ScalingfitError(Exception):
    """Base of every error that scalingfit raises on purpose."""


class InputError(ScalingfitError, ValueError):
    """Data or arguments that cannot be used as they are.

    Parameters
    ----------
    what
        One sentence that says what is wrong.
    where
        Places (rows, columns, files, addresses), one line each.
    remedy
        What to write or do instead. A `Message` names arguments and values, which the face that
        speaks spells as Python or as options.

    Examples
    --------
    >>> print(InputError("1 of 3 rows cannot be used", ["line 4, params: 'x' is not a number"],
    ...                  remedy="correct the row, or read with bad_rows='drop'."))
    1 of 3 rows cannot be used
      line 4, params: 'x' is not a number
    What to do: correct the row, or read with bad_rows='drop'.
    """

    def __init__(
        self, what: Text, where: Iterable[Text] = (), *, remedy: Text | None = None
    ) -> None:
        self.what, self.where, self.remedy = what, tuple(where), remedy
        super().__init__(self.spelled(PYTHON))

    def spelled(self, face: Face) -> str:
        """The whole message for the reader of a face."""
        lines = [spelled(self.what, face), *(f"  {spelled(place, face)}" for place in self.where)]
        if self.remedy is not None:
            lines.append(f"What to do: {spelled(self.remedy, face)}")
        return "\n".join(line for line in lines if line.strip())


def listed(names: Iterable[str], limit: int = 12) -> str:
    """Names with commas between them; a long list is cut and says so."""
    every = list(names)
    rest = [f"and {len(every) - limit} more"] if len(every) > limit else []
    return ", ".join([*every[:limit], *rest]) or "none"


def nearest(name: object, known: Iterable[str], limit: int = 3) -> list[str]:
    """Names like one that is not among them, the nearest first; capitals do not count."""
    every = list(known)
    folded = [one.casefold() for one in every]
    near = difflib.get_close_matches(str(name).casefold(), dict.fromkeys(folded), n=limit)
    found = [one for like in near for one, fold in zip(every, folded, strict=True) if fold == like]
    return found[:limit]


def whole(name: str, value: Any, least: int | None = None) -> int:
    """An argument that is a whole number of any kind, and not below the least, as an int."""
    try:
        number = operator.index(value)
    except TypeError:
        raise InputError(
            f"{name}={value!r} is no whole number",
            remedy=Message("write one, such as ", Argument(name, least or 1), "."),
        ) from None
    if least is not None and number < least:
        raise InputError(f"{name}={number} is too few; at least {least}")
    return number
