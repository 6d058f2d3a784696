"""Which column, or formula of columns, is which symbol, and in which unit."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from scalingfit._arguments import nearest
from scalingfit._errors import InputError
from scalingfit._messages import Argument, Call, Message
from scalingfit._text import listed
from scalingfit.runs.cells import UNITS, loss_units
from scalingfit.runs.columns.formulas import Formula, parse_formula
from scalingfit.runs.columns.names import (
    FURTHER,
    PLAIN,
    SPELLINGS,
    candidates,
    header_unit,
    logarithms,
    normal,
)

SYMBOLS = (*SPELLINGS, *PLAIN)
"""What columns are recognised as, in this order."""

type ColumnSpec = str | tuple[str, float]
"""A column's name or a formula of columns, alone or with the factor that brings it to its unit;
a text may end in a unit: ``"val_ppl in ppl"``."""


@dataclass(frozen=True)
class Column:
    """Where a symbol comes from.

    Attributes
    ----------
    name
        The column, or the formula as it was written.
    factor
        What brings it to natural units.
    stated
        Whether the caller gave the factor, so that its plausibility is not ours to judge.
    formula
        Of columns; None where the symbol is one column.
    unit
        Of a loss, where it was stated or stands in the header.
    """

    name: str
    factor: float = 1.0
    stated: bool = False
    formula: Formula | None = None
    unit: str | None = None
    unit_stated: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The columns it is made of."""
        return (self.name,) if self.formula is None else self.formula.names


def column(symbol: str, name: object) -> Argument:
    """What to write so that a symbol is a column."""
    return Argument(symbol, name, "column")


def choose_columns(
    names: Sequence[str],
    asked: Mapping[str, ColumnSpec | None],
    source: str,
    numeric: Callable[[str], bool],
    equal: Callable[[str, str], bool],
    usable: Callable[[str, str], bool],
    symbols: Sequence[str] = SYMBOLS,
    *,
    renamed: bool = False,
) -> dict[str, Column]:
    """Find the column of each symbol: the one asked for, else the one with a common spelling.

    Parameters
    ----------
    names, asked, source
        The header, what the caller named, and what the table is called.
    numeric, equal
        Whether a column holds numbers, and whether two hold the same ones.
    usable
        Whether a column can be what its header says, by symbol and name: a further input of a law
        is positive and not asked for as a label.
    symbols
        Those that are looked for beside the ones asked for.
    renamed
        Whether columns cannot be named where the table is given, but only in the table itself.

    Raises
    ------
    InputError
        A column asked for is not there, or two columns could both be one symbol.
    """
    chosen = {
        s: _asked_for(s, spec, names, source) for s, spec in asked.items() if spec is not None
    }
    taken = {name for column in chosen.values() for name in column.names}
    free = [name for name in names if name not in taken]
    for symbol in symbols:
        # Beside two of N, D and C, the tokens per parameter M tell nothing new.
        if symbol in chosen or (symbol == "M" and len(chosen.keys() & {"N", "D", "C"}) > 1):
            continue
        found = [name for name in candidates(symbol, free) if usable(symbol, name)]
        if symbol not in FURTHER and len(found) > 1:
            found = [name for name in found if numeric(name)] or found
        if any(not equal(found[0], name) for name in found[1:]):
            if symbol in FURTHER:
                continue
            raise _several(symbol, found, source, renamed=renamed)
        if found:
            chosen[symbol] = _column(symbol, found[0])
    return chosen


def _several(symbol: str, found: list[str], source: str, *, renamed: bool) -> InputError:
    active = [name for name in found if "activ" in normal(name)]
    said = f"{', '.join(active)}: active parameters only" if active and symbol == "N" else ""
    best = next((name for name in found if "val" in normal(name) or "eval" in normal(name)), None)
    return InputError(
        f"{len(found)} columns of {source} could be {symbol}: {listed(found)}",
        [said] if said else [],
        remedy=f"call the one you mean {symbol}, as its header."
        if renamed
        else Message(
            "name the one you mean: ",
            Call("read", (column(symbol, best or found[0]),)),
            ".",
        ),
    )


def _column(symbol: str, name: str) -> Column:
    if symbol == "L":
        return Column(name, unit=loss_units.in_header(name))
    return Column(name, 1.0 if symbol in ("M", "loss_se", "weight") else header_unit(name)[1])


def _asked_for(symbol: str, spec: ColumnSpec, names: Sequence[str], source: str) -> Column:
    pair = isinstance(spec, tuple) and len(spec) == 2 and isinstance(spec[0], str)
    if not isinstance(spec, str) and not pair:
        raise InputError(
            f"the column of {symbol} is given as {spec!r}, which names none",
            remedy=Message("write ", Argument(symbol, "column", "column"), "."),
        )
    text, factor = (spec, None) if isinstance(spec, str) else spec
    text, unit = (text, None) if text in names else _without_unit(text)
    found = _column(symbol, text) if text in names else _formula(symbol, text, names, source)
    if factor is not None:
        if not isinstance(factor, int | float) or not 0 < factor < float("inf"):
            raise InputError(
                f"the unit factor of {symbol} is {factor}", remedy="give a positive number."
            )
        return Column(found.name, float(factor), stated=True, formula=found.formula)
    if unit is None:
        return found
    stated = loss_units.named(unit) if symbol == "L" else None
    if symbol == "L" and stated is not None:
        return Column(found.name, formula=found.formula, unit=stated, unit_stated=True)
    scale = UNITS.get(unit.lower(), UNITS.get(unit.lower().removesuffix("s")))
    if symbol == "L" or scale is None:
        known = loss_units.UNITS if symbol == "L" else UNITS
        raise InputError(
            f"{symbol}: {unit!r} is not a known unit",
            [f"units: {listed(known, limit=20)}"],
            remedy=Message(
                "write one of them: ", column(symbol, f"{text} in {next(iter(known))}"), "."
            ),
        )
    return Column(found.name, scale, stated=True, formula=found.formula)


def _without_unit(text: str) -> tuple[str, str | None]:
    """``val_ppl in ppl`` as its two parts."""
    name, word, unit = text.rpartition(" in ")
    return (name.strip(), unit.strip()) if word else (text, None)


def _formula(symbol: str, text: str, names: Sequence[str], source: str) -> Column:
    written = any(mark in text for mark in "+-*/^()`") and any(name in text for name in names)
    if written:
        return Column(text, stated=True, formula=parse_formula(text, names, symbol))
    near = nearest(text, names)
    raise InputError(
        f"{source} has no column {text[:80]!r} (asked for as {symbol})",
        [f"closest: {listed(near)}"] if near else [f"columns: {listed(names)}"],
        remedy=Message("name one of its columns: ", Call("read", (column(symbol, near[0]),)), ".")
        if near
        else f"name one of its columns: {listed(names)}.",
    )


def not_found(
    what: str,
    symbols: Sequence[str],
    names: Sequence[str],
    source: str,
    numeric: Sequence[str],
    scores: Mapping[str, str],
) -> InputError:
    """Nothing was recognised as the loss, or as any input: what could be named here.

    `numeric` are the columns that could be it, and `scores` those among them that are a loss in
    another unit.
    """
    where = [f"columns: {listed(names)}"]
    arguments: list[Argument] = []
    if symbols != ("L",):
        arguments = [column(symbol, text) for symbol, text in logarithms(numeric).items()]
    if not arguments:
        plain = [name for name in numeric if name not in scores]
        near = {symbol: closest(symbol, plain) for symbol in symbols}
        arguments = [column(symbol, found[0]) for symbol, found in near.items() if found]
    if not arguments:
        for name, unit in scores.items():
            becomes = "its logarithm is" if unit == "ppl" else "it rises; 1 minus it is"
            where.append(f"{name} is {loss_units.UNITS[unit].given}: {becomes} a loss")
            arguments = [column("L", f"{name} in {unit}")]
            break
    if arguments:
        remedy = Message("name it: ", Call("read", tuple(arguments)), ".")
    elif numeric:
        remedy = Message(f"name it, if one of these holds it: {listed(numeric)}.")
    else:
        remedy = Message("add a column that holds it: no other column holds numbers.")
    return InputError(f"no column of {source} was recognised as {what}", where, remedy=remedy)


_LIKE: Mapping[str, str] = {
    "N": r"(?:^|_)(?:n_?|num_?|model_)?(?:params?|parameters?|size)(?:_|$)",
    "D": r"tokens?(?:_|$)",
    "C": r"flops?(?:_|$)|compute|(?:^|_)budget(?:_|$)",
    "X": r"^x(?:_|$)|examples|samples|width|embd",
    "L": r"loss|nll|entropy|bpb|bits_per_byte|(?:^|_)err|^y$",
}
"""What headers have in common with the spellings of a symbol."""


def closest(symbol: str, names: Sequence[str]) -> list[str]:
    """Columns whose headers are like the common spellings of a symbol; those of training last."""
    like = _LIKE.get(symbol)
    found = [name for name in names if like is not None and re.search(like, normal(name))]
    return sorted(found, key=lambda name: "train" in normal(name).split("_"))
