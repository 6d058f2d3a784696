"""Many fits in words: how they came out, how far they differ, and what is wrong with some."""

from __future__ import annotations

import collections
from collections.abc import Mapping
from typing import Any

from scalingfit.batch.answers import aligned
from scalingfit.inference import Posterior

__all__ = ["each_fit", "methods", "spread", "troubles"]

SHOWN = 5  # fits of each status that are named

METHODS = {"importance": "importance sampling", "nuts": "NUTS"}


def methods(fits: Mapping[Any, Posterior]) -> list[str]:
    """How many fits were made in which way."""
    made = collections.Counter(fit.provenance["method"] for fit in fits.values())
    said = [f"{count} by {METHODS.get(name, name)}" for name, count in made.items()]
    return [f"methods: {', '.join(said)}"] if said else []


def each_fit(fits: Mapping[Any, Posterior]) -> list[str]:
    """A row for every fit; all are of one model."""
    rows = [[str(label), *map(_interval, fit.summary().values())] for label, fit in fits.items()]
    return aligned([["fits", *next(iter(fits.values())).draws], *rows])


def spread(found: Mapping[str, Mapping[str, Mapping[str, float]]]) -> list[str]:
    """A row for every parameter, of what `Refits.spread` found."""
    rows = [
        [name, _interval(row["across"]), _interval(row["within"])] for name, row in found.items()
    ]
    return aligned([["", "across fits", "within a fit"], *rows])


def _interval(row: Mapping[str, float]) -> str:
    low, middle, high = (f"{row[key]:.3g}" for key in ("q5", "q50", "q95"))
    return middle if low == high else f"{middle} [{low}, {high}]"


def troubles(fits: Mapping[Any, Posterior], statuses: Mapping[Any, str]) -> list[str]:
    """The first fits of each kind that are not ok, with what is said of them."""
    kinds: dict[str, list[str]] = {}
    for label, status in statuses.items():
        kind, said = status, status
        if label not in fits:
            kind, _, said = status.partition(": ")
        elif status != "ok":
            said = fits[label].verdict.messages[0]
        kinds.setdefault(kind, []).append(f"  - {label!r}: {said.splitlines()[0]}")
    kinds.pop("ok", None)
    lines = []
    for kind, each in kinds.items():
        rest = [f"  and {len(each) - SHOWN} more"] if len(each) > SHOWN else []
        lines += ["", f"{kind}:", *each[:SHOWN], *rest]
    return lines
