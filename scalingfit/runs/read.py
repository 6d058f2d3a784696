"""Files, frames and mappings of training runs -> `Runs`, saying what was understood."""

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from scalingfit._errors import InputError
from scalingfit._messages import Argument, Call, Message, OnlyIn
from scalingfit._text import listed
from scalingfit.runs.cells import Decimals, loss_units
from scalingfit.runs.columns import (
    RUN_NAMES,
    Column,
    ColumnSpec,
    column,
    normal,
    quoted,
    require_units,
)
from scalingfit.runs.files import Source, load_source, not_a_table
from scalingfit.runs.findings import falls, rises
from scalingfit.runs.provenance import Dropped
from scalingfit.runs.rows import Faults, Raw, find_faults, refuse, selection
from scalingfit.runs.table import Runs
from scalingfit.runs.values import NOT_INPUTS, FloatArray, words

OPTIONS = words(
    "labels where last_of best_of last across decimal bad_rows derive allow_negative_loss "
    "loss_se weight"
)

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

EPOCHS = ("epochs", "num_epochs", "n_epochs")
"""Columns of passes over the data, as headers are compared: U = D / epochs."""


def read(
    source: object,
    N: ColumnSpec | None = None,
    D: ColumnSpec | None = None,
    C: ColumnSpec | None = None,
    L: ColumnSpec | None = None,
    *,
    loss_se: ColumnSpec | None = None,
    weight: ColumnSpec | None = None,
    M: ColumnSpec | None = None,
    labels: Iterable[str] | None = None,
    where: str | Iterable[str] = (),
    last_of: str | None = None,
    best_of: str | None = None,
    last: bool = False,
    across: str | None = None,
    decimal: Decimals | None = None,
    bad_rows: Literal["refuse", "drop"] = "refuse",
    derive: Literal["6ND"] | None = "6ND",
    allow_negative_loss: bool = False,
    **more: ColumnSpec,
) -> Runs:
    """Read a table of training runs.

    Columns that are not named are recognised by common spellings ("params", "Model Size",
    "n_tokens", "train/flops", "val_loss", ...). Print the result to see what was understood.

    Parameters
    ----------
    source
        Path of a CSV (any separator), Markdown, JSON, JSON Lines, Parquet or Excel file (each also
        with .gz), a run table exported by Weights & Biases, a pandas or polars data frame, a
        mapping of columns, records, or a structured array. Several paths are read as one table.
    N, D, C, L
        Column of parameters, training tokens, training compute (FLOP) and final loss: its name; or
        ``(name, factor)`` where the factor brings it to these units, such as
        ``N=("Model Size", 1e9)``; or a formula of columns, ``D="steps*batch_size*seq_len"``,
        ``N="10^log10_params"``. The loss may have a unit, ``L="val_ppl in ppl"``: nats, bits,
        bits per byte, nats per byte, ppl (its logarithm is read), accuracy (1 - accuracy is read),
        % accuracy or error rate. A unit in a header, "(B)" or "_millions", is applied and said.
    loss_se
        Column of the standard error of the loss.
    weight
        Column of likelihood weights.
    M
        Column of tokens per parameter, D / N, for tables that tell it beside one of N, D and C.
    labels
        Columns kept for grouping; every other column by default.
    where
        Conditions that rows have to meet to be read at all: ``"family=gpt"``,
        ``["C<1e21", "D/N>5"]``.
    last_of
        Column, or several with commas, that names a run: the last row of each is kept, the one
        that has come furthest in steps or tokens.
    best_of
        Columns, such as "N,D", that tell what was swept over: the lowest loss of each is kept.
    last
        Whether each file is the log of one run (or one column a run, as charts are exported), of
        which the last values are kept.
    across
        For wide tables: the symbol whose values stand in the headers, over cells that are losses.
    decimal
        The decimal mark, where the cells leave open whether "1,300" is 1300 or 1.3.
    bad_rows
        "refuse" raises on rows that cannot be used; "drop" leaves them out and records each.
    derive
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
        Immutable table; its ``provenance`` holds everything that was decided here, and its
        ``findings`` what is doubtful.

    Raises
    ------
    InputError
        The file, a column, a unit or a row cannot be used. The message lists up to ten rows.
    """
    _check_options(bad_rows, derive, decimal, more)
    loaded = load_source(source, last=last)
    if loaded.log is not None and not last:
        raise not_a_table(loaded)
    table = Raw(loaded, decimal, across)
    asked = {"N": N, "D": D, "C": C, "M": M, **more, "L": L, "loss_se": loss_se, "weight": weight}
    chosen = table.choose(asked, labels)
    measured = {symbol: table.measure(symbol, found) for symbol, found in chosen.items()}
    values = {symbol: each.values for symbol, each in measured.items()}
    tags = table.labels(chosen, labels)
    derived = _derive(values, table) if derive is not None else {}
    named = selection.Table(values, table.frame, table.plain)
    rows, said = selection.where(named, [where] if isinstance(where, str) else [*where])
    if last and loaded.row_word != "run":
        last_of = last_of or _run_name(loaded)
    if last_of is not None:
        rows, more_said = selection.last_of(named, last_of, rows)
        said += more_said
    negative = allow_negative_loss or _all_negative(values, rows, chosen["L"])
    faults = find_faults(
        table.source,
        chosen,
        measured,
        tags,
        rows,
        allow_negative_loss=negative,
        check_compute=derive is not None,
    )
    refused = faults.bad & ~faults.once
    if refused.any() and bad_rows == "refuse":
        raise refuse(table.source, faults, refused, chosen["L"].name)
    rows &= ~faults.bad
    if best_of is not None and rows.any():
        rows, more_said = selection.best_of(named, best_of, rows)
        said += more_said
    _require_two_runs(table.source, int(rows.sum()))
    kept = {symbol: numbers[rows] for symbol, numbers in values.items()}
    require_units(kept, chosen)
    _require_a_loss(kept, chosen["L"])
    inputs = [symbol for symbol in ("N", "D", "C", "M", *kept) if symbol not in NOT_INPUTS]
    order = dict.fromkeys([*inputs, *NOT_INPUTS])
    unit = chosen["L"].unit
    return Runs.from_columns(
        {name: kept[name] for name in order if name in kept},
        labels={str(name): cells.to_numpy() for name, cells in tags[rows].items()},
        row_numbers=table.source.row_numbers[rows],
        provenance={
            "source": loaded.name,
            "sha256": loaded.sha256,
            "columns": {s: {"column": c.name, "factor": c.factor} for s, c in chosen.items()},
            "derive": derive,
            "derived": derived,
            "loss_unit": None if unit is None else loss_units.UNITS[unit].name,
            "rows_read": len(rows),
            "kept": said,
            "dropped": _dropped(table.source, faults),
            "notes": table.notes,
        },
        allow_negative_loss=negative,
    )


def _check_options(
    bad_rows: str, derive: str | None, decimal: str | None, more: Iterable[str]
) -> None:
    if bad_rows not in ("refuse", "drop"):
        raise InputError(f"bad_rows is {bad_rows!r}", remedy='write "refuse" or "drop".')
    if derive not in ("6ND", None):
        raise InputError(
            f"derive is {derive!r}",
            remedy='write "6ND", or None and give C as a column of your own count.',
        )
    if decimal not in (".", ",", None):
        raise InputError(f"decimal is {decimal!r}", remedy='write "." or ",".')
    for name in more:
        symbol = [name.upper()] if name.upper() in ("N", "D", "C", "L") else []
        for meant in [*symbol, *get_close_matches(name, sorted(OPTIONS), n=1, cutoff=0.7)]:
            raise InputError(
                Message(
                    OnlyIn("python", (f"read has no argument {name!r}",)),
                    OnlyIn("command line", (f"--column knows no {name!r}",)),
                ),
                remedy=f"write {meant} instead.",
            )


def _run_name(source: Source) -> str:
    """The column that names the runs of a table."""
    found = next((name for name in source.frame.columns if normal(name) in RUN_NAMES), None)
    if found is None:
        raise InputError(
            f"{source.name} has no column that names runs, of which the last rows would be kept",
            [f"columns: {listed(source.frame.columns)}"],
            remedy=Message("name it: ", Argument("last_of", str(source.frame.columns[0])), "."),
        )
    return str(found)


def _all_negative(values: Mapping[str, FloatArray], rows: NDArray[np.bool_], found: Column) -> bool:
    """Whether every loss is negative and they fall: normalised ones, no mistake of a sign."""
    there = rows & np.isfinite(values["L"])
    known = {s: v[there] for s, v in values.items()}
    if not np.all(known["L"] < 0):
        return False
    _require_a_loss(known, found)
    return falls(known)


def _require_a_loss(values: Mapping[str, FloatArray], found: Column) -> None:
    """Refuse what rises with scale, unless its unit was stated."""
    if found.unit_stated or not rises(values):
        return
    low, high = float(values["L"].min()), float(values["L"].max())
    remedy = Message("name another column, or, if it is a loss, say so: ", _loss_is(found, "nats"))
    if high < 0:
        falling = Call("read", (column("L", f"-({quoted(found.name)})"),))
        remedy = Message("if it is the logarithm of a likelihood, read ", falling)
    elif high <= 1 or (low >= 0 and 20 < high <= 100):
        unit = "accuracy" if high <= 1 else "% accuracy"
        remedy = Message("if it is an accuracy, read ", _loss_is(found, unit), "; else ", remedy)
    raise InputError(
        f"{found.name} rises with scale, while every law falls: it is not a loss as it stands",
        [f"its values: {low:.4g} to {high:.4g}"],
        remedy=Message(remedy, "."),
    )


def _loss_is(found: Column, unit: str) -> Call:
    return Call("read", (column("L", f"{found.name} in {unit}"),))


def _require_two_runs(source: Source, count: int) -> None:
    if count < 2:
        total = len(source.frame)
        rest = Message("; without ", Argument("bad_rows", "drop"), " the others are listed.")
        raise InputError(
            f"{source.name}: {count} of {total} rows are usable; a fit needs 2 or more",
            remedy=Message("add runs", rest if count < total else "."),
        )


def _derive(values: dict[str, FloatArray], table: Raw) -> dict[str, str]:
    """Add what is missing of N, D, C and U, where others tell it; say which and how."""
    known = "".join(symbol for symbol in "NDC" if symbol in values)
    known += "M" if len(known) == 1 and "M" in values else ""
    rules = RULES.get(known, {})
    with np.errstate(all="ignore"):
        values |= {new: rule(*(values[old] for old in known)) for new, (_, rule) in rules.items()}
    said = {new: text for new, (text, _) in rules.items()}
    epochs = next((name for name in table.frame.columns if normal(name) in EPOCHS), None)
    if epochs is not None and "U" not in values and "D" in values:
        passes = table.plain(epochs)
        if np.all(passes > 0) and np.any(passes > 1) and np.isfinite(passes).all():
            values["U"] = values["D"] / np.maximum(passes, 1)
            said["U"] = f"D / {epochs}"
    return said


def _dropped(source: Source, faults: Faults) -> list[Dropped]:
    return [
        {
            source.row_word: int(source.row_numbers[i]),
            "column": faults.column[i] or None,
            "reason": faults.reason[i],
        }
        for i in np.flatnonzero(faults.bad)
    ]
