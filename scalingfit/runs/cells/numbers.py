"""Cells as people write them -> numbers, under one convention of separators for a whole file.

``125M``, ``2.00×10¹⁹``, ``~8T``, ``12 %``, ``1,234,567`` and ``1.234.567,8`` are numbers.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from types import NoneType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_bool_dtype, is_complex_dtype, is_numeric_dtype

from scalingfit.runs.values import FloatArray

MISSING = frozenset(
    {"", "-", "--", "—", "–", "?", "na", "n/a", "#n/a", "nan", "<na>", "null", "none", "nil", "tbd"}
)
"""Cells that say that there is no value, in lower case."""

UNITS: Mapping[str, float] = {"k": 1e3, "m": 1e6, "b": 1e9, "g": 1e9, "t": 1e12} | {
    word: 10.0**power
    for power, word in ((3, "thousand"), (6, "million"), (9, "billion"), (12, "trillion"))
}
"""What stands for a power of ten behind a count, in lower case."""

SI: Mapping[str, float] = {"": 1, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12, "p": 1e15} | {
    "e": 1e18,
    "z": 1e21,
    "y": 1e24,
}

PF_DAY = 8.64e19
"""FLOP of a day at 10^15 FLOP/s (Kaplan et al. 2020, arXiv:2001.08361, section 1.3)."""

QUOTED = 80
"""Characters of a cell that a message quotes."""

LONGEST = 100
"""Characters that a number may have."""

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")
_RAISED = re.compile(r"(?<=10)[⁺⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+")
_PLAIN = str.maketrans({"−": "-", "\u00a0": " ", "\u202f": " ", "\u2009": " ", "\u2019": "'"})
_POWER = re.compile(r"10 ?(?:\^|\*\*) ?\{?([+-]?\d{1,3})\}?")
_WRITTEN = re.compile(
    r"([+-]?)(\d[\d.,'_ ]*|[.,]\d+)"
    r"(?:e([+-]?\d{1,4})| ?[×x*·] ?10 ?(?:\^|\*\*)? ?\{?([+-]?\d{1,3})\}?)?"
    r" ?([a-z%][a-z%/ .-]*)?",
    re.I,
)
_NOUN = re.compile(r" ?(?:params?|parameters?|tokens?|toks?|nats?|bits?)$", re.I)
_FLOP = re.compile(r"([kmgtpezy]?)flops?", re.I)
_PF_DAYS = re.compile(r"p(?:eta)?f(?:lop)?(?:s|/s)?[ -]?days?", re.I)
_BARE = re.compile(r"[+-]?\d[\d.]{0,30}(?:e[+-]?\d{1,4})?", re.I)
_NOT_FINITE = re.compile(r"[+-]?inf(?:inity)?", re.I)
_GROUPED = re.compile(r"\d{1,3}([.,'_ ])\d{3}(?:\1\d{3})*")


@dataclass(frozen=True)
class Marks:
    """What comma and point are in a file: "decimal", "thousands", or None where nothing says."""

    comma: str | None = None
    point: str | None = "decimal"


@dataclass(frozen=True)
class Numbers:
    """A column as numbers.

    Attributes
    ----------
    values : ndarray, shape ``(row,)``
        NaN where there is no number.
    missing : ndarray of bool, shape ``(row,)``
    units : set of str
        Powers of ten that stood behind cells, such as "M".
    faults : mapping of int to str
        Rows whose cell is a number, but not one to be used, and why.
    """

    values: FloatArray
    missing: NDArray[np.bool_]
    units: set[str] = field(default_factory=set)
    faults: dict[int, str] = field(default_factory=dict)


def shown(cell: object) -> str:
    """A cell as a message quotes it."""
    if isinstance(cell, str) and _BARE.fullmatch(cell):
        text = cell
    elif isinstance(cell, int) and abs(cell) > 10**QUOTED:
        text = "a whole number of very many digits"  # whose text Python may refuse to make
    else:
        text = repr(cell)
    return text if len(text) <= QUOTED else f"{text[: QUOTED - 3]}..."


def to_numbers(
    cells: "pd.Series[Any]", marks: Marks, *, counts: bool, unit: float = 1.0
) -> Numbers:
    """Cells as float64.

    Parameters
    ----------
    cells
        One raw column.
    marks
        The convention of its file.
    counts
        Whether powers of ten such as "70B" make sense: for inputs, not for losses.
    unit
        What a cell without a unit of its own is multiplied with.
    """
    if is_bool_dtype(cells) or is_complex_dtype(cells):
        return Numbers(np.full(len(cells), np.nan), np.zeros(len(cells), dtype=bool))
    if is_numeric_dtype(cells):
        values = np.asarray(cells.to_numpy(dtype=np.float64, na_value=np.nan), dtype=np.float64)
        values = values * unit
        return Numbers(values, np.isnan(values))
    objects = cells.tolist()
    if marks.point != "thousands" and (plain := whole(objects)) is not None:
        return Numbers(plain * unit, np.zeros(len(objects), dtype=bool))
    missing = np.array([is_missing(cell) for cell in objects], dtype=bool)
    if marks.point != "thousands" and set(map(type, objects)) <= {str, NoneType}:
        plain = floats(["nan" if none else c for c, none in zip(objects, missing, strict=True)])
        if plain is not None:
            return Numbers(plain * unit, missing)
    return _written_out(objects, missing, marks, counts, unit)


def is_missing(cell: object) -> bool:
    """Whether a cell says that there is no value."""
    if isinstance(cell, str):
        return len(cell) < 10 and (cell in MISSING or _stripped(cell).lower() in MISSING)
    return cell is None or cell is pd.NA or cell is pd.NaT or (_is_real(cell) and cell != cell)


def whole(cells: list[Any]) -> FloatArray | None:
    """The numbers of a column of texts of which none is missing: most columns, and fast."""
    if set(map(type, cells)) != {str}:
        return None
    found = floats(cells)
    return None if found is None or np.isnan(found).any() else found


def floats(texts: list[str]) -> FloatArray | None:
    """Texts as Python reads them, exact to the last bit; None where it cannot read one."""
    if max(map(len, texts), default=0) > LONGEST:
        return None
    try:
        return np.fromiter(map(float, texts), np.float64, len(texts))
    except ValueError:
        return None


def _written_out(
    objects: list[Any],
    missing: NDArray[np.bool_],
    marks: Marks,
    counts: bool,
    unit: float,
) -> Numbers:
    found = Numbers(np.full(len(objects), np.nan), missing)
    known: dict[str, tuple[float, str]] = {}
    bare = []
    for row in np.flatnonzero(~missing):
        cell = objects[row]
        if isinstance(cell, bytes):
            cell = cell.decode("utf-8", "replace")
        if isinstance(cell, str):
            if cell not in known:
                known[cell] = _number(cell, marks, counts)
            value, suffix = known[cell]
        else:
            value, suffix = _real(cell), ""
        found.values[row] = value if suffix else value * unit
        if suffix:
            found.units.add(suffix)
        elif counts and 0 < abs(value) < 1000:
            bare.append(int(row))
    if found.units - {"%"} and unit == 1:
        found.faults.update(dict.fromkeys(bare, "has no unit, while other cells have one"))
        found.values[bare] = np.nan
    return found


def _is_real(cell: object) -> bool:
    kinds = (int, float, Decimal, Fraction, np.integer, np.floating)
    return isinstance(cell, kinds) and not isinstance(cell, bool)


def _real(cell: object) -> float:
    """A number that is one already; a truth value, a list or a date is none."""
    if not _is_real(cell):
        return np.nan
    try:
        return float(cell)  # type: ignore[arg-type]
    except OverflowError:
        return np.inf


def _stripped(cell: str) -> str:
    text = cell if cell.isascii() else cell.translate(_PLAIN)
    text = text.strip("*_` \t\n")
    return text[1:].lstrip() if text[:1] in ("~", "≈") else text


def digits(text: str) -> str | None:
    """The digits of a number, with the marks among them; None where a text is not a number."""
    written = _WRITTEN.fullmatch(_stripped(text))
    return None if written is None else written[2].strip()


def _number(cell: str, marks: Marks, counts: bool) -> tuple[float, str]:
    """The number that a text is, and the power of ten behind it; NaN where it is none."""
    if len(cell) > LONGEST:
        return np.nan, ""
    text = _RAISED.sub(lambda raised: "^" + raised[0].translate(_SUPERSCRIPTS), _stripped(cell))
    if _NOT_FINITE.fullmatch(text):
        return float(text), ""
    power = _POWER.fullmatch(text)
    if power is not None:
        return float(f"1e{power[1]}"), ""
    written = _WRITTEN.fullmatch(text)
    if written is None:
        return np.nan, ""
    sign, digits, e, ten, behind = written.groups()
    mantissa = _mantissa(digits.strip(), marks)
    factor, suffix = _suffix((behind or "").strip(), counts)
    if mantissa is None or factor is None:
        return np.nan, ""
    return float(f"{sign}{mantissa}e{e or ten or 0}") * factor, suffix


def _mantissa(digits: str, marks: Marks) -> str | None:
    """Digits with Python's decimal point and nothing between thousands."""
    if digits.isdigit():
        return digits
    decimal = "," if marks.comma == "decimal" and "," in digits else "."
    if marks.point == "thousands" and decimal == "." and "." in digits:
        decimal = ","
    whole, mark, fraction = digits.partition(decimal)
    if whole and not whole.isdigit():
        grouped = _GROUPED.fullmatch(whole)
        if grouped is None or not _between_thousands(grouped[1], marks):
            return None
        whole = whole.replace(grouped[1], "")
    return f"{whole}{'.' if mark else ''}{fraction}" if fraction.isdigit() or not fraction else None


def _between_thousands(mark: str, marks: Marks) -> bool:
    if mark == ",":
        return marks.comma == "thousands"
    return mark != "." or marks.point == "thousands"


def _suffix(behind: str, counts: bool) -> tuple[float | None, str]:
    """The factor that stands behind a number; None where it is not understood."""
    if behind == "%":
        return (None if counts else 0.01), "%"
    bare = _NOUN.sub("", behind)
    if not bare:
        return 1.0, ""
    if not counts:
        return None, ""
    if _PF_DAYS.fullmatch(bare):
        return PF_DAY, bare
    flop = _FLOP.fullmatch(bare)
    if flop is not None:
        return SI[flop[1].lower()], bare if flop[1] else ""
    word = bare.lower()
    factor = UNITS.get(word, UNITS.get(word.removesuffix("s")))
    return factor, bare.upper() if len(bare) == 1 else bare
