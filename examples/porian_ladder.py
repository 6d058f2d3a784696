"""From Kaplan's exponent to Chinchilla's, one correction after the other.

    python examples/porian_ladder.py [PICTURE.png]

Porian et al. 2024 (arXiv 2406.19146) reproduce N* ~ C^0.84 as Kaplan et al. did, and then count the
FLOP of the last layer, shorten the warm-up, let the learning rate decay within each run, and tune.
For each stage this prints the exponent with its 90 % interval from a law, from isoFLOP profiles and
from the lower envelope, beside theirs. `scalingfit datasets porian_isoflop` says where the table
comes from; it is read from the folder that SCALINGFIT_DATA names.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import scalingfit as sf
from scalingfit.evidence import Reconciliation

STAGES = (
    "Reproducing Kaplan et al.",
    "Counting last layer FLOPs",
    "Correcting warmup",
    "Cosine decay",
    "Optimizer tuning (no decay)",
)
PUBLISHED = {
    "RefinedWeb": dict(zip(STAGES, (0.835, 0.706, 0.602, 0.571, 0.497), strict=True)),
    "OpenWebText2": dict(zip(STAGES, (0.864, 0.699, 0.603, 0.574, 0.518), strict=True)),
}


def ladder(
    dataset: str = "RefinedWeb", stages: Sequence[str] = STAGES, **sampling: Any
) -> Reconciliation:
    """The exponents of some stages on one data set."""
    runs = sf.datasets.read("porian_isoflop")
    every = runs.take(runs.labels["dataset"] == dataset).split("stage")
    published = {stage: PUBLISHED[dataset][stage] for stage in stages}
    return sf.reconcile({stage: every[stage] for stage in stages}, published=published, **sampling)


def main() -> None:
    """Print the ladder, and draw it where a file is named."""
    found = ladder()
    print(found)
    if len(sys.argv) > 1:
        from scalingfit.report import evidence_plots, plots

        plots.save(evidence_plots.reconciliation(found), Path(sys.argv[1]))


if __name__ == "__main__":
    main()
