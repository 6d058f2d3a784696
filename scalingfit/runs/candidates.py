"""Tables of runs that have not been made: inputs without losses."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from scalingfit._errors import InputError
from scalingfit.runs.cells import shown
from scalingfit.runs.columns import Column
from scalingfit.runs.files import Source, load_source
from scalingfit.runs.rows import Raw
from scalingfit.runs.values import FloatArray, Label

__all__ = ["Inputs", "read_inputs"]


class Inputs(NamedTuple):
    """Columns of a table without losses.

    Attributes
    ----------
    values : mapping of str to array, shape (row,)
        By symbol: positive and finite.
    labels : mapping of str to array, shape (row,)
        The other columns.
    names : sequence of str
        The header as it was.
    """

    values: Mapping[str, FloatArray]
    labels: Mapping[str, Label]
    names: Sequence[str]


def read_inputs(source: object, symbols: Sequence[str]) -> Inputs:
    """Read the columns of symbols, by these names or by spellings that `read` recognises.

    Parameters
    ----------
    source
        As in `read`: a file, a frame or a mapping of columns.
    symbols
        Which to look for; a column with this very name is taken for it, but M only where it tells
        something new.

    Raises
    ------
    InputError
        The file or a row cannot be used, or several columns could be one symbol.
    """
    table = Raw(load_source(source), None, None)
    names = [*table.frame.columns]
    exact = {symbol: symbol for symbol in symbols if symbol in names and symbol != "M"}
    chosen = table.recognised(exact, symbols=symbols, renamed=True)
    values = {symbol: table.measure(symbol, found).values for symbol, found in chosen.items()}
    _require_positive(table.source, chosen, values)
    rest = table.labels(chosen, [name for name in names if name not in _used(chosen)])
    return Inputs(values, {str(name): cells.to_numpy() for name, cells in rest.items()}, names)


def _used(chosen: Mapping[str, Column]) -> set[str]:
    return {found.name for found in chosen.values()}


def _require_positive(
    source: Source, chosen: Mapping[str, Column], values: Mapping[str, FloatArray]
) -> None:
    wrong = {symbol: ~(np.isfinite(found) & (found > 0)) for symbol, found in values.items()}
    rows = [row for row in range(len(source.frame)) if any(bad[row] for bad in wrong.values())]
    if not rows:
        return
    places = [
        f"{source.row_word} {source.row_numbers[row]}, {name}: "
        f"{shown(source.frame[name].iloc[[row]].tolist()[0])} is not a positive number"
        for row in rows
        for symbol, name in ((symbol, found.name) for symbol, found in chosen.items())
        if wrong[symbol][row]
    ]
    more = [f"and {len(places) - 10} more"] if len(places) > 10 else []
    raise InputError(
        f"{len(rows)} of {len(source.frame)} rows of {source.name} cannot be used",
        [*places[:10], *more],
        remedy="correct them, or leave them out of the table.",
    )
