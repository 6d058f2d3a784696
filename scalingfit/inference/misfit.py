"""Where a law does not hold: residuals that are more than scatter, and rows far from the law."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri

from scalingfit._messages import Argument, Call, Message
from scalingfit._text import flop, listed, quantity
from scalingfit.inference.departure import Departure
from scalingfit.inference.miscounts import Miscount, exponential, miscount
from scalingfit.inference.regression import added
from scalingfit.inference.residuals import Explained, Residuals
from scalingfit.result import Note

__all__ = ["about_residuals", "beyond_repeats", "says_nothing"]

CHANCE = 0.005
"""Level of each test: of the smooth part, of a miscount, of a perplexity, and of all labels
together; with heavy tails and a law that is not linear in its parameters their sum stays below
3 %."""

OF_ORDER = 0.001
"""Level for the order of the rows, which is mostly that of a design and seldom one of time."""

TREND = 0.01
"""Level at which losses must vary with the inputs."""

FEWEST = 3
"""Degrees of freedom that are left to tell that they do not."""

SHARE = 0.2
"""Of the residual variance. Below it the scatter alone would be less than a tenth smaller
(sqrt(.8) = .89), so that intervals are about what they claim to be."""

LARGE = 0.02
"""Error of the law, in log loss, that is large even where intervals carry it. Near the frontier a
loss 2 % lower takes about half as much compute again."""

RARE = 0.99
"""Of the mass of the prior of the error's scale: a larger one contradicts what was believed."""

FAR = 10.0
"""Robust standard deviations of a row that is no scatter."""

MOST_CAUSES = 3

type Floats = NDArray[np.float64]


def about_residuals(found: Residuals, *, on_log: bool) -> Iterator[tuple[Note, bool]]:
    """What residuals say against the law, the worst first, and whether each is a doubt.

    A misfit that the law's error carries is in all intervals: it is a doubt where it is large.

    Parameters
    ----------
    found : Residuals
    on_log : bool
        Whether they are of log loss.
    """
    if says_nothing(found):
        yield _nothing(), True
    elif found.departure is None and (gap := beyond_repeats(found)) is not None:
        yield Note("misfit", _repeats(*gap, on_log)), True
    else:
        if found.departure is not None:
            yield from _about_error(found, found.departure, on_log)
        yield from ((_note(cause, on_log), True) for cause in causes(found))
    if far := outliers(found):
        yield _outliers(found, far, on_log), True


def _about_error(
    found: Residuals, departure: Departure, on_log: bool
) -> Iterator[tuple[Note, bool]]:
    unit = 1.0 if on_log else float(np.median(np.abs(found.runs["L"])))
    contradicted = departure.rank > RARE
    if departure.share > SHARE or contradicted:
        large = contradicted or departure.of > LARGE * unit
        yield Note("misfit", _departs(departure.of, on_log, large)), large


def causes(found: Residuals) -> list[Explained]:
    """What explains the residuals, each beside what explains them better.

    Whatever is smooth in the inputs is the law's error, where it has one. The order of the rows is
    mostly that of an input, so it is asked about last, beside whatever is smooth.
    """
    if found.freedom < 1:  # as many parameters as runs: nothing is left
        return []
    labels = dict(found.groups())
    asked: dict[str, Callable[[Floats], Explained | None]] = {
        name: functools.partial(found.explained, name, columns) for name, columns in labels.items()
    }
    if not found.departure:
        asked["smooth"] = functools.partial(found.explained, "smooth", found.smooth)
    asked |= {
        "miscount": functools.partial(miscount, found),
        "exponential": functools.partial(exponential, found),
    }
    levels = {name: CHANCE / len(labels) for name in labels}
    beside = np.empty((len(found.values), 0))
    named: list[Explained] = []
    while asked and len(named) < MOST_CAUSES:
        sound = [
            each
            for ask in asked.values()
            if (each := ask(beside)) is not None
            and each.share > SHARE
            and each.chance < levels.get(each.what, CHANCE)
        ]
        if not sound:
            break
        # What needs the fewest numbers to explain as much has the smallest chance.
        best = min(sound, key=lambda each: (each.chance, -each.share))
        named.append(best)
        beside = np.hstack([beside, best.columns])
        del asked[best.what]
    if not named:
        last = found.explained("order", found.order, found.smooth)
        if last.share > SHARE and last.chance < OF_ORDER:
            named.append(last)
    return named


def beyond_repeats(found: Residuals) -> tuple[float, float] | None:
    """The misses of the law and of repeated runs, where the first are clearly larger.

    The scatter of runs with equal inputs (pure error) needs no law: a lack-of-fit test (Draper &
    Smith 1998, section 2.1) with a margin of one half, at 5 % on either side. Rows of one run are
    no repeats, so each run counts by its mean.
    """
    inputs = np.stack([*found.inputs.values()], axis=1)
    _, cell = np.unique(inputs, axis=0, return_inverse=True)
    once = np.stack([cell.ravel(), found.runs.run_of], axis=1)
    (cell, _), of_run = (each.T for each in np.unique(once, axis=0, return_inverse=True))
    values = np.bincount(of_run.ravel(), found.values) / np.bincount(of_run.ravel())
    freedom = len(values) - len(np.unique(cell))
    if freedom < 5:
        return None
    mean = np.bincount(cell, values) / np.bincount(cell)
    pure = np.sqrt(np.sum((values - mean[cell]) ** 2) / freedom)
    left = max(found.freedom - len(inputs) + len(values), 1)
    law = np.sqrt(np.sum((values - values.mean()) ** 2) / left)
    lowest = law * np.sqrt(left / chdtri(left, 0.05))
    highest = pure * np.sqrt(freedom / chdtri(freedom, 0.95))
    if not lowest > 1.5 * highest:
        return None
    return float(law * found.scale), float(pure * found.scale)


def outliers(found: Residuals) -> list[int]:
    """Rows that lie farther from the law than scatter does, the farthest first."""
    if found.freedom < 1:
        return []
    distance = np.abs(found.values - np.median(found.values)) / found.spread()
    return [int(row) for row in np.argsort(-distance) if distance[row] > FAR]


def says_nothing(found: Residuals) -> bool:
    """Whether the losses vary with the inputs no more than chance lets them, under any law.

    An F test of their ranks (Conover & Iman 1981, Am. Stat. 35, 124), so that no outlier hides it.
    """
    ranks = np.unique(found.runs["L"], return_inverse=True)[1].astype(np.float64)
    columns = found.surface(2)[:, : (len(ranks) - 1) // 2]
    if len(ranks) - 1 - columns.shape[1] < FEWEST:
        return False
    return added(ranks, np.ones((len(ranks), 1)), columns)[1] > TREND


def _nothing() -> Note:
    return Note(
        "no_trend",
        "the losses vary with the inputs no more than scatter does by chance, so what is said of "
        "the law is its prior: check that L and the inputs are the columns meant, or add runs over "
        "a wider range",
    )


def _repeats(law: float, pure: float, on_log: bool) -> str:
    return (
        f"the law misses the runs by {_size(law, on_log)}, while repeated runs agree to "
        f"{_size(pure, on_log)}: its form does not hold over the whole table, and its intervals "
        "leave that out; look at the residuals, compare other laws, or fit the runs nearer the "
        "frontier"
    )


def _departs(size: float, on_log: bool, large: bool) -> str:
    beside = ", more than a decision should rest on" if large else ""
    return (
        f"the law is off by {_size(size, on_log)} over the runs{beside}; all intervals carry that, "
        "and other laws may do better: compare them"
    )


def _note(cause: Explained, on_log: bool) -> Note:
    size = f"{_size(cause.of, on_log)} of {_size(cause.total, on_log)}"
    if isinstance(cause, Miscount):
        return _miscounted(cause, size)
    match cause.what:
        case "exponential":
            return Note(
                "unit",
                Message(
                    f"the log of the loss follows the law where the loss does not ({size}), as if "
                    "it were a perplexity: if it is one, read its logarithm, such as ",
                    Argument("L", "column in ppl", "column"),
                ),
            )
        case "smooth":
            return Note(
                "misfit",
                f"the residuals run with the inputs ({size}): the form of the law does not hold "
                "over the whole table, and its intervals leave that out; compare other laws, or "
                "fit the runs nearer the frontier",
            )
        case "order":
            return Note(
                "order",
                f"the residuals run with the order of the rows ({size}): something changed from "
                "run to run that the table does not say; find it, and fit the parts apart",
            )
        case label:
            return Note(
                "label_explains",
                Message(
                    f"residuals differ by {label} ({size}), which one fit pools: fit one of its "
                    "values, ",
                    Call("read", (Argument("where", f"{label}=..."),)),
                    ", or each, ",
                    Call("refit", (Argument("by", label),), other=True),
                ),
            )


def _miscounted(cause: Miscount, size: str) -> Note:
    where = f"6 N D {flop(6 * cause.beyond)}"
    if len(cause.by) == 1:
        where = f"{cause.by[0]} {quantity(cause.by[0], cause.beyond)}"
    times, way = max(cause.factor, 1 / cause.factor), "high" if cause.factor > 1 else "low"
    return Note(
        "miscounted",
        f"the residuals jump at {where} ({size}), as if {cause.input} were counted {times:.2g} "
        f"times too {way} beyond: check how it was counted there, such as the batch size behind "
        "tokens, or fit the parts apart",
    )


def _outliers(found: Residuals, rows: list[int], on_log: bool) -> Note:
    numbers = found.runs.row_numbers
    said = [
        f"{numbers[row]} ({_size(abs(found.values[row] * found.scale), on_log)})" for row in rows
    ]
    one = len(rows) == 1
    return Note(
        "outliers",
        f"{'row' if one else 'rows'} {listed(said, 5)} {'lies' if one else 'lie'} more than "
        f"{FAR:.0f} times the scatter from the law: check "
        f"{'its' if one else 'their'} numbers, or leave {'it' if one else 'them'} out",
    )


def _size(size: float, on_log: bool) -> str:
    return f"{100 * size:.2g} %" if on_log else f"{size:.2g}"
