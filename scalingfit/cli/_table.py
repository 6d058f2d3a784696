"""The arguments that every command about a table of runs shares, and the reading they ask for."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

import scalingfit as sf
from scalingfit._errors import InputError
from scalingfit._text import listed

if TYPE_CHECKING:
    from scalingfit.runs import Runs

__all__ = ["AS_IT_STANDS", "Repeated", "Source", "Table", "load"]

Source = Annotated[
    tuple[str, ...],
    Parameter(
        negative="",
        help="CSV (any separator), Markdown, JSON, JSON Lines, Parquet or Excel file (each also as "
        ".gz), several of them, or the name of a table that `scalingfit datasets` lists.",
    ),
]

Repeated = Annotated[tuple[str, ...], Parameter(negative="", show_default=False)]
"""An option that may be given several times."""


@Parameter(name="*", group="Reading the table")
@dataclasses.dataclass(frozen=True)
class Table:
    """How to read a table of runs.

    Attributes
    ----------
    column
        Which column is what, where its name does not say: `-c N=params`, with a factor where the
        unit is another one: `-c "D=tokens (B)*1e9"`; a formula of columns:
        `-c "D=steps*batch_size*seq_len"`, `-c "N=10^log10_params"`; a loss in its unit:
        `-c "L=val_ppl in ppl"`. Repeat for N, D, C, L, loss_se, weight or any other input of the
        law.
    where
        Read only the rows for which this holds: `--where family=gpt`, `--where "C<1e21"`,
        `--where "D/N>5"`; with `=`, `!=`, `<`, `<=`, `>` or `>=`. May be repeated.
    last_of
        Keep the last row of each run, which this column names: `--last-of run_id`.
    best_of
        Keep the lowest loss of each of these: `--best-of N,D` after a sweep of learning rates.
    last
        Each file is the log of one run: keep its last values.
    view
        The usual part of a published table: `--view finals`; `scalingfit datasets NAME` lists them.
    across
        Headers hold values of this symbol, and the cells below them are losses.
    decimal
        The decimal mark, where the cells leave it open.
    bad_rows
        What to do about rows that cannot be used: refuse the table, or drop them and say so.
    derive
        "6ND" derives what is missing of N, D and C by C = 6 N D, from two of them or from one and
        M = D / N, or checks all three against it; "none" does neither.
    allow_negative_loss
        For losses that are not cross-entropies, and may be negative.
    """

    column: Annotated[Repeated, Parameter(alias="-c")] = ()
    where: Repeated = ()
    last_of: str | None = None
    best_of: str | None = None
    last: Annotated[bool, Parameter(negative="")] = False
    view: str | None = None
    across: str | None = None
    decimal: Literal[".", ","] | None = None
    bad_rows: Literal["refuse", "drop"] = "refuse"
    derive: Literal["6ND", "none"] = "6ND"
    allow_negative_loss: Annotated[bool, Parameter(negative="")] = False


AS_IT_STANDS = Table()


def load(source: tuple[str, ...], table: Table) -> Runs:
    """Read files, or a table that `scalingfit datasets` lists, and keep what is asked for.

    Raises
    ------
    InputError
    """
    # Only what differs from the default, because a table by name comes with options of its own.
    options: dict[str, Any] = {
        field.name: getattr(table, field.name)
        for field in dataclasses.fields(table)
        if getattr(table, field.name) != field.default
    }
    options |= {"derive": None} if table.derive == "none" else {}
    options |= _columns(options.pop("column", ()))
    if len(source) == 1 and source[0] in sf.datasets.names() and not Path(source[0]).is_file():
        return sf.datasets.read(source[0], **options)
    if table.view is not None:
        raise InputError(
            f"--view {table.view}: only tables by name have views",
            [f"tables: {listed(sf.datasets.names(), limit=30)}"],
            remedy="choose rows with --where.",
        )
    return sf.read(source[0] if len(source) == 1 else list(source), **options)


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
        number = _number(factor) if star and not set(name) & set("*+^`") else None
        found[symbol] = column if number is None else (name.strip(), number)
    return found


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
