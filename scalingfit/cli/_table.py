"""The arguments that every command about a table of runs shares, and the reading they ask for."""

from __future__ import annotations

import dataclasses
import operator
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

import scalingfit as sf
from scalingfit._errors import InputError
from scalingfit._text import listed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scalingfit.runs import Runs

__all__ = ["AS_IT_STANDS", "Repeated", "Source", "Table", "load"]

Source = Annotated[
    str,
    Parameter(
        help="CSV, TSV, JSON Lines, JSON or Parquet file (each also as .gz), or the name of a "
        "table that `scalingfit datasets` lists."
    ),
]

Repeated = Annotated[tuple[str, ...], Parameter(negative="", show_default=False)]
"""An option that may be given several times."""

COMPARISONS = {
    "!=": operator.ne,
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "=": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
}
CONDITION = re.compile(r"(.+?)\s*(!=|<=|>=|==|=|<|>)\s*(.*)")


@Parameter(name="*", group="Reading the table")
@dataclasses.dataclass(frozen=True)
class Table:
    """How to read a table of runs.

    Attributes
    ----------
    column
        Which column is what, where its name does not say: `-c N=params`, with a factor where the
        unit is another one: `-c "D=tokens (B)*1e9"`. Repeat for N, D, C, L, loss_se, weight or
        any other input of the law.
    where
        Keep only the runs for which this holds: `--where family=gpt`, `--where "C<1e21"`,
        `--where "D/N>5"`; with `=`, `!=`, `<`, `<=`, `>` or `>=`. Repeat to ask for several.
    bad_rows
        Refuse the table where a row cannot be used, or drop such rows and say so.
    derive
        "6ND" derives what is missing of N, D and C by C = 6 N D, from two of them or from one and
        M = D / N, or checks all three against it; "none" does neither.
    allow_negative_loss
        For losses that are no cross-entropies.
    """

    column: Annotated[Repeated, Parameter(alias="-c")] = ()
    where: Repeated = ()
    bad_rows: Literal["refuse", "drop"] = "refuse"
    derive: Literal["6ND", "none"] = "6ND"
    allow_negative_loss: Annotated[bool, Parameter(negative="")] = False


AS_IT_STANDS = Table()


def load(source: str, table: Table) -> Runs:
    """Read a file, or a table that `scalingfit datasets` lists, and keep what is asked for.

    Raises
    ------
    InputError
    """
    # Only what differs from the default, because a table by name comes with options of its own.
    options: dict[str, Any] = {"bad_rows": "drop"} if table.bad_rows == "drop" else {}
    options |= {"counting": None} if table.derive == "none" else {}
    options |= {"allow_negative_loss": True} if table.allow_negative_loss else {}
    options |= _columns(table.column)
    if source in sf.datasets.names() and not Path(source).is_file():
        runs = sf.datasets.load(source, **options)
    else:
        runs = sf.read(source, **options)
    for condition in table.where:
        runs = _kept(runs, condition)
    return runs


def _columns(texts: tuple[str, ...]) -> dict[str, str | tuple[str, float]]:
    """``N=params`` and ``D=tokens (B)*1e9`` as the arguments of `read`."""
    found: dict[str, str | tuple[str, float]] = {}
    for text in texts:
        symbol, equals, column = (part.strip() for part in text.partition("="))
        if not equals or not symbol.isidentifier() or not column:
            raise InputError(
                f"--column {text!r} names no column",
                remedy='write --column N=params, or with a factor --column "N=size (B)*1e9".',
            )
        if symbol in found:
            raise InputError(f"--column gives {symbol} twice", remedy="keep one of them.")
        name, star, factor = column.rpartition("*")
        number = _number(factor) if star else None
        found[symbol] = column if number is None else (name.strip(), number)
    return found


def _kept(runs: Runs, condition: str) -> Runs:
    """The runs for which a condition such as ``family=gpt`` holds."""
    import numpy as np

    parsed = CONDITION.fullmatch(condition.strip())
    if parsed is None:
        raise InputError(
            f"--where {condition!r} is no condition",
            remedy='write --where family=gpt or --where "C<1e21".',
        )
    name, sign, text = parsed.groups()
    origins = runs.provenance["columns"]
    by_source = {origins[symbol]["column"]: runs.columns[symbol] for symbol in origins}
    columns = {**by_source, **runs.labels, **runs.columns}
    if {"N", "D"} <= runs.columns.keys():
        columns["D/N"] = runs["D"] / runs["N"]
    if name not in columns:
        raise InputError(
            f"--where {condition!r}: there is no column {name!r}",
            [f"columns: {listed(columns)}"],
            remedy="choose one of these.",
        )
    number = _number(text)
    values = columns[name]
    if values.dtype.kind in "biuf" and number is not None:
        mask = COMPARISONS[sign](values.astype(np.float64), number)
    elif sign in ("=", "==", "!="):
        mask = COMPARISONS[sign](values.astype(str), text)
    else:
        raise InputError(
            f"--where {condition!r}: {name} and {text} cannot be ordered",
            remedy="compare texts with = or !=.",
        )
    if not mask.any():
        raise InputError(
            f"--where {condition!r} leaves none of the {len(runs)} runs",
            [f"{name} has {_described(values)}"],
            remedy="ask for values that are there.",
        )
    kept = runs.take(mask)
    conditions = [*runs.provenance.get("where", []), f"{condition}: {len(kept)} of {len(runs)}"]
    return dataclasses.replace(kept, provenance={**runs.provenance, "where": conditions})


def _described(values: NDArray[Any]) -> str:
    if values.dtype.kind == "f":
        return f"values from {values.min():.6g} to {values.max():.6g}"
    return f"the values {listed(sorted(set(map(str, values))))}"


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
