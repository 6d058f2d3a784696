"""Many fits in words: how they came out, how far they differ, and what is wrong with some."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scalingfit.batch.result import Refits

__all__ = ["in_words"]

SHOWN = 5  # fits of each status that are named


def in_words(refits: Refits) -> str:
    """What ``print`` shows."""
    counts = ", ".join(f"{count} {status}" for status, count in refits.counts.items())
    lines = [f"{len(refits)} fits: {counts}"]
    for name, part in refits.by_model().items():
        noise = type(part.noise).name
        lines += ["", name if noise in name.split(", ") else f"{name}, {noise} noise"]
        lines += _spread(part.spread())
    return "\n".join([*lines, *_troubles(refits), *(f"! {said}" for said in refits.messages)])


def _spread(spread: Mapping[str, Mapping[str, float]]) -> list[str]:
    width = max(map(len, spread))
    lines = [f"{'':{width}} {'mean':>9} {'sd across':>10} {'sd within':>10}"]
    for name, row in spread.items():
        sds = f"{row['across']:10.3g} {row['within']:10.3g}"
        lines.append(f"{name:{width}} {row['mean']:9.4g} {sds}")
    return lines


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
