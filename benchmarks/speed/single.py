"""One posterior, tool by tool, in interleaved rounds: ``python -m benchmarks.speed.single``.

With ``--with-error`` it is that of the law with its error, by the tools whose models have one.
Prints a table for RESULTS.md. A tool counts only if its means agree with ours.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from benchmarks.speed.peers import TOOLS
from benchmarks.speed.problem import WITH_ERROR, elsewhere, environment, markdown

ROUNDS = 2
TOLERANCE = 0.05  # posterior standard deviations between means, beside their Monte-Carlo error


OF_ERRORS = (
    "scalingfit",
    "numpyro_recentred",
    "numpyro_dense",
    "nutpie",
    "nutpie_low_rank",
    "pymc",
)
"""Tools whose models have an error."""


def main(tools: list[str], *flags: str) -> None:
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in tools}
    for number in range(ROUNDS):
        for name in tools:
            print(f"round {number + 1}: {name}", file=sys.stderr)
            found[name].append(elsewhere("benchmarks.speed.peers", name, *flags))
    ours = found["scalingfit"]
    rows = [row(name, found[name], ours) for name in tools]
    head = [
        "tool",
        "leapfrogs a draw",
        "seconds",
        "least ESS",
        "ESS/s",
        "ours is faster by",
        "means differ by",
    ]
    print(markdown(head, rows))
    print()
    print(environment("blackjax", "nutpie", "pymc", "pystan"))


def row(name: str, rounds: list[dict[str, Any]], ours: list[dict[str, Any]]) -> list[str]:
    title = TOOLS[name][0]
    if failed := [one["failed"] for one in rounds if "failed" in one]:
        return [title, f"failed: {failed[0]}", *[""] * 5]
    rate = [one["ess"] / one["seconds"] for one in rounds]
    ratio = [
        mine["ess"] / mine["seconds"] / theirs for mine, theirs in zip(ours, rate, strict=True)
    ]
    mean = {
        which: np.mean([one["mean"] for one in those], axis=0)
        for which, those in (("theirs", rounds), ("ours", ours))
    }
    apart = np.abs(mean["theirs"] - mean["ours"]) / np.mean([one["sd"] for one in ours], axis=0)
    # Rounds may have the same draws, and count as one.
    noise = 3 * np.sqrt(sum(1 / np.mean([one["ess"] for one in those]) for those in (rounds, ours)))
    verdict = "" if apart.max() < max(TOLERANCE, noise) else " (disagrees)"
    return [
        title,
        f"{np.mean([one['leapfrogs'] for one in rounds]):.1f}",
        " / ".join(f"{one['seconds']:.2g}" for one in rounds),
        " / ".join(f"{one['ess']:.0f}" for one in rounds),
        " / ".join(f"{one:.3g}" for one in rate),
        "" if name == "scalingfit" else " / ".join(f"{one:.3g}" for one in ratio),
        "" if name == "scalingfit" else f"{apart.max():.3f} sd{verdict}",
    ]


if __name__ == "__main__":
    asked = [each for each in sys.argv[1:] if not each.startswith("--")]
    flags = [each for each in sys.argv[1:] if each.startswith("--")]
    main(asked or [*(OF_ERRORS if WITH_ERROR else TOOLS)], *flags)
