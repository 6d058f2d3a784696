"""What else a law needs to know before a budget can be split."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from scalingfit._arguments import numbers, unknown_inputs
from scalingfit._errors import InputError
from scalingfit._messages import Argument, Message, joined
from scalingfit.allocation.answer import FloatArray
from scalingfit.declare import Law

__all__ = ["extras_of", "splits"]

CRITICAL = "critical"
"""In place of a batch size: the critical one."""


def splits(law: type[Law]) -> bool:
    """Whether a budget can be split between the law's size and its data or steps."""
    inputs = set(law.inputs())
    return set(law.size) <= inputs and not inputs.isdisjoint({"D", "S"})


def extras_of(law: Law, given: Mapping[str, ArrayLike], count: int) -> dict[str, FloatArray]:
    """The law's inputs besides the split, each of shape ``(budget,)``.

    Raises
    ------
    InputError
        The law has nothing to split; an input is missing, unknown or of another length.
    """
    inputs = type(law).inputs()
    name = type(law).name
    takes = f"{name} takes {', '.join(inputs)}"
    size = type(law).size
    if not splits(type(law)):
        raise InputError(
            f"the law {name} cannot split a budget: its loss depends on {', '.join(inputs)} alone",
            remedy="forecast the loss at these instead; for a frontier fit a law of both N and D, "
            "such as chinchilla.",
        )
    needed = [symbol for symbol in inputs if symbol not in (*size, "D", "S")]
    if "S" in inputs and "batch" not in needed:
        needed.append("batch")
    # Of a size in parts any but one may be given.
    parts = [part for part in size if part in given] if len(size) > 1 else []
    if set(parts) == set(size):
        raise InputError(
            f"{' and '.join(parts)} are given: there is nothing to split",
            remedy="leave one of them out, or forecast the loss.",
        )
    options = ["counting", "max_params", "inference_tokens"]
    if taken := [name for name in options if name in given]:
        raise InputError(f"{taken[0]} is not asked for here", remedy="leave it out.")
    unknown_inputs(given, [*needed, *parts, *options], takes)
    critical = hasattr(law, "critical_loss")
    if critical and isinstance(given.get("batch"), str) and given["batch"] == CRITICAL:
        needed.remove("batch")
    missing = [symbol for symbol in needed if symbol not in given]
    if missing:
        critical &= "batch" in missing
        word = Message(", or ", Argument("batch", CRITICAL, "input")) if critical else ""
        raise InputError(
            f"the law {name} also needs {', '.join(missing)}",
            [takes],
            remedy=Message(
                "add ",
                joined(Argument(symbol, kind="input") for symbol in missing),
                ", one number or one for each budget",
                word,
                ".",
            ),
        )
    found = {symbol: numbers(symbol, given[symbol]) for symbol in (*needed, *parts)}
    for symbol, values in found.items():
        if len(values) not in (1, count):
            raise InputError(f"{symbol} has {len(values)} values for {count} budgets")
    return {symbol: np.broadcast_to(values, (count,)) for symbol, values in found.items()}
