"""Numbers out of cells, and every reason to refuse a row or a whole column."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_bool_dtype, is_complex_dtype, is_numeric_dtype

from scalingfit._errors import InputError
from scalingfit.runs._columns import UNITS, Column
from scalingfit.runs._sources import Source
from scalingfit.runs._values import FloatArray, out_of_range

FAILED_STATES = frozenset({"crashed", "failed", "killed", "preempted", "running"})
"""Values of a run table's State column (Weights & Biases) that mean: not a finished run."""

COMPUTE_FACTOR = 30.0
"""C may differ from 6 N D by what is counted (attention, embeddings), not by more than this."""

# What C and M must be near, from the first inputs that are there.
EXPECTED: Mapping[str, Mapping[str, tuple[str, Callable[[FloatArray, FloatArray], FloatArray]]]] = {
    "C": {"ND": ("6 N D", lambda N, D: 6 * N * D)},
    "M": {
        "ND": ("D / N", lambda N, D: D / N),
        "NC": ("C / (6 N^2)", lambda N, C: C / (6 * N**2)),
        "DC": ("6 D^2 / C", lambda D, C: 6 * D**2 / C),
    },
}

TOKENS_PER_PARAMETER = (1e-4, 1e8)
SMALLEST_MODEL, USUAL_MODEL = 1e3, 1e9

_THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d*)?")
_SUFFIXED = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)) ?([KMBGT])", re.I)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|[+-]?(?:inf|infinity|nan)", re.I)


def to_numbers(cells: "pd.Series[Any]", *, counts: bool) -> tuple[FloatArray, str | None]:
    """Cells as float64 (unreadable ones NaN), and a note on any spelling that was understood.

    Parameters
    ----------
    cells
        One raw column, shape ``(run,)``.
    counts
        Whether "70B" and "1,000" make sense here: yes for parameters and tokens, no for losses
        (where a comma may well be a decimal one).
    """
    if is_bool_dtype(cells) or is_complex_dtype(cells):
        return np.full(len(cells), np.nan), None
    if is_numeric_dtype(cells):
        return np.asarray(cells.to_numpy(dtype=np.float64, na_value=np.nan)), None
    text = cells.astype(object).where(cells.notna(), "").astype(str).str.strip()
    factor = np.ones(len(text))
    note = None
    if counts:
        grouped = text.str.fullmatch(_THOUSANDS).to_numpy(dtype=bool)
        text = text.where(~grouped, text.str.replace(",", ""))
        suffixed = text.str.fullmatch(_SUFFIXED).to_numpy(dtype=bool)
        if suffixed.any():
            marks = text[suffixed].str[-1].str.lower()
            factor[suffixed] = marks.map(UNITS).to_numpy(dtype=np.float64)
            text = text.where(~suffixed, text.str[:-1].str.strip())
            note = f"{', '.join(sorted({m.upper() for m in marks}))} understood as a power of ten"
    readable = text.str.fullmatch(_NUMBER).to_numpy(dtype=bool)
    values = np.full(len(text), np.nan)
    # NumPy parses text exactly, like Python's float.
    values[readable] = text[readable].to_numpy(dtype=str).astype(np.float64)
    return values * factor, note


@dataclass
class Faults:
    """The first reason to refuse each row, or an empty text; all of shape ``(row,)``.

    ``detail`` holds functions from a row to what is found there: few rows are ever shown.
    """

    reason: NDArray[np.object_]
    column: NDArray[np.object_]
    detail: NDArray[np.object_]

    @classmethod
    def none(cls, count: int) -> "Faults":
        """No row is faulty yet."""
        return cls(*(np.full(count, "", dtype=object) for _ in range(3)))

    @property
    def bad(self) -> NDArray[np.bool_]:
        """Which rows have a fault."""
        return np.asarray(self.reason != "")

    def mark(
        self,
        where: NDArray[np.bool_],
        reason: str,
        detail: Callable[[int], str],
        *,
        column: str = "",
    ) -> None:
        """Give a reason to the rows that have none yet; detail tells what is found in a row."""
        new = np.flatnonzero(where & ~self.bad)
        self.reason[new] = reason
        self.column[new] = column
        self.detail[new] = detail


def find_faults(
    source: Source,
    chosen: Mapping[str, Column],
    values: Mapping[str, FloatArray],
    labels: pd.DataFrame,
    *,
    allow_negative_loss: bool,
    check_compute: bool,
) -> Faults:
    """Every row that cannot be used, with the first reason found."""
    faults = Faults.none(len(source.frame))
    _mark_unfinished(faults, source.frame)
    for symbol, numbers in values.items():
        name = chosen[symbol].name
        cells = source.frame[name]

        def shown(i: int, cells: "pd.Series[Any]" = cells) -> str:
            return repr(cells.iloc[[i]].tolist()[0])

        missing = cells.isna() if is_numeric_dtype(cells) else cells.isna() | cells.eq("")
        faults.mark(missing.to_numpy(dtype=bool), "is missing", lambda i: "the value", column=name)
        faults.mark(np.isnan(numbers), "is not a number", shown, column=name)
        wrong = out_of_range(symbol, numbers, allow_negative_loss=allow_negative_loss)
        for reason in sorted(set(wrong) - {""}):
            faults.mark(wrong == reason, reason, shown, column=name)
    for symbol, rules in EXPECTED.items() if check_compute else ():
        known = next((known for known in rules if {symbol, *known} <= values.keys()), None)
        if known is not None:
            _mark_far(faults, chosen, values, symbol, known)
    _mark_repeated(faults, source, values, labels)
    return faults


def _mark_unfinished(faults: Faults, frame: pd.DataFrame) -> None:
    name = next((name for name in frame.columns if name.lower() == "state"), None)
    if name is None:
        return
    states = frame[name].astype(str).str.lower()
    for state in FAILED_STATES & set(states):
        faults.mark((states == state).to_numpy(), f"run is {state}", lambda i: "the", column=name)


def _mark_far(
    faults: Faults,
    chosen: Mapping[str, Column],
    values: Mapping[str, FloatArray],
    symbol: str,
    known: str,
) -> None:
    """Mark the rows where a symbol is far from what the known ones make it."""
    formula, rule = EXPECTED[symbol][known]
    good = ~faults.bad
    ratio = np.ones(len(good))
    ratio[good] = values[symbol][good] / rule(*(values[each][good] for each in known))
    off = (ratio > COMPUTE_FACTOR) | (ratio < 1 / COMPUTE_FACTOR)
    if good.any() and off[good].mean() > 0.5:
        compared = (*known, symbol)
        require_units({each: values[each][good] for each in compared}, chosen)
        names = {each: chosen[each].name for each in compared}
        raise InputError(
            f"{symbol} is about {np.median(ratio[good]):.1e} times {formula}: a column is in other "
            "units",
            [f"{s} ({name}): median {np.median(values[s][good]):.3g}" for s, name in names.items()],
            remedy=f'state the unit, such as {known[0]}=("{names[known[0]]}", 1e9); or read with '
            f"counting=None where {symbol} is not meant to be {formula}.",
        )
    faults.mark(
        off,
        f"is far from {formula}",
        lambda i: f"{ratio[i]:.1e} times, which",
        column=chosen[symbol].name,
    )


def _mark_repeated(
    faults: Faults, source: Source, values: Mapping[str, FloatArray], labels: pd.DataFrame
) -> None:
    key = pd.concat([pd.DataFrame(dict(values)), labels], axis="columns")
    try:
        repeated = key.duplicated(keep="first").to_numpy()
    except TypeError:  # cells such as lists cannot be compared; their text can
        key = key.map(str)
        repeated = key.duplicated(keep="first").to_numpy()
    if not repeated.any():
        return
    _, first, group = np.unique(
        pd.util.hash_pandas_object(key, index=False), return_index=True, return_inverse=True
    )
    rows = source.row_numbers[first[group]]
    told = f"is the same as {source.row_word}"
    faults.mark(repeated, "repeats an earlier row", lambda i: f"{told} {rows[i]}")


def refuse(source: Source, faults: Faults, loss: str) -> InputError:
    """List up to ten faulty rows in an error; `loss` is the name of the losses' column."""
    bad = np.flatnonzero(faults.bad)
    where = []
    for i in bad[:10]:
        place = f"{source.row_word} {source.row_numbers[i]}"
        if faults.column[i]:
            where.append(f"{place}, {faults.column[i]}: {faults.detail[i](i)} {faults.reason[i]}")
        else:
            where.append(f"{place}: {faults.detail[i](i)}")
    if bad.size > 10:
        where.append(f"and {bad.size - 10} more")
    remedy = 'correct them, or leave them out with a record of it: read(..., bad_rows="drop").'
    below_zero = (faults.reason[bad] == "is not positive") & (faults.column[bad] == loss)
    if below_zero.mean() > 0.5:
        remedy += " Losses that are meant to be negative need allow_negative_loss=True."
    if (faults.reason[bad] == "repeats an earlier row").any():
        remedy += " If equal rows are different runs, add a column that tells them apart."
    return InputError(
        f"{bad.size} of {len(source.frame)} rows of {source.name} cannot be used",
        where,
        remedy=remedy,
    )


def require_units(values: Mapping[str, FloatArray], chosen: Mapping[str, Column]) -> None:
    """Refuse N and D that look like thousands, millions or billions.

    A factor the caller states, even 1, is taken at its word.
    """
    if not {"N", "D"} <= values.keys():
        return
    N, D = float(np.median(values["N"])), float(np.median(values["D"]))
    low, high = TOKENS_PER_PARAMETER
    small = {
        "N": high < D / N or N < SMALLEST_MODEL,
        "D": low > D / N,
    }
    for symbol, median, other in (("N", N, D), ("D", D, N)):
        column = chosen.get(symbol)
        if not small[symbol] or column is None or column.stated:
            continue
        # The factor that brings tokens per parameter closest to 20; where D is as small as N, the
        # one that makes a model of usual size.
        wanted = other / 20 if symbol == "N" else other * 20
        if symbol == "N" and wanted < SMALLEST_MODEL:
            wanted = USUAL_MODEL
        factor = min((1e3, 1e6, 1e9, 1e12), key=lambda f: abs(np.log(median * f / wanted)))
        word = {1e3: "thousands", 1e6: "millions", 1e9: "billions", 1e12: "trillions"}[factor]
        raise InputError(
            f"{symbol} looks like {word}: the median of {column.name!r} is {median:.3g}",
            [f"tokens per parameter would be {D / N:.3g}"],
            remedy=f'write {symbol}=("{column.name}", {factor:.0e}); a factor of 1 says that it is '
            "meant as it stands.".replace("e+0", "e").replace("e+", "e"),
        )
