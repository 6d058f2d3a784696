"""What a count or a unit that is off leaves in the residuals: known columns, so one number each.

Tokens that were computed with another batch size are too many by a factor, for the runs that were
trained with it. A factor of an input in all runs is taken up by the law's coefficient, and nothing
tells it. In part of the runs it moves log loss by its logarithm times the slope of log loss in the
log of the input, which the law tells: a column for each input and each part. Parts are the runs
beyond some value of an input, or of compute.

A loss that is the exponential of the one that is meant follows the law in its logarithm. Between
the two lie the transformations of Box & Cox (1964, J. R. Stat. Soc. B 26, 211), whose derivative
at the identity is one column too, the constructed variable of Atkinson (1973, J. R. Stat. Soc. B
35, 473).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from scalingfit.inference.residuals import Explained, Residuals

__all__ = ["Miscount", "exponential", "miscount"]

CUTS = np.linspace(0.1, 0.9, 9)
"""Shares of the runs that a part leaves out."""

LARGEST = 700.0
"""Log of a factor that a float holds; of an input on which the loss hardly hangs it is any."""

NEAR = 0.5
"""Of an exponent of Box and Cox: closer to 0 than to 1, or to -1."""

type Floats = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Miscount(Explained):
    """An input that seems to be counted otherwise in part of the runs.

    Attributes
    ----------
    input : str
    by : tuple of str
        What tells the part: an input, or the two whose product is compute.
    beyond : float
        Of it: the runs above are the part.
    factor : float
        By which the input is too large there.
    """

    input: str
    by: tuple[str, ...]
    beyond: float
    factor: float


def miscount(found: Residuals, beside: Floats) -> Miscount | None:
    """The input and the part of the runs that explain residuals best; None where nothing is asked.

    Parameters
    ----------
    found : Residuals
    beside : array, shape (run, column)
        What explains them already.
    """
    asked = [(name, *part) for name in found.slopes for part in _parts(found)]
    if not asked or found.most < 1:
        return None
    columns = np.stack([found.slopes[name] * inside for name, *_, inside in asked], axis=1)
    moved, chances = found.one_by_one(columns, beside)
    best = int(np.argmin(chances))
    name, by, beyond, _ = asked[best]
    told = vars(found.explained("miscount", columns[:, [best]], beside))
    # Each of so many parts could be the best by chance (Bonferroni).
    told = {**told, "chance": min(1.0, len(asked) * told["chance"])}
    factor = float(np.exp(np.clip(-moved[best], -LARGEST, LARGEST)))
    return Miscount(**told, input=name, by=by, beyond=beyond, factor=factor)


def exponential(found: Residuals, beside: Floats) -> Explained | None:
    """What the log of the loss, as the loss, would explain; None where it is not nearer.

    Nearer to the log of the loss than to the loss, and to the log than to powers beyond it.
    """
    if found.constructed is None or found.most < 1:
        return None
    column = found.constructed[:, None]
    (moved,), _ = found.one_by_one(column, beside)
    if not abs(1 + moved) < NEAR:
        return None
    return found.explained("exponential", column, beside)


def _parts(found: Residuals) -> Iterator[tuple[tuple[str, ...], float, Floats]]:
    """What tells a part, the value beyond which runs are of it, and which are: (run,)."""
    names = [(name,) for name in found.inputs]
    for by in [*names, ("N", "D")] if {"N", "D"} <= found.inputs.keys() else names:
        sizes = np.prod([found.inputs[name] for name in by], axis=0)
        cuts = np.unique(np.quantile(sizes, CUTS, method="lower"))
        for cut in cuts[cuts < sizes.max()]:
            yield by, float(cut), np.asarray(sizes > cut, np.float64)
