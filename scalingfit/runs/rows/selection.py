"""Which rows of a table are the runs that were asked for: conditions, last rows, best rows."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scalingfit._errors import InputError
from scalingfit._messages import Argument, Message
from scalingfit._text import listed
from scalingfit.runs.columns import COMPARISONS, Condition, normal, parse_condition, parse_formula
from scalingfit.runs.values import FloatArray, words

STEPS = ("step", "steps", "global_step", "iteration", "iter", "current_steps", "trainer_step")
"""Columns that tell how far a run has come, as headers are compared."""

SWEPT = words(
    "lr learning_rate peak_lr max_lr base_lr lr_max initial_lr batch batch_size global_batch_size "
    "bs gbs batch_size_sequences batch_size_tokens weight_decay wd warmup warmup_steps beta2 "
    "momentum dropout"
)
"""Settings that are swept at one size, as headers are compared."""


class Table:
    """The columns and symbols of a table as conditions and keys see them.

    Parameters
    ----------
    symbols
        Values by symbol, shape ``(row,)``; they go before columns of the same name.
    frame
        The raw columns.
    numbers
        A column as numbers.
    """

    def __init__(
        self,
        symbols: Mapping[str, FloatArray],
        frame: pd.DataFrame,
        numbers: Callable[[str], FloatArray],
    ) -> None:
        self.symbols, self.frame, self.numbers = symbols, frame, numbers

    @property
    def names(self) -> list[str]:
        """Everything that can be named."""
        return list(dict.fromkeys([*self.symbols, *self.frame.columns]))

    def values(self, name: str) -> FloatArray:
        """A symbol or column as numbers, NaN where it has none."""
        return self.symbols[name] if name in self.symbols else self.numbers(name)

    def texts(self, name: str) -> NDArray[np.object_]:
        """A symbol or column as its texts, for grouping and for equality."""
        if name in self.symbols:
            return np.array([repr(value) for value in self.symbols[name]], dtype=object)
        cells = self.frame[name]
        return np.array([str(cell).strip() for cell in cells], dtype=object)


def where(table: Table, conditions: Sequence[str]) -> tuple[NDArray[np.bool_], list[str]]:
    """Rows for which every condition holds; and for each what it left.

    Raises
    ------
    InputError
        A condition cannot be parsed, names no column, compares what has no order, or leaves none.
    """
    kept = np.ones(len(table.frame), dtype=bool)
    said = []
    for text in conditions:
        condition = parse_condition(text)
        holds = _holds(table, condition)
        before, kept = int(kept.sum()), kept & holds
        if not kept.any():
            raise InputError(
                f"where {text!r} leaves none of the {before} rows",
                [f"{condition.left} has {_described(table, condition.left)}"],
                remedy="ask for values that are there.",
            )
        said.append(f"where {condition.text}: {kept.sum()} of {before}")
    return kept, said


def _holds(table: Table, condition: Condition) -> NDArray[np.bool_]:
    name, sign = condition.left, condition.sign
    number = _number(condition.right)
    if name in table.names:
        values = table.values(name) if number is not None else np.empty(0)
        if number is not None and not np.isnan(values).all():
            return np.asarray(COMPARISONS[sign](values, number))
        if sign in ("=", "==", "!="):
            wanted = condition.right.strip("'\"")
            return np.asarray(COMPARISONS[sign](table.texts(name), wanted), dtype=bool)
        raise InputError(
            f"where {condition.text!r}: {name} and {condition.right} cannot be ordered",
            remedy="compare texts with = or !=.",
        )
    if not any(each in name for each in table.names) or number is None:
        raise InputError(
            f"where {condition.text!r}: there is no column {name!r}",
            [f"columns: {listed(table.names)}"],
            remedy="choose one of these.",
        )
    formula = parse_formula(name, table.names, "where")
    return np.asarray(
        COMPARISONS[sign](formula({each: table.values(each) for each in formula.names}), number)
    )


def _described(table: Table, name: str) -> str:
    if name not in table.names:
        return "no value that does"
    values = table.values(name)
    if not np.isnan(values).all():
        return f"values from {np.nanmin(values):.6g} to {np.nanmax(values):.6g}"
    return f"the values {listed(sorted(set(table.texts(name))))}"


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _keys(table: Table, names: str, option: str) -> tuple[NDArray[np.int64], list[str]]:
    """The group of each row by one or several columns."""
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    for name in wanted or [names]:
        if name not in table.names:
            raise InputError(
                f"there is no column {name!r} to take the {option.partition('_')[0]} row of",
                [f"columns: {listed(table.names)}"],
                remedy=Message("name one of these: ", Argument(option, table.names[0]), "."),
            )
    key = pd.DataFrame({name: table.texts(name) for name in wanted})
    groups = key.groupby(wanted, sort=False, dropna=False).ngroup()
    return np.asarray(groups, dtype=np.int64), wanted


def last_of(
    table: Table, names: str, rows: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], list[str]]:
    """The last of some rows in each group: the one that has come furthest in tokens or steps.

    Raises
    ------
    InputError
        There is no such column.
    """
    groups, wanted = _keys(table, names, "last_of")
    rows = rows & ~np.isnan(table.symbols["L"])
    place = np.flatnonzero(rows)
    order = _progress(table, groups, rows)
    ranked = place[np.lexsort((place, order[place]))]
    _, kept = _last_in_each(groups, ranked)
    return kept, [f"the last row of each {', '.join(wanted)}: {kept.sum()} of {rows.sum()} rows"]


def _progress(table: Table, groups: NDArray[np.int64], rows: NDArray[np.bool_]) -> FloatArray:
    """How far each row's run has come: by steps, else by tokens, else by the order of the rows."""
    steps = [name for name in table.frame.columns if normal(name) in STEPS]
    for values in [
        *map(table.values, steps),
        *(table.symbols[s] for s in "D" if s in table.symbols),
    ]:
        frame = pd.DataFrame({"group": groups[rows], "value": values[rows]})
        spread = frame.groupby("group")["value"].agg(lambda v: v.nunique() == len(v))
        if spread.all():
            return values
    return np.arange(len(rows), dtype=np.float64)


def best_of(
    table: Table, names: str, rows: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], list[str]]:
    """The row of the lowest loss among some in each group; and where it ends a sweep.

    Raises
    ------
    InputError
        There is no such column.
    """
    groups, wanted = _keys(table, names, "best_of")
    place = np.flatnonzero(rows)
    ranked = place[np.argsort(-table.symbols["L"][place], kind="stable")]
    best, kept = _last_in_each(groups, ranked)
    said = f"the lowest loss of each {', '.join(wanted)}: {kept.sum()} of {rows.sum()} rows"
    edges = _edges(table, groups, rows, best)
    return kept, [said, *edges]


def _last_in_each(
    groups: NDArray[np.int64], ranked: NDArray[np.int64]
) -> tuple[dict[int, int], NDArray[np.bool_]]:
    """The row of each group that ranks last, and whether each row is one of these."""
    last = dict(zip(groups[ranked].tolist(), ranked.tolist(), strict=True))
    kept = np.zeros(len(groups), dtype=bool)
    kept[list(last.values())] = True
    return last, kept


def _edges(
    table: Table, groups: NDArray[np.int64], rows: NDArray[np.bool_], best: Mapping[int, int]
) -> list[str]:
    """How often the best row has the least or the greatest value that a setting took."""
    said = []
    for name in table.frame.columns:
        if normal(name) not in SWEPT:
            continue
        values = table.values(name)
        frame = pd.DataFrame({"group": groups[rows], "value": values[rows]}).dropna()
        swept = frame.groupby("group")["value"].agg(["min", "max", "nunique"])
        swept = swept[swept["nunique"] > 2]
        at = values[[best[group] for group in swept.index]]
        edge = int(((at == swept["min"]) | (at == swept["max"])).sum())
        if edge:
            said.append(
                f"{name}: the best lies at the edge of its sweep in {edge} of {len(swept)}, so a "
                "lower loss may lie beyond"
            )
    return said
