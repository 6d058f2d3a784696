"""A raw table under one convention of numbers: its columns as numbers, its symbols as values."""

from collections.abc import Iterable, Mapping, Sequence
from types import NoneType
from typing import Any

import numpy as np
import pandas as pd

from scalingfit._errors import InputError
from scalingfit._messages import Call, Message
from scalingfit._text import listed
from scalingfit.runs.cells import (
    Decimals,
    Numbers,
    find_marks,
    floats,
    is_missing,
    loss_units,
    to_numbers,
    whole,
)
from scalingfit.runs.columns import (
    FURTHER,
    RUN_NAMES,
    SPELLINGS,
    SYMBOLS,
    Column,
    ColumnSpec,
    choose_columns,
    column,
    header_unit,
    measures,
    normal,
    not_found,
)
from scalingfit.runs.files import Source
from scalingfit.runs.rows.checks import Measured
from scalingfit.runs.rows.wide import FEWEST, melted, refuse_wide, wide_columns
from scalingfit.runs.values import NOT_INPUTS, FloatArray

SMALLEST_BUDGET = 1e9
"""FLOP. A column called a budget that stays below it numbers the budgets."""


class Raw:
    """A table whose cells are as they were found, and what was understood of them.

    Attributes
    ----------
    source
        The cells and their places.
    notes
        What was understood, for the reader.
    """

    def __init__(self, source: Source, decimal: Decimals | None, across: str | None) -> None:
        texts = {
            str(name): cells.tolist()
            for name, cells in source.frame.items()
            if cells.dtype.kind not in "iufbcmM"
        }
        self.marks = find_marks(texts, decimal)
        self.source = source if across is None else melted(source, across, self.marks)
        self.notes = list(self.source.notes)
        self._numbers: dict[tuple[str, bool, float], Numbers] = {}
        if self.marks.comma is not None:
            kind = "a decimal mark" if self.marks.comma == "decimal" else "between thousands"
            self.notes.append(f"commas are {kind}")

    @property
    def frame(self) -> pd.DataFrame:
        """The raw columns."""
        return self.source.frame

    def numbers(self, name: str, *, counts: bool = True, unit: float = 1.0) -> Numbers:
        """A column as numbers."""
        asked = (name, counts, unit)
        if asked not in self._numbers:
            cells = self.frame[name]
            self._numbers[asked] = to_numbers(cells, self.marks, counts=counts, unit=unit)
        return self._numbers[asked]

    def plain(self, name: str) -> FloatArray:
        """A column as numbers, without the unit of its header; NaN where it has none."""
        return self.numbers(name).values

    def is_numeric(self, name: str) -> bool:
        """Whether most of what a column holds are numbers."""
        numbers = self.numbers(name)
        good, there = np.isfinite(numbers.values).sum(), (~numbers.missing).sum()
        return bool(there and 2 * good > there)

    def _is_variable(self, name: str) -> bool:
        """Whether a column could be a loss or an input: numbers that differ."""
        values = self.plain(name)
        return self.is_numeric(name) and len(np.unique(values[np.isfinite(values)])) > 1

    def _reaches(self, name: str) -> float:
        return float(np.nanmax(self.plain(name)))

    def choose(
        self, asked: Mapping[str, ColumnSpec | None], labels: Iterable[str] | None
    ) -> dict[str, Column]:
        """Find the column of each symbol.

        Raises
        ------
        InputError
            One that was asked for is not there, the loss or every input is not found, or a symbol
            could be several.
        """
        chosen = self.recognised(asked, labels)
        self._require(chosen)
        order = [*asked, *(symbol for symbol in chosen if symbol not in asked)]
        return {symbol: chosen[symbol] for symbol in order if symbol in chosen}

    def recognised(
        self,
        asked: Mapping[str, ColumnSpec | None],
        labels: Iterable[str] | None = None,
        symbols: Sequence[str] = SYMBOLS,
        *,
        renamed: bool = False,
    ) -> dict[str, Column]:
        """Find the columns of symbols, as `choose_columns` does, whichever there are.

        Raises
        ------
        InputError
            One that was asked for is not there, or a symbol could be several.
        """
        wanted = {labels} if isinstance(labels, str) else set(labels or ())

        def usable(symbol: str, name: str) -> bool:
            values = self.plain(name)
            if symbol == "C" and normal(name) in SPELLINGS["C"][1]:
                return bool(np.nanmax(values, initial=0) > SMALLEST_BUDGET)
            if symbol == "N" and normal(name) in SPELLINGS["N"][1]:
                sized = bool(self.numbers(name).units - {"%"}) or header_unit(name)[1] != 1
                return sized and bool(np.isfinite(values).all())
            if symbol in FURTHER:
                return name not in wanted and bool(np.all(values > 0) and np.isfinite(values).all())
            return True

        def equal(one: str, other: str) -> bool:
            first, second = (self.plain(name) * header_unit(name)[1] for name in (one, other))
            return np.allclose(first, second, rtol=1e-9, atol=0, equal_nan=True)

        names, source = [*self.frame.columns], self.source.name
        return choose_columns(
            names, asked, source, self.is_numeric, equal, usable, symbols, renamed=renamed
        )

    def _require(self, chosen: Mapping[str, Column]) -> None:
        """Refuse a table without losses or without any input."""
        names = [*self.frame.columns]
        if "L" in chosen and any(symbol not in NOT_INPUTS for symbol in chosen):
            return
        taken = {name for found in chosen.values() for name in found.names}
        free = [n for n in names if n not in taken and normal(n) not in RUN_NAMES]
        numeric = [name for name in free[:1000] if self._is_variable(name)]
        if "L" not in chosen:
            wide = wide_columns(names, self.marks)
            if len(wide) >= FEWEST:
                raise refuse_wide(self.source, wide)
            scores = {
                name: "% accuracy" if unit == "accuracy" and self._reaches(name) > 1 else unit
                for name, unit in measures(numeric).items()
            }
            raise not_found("the loss L", ("L",), names, self.source.name, numeric, scores)
        what = "any input (N, D, C, X or another)"
        raise not_found(what, ("N", "D", "C", "X"), names, self.source.name, numeric, {})

    def measure(self, symbol: str, found: Column) -> Measured:
        """The values of a symbol.

        Raises
        ------
        InputError
            A unit stands in the cells and was stated too, or the column is not a loss.
        """
        counts = symbol not in NOT_INPUTS
        unit = found.factor if found.formula is None and not found.stated else 1.0
        parts = {name: self.numbers(name, counts=counts, unit=unit) for name in found.names}
        if found.formula is None:
            values = parts[found.name].values * (found.factor / unit)
        else:
            values = found.formula({name: part.values for name, part in parts.items()})
            values = np.broadcast_to(values, len(self.frame)) * found.factor
        units = sorted({unit for part in parts.values() for unit in part.units})
        if symbol == "L":
            return Measured(self._loss(found, values, units), parts)
        self._say(symbol, found, units)
        return Measured(values, parts)

    def _say(self, symbol: str, found: Column, units: list[str]) -> None:
        """Tell which units were applied; refuse one that is stated beside one in the cells."""
        if units and found.stated and found.factor != 1:
            raise InputError(
                f"{found.name}: the cells have units of their own ({', '.join(units)}), beside the "
                f"factor {found.factor:g}",
                remedy=Message("leave the factor out: ", column(symbol, found.name), "."),
            )
        if units:
            self.notes.append(f"{found.name}: {', '.join(units)} understood as a power of ten")
        if found.factor != 1 and not found.stated:
            but = ", where the cell has none of its own" if units else ""
            self.notes.append(f"unit of {symbol} taken from the header {found.name!r}{but}")

    def _loss(self, found: Column, values: FloatArray, units: list[str]) -> FloatArray:
        """Losses from what the column holds."""
        finite = values[np.isfinite(values)]
        top = float(finite.max()) if finite.size else 0.0
        if "%" in units and not found.unit_stated:
            raise InputError(
                f"{found.name}: the cells are percentages, and no loss is one",
                remedy=Message(
                    "say what they are: ",
                    Call("read", (column("L", f"{found.name} in error rate"),)),
                    ", or ",
                    Call("read", (column("L", f"{found.name} in accuracy"),)),
                    ".",
                ),
            )
        if found.unit is None:
            return values
        given = loss_units.UNITS[found.unit]
        if not given.given:
            return values
        if found.unit == "accuracy" and top > 1:
            given = loss_units.UNITS["% accuracy"]
            unit = "% accuracy"
        else:
            unit = found.unit
        if not found.unit_stated or unit != found.unit:
            becomes = "the loss is its logarithm" if unit == "ppl" else "what falls is 1 - accuracy"
            raise InputError(
                f"{found.name} is {given.given}, not a loss: {becomes}",
                [f"its values reach {top:.4g}"],
                remedy=Message(
                    "read it as that: ",
                    Call("read", (column("L", f"{found.name} in {unit}"),)),
                    ".",
                ),
            )
        self.notes.append(f"{found.name} is {given.given}, read as {given.name}")
        with np.errstate(all="ignore"):
            return given.loss(values)

    def labels(self, chosen: Mapping[str, Column], wanted: Iterable[str] | None) -> pd.DataFrame:
        """The columns that are kept for grouping.

        Raises
        ------
        InputError
            One that was asked for is not there.
        """
        present = list(self.frame.columns)
        if wanted is None:
            used = {found.name for found in chosen.values() if found.formula is None}
            rest = [name for name in present if name not in used]
            names = [name for name in rest if name not in chosen]
            self.notes += [
                f"column {name!r} left out: {name} is another one"
                for name in rest
                if name in chosen
            ]
        else:
            names = [wanted] if isinstance(wanted, str) else list(wanted)
        absent = [name for name in names if name not in present]
        if absent:
            raise InputError(
                f"{self.source.name} has no column {absent[0]!r} (asked for as a label)",
                [f"columns: {listed(present)}"],
                remedy="name one of these.",
            )
        return typed(self.frame[names])


def typed(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with numbers in the columns of text that hold nothing else."""
    return pd.DataFrame({name: _typed(cells) for name, cells in frame.items()}, index=frame.index)


def _typed(cells: "pd.Series[Any]") -> "pd.Series[Any]":
    """A label: numbers where every cell is one, as Python reads it; else the texts themselves."""
    if cells.dtype != object:
        return cells
    values = cells.tolist()
    numbers = whole(values)
    if numbers is not None and "".join(values).isdigit():
        if any(len(cell) > 15 or (cell[0] == "0" and len(cell) > 1) for cell in values):
            return cells  # names made of digits, of which a number would lose some
        return pd.Series(numbers.astype(np.int64), index=cells.index)
    if numbers is None and not set(map(type, values)) - {str, NoneType}:
        missing = {cell for cell in set(values) if is_missing(cell)}
        if missing:
            numbers = floats(["nan" if cell in missing else cell for cell in values])
    elif numbers is None:
        return cells
    if numbers is not None:
        return pd.Series(numbers, index=cells.index)
    texts = [None if cell == "" else cell for cell in values]
    return pd.Series(texts, index=cells.index, dtype=object)
