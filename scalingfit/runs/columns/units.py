"""Columns in other units than they seem: thousands, billions, PF-days, logarithms."""

from collections.abc import Mapping

import numpy as np

from scalingfit._errors import InputError
from scalingfit._messages import Argument, Call, Message
from scalingfit.runs.cells import PF_DAY
from scalingfit.runs.columns.names import logarithms
from scalingfit.runs.columns.symbols import Column, column
from scalingfit.runs.values import FloatArray

TOKENS_PER_PARAMETER = (1e-4, 1e8)
SMALLEST_MODEL, USUAL_MODEL = 1e3, 1e9
COMPUTE_UNITS: Mapping[str, float] = {
    "PF-days": PF_DAY,
    "PFLOP/s-hours": PF_DAY / 24,
    "GFLOP": 1e9,
    "TFLOP": 1e12,
    "PFLOP": 1e15,
    "EFLOP": 1e18,
    "ZFLOP": 1e21,
}
"""What compute is also counted in, in FLOP."""

UNCHECKED = Argument("derive", None)
"""How C is kept from being compared with 6 N D."""


def other_unit(symbol: str, known: str, ratio: float, chosen: Mapping[str, Column]) -> Message:
    """Name the column and the unit that bring a ratio closest to one."""
    tries = [(symbol, unit, scale, ratio * scale) for unit, scale in COMPUTE_UNITS.items()]
    tries = tries if symbol == "C" else []
    for each in known:
        # M = D / N falls with N, and so on: the sign of the power is all that counts here.
        power = -1 if (symbol, each) != ("M", "N") else 1
        tries += [
            (each, word, scale, ratio * scale**power)
            for word, scale in (("thousands", 1e3), ("millions", 1e6), ("billions", 1e9))
        ]
    best, unit, scale, _ = min(tries, key=lambda each: abs(np.log(each[3])))
    parts: list[str | Message | Argument | Call] = [
        f"if {best} ({chosen[best].name}) is in {unit}, write ",
        Call("read", (column(best, _scaled(chosen[best], scale)),)),
        "; where " if symbol == "C" else "; or read with ",
    ]
    if symbol == "C":
        parts.append("C is not meant to be 6 N D, read with ")
    return Message(*parts, UNCHECKED, ".")


def _scaled(chosen: Column, scale: float) -> object:
    total = scale * chosen.factor
    return (chosen.name, total) if chosen.formula is None else f"({chosen.name})*{total:g}"


def require_units(values: Mapping[str, FloatArray], chosen: Mapping[str, Column]) -> None:
    """Refuse N and D that look like logarithms, thousands, millions or billions.

    A factor the caller states, even 1, is taken at its word.
    """
    if not {"N", "D"} <= values.keys():
        return
    N, D = float(np.median(values["N"])), float(np.median(values["D"]))
    low, high = TOKENS_PER_PARAMETER
    small = {"N": high < D / N or N < SMALLEST_MODEL, "D": low > D / N}
    logs = logarithms([chosen[s].name for s in ("N", "D") if s in chosen])
    if logs and any(s in chosen and not chosen[s].stated for s in logs):
        raise InputError(
            f"{' and '.join(logs)} are logarithms: medians "
            f"{', '.join(f'{np.median(values[s]):.3g}' for s in logs)}",
            remedy=Message(
                "take them back: ", Call("read", tuple(column(s, f) for s, f in logs.items())), "."
            ),
        )
    for symbol, median, other in (("N", N, D), ("D", D, N)):
        found = chosen.get(symbol)
        if not small[symbol] or found is None or found.stated:
            continue
        # The factor that brings tokens per parameter closest to 20; where D is as small as N, the
        # one that makes a model of usual size.
        wanted = other / 20 if symbol == "N" else other * 20
        if symbol == "N" and wanted < SMALLEST_MODEL:
            wanted = USUAL_MODEL
        factor = min((1e3, 1e6, 1e9, 1e12), key=lambda f: abs(np.log(median * f / wanted)))
        word = {1e3: "thousands", 1e6: "millions", 1e9: "billions", 1e12: "trillions"}[factor]
        raise InputError(
            f"{symbol} looks like {word}: the median of {found.name!r} is {median:.3g}",
            [f"tokens per parameter would be {D / N:.3g}"],
            remedy=Message(
                "write ",
                Call("read", (column(symbol, (found.name, factor)),)),
                "; a factor of 1 says that it is meant as it stands.",
            ),
        )
