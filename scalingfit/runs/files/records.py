"""Whatever holds columns -> a data frame: mappings, records, frames, structured arrays."""

import ast
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scalingfit._errors import InputError
from scalingfit._text import listed
from scalingfit.runs.columns import normal, symbol_of
from scalingfit.runs.files.delimited import refuse_repeated

DEEPEST = 20
"""Levels that records may be nested."""


def to_frame(source: object, name: str) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Make a data frame of whatever holds columns, and tell what was left out of it.

    Raises
    ------
    InputError
        It holds no columns, or they are not of one length.
    """
    if isinstance(source, pd.DataFrame):
        return _with_index(source), ()
    if isinstance(source, Mapping):
        return _from_mapping(source, name)
    if isinstance(source, np.ndarray) and source.dtype.names:
        return _from_columns({column: source[column] for column in source.dtype.names}), ()
    if (
        isinstance(source, Sequence)
        and not isinstance(source, str | bytes)
        and all(isinstance(record, Mapping) for record in source)
    ):
        return _from_records(source, name), ()
    columns = getattr(source, "columns", None)
    if columns is not None and all(isinstance(column, str) for column in columns):
        return _from_columns({column: source[column] for column in columns}), ()  # type: ignore[index]
    for method in ("to_pandas", "to_dataframe", "to_dict"):
        if hasattr(source, method):
            return to_frame(getattr(source, method)(), name)
    raise InputError(
        f"cannot read runs from {name}",
        remedy="give a file, a data frame, a mapping of columns or a list of records.",
    )


def _with_index(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with an index that holds something as columns: a named one, or one of texts."""
    index = frame.index
    named = any(name is not None for name in index.names)
    if named or index.nlevels > 1 or index.dtype.kind not in "iu":
        frame = frame.reset_index(names=None if named or index.nlevels > 1 else "index")
    if frame.columns.nlevels > 1:
        names = [".".join(str(part) for part in name if part != "") for name in frame.columns]
        frame = frame.set_axis(names, axis="columns")
    return frame


def _from_mapping(
    source: Mapping[object, object], name: str
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    values = list(source.values())
    if values and all(isinstance(value, Mapping) for value in values):
        return _of_mappings(source, name), ()
    if set(source) >= {"columns", "data"} and isinstance(source["data"], list):
        return _from_rows(source["columns"], source["data"], name), ()
    lists = {key: value for key, value in source.items() if _is_records(value)}
    if len(lists) == 1 and not any(_is_column(v) for k, v in source.items() if k not in lists):
        (key,) = lists
        others = [str(other) for other in source if other != key]
        notes = (f"records under {key!r}; beside them: {listed(others)}",) if others else ()
        return _from_records(lists[key], name), notes  # type: ignore[arg-type]
    if values and not any(map(_is_column, values)):
        raise InputError(
            f"{name} holds one record, not a table of runs",
            [f"keys: {listed(map(str, source))}"],
            remedy="give a list of such records, one per run.",
        )
    return _from_columns({str(key): value for key, value in source.items()}), ()


def _is_column(value: object) -> bool:
    return hasattr(value, "__len__") and not isinstance(value, str | bytes | Mapping)


def _is_records(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, Mapping) for v in value)


def _of_mappings(source: Mapping[object, object], name: str) -> pd.DataFrame:
    """Records by the name of their run, or columns by the name of their row (as pandas writes)."""
    outer = [str(key) for key in source]
    inner = [str(key) for value in source.values() for key in value]  # type: ignore[attr-defined]
    if any(map(symbol_of, outer)) and not any(map(symbol_of, set(inner))):
        rows = dict.fromkeys(inner)
        columns = {
            str(key): [{str(k): v for k, v in value.items()}.get(row) for row in rows]  # type: ignore[attr-defined]
            for key, value in source.items()
        }
        named = {} if all(row.isdigit() for row in rows) else {"run": list(rows)}
        return _from_columns({**named, **columns})
    column = "run" if "run" not in inner else "name"
    return _from_records([{column: key, **value} for key, value in source.items()], name)  # type: ignore[dict-item]


def _from_rows(columns: object, rows: list[object], name: str) -> pd.DataFrame:
    names = [str(column) for column in columns] if isinstance(columns, list) else []
    if not all(isinstance(row, list) and len(row) == len(names) for row in rows):
        raise InputError(
            f"{name}: the rows under 'data' do not have a value for each of 'columns'",
            remedy="give every row one value per column.",
        )
    refuse_repeated(names, name)
    return _from_columns(
        {column: [row[i] for row in rows] for i, column in enumerate(names)}  # type: ignore[index]
    )


def _from_records(records: Sequence[Mapping[object, object]], name: str) -> pd.DataFrame:
    """Records with dotted names for what is nested in them."""
    flat = [_flat(record, name) for record in records]
    columns = dict.fromkeys(key for record in flat for key in record)
    return _from_columns({key: [record.get(key) for record in flat] for key in columns})


def _flat(record: Mapping[object, object], name: str) -> dict[str, object]:
    found: dict[str, object] = {}
    waiting: list[tuple[str, object, int]] = [(str(k), v, 1) for k, v in record.items()][::-1]
    while waiting:
        key, value, depth = waiting.pop()
        if isinstance(value, Mapping) and value:
            if depth > DEEPEST:
                raise InputError(
                    f"{name}: a record is nested more than {DEEPEST} levels deep",
                    [f"at {key[:80]!r}"],
                    remedy="write one record per run, of plain numbers and texts.",
                )
            below = [(f"{key}.{k}", v, depth + 1) for k, v in value.items()]
            waiting.extend(reversed(below))
        elif key in found:
            raise InputError(
                f"{name}: two values of a record are both {key[:80]!r}",
                remedy="give one of them another name.",
            )
        else:
            found[key] = value
    return found


def _from_columns(columns: Mapping[str, object]) -> pd.DataFrame:
    series = {str(name): _series(values) for name, values in columns.items()}
    shapes = {name: np.shape(values) for name, values in series.items()}
    if len(set(shapes.values())) > 1 or any(len(shape) != 1 for shape in shapes.values()):
        raise InputError(
            "the columns do not have one length",
            [f"{name[:80]}: shape {shape}" for name, shape in [*shapes.items()][:10]],
            remedy="give every column one value per run.",
        )
    return pd.DataFrame(series)


def _series(values: object) -> "NDArray[Any] | pd.Series[Any]":
    """A column with the kind of every cell kept: a truth value among numbers stays one."""
    if isinstance(values, list | tuple):
        cells = np.fromiter(values, dtype=object, count=len(values))
        return pd.Series(cells, dtype=object).infer_objects()
    if isinstance(values, np.ma.MaskedArray):
        return np.asarray(np.ma.filled(values.astype(np.float64), np.nan))
    array = np.asarray(values)
    if array.dtype.kind == "S":
        return np.char.decode(array, "utf-8", "replace").astype(object)
    return array.astype(object) if array.dtype.kind == "U" else array


def unpacked(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """The frame with columns of dictionaries, as Weights & Biases gives them, spread out."""
    found = {str(column): _records_in(str(column), cells) for column, cells in frame.items()}
    if all(records is None for records in found.values()):
        return frame
    parts = []
    for column, records in found.items():
        if records is None:
            parts.append(frame[[column]])
            continue
        rows = [_flat({column: record}, name) if record else {} for record in records]
        keys = dict.fromkeys(key for row in rows for key in row)
        parts.append(_from_columns({key: [row.get(key) for row in rows] for key in keys}))
    spread = pd.concat(parts, axis="columns")
    names = [column.removesuffix(".value") for column in spread.columns]
    refuse_repeated(names, name)
    return spread.set_axis(names, axis="columns")


def _records_in(name: str, cells: "pd.Series[Any]") -> list[Mapping[object, object] | None] | None:
    """The dictionaries of a column, also where they are written as text; None where it has none."""
    if cells.dtype.kind in "iufbcM":
        return None
    values = cells.tolist()
    first = next((cell for cell in values if _is_there(cell)), None)
    written = normal(name) in ("summary", "config", "hparams", "args")
    if first is None or (isinstance(first, str) and not (written and first[:1] == "{")):
        return None
    found = [_record(cell) if _is_there(cell) else None for cell in values]
    there = sum(map(_is_there, values))
    return found if sum(record is not None for record in found) == there else None


def _is_there(cell: object) -> bool:
    return cell is not None and cell is not pd.NA and cell is not pd.NaT and cell == cell


def _record(cell: object) -> Mapping[object, object] | None:
    if not isinstance(cell, str):
        return cell if isinstance(cell, Mapping) else None
    for read in (json.loads, ast.literal_eval):
        try:
            found = read(cell)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        return found if isinstance(found, Mapping) else None
    return None
