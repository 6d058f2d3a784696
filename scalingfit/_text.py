"""Numbers, intervals, lists and tables as text: how every room writes them."""

from __future__ import annotations

import math
from collections.abc import Iterable

__all__ = ["engineering", "flop", "interval", "listed", "quantity"]

IN_FULL = frozenset({"width", "depth"})
"""Symbols of small whole numbers, of which every digit counts."""

IN_FLOP = frozenset({"C", "training C"})
"""Symbols of compute."""


def engineering(value: float) -> str:
    """Three digits and a suffix where one is in use: 72.4B, 1.31T, 5.76e+23, 0.513.

    >>> engineering(7.24e10), engineering(0.513), engineering(1e21)
    ('72.4B', '0.513', '1e21')
    """
    for suffix, unit in (("T", 1e12), ("B", 1e9), ("M", 1e6), ("K", 1e3)):
        # 999.5 and not 1000, because three digits round up to the next suffix.
        if unit * 0.9995 <= abs(value) < 999.5 * unit and not (suffix == "K" and value < 1e4):
            return f"{_three(value / unit)}{suffix}"
    return _three(value)


def quantity(name: str, value: float) -> str:
    """A number as its symbol is usually written: FLOP as 2e12, everything else as 2.00T.

    The width and depth of a model are written in full.

    >>> quantity("C", 2e12), quantity("width", 12288), quantity("D", 2e12)
    ('2e12', '12288', '2.00T')
    """
    if name in IN_FULL:
        return f"{value:.12g}"
    return _three(value) if name in IN_FLOP else engineering(value)


def flop(value: float) -> str:
    """Compute as it is usually written: 2e11."""
    return quantity("C", value)


def interval(name: str, low: float, middle: float, high: float) -> str:
    """A median with its interval, as 72.4B [61.0B, 85.2B]; one number where they are equal."""
    if low == high:
        return quantity(name, middle)
    return f"{quantity(name, middle)} [{quantity(name, low)}, {quantity(name, high)}]"


def listed(names: Iterable[str], limit: int = 12) -> str:
    """Names with commas between them; a long list is cut and says so."""
    every = list(names)
    rest = [f"and {len(every) - limit} more"] if len(every) > limit else []
    return ", ".join([*every[:limit], *rest]) or "none"


def _three(value: float) -> str:
    rounded = float(f"{value:.3g}")
    if 1e-3 <= abs(rounded) < 1e5:
        digits = max(0, 2 - math.floor(math.log10(abs(rounded))))
        return f"{rounded:.{digits}f}"
    return f"{rounded:g}".replace("e+", "e")
