"""What is doubtful about a table before anything is fitted: its loss, its rows and its inputs."""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from scalingfit._messages import Argument, Message
from scalingfit.runs.findings.finding import FEWEST, Columns, Finding, Labels
from scalingfit.runs.findings.rows import about_rows
from scalingfit.runs.provenance import Provenance
from scalingfit.runs.values import FloatArray

HIGHEST = 12.0
"""Nats. A cross-entropy above it would be worse than guessing among e^12 = 160,000 tokens."""

MANY = 0.1
"""Share of the losses, and one more: a single run may have diverged, or be a slip."""

RATIO = 1.1
"""C / (6 N D) within this factor is 6 N D counted in one way or another."""


def findings(
    columns: Columns,
    labels: Labels,
    groups: Mapping[str, list[str]],
    provenance: Provenance,
) -> Iterator[Finding]:
    """What is doubtful, the gravest first; `groups` are labels with their values."""
    unit = provenance.get("loss_unit")
    yield from _unit(columns, unit)
    yield from _rising(columns)
    yield from about_rows(columns, labels, groups)
    yield from _compute_ratio(columns, provenance)
    yield from _hardly_varies(columns)


# --- what the loss is ----------------------------------------------------------------------------


def _unit(columns: Columns, unit: str | None) -> Iterator[Finding]:
    L = columns["L"]
    scaled = columns.keys() & {"N", "D", "C"}
    above = int(np.count_nonzero(L > HIGHEST))
    if scaled and unit is None and above > 1 and above >= MANY * len(L):
        many = "all losses are" if above == len(L) else f"{above} of {len(L)} losses are"
        yield Finding(
            "unit",
            f"{many} above {HIGHEST:.0f}, which looks like perplexity, while the laws are for "
            "cross-entropy",
            Message(
                "if it is one, read its logarithm, such as ",
                Argument("L", "column in ppl", "column"),
            ),
        )
    if np.all(L < 0):
        yield Finding(
            "negative_loss",
            "all losses are negative, so they are no cross-entropies, and a floor cannot be "
            "positive",
            Message("fit a law that allows it, such as ", Argument("law", "vocabulary")),
        )


def trend(columns: Columns) -> tuple[list[float], float] | None:
    """How the loss goes with scale: slopes of its ranks on those of N, D or C, and R squared.

    None where there are too few rows or nothing varies.
    """
    names = [name for name in "ND" if name in columns] or [n for n in "C" if n in columns]
    L = columns["L"]
    if len(L) < 6 or not names or np.ptp(L) == 0:
        return None
    ranks = [pd.Series(columns[name]).rank().to_numpy(dtype=np.float64) for name in names]
    ranks = [(rank - rank.mean()) / rank.std() for rank in ranks if rank.std() > 0]
    if not ranks:
        return None
    y = pd.Series(L).rank().to_numpy(dtype=np.float64)
    y = (y - y.mean()) / y.std()
    design = np.stack(ranks, axis=1)
    slopes = np.linalg.lstsq(design, y, rcond=None)[0]
    return slopes.tolist(), float(1 - np.mean((y - design @ slopes) ** 2))


def _runs_up(slopes: list[float]) -> bool:
    return min(slopes) > -0.1 and max(slopes) > 0.3


def rises(columns: Columns) -> bool:
    """Whether the loss rises with everything that is scaled."""
    found = trend(columns)
    return found is not None and _runs_up(found[0]) and found[1] > 0.6


def falls(columns: Columns) -> bool:
    """Whether the loss falls with everything that is scaled."""
    found = trend(columns)
    return found is not None and _runs_up([-s for s in found[0]]) and found[1] > 0.25


def _rising(columns: Columns) -> Iterator[Finding]:
    if rises(columns):
        yield Finding(
            "rises",
            "L rises with scale, while every law falls",
            Message("check that L is a loss, or read an accuracy as one: ", _accuracy()),
        )


def _accuracy() -> Argument:
    return Argument("L", "column in accuracy", "column")


# --- what the inputs are -------------------------------------------------------------------------


def compute_ratio(columns: Columns, provenance: Provenance) -> FloatArray | None:
    """C / (6 N D), shape ``(run,)``, where all three were given; else None."""
    if not {"N", "D", "C"} <= columns.keys() or set("NDC") & set(provenance.get("derived", {})):
        return None
    return np.asarray(columns["C"] / (6 * columns["N"] * columns["D"]))


def _compute_ratio(columns: Columns, provenance: Provenance) -> Iterator[Finding]:
    ratio = compute_ratio(columns, provenance)
    if ratio is None:
        return
    low, middle, high = np.quantile(ratio, [0, 0.5, 1])
    if high / low <= RATIO and 1 / RATIO <= middle <= RATIO:
        return
    yield Finding(
        "compute_ratio",
        f"C / (6 N D) is {_range(low, high)}{_moves(ratio, columns)}, so C is counted in another "
        "way, or a column is off",
        Message(
            "check how tokens and compute were counted, for instance D = steps x batch x length; "
            "a fit spends budgets as 6 N D, or in this count with ",
            Argument("counting", "table"),
        ),
    )


def _moves(ratio: FloatArray, columns: Columns) -> str:
    """How the ratio goes with N and with the budget."""
    said: dict[str, list[str]] = {}
    for name in ("N", "C"):
        if np.ptp(np.log(columns[name])) > 0 and np.ptp(ratio) > 1e-3 * ratio.mean():
            ranks = pd.DataFrame({"x": columns[name], "y": np.round(ratio, 6)}).rank()
            rho = float(np.corrcoef(ranks["x"], ranks["y"])[0, 1])
            if abs(rho) > 0.5:
                said.setdefault("rises" if rho > 0 else "falls", []).append(name)
    return "".join(f" and {verb} with {' and '.join(names)}" for verb, names in said.items())


def _range(low: float, high: float) -> str:
    one, other = f"{low:.3g}", f"{high:.3g}"
    return one if one == other else f"{one} to {other}"


def _hardly_varies(columns: Columns) -> Iterator[Finding]:
    for name in ("N", "D"):
        if name not in columns or len(columns[name]) < FEWEST:
            continue
        low, high = float(columns[name].min()), float(columns[name].max())
        if 1 < high / low < 1.5:
            yield Finding(
                "hardly_varies",
                f"{name} hardly varies, {_range(low, high)}, so its exponent cannot be estimated",
                Message(f"add runs of other {name}, or check that {name} is the column meant"),
            )
