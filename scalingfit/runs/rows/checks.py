"""Every reason to refuse a row or a whole column."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scalingfit._errors import InputError
from scalingfit._messages import Argument, Call, Message
from scalingfit.runs.cells import Numbers, shown
from scalingfit.runs.columns import RUN_NAMES, Column, normal, other_unit, require_units
from scalingfit.runs.files import Source
from scalingfit.runs.rows.states import unfinished
from scalingfit.runs.values import FloatArray, out_of_range

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

REPEATS = "repeats an earlier row"


@dataclass(frozen=True)
class Measured:
    """A symbol's values, shape ``(row,)``, and the columns that they are made of."""

    values: FloatArray
    parts: Mapping[str, Numbers]


@dataclass
class Faults:
    """The first reason to refuse each row, or an empty text; all of shape ``(row,)``.

    ``detail`` holds functions from a row to what is found there: few rows are ever shown.
    ``once`` marks the rows that stand in the table twice under the same name of a run: counting
    them once needs no one's word.
    """

    reason: NDArray[np.object_]
    column: NDArray[np.object_]
    detail: NDArray[np.object_]
    once: NDArray[np.bool_]

    @classmethod
    def none(cls, count: int) -> "Faults":
        """No row is faulty yet."""
        reason, column, detail = (np.full(count, "", dtype=object) for _ in range(3))
        return cls(reason, column, detail, np.zeros(count, dtype=bool))

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
    measured: Mapping[str, Measured],
    labels: pd.DataFrame,
    considered: NDArray[np.bool_],
    *,
    allow_negative_loss: bool,
    check_compute: bool,
) -> Faults:
    """Every row among the considered ones that cannot be used, with the first reason found."""
    faults = Faults.none(len(source.frame))
    for row, reason in source.broken.items():
        only = np.zeros(len(considered), dtype=bool)
        only[row] = considered[row]
        faults.mark(only, reason, lambda i: "it")
    for name, state, rows in unfinished(source.frame):
        faults.mark(rows & considered, f"run is {state}", lambda i: "the", column=name)
    values = {symbol: each.values for symbol, each in measured.items()}
    for symbol, each in measured.items():
        for name, numbers in each.parts.items():
            _mark_cells(faults, considered, name, source.frame[name], numbers)
        _mark_range(faults, considered, symbol, chosen[symbol], each, source, allow_negative_loss)
    for symbol, rules in EXPECTED.items() if check_compute else ():
        known = next((known for known in rules if {symbol, *known} <= values.keys()), None)
        if known is not None:
            _mark_far(faults, considered, chosen, values, symbol, known)
    _mark_repeated(faults, considered, source, values, labels)
    return faults


def _mark_cells(
    faults: Faults,
    considered: NDArray[np.bool_],
    name: str,
    cells: "pd.Series[Any]",
    numbers: Numbers,
) -> None:
    def detail(i: int) -> str:
        return shown(cells.iloc[[i]].tolist()[0])

    faults.mark(numbers.missing & considered, "is missing", lambda i: "the value", column=name)
    for row, reason in numbers.faults.items():
        only = np.zeros(len(considered), dtype=bool)
        only[row] = considered[row]
        faults.mark(only, reason, detail, column=name)
    faults.mark(np.isnan(numbers.values) & considered, "is not a number", detail, column=name)


def _mark_range(
    faults: Faults,
    considered: NDArray[np.bool_],
    symbol: str,
    chosen: Column,
    measured: Measured,
    source: Source,
    allow_negative_loss: bool,
) -> None:
    as_it_stands = chosen.formula is None and chosen.unit in (None, "nats")

    def detail(i: int) -> str:
        if as_it_stands:
            return shown(source.frame[chosen.name].iloc[[i]].tolist()[0])
        return f"{measured.values[i]:.6g}"

    wrong = out_of_range(symbol, measured.values, allow_negative_loss=allow_negative_loss)
    for reason in sorted(set(wrong) - {""}):
        faults.mark((wrong == reason) & considered, reason, detail, column=chosen.name)


def _mark_far(
    faults: Faults,
    considered: NDArray[np.bool_],
    chosen: Mapping[str, Column],
    values: Mapping[str, FloatArray],
    symbol: str,
    known: str,
) -> None:
    """Mark the rows where a symbol is far from what the known ones make it."""
    formula, rule = EXPECTED[symbol][known]
    good = ~faults.bad & considered
    ratio = np.ones(len(good))
    ratio[good] = values[symbol][good] / rule(*(values[each][good] for each in known))
    off = (ratio > COMPUTE_FACTOR) | (ratio < 1 / COMPUTE_FACTOR)
    if good.any() and off[good].mean() > 0.5:
        compared = (*known, symbol)
        kept = {each: values[each][good] for each in compared}
        require_units(kept, chosen)
        factor = float(np.median(ratio[good]))
        raise InputError(
            f"{symbol} is about {factor:.1e} times {formula}: a column is in other units",
            [f"{s} ({chosen[s].name}): median {np.median(kept[s]):.3g}" for s in compared],
            remedy=other_unit(symbol, known, factor, chosen),
        )
    faults.mark(
        off & good,
        f"is far from {formula}",
        lambda i: f"{ratio[i]:.1e} times, which",
        column=chosen[symbol].name,
    )


def _mark_repeated(
    faults: Faults,
    considered: NDArray[np.bool_],
    source: Source,
    values: Mapping[str, FloatArray],
    labels: pd.DataFrame,
) -> None:
    numbers = pd.DataFrame(dict(values))
    rows = np.flatnonzero(numbers.duplicated(keep=False).to_numpy() & considered)
    if not rows.size:
        return
    key = pd.concat([numbers, labels], axis="columns").iloc[rows].map(_comparable)
    first = ~key.duplicated(keep="first").to_numpy()
    if first.all():
        return
    groups = key.groupby(list(key.columns), sort=False, dropna=False).ngroup().to_numpy()
    earliest = dict(zip(groups[first].tolist(), rows[first].tolist(), strict=True))
    original = {r: earliest[g] for g, r in zip(groups.tolist(), rows.tolist(), strict=True)}
    repeated = np.zeros(len(considered), dtype=bool)
    repeated[rows[~first]] = True

    def detail(i: int) -> str:
        return f"is the same as {source.row_word} {source.row_numbers[original[i]]}"

    if any(normal(name) in RUN_NAMES for name in labels.columns):
        faults.once |= repeated & ~faults.bad
    faults.mark(repeated, REPEATS, detail)


def _comparable(cell: object) -> object:
    """A cell that can be compared and grouped: a list is its text, and nothing is like nothing."""
    if isinstance(cell, list | dict | set | np.ndarray):
        return str(cell)
    return None if cell is pd.NA or cell != cell else cell


def refuse(source: Source, faults: Faults, bad: NDArray[np.bool_], loss: str) -> InputError:
    """List up to ten faulty rows in an error; `loss` is the name of the losses' column."""
    rows = np.flatnonzero(bad)
    where = []
    for i in rows[:10]:
        place = f"{source.row_word} {source.row_numbers[i]}"
        found = faults.detail[i](i)
        if faults.column[i]:
            where.append(f"{place}, {faults.column[i][:80]}: {found} {faults.reason[i]}")
        else:
            where.append(f"{place}: {found}" + _unless_said(faults.reason[i]))
    if rows.size > 10:
        where.append(f"and {rows.size - 10} more")
    remedy: list[str | Argument | Call] = [
        "correct them, or leave them out with a record of it: ",
        Call("read", (Argument("bad_rows", "drop"),)),
        ".",
    ]
    below_zero = (faults.reason[rows] == "is not positive") & (faults.column[rows] == loss)
    if below_zero.mean() > 0.5:
        allowed = Call("read", (Argument("allow_negative_loss", True),))
        remedy += [" Losses that are meant to be negative need ", allowed, "."]
    if (faults.reason[rows] == REPEATS).any():
        remedy += [" If equal rows are different runs, add a column that tells them apart."]
    return InputError(
        f"{rows.size} of {len(source.frame)} rows of {source.name} cannot be used",
        where,
        remedy=Message(*remedy),
    )


def _unless_said(reason: str) -> str:
    return "" if reason == REPEATS else f" {reason}"
