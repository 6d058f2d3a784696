"""Which column is which symbol, in which unit."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from scalingfit._errors import InputError
from scalingfit._text import listed

type ColumnSpec = str | tuple[str, float]
"""A column's name, or its name and the factor that brings it to natural units."""

SPELLINGS: Mapping[str, set[str]] = {
    "N": {"N", "params", "parameters", "n_params", "num_params", "nparams", "n_parameters"}
    | {"num_parameters", "param_count", "parameter_count", "model_size", "model_params"}
    | {"model_parameters", "total_params"},
    "D": {"D", "tokens", "n_tokens", "num_tokens", "ntokens", "train_tokens", "training_tokens"}
    | {"total_tokens", "token_count", "tokens_seen"},
    "C": {"C", "flops", "flop", "compute", "train_flops", "train_flop", "training_flops"}
    | {"training_flop", "total_flops", "total_flop", "train_compute", "training_compute"},
    "M": {"M", "tokens_per_param", "tokens_per_parameter", "tokens_per_params", "d_n"}
    | {"token_multiplier"},
    "L": {"L", "loss", "val_loss", "valid_loss", "validation_loss", "eval_loss"}
    | {"evaluation_loss", "final_loss", "test_loss"},
    "loss_se": {"loss_se", "loss_stderr", "loss_standard_error", "se"},
    "weight": {"weight"},
}
"""Common names of each column, normalised by `normal`."""

PLAIN = ("U", "S", "X", "experts", "D_F", "N_nv", "N_v")
"""Further inputs of laws, known by these names alone; a batch may be in tokens or in sequences."""

UNITS = {"k": 1e3, "thousand": 1e3, "m": 1e6, "million": 1e6, "b": 1e9, "g": 1e9, "billion": 1e9}
UNITS |= {"t": 1e12, "trillion": 1e12}

_UNIT_IN_BRACKETS = re.compile(
    r"\s*[(\[](K|M|B|G|T|(?i:thousand|million|billion|trillion)s?)[)\]]$"
)
_UNIT_IN_WORDS = re.compile(r"[\s_-]+(?:in[\s_-]+)?(thousand|million|billion|trillion)s?$", re.I)


@dataclass(frozen=True)
class Column:
    """Where a symbol comes from."""

    name: str
    factor: float = 1.0
    stated: bool = False
    """The caller gave the factor, so its plausibility is not ours to judge."""


def choose_columns(
    header: Iterable[str], asked: Mapping[str, ColumnSpec | None], source: str
) -> dict[str, Column]:
    """Find the column of each symbol: the one asked for, else the one with a common spelling.

    Raises
    ------
    InputError
        A column asked for is not there, or two columns could both be one symbol.
    """
    names = list(header)
    chosen = {
        s: _asked_for(s, spec, names, source) for s, spec in asked.items() if spec is not None
    }
    taken = {column.name for column in chosen.values()}
    for symbol, spellings in SPELLINGS.items():
        # Beside two of N, D and C, the tokens per parameter M tell nothing new.
        if symbol in chosen or (symbol == "M" and len(chosen.keys() & {"N", "D", "C"}) > 1):
            continue
        found = [name for name in names if name not in taken and normal(name) in spellings]
        if len(found) > 1:
            raise InputError(
                f"{len(found)} columns of {source} could be {symbol}: {', '.join(found)}",
                remedy=f'name the one you mean: read(..., {symbol}="{found[0]}").',
            )
        if found:
            chosen[symbol] = Column(found[0], _header_unit(found[0])[1])
    return chosen


def _asked_for(symbol: str, spec: ColumnSpec, names: list[str], source: str) -> Column:
    if not isinstance(spec, str) and not (isinstance(spec, tuple) and len(spec) == 2):
        raise InputError(
            f"{symbol}={spec!r} names no column",
            remedy=f'write {symbol}="column" or {symbol}=("column", factor).',
        )
    name, factor = (spec, None) if isinstance(spec, str) else spec
    if name not in names:
        close = get_close_matches(name, names, n=3, cutoff=0.4)
        raise InputError(
            f"{source} has no column {name!r} (asked for as {symbol})",
            [f"closest: {listed(close)}"] if close else [f"columns: {listed(names)}"],
            remedy=f"name one of its columns: {listed(names)}.",
        )
    if factor is None:
        return Column(name, _header_unit(name)[1])
    if not 0 < factor < float("inf"):
        raise InputError(
            f"the unit factor of {symbol} is {factor}", remedy="give a positive number."
        )
    return Column(name, float(factor), stated=True)


def _header_unit(name: str) -> tuple[str, float]:
    """Split "Model Size (B)" into "Model Size" and 1e9; only unmistakable units count."""
    for pattern in (_UNIT_IN_BRACKETS, _UNIT_IN_WORDS):
        found = pattern.search(name)
        if found:
            return name[: found.start()], UNITS[found[1].lower().removesuffix("s")]
    return name, 1.0


def normal(name: str) -> str:
    """Lower case, words joined by underscores, without units and logging prefixes.

    A single letter keeps its case: N is a symbol, n is not.
    """
    bare = _header_unit(name)[0].strip()
    if len(bare) == 1:
        return bare
    words = re.sub(r"(?<=[a-z])(?=[A-Z])|[^A-Za-z0-9]+", "_", bare).strip("_").lower()
    return re.sub(r"^(config|summary)_", "", words)
