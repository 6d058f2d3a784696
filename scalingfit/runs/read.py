"""Files, frames and mappings of training runs -> `Runs`, saying what was understood."""

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any, Literal

import numpy as np
import pandas as pd

from scalingfit._errors import InputError
from scalingfit._text import listed
from scalingfit.runs._checks import Faults, find_faults, refuse, require_units, to_numbers
from scalingfit.runs._columns import PLAIN, Column, ColumnSpec, choose_columns
from scalingfit.runs._sources import Source, load_source
from scalingfit.runs._values import NOT_INPUTS, FloatArray
from scalingfit.runs.table import Runs

OPTIONS = ("labels", "bad_rows", "counting", "allow_negative_loss", "loss_se", "weight")

SIX_N_D = "6 N D"

# How two of N, D, C and M give the others, under C = 6 N D and M = D / N.
RULES: Mapping[str, Mapping[str, tuple[str, Callable[[FloatArray, FloatArray], FloatArray]]]] = {
    "ND": {"C": (SIX_N_D, lambda N, D: 6 * N * D)},
    "NC": {"D": ("C / (6 N)", lambda N, C: C / (6 * N))},
    "DC": {"N": ("C / (6 D)", lambda D, C: C / (6 * D))},
    "NM": {"D": ("M N", lambda N, M: M * N), "C": (SIX_N_D, lambda N, M: 6 * M * N**2)},
    "DM": {"N": ("D / M", lambda D, M: D / M), "C": (SIX_N_D, lambda D, M: 6 * D**2 / M)},
    "CM": {
        "N": ("sqrt(C / (6 M))", lambda C, M: np.sqrt(C / (6 * M))),
        "D": ("sqrt(C M / 6)", lambda C, M: np.sqrt(C * M / 6)),
    },
}


def read(
    source: Any,
    N: ColumnSpec | None = None,
    D: ColumnSpec | None = None,
    C: ColumnSpec | None = None,
    L: ColumnSpec | None = None,
    *,
    loss_se: ColumnSpec | None = None,
    weight: ColumnSpec | None = None,
    M: ColumnSpec | None = None,
    labels: Iterable[str] | None = None,
    bad_rows: Literal["refuse", "drop"] = "refuse",
    counting: Literal["6ND"] | None = "6ND",
    allow_negative_loss: bool = False,
    **more: ColumnSpec,
) -> Runs:
    """Read a table of training runs.

    Columns that are not named are recognised by common spellings ("params", "Model Size",
    "n_tokens", "train/flops", "val_loss", ...). Print the result to see what was understood.

    Parameters
    ----------
    source
        Path of a CSV, TSV, JSON Lines, JSON or Parquet file (each also with .gz), a run table
        exported by Weights & Biases, a pandas or polars data frame, a mapping of columns, a list
        of records, or a structured array.
    N, D, C, L
        Column of parameters, training tokens, training compute (FLOP) and final loss (nats per
        token): its name, or ``(name, factor)`` where the factor brings it to these units, such as
        ``N=("Model Size", 1e9)``. A unit in a header, "(B)" or "_millions", is applied and said.
    loss_se
        Column of the standard error of the loss.
    weight
        Column of likelihood weights.
    M
        Column of tokens per parameter, D / N, for tables that tell it beside one of N, D and C.
    labels
        Columns kept for grouping; every other column by default.
    bad_rows
        "refuse" raises on rows that cannot be used; "drop" leaves them out and records each.
    counting
        "6ND" derives what is missing of N, D and C from two of them, or from one of them and M,
        by C = 6 N D (Kaplan et al. 2020, arXiv:2001.08361, section 2.1), or checks all three, and M
        beside two of them, against it within a factor of 30. None does neither.
    allow_negative_loss
        For losses that are no cross-entropies, such as unigram-normalised ones.
    **more
        Further inputs by the name a law gives them: ``U="unique_tokens"``, ``S="steps"``.

    Returns
    -------
    Runs
        Immutable table; its ``provenance`` holds everything that was decided here.

    Raises
    ------
    InputError
        The file, a column, a unit or a row cannot be used. The message lists up to ten rows.
    """
    _check_options(bad_rows, counting, more)
    loaded = load_source(source)
    more = {**_further_inputs(loaded.frame, labels), **more}
    asked = {"N": N, "D": D, "C": C, "M": M, **more, "L": L, "loss_se": loss_se, "weight": weight}
    chosen = choose_columns(loaded.frame.columns, asked, loaded.name)
    chosen = {symbol: chosen[symbol] for symbol in asked if symbol in chosen}
    _require_loss_and_input(loaded, chosen)
    values, notes = _numbers(loaded.frame, chosen)
    tags, note = _labels(loaded, chosen, labels)
    notes += note
    faults = find_faults(
        loaded,
        chosen,
        values,
        tags,
        allow_negative_loss=allow_negative_loss,
        check_compute=counting is not None,
    )
    if faults.bad.any() and bad_rows == "refuse":
        raise refuse(loaded, faults, chosen["L"].name)
    keep = ~faults.bad
    _require_two_runs(loaded, int(keep.sum()))
    kept = {symbol: numbers[keep] for symbol, numbers in values.items()}
    derived = _derive(kept) if counting is not None else {}
    require_units(kept, chosen)
    return Runs.from_columns(
        {name: kept[name] for name in ("N", "D", "C", "M", *more, *NOT_INPUTS) if name in kept},
        labels={name: tags.loc[keep, name].to_numpy() for name in tags.columns},
        row_numbers=loaded.row_numbers[keep],
        provenance={
            "source": loaded.name,
            "sha256": loaded.sha256,
            "columns": {s: {"column": c.name, "factor": c.factor} for s, c in chosen.items()},
            "counting": counting,
            "derived": derived,
            "rows_read": len(keep),
            "dropped": _dropped(loaded, faults),
            "notes": notes,
        },
        allow_negative_loss=allow_negative_loss,
    )


def _further_inputs(frame: pd.DataFrame, labels: Iterable[str] | None) -> dict[str, ColumnSpec]:
    """Columns that bear the name of a law's input and hold positive numbers, as it does."""
    wanted = {labels} if isinstance(labels, str) else set(labels or ())
    found: dict[str, ColumnSpec] = {}
    for name in PLAIN:
        if name in frame.columns and name not in wanted:
            values = frame[name]
            if values.dtype.kind in "iuf" and np.all(values > 0):
                found[name] = name
    return found


def _check_options(bad_rows: str, counting: str | None, more: Iterable[str]) -> None:
    if bad_rows not in ("refuse", "drop"):
        raise InputError(f"bad_rows is {bad_rows!r}", remedy='write "refuse" or "drop".')
    if counting not in ("6ND", None):
        raise InputError(
            f"counting is {counting!r}",
            remedy='write "6ND", or None and give C as a column of your own count.',
        )
    for name in more:
        symbol = [name.upper()] if name.upper() in ("N", "D", "C", "L") else []
        for meant in [*symbol, *get_close_matches(name, OPTIONS, n=1, cutoff=0.7)]:
            raise InputError(f"read has no argument {name!r}", remedy=f"write {meant} instead.")


def _require_loss_and_input(source: Source, chosen: Mapping[str, Column]) -> None:
    if "L" not in chosen:
        what, example = "the loss L", 'L="val_loss"'
    elif all(symbol in NOT_INPUTS for symbol in chosen):
        what, example = "any input (N, D, C, X or another)", 'N="params", D="tokens"'
    else:
        return
    raise InputError(
        f"no column of {source.name} was recognised as {what}",
        [f"columns: {listed(source.frame.columns)}"],
        remedy=f"name it: read(..., {example}).",
    )


def _require_two_runs(source: Source, count: int) -> None:
    if count < 2:
        total = len(source.frame)
        rest = "; without bad_rows='drop' the others are listed with what is wrong."
        raise InputError(
            f"{source.name}: {count} of {total} rows are usable; a fit needs 2 or more",
            remedy="add runs" + (rest if count < total else "."),
        )


def _numbers(
    frame: pd.DataFrame, chosen: Mapping[str, Column]
) -> tuple[dict[str, FloatArray], list[str]]:
    values, notes = {}, []
    for symbol, column in chosen.items():
        numbers, note = to_numbers(frame[column.name], counts=symbol not in NOT_INPUTS)
        values[symbol] = numbers * column.factor
        if note is not None:
            notes.append(f"{column.name}: {note}")
        if column.factor != 1 and not column.stated:
            notes.append(f"unit of {symbol} taken from the header {column.name!r}")
    return values, notes


def _labels(
    source: Source, chosen: Mapping[str, Column], wanted: Iterable[str] | None
) -> tuple[pd.DataFrame, list[str]]:
    present = list(source.frame.columns)
    if wanted is None:
        used = {column.name for column in chosen.values()}
        rest = [name for name in present if name not in used]
        names = [name for name in rest if name not in chosen]
        notes = [
            f"column {name!r} left out: {name} is another one" for name in rest if name in chosen
        ]
        return source.frame[names], notes
    names = [wanted] if isinstance(wanted, str) else list(wanted)
    absent = [name for name in names if name not in present]
    if absent:
        raise InputError(
            f"{source.name} has no column {absent[0]!r} (asked for as a label)",
            [f"columns: {listed(present)}"],
        )
    return source.frame[names], []


def _derive(values: dict[str, FloatArray]) -> dict[str, str]:
    """Add what is missing of N, D and C, where two of these and M are there; say which and how."""
    known = "".join(symbol for symbol in "NDC" if symbol in values)
    known += "M" if len(known) == 1 and "M" in values else ""
    rules = RULES.get(known, {})
    values |= {new: rule(*(values[old] for old in known)) for new, (_, rule) in rules.items()}
    return {new: said for new, (said, _) in rules.items()}


def _dropped(source: Source, faults: Faults) -> list[dict[str, Any]]:
    return [
        {
            source.row_word: int(source.row_numbers[i]),
            "column": faults.column[i] or None,
            "reason": faults.reason[i],
        }
        for i in np.flatnonzero(faults.bad)
    ]
