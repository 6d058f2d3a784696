"""Names and numbers as they are typed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scalingfit._arguments import suffixed
from scalingfit._errors import InputError

if TYPE_CHECKING:
    from scalingfit.allocation import Counting

__all__ = ["counted", "names", "number_if_given", "numbers", "numbers_if_given"]


def names(text: str) -> list[str]:
    """Names with commas between them."""
    found = [name.strip() for name in text.split(",") if name.strip()]
    if not found:
        raise InputError(f"{text!r} names nothing", remedy="write chinchilla,kaplan.")
    return found


def numbers(
    what: str,
    text: str,
    remedy: str = "write 1e21, or 7B, or several with commas between them: 1e21,1e24.",
    unit: str = "",
) -> list[float]:
    """Numbers with commas between them, in a unit if need be; 70B is 70e9.

    Raises
    ------
    InputError
    """
    try:
        return [suffixed(what, word, unit) for word in text.split(",")]
    except InputError:
        raise InputError(f"{what} {text!r} is not a number", remedy=remedy) from None


def numbers_if_given(what: str, text: str | None) -> list[float] | None:
    """The same of an option that may be left out."""
    return None if text is None else numbers(what, text)


def number_if_given(what: str, text: str | None, example: str, *, unit: str = "") -> float | None:
    """One number, where the option was given; several are refused, with an example of one."""
    if text is None:
        return None
    found = numbers(what, text, f"write {what} {example}, or whatever number it is.", unit)
    if len(found) > 1:
        raise InputError(
            f"{what} takes one number, and {text!r} has {len(found)}",
            remedy="ask for one after the other.",
        )
    return found[0]


def counted(rule: str, omega: str | None) -> Counting:
    """The counting rule of a name."""
    from scalingfit.allocation import counting

    return counting(rule, omega=number_if_given("--omega", omega, "47491"))
