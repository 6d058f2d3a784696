"""Numbers with suffixes and units, as people type them: 70B, 1e24, 5000h, $2M."""

from __future__ import annotations

import re

from scalingfit._errors import InputError

__all__ = ["measured", "suffixed"]

SUFFIXES = {"K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}

UNITS = {"": "", "flop": "FLOP", "flops": "FLOP", "h": "h", "gpu-hours": "h", "pfd": "PFd"}
UNITS |= {"pf-days": "PFd", "hours": "h"}

AMOUNT = re.compile(
    r"(\$?)\s*([-+]?(?:\d[\d_]*\.?\d*|\.\d+)(?:e[-+]?\d+)?)\s*([KMBT]?)\s*([a-z-]*)", re.IGNORECASE
)


def measured(name: str, text: str) -> tuple[float, str]:
    """An amount and its unit: nothing, "FLOP", "PFd" (petaflop/s-days), "h" (hours) or "$".

    Raises
    ------
    InputError
        The text is no amount.

    Examples
    --------
    >>> measured("C", "1e24"), measured("C", "5000h"), measured("C", "$2M"), measured("N", "70B")
    ((1e+24, ''), (5000.0, 'h'), (2000000.0, '$'), (70000000000.0, ''))
    """
    found = AMOUNT.fullmatch(text.strip())
    unit = None if found is None else UNITS.get(found[4].lower())
    if found is None or unit is None or (found[1] and unit):
        raise InputError(
            f"{name}: {text!r} is no amount",
            remedy="write a number such as 1e24 or 70B; compute may also be 5000h, $2M or 10PFd.",
        )
    amount = float(found[2]) * SUFFIXES.get(found[3].upper(), 1.0)
    return amount, "$" if found[1] else unit


def suffixed(name: str, text: str) -> float:
    """A number without a unit: 70B is 70e9.

    Raises
    ------
    InputError
    """
    amount, unit = measured(name, text)
    if unit:
        raise InputError(f"{name}: {text!r} is in {unit}", remedy="write a number, such as 7B.")
    return amount
