"""Reading an argument: numbers, amounts with units, and names that must be among those known."""

from __future__ import annotations

import difflib
import math
import operator
import re
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalingfit._errors import InputError
from scalingfit._messages import Argument, Message

__all__ = ["measured", "nearest", "number", "numbers", "suffixed", "unknown_inputs", "whole"]

SUFFIXES = {"K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}

UNITS = {"": "", "flop": "FLOP", "flops": "FLOP", "h": "h", "gpu-hours": "h", "pfd": "PFd"}
UNITS |= {"pf-days": "PFd", "hours": "h", "%": "%"}

AMOUNT = re.compile(
    r"(\$?)\s*([-+]?(?:\d[\d_]*\.?\d*|\.\d+)(?:e[-+]?\d+)?)\s*([KMBT]?)\s*([a-z-]*|%)",
    re.IGNORECASE,
)


def numbers(name: str, given: Any, *, signed: bool = False) -> NDArray[np.float64]:
    """One number or a sequence of them, positive or signed, as an array of shape ``(row,)``.

    Raises
    ------
    InputError
        Text, nothing at all, or values that are not finite and of the right sign.
    """
    found = np.asarray(given)
    if found.dtype.kind not in "iuf":
        raise InputError(
            f"{name} must be a number or a sequence of numbers, not {given!r}",
            remedy="write a number such as 1e21, or [1e21, 1e24]; text is not converted.",
        )
    found = np.atleast_1d(found).astype(np.float64)
    wrong = found[~(np.isfinite(found) & (signed | (found > 0)))]
    if found.size == 0 or wrong.size:
        what = ", ".join(f"{value:g}" for value in wrong.flat) or "nothing at all"
        needs = "finite" if signed else "positive and finite"
        raise InputError(f"{name} must be {needs}, and has {what}")
    return found


def number(name: str, given: Any, *, signed: bool = False) -> float:
    """One number, positive or signed.

    Raises
    ------
    InputError
        As in `numbers`, or several.
    """
    found = numbers(name, given, signed=signed)
    if found.size > 1:
        raise InputError(
            f"{name} is one number, and {given!r} has {found.size}",
            remedy="ask for one after the other.",
        )
    return float(found.item())


def measured(name: str, text: str) -> tuple[float, str]:
    """An amount and its unit: nothing, "FLOP", "PFd" (petaflop/s-days), "h" (hours), "$" or "%".

    Per cent are a share: the amount of 45% is 0.45.

    Raises
    ------
    InputError
        The text is not an amount.

    Examples
    --------
    >>> measured("C", "1e24"), measured("C", "5000h"), measured("C", "$2M"), measured("N", "70B")
    ((1e+24, ''), (5000.0, 'h'), (2000000.0, '$'), (70000000000.0, ''))
    """
    found = AMOUNT.fullmatch(text.strip())
    unit = None if found is None else UNITS.get(found[4].lower())
    if found is None or unit is None or (found[1] and unit):
        raise InputError(
            f"{name}: {text!r} is not an amount",
            remedy="write a number such as 1e24 or 70B; compute may also be 5000h, $2M or 10PFd.",
        )
    amount = float(found[2]) * SUFFIXES.get(found[3].upper(), 1.0)
    if not math.isfinite(amount):
        raise InputError(f"{name}: {text!r} is too large for a number")
    return amount / 100 if unit == "%" else amount, "$" if found[1] else unit


def suffixed(name: str, text: str, unit: str = "") -> float:
    """A number without a unit, or in this one: 70B is 70e9.

    Raises
    ------
    InputError
    """
    amount, found = measured(name, text)
    if found not in ("", unit):
        raise InputError(f"{name}: {text!r} is in {found}", remedy="write a number, such as 7B.")
    return amount


def whole(name: str, value: Any, least: int | None = None, most: int = 2**63 - 1) -> int:
    """An argument that is a whole number of any kind within its bounds, as an int.

    Raises
    ------
    InputError
    """
    try:
        number = operator.index(value)
    except TypeError:
        raise InputError(
            f"{name} must be a whole number, and is {value!r}",
            remedy=Message("write one, such as ", Argument(name, least or 1), "."),
        ) from None
    if least is not None and number < least:
        raise InputError(f"{name} must be at least {least}, and is {_shown(number)}")
    if not -most - 1 <= number <= most:
        raise InputError(f"{name} must be at most {most}, and is {_shown(number)}")
    return number


def _shown(number: int) -> str:
    """A whole number of any length."""
    return str(number) if abs(number) < 10**20 else f"{'-' if number < 0 else ''}10^20 and beyond"


def unknown_inputs(given: Iterable[str], allowed: Iterable[str], takes: str) -> None:
    """Refuse names that the law does not know, with the nearest that it does."""
    known = list(allowed)
    for name in given:
        if name not in known:
            near = nearest(name, known, limit=2)
            remedy = f"use {' or '.join(near)}." if near else "leave it out."
            raise InputError(f"unknown input {name!r}", [takes], remedy=remedy)


def nearest(name: object, known: Iterable[str], limit: int = 3) -> list[str]:
    """Names like one that is not among them, the nearest first; capitals do not count."""
    every = list(known)
    folded = [one.casefold() for one in every]
    near = difflib.get_close_matches(str(name).casefold(), dict.fromkeys(folded), n=limit)
    found = [one for like in near for one, fold in zip(every, folded, strict=True) if fold == like]
    return found[:limit]
