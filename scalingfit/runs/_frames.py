"""Anything that holds columns -> a data frame."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from scalingfit._errors import InputError


def refuse_repeated(names: list[str], source: str) -> None:
    """Refuse a header in which two columns have one name."""
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise InputError(
            f"{source} has more than one column called {', '.join(map(repr, repeated))}",
            remedy="give every column its own name in the header.",
        )


def to_frame(source: Any, name: str | None = None) -> pd.DataFrame:
    """Make a data frame of whatever holds columns; nested records become dotted columns."""
    if isinstance(source, pd.DataFrame):
        return source
    if isinstance(source, Mapping):
        return _from_columns(source)
    if isinstance(source, np.ndarray) and source.dtype.names:
        return _from_columns({column: source[column] for column in source.dtype.names})
    if isinstance(source, Sequence) and all(isinstance(record, Mapping) for record in source):
        return pd.json_normalize([dict(record) for record in source])
    columns = getattr(source, "columns", None)
    if columns is not None and all(isinstance(column, str) for column in columns):
        return _from_columns({column: source[column] for column in columns})
    for method in ("to_pandas", "to_dataframe", "to_dict"):
        if hasattr(source, method):
            return to_frame(getattr(source, method)(), name)
    raise InputError(
        f"cannot read runs from {name or f'an object of type {type(source).__name__}'}",
        remedy="give a file, a data frame, a mapping of columns or a list of records.",
    )


def _from_columns(columns: Mapping[Any, Any]) -> pd.DataFrame:
    arrays = {str(name): np.asarray(values) for name, values in columns.items()}
    shapes = {name: array.shape for name, array in arrays.items()}
    if len(set(shapes.values())) > 1 or any(len(shape) != 1 for shape in shapes.values()):
        raise InputError(
            "the columns do not have one length",
            [f"{name}: shape {shape}" for name, shape in shapes.items()],
            remedy="give every column one value per run.",
        )
    return pd.DataFrame(arrays)
