"""Many fits in words: how they came out, how far they differ, and what is wrong with some."""

from __future__ import annotations

import collections
from collections.abc import Mapping
from typing import TYPE_CHECKING

from scalingfit.batch.answers import FEW, aligned

if TYPE_CHECKING:
    from scalingfit.batch.result import Refits

__all__ = ["in_words"]

SHOWN = 5  # fits of each status that are named

METHODS = {"importance": "importance sampling", "nuts": "NUTS"}


def in_words(refits: Refits) -> str:
    """What ``print`` shows."""
    counts = ", ".join(f"{count} {status}" for status, count in refits.counts.items())
    lines = [f"{len(refits)} fits: {counts}", *_methods(refits)]
    for name, part in refits.by_model().items():
        noise = type(part.noise).name
        title = name if noise in name.split(", ") else f"{name}, {noise} noise"
        lines += ["", f"{title}: median [5 %, 95 %]"]
        lines += _each(part) if len(part.fits) <= FEW else []
        lines += _spread(part) if len(part.fits) > 1 else []
    return "\n".join([*lines, *_troubles(refits), *(f"! {said}" for said in refits.messages)])


def _methods(refits: Refits) -> list[str]:
    made = collections.Counter(fit.provenance["method"] for fit in refits.fits.values())
    said = [f"{count} by {METHODS.get(name, name)}" for name, count in made.items()]
    return [f"methods: {', '.join(said)}"] if said else []


def _each(part: Refits) -> list[str]:
    """A row for every fit."""
    return aligned(
        [
            ["fits", *part.draws],
            *(
                [str(label), *map(_interval, f.summary().values())]
                for label, f in part.fits.items()
            ),
        ]
    )


def _spread(part: Refits) -> list[str]:
    """A row for every parameter."""
    rows = part.spread().items()
    return aligned(
        [
            ["", "across fits", "within a fit"],
            *([name, _interval(row["across"]), _interval(row["within"])] for name, row in rows),
        ]
    )


def _interval(row: Mapping[str, float]) -> str:
    low, middle, high = (f"{row[key]:.3g}" for key in ("q5", "q50", "q95"))
    return middle if low == high else f"{middle} [{low}, {high}]"


def _troubles(refits: Refits) -> list[str]:
    """The first fits of each kind that are not ok, with what is said of them."""
    kinds: dict[str, list[str]] = {}
    for label, status in refits.statuses.items():
        kind, said = status, status
        if label in refits.unfitted:
            kind, _, said = status.partition(": ")
        elif status != "ok":
            said = refits.fits[label].verdict.messages[0]
        kinds.setdefault(kind, []).append(f"  - {label!r}: {said.splitlines()[0]}")
    kinds.pop("ok", None)
    lines = []
    for kind, fits in kinds.items():
        rest = [f"  and {len(fits) - SHOWN} more"] if len(fits) > SHOWN else []
        lines += ["", f"{kind}:", *fits[:SHOWN], *rest]
    return lines
