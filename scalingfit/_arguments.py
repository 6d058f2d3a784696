"""Reading an argument: numbers, whole numbers, and names that must be among those known."""

from __future__ import annotations

import difflib
import operator
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalingfit._errors import InputError
from scalingfit._messages import Argument, Message

__all__ = ["nearest", "number", "numbers", "unknown_inputs", "whole"]


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
            remedy=f"write {name}=1e21, or [1e21, 1e24]; text is not converted.",
        )
    found = np.atleast_1d(found).astype(np.float64)
    wrong = found[~(np.isfinite(found) & (signed | (found > 0)))]
    if found.size == 0 or wrong.size:
        what = ", ".join(f"{value:g}" for value in wrong.flat) or "nothing at all"
        needs = "finite" if signed else "positive and finite"
        raise InputError(f"{name} must be {needs}, and has {what}")
    return found


def number(name: str, given: Any) -> float:
    """One positive number.

    Raises
    ------
    InputError
        As in `numbers`, or several.
    """
    found = numbers(name, given)
    if found.size > 1:
        raise InputError(
            f"{name} is one number, and {given!r} has {found.size}",
            remedy="ask for one after the other.",
        )
    return float(found.item())


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
