"""Why published exponents differ, on published runs: the ladder from Kaplan's to Chinchilla's.

    SCALINGFIT_DATA=FOLDER python -m benchmarks.reconcile [--pictures FOLDER]

writes ``benchmarks/reconcile.md``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import scalingfit as sf
from benchmarks.speed.problem import environment
from benchmarks.tables import epoch
from examples.porian_ladder import PUBLISHED, ladder
from scalingfit.evidence import Reconciliation

REPORT = Path(__file__).with_suffix(".md")
BUDGETS = (6e18, 1e19, 3e19, 6e19, 1e20, 3e20, 6e20, 1e21, 3e21)  # of Hoffmann et al.'s isoFLOPs
HOFFMANN = (0.50, 0.49, 0.46)  # their Table 2: envelope, isoFLOP, parametric
KAPLAN = 0.73
PEARCE = 0.7805  # Besiroglu et al.'s constants, by Pearce & Song's script

HEAD = """# Why published exponents differ

Made by `python -m benchmarks.reconcile`: medians of a in N\\* ~ C^a with 90 % intervals, by
`scalingfit.reconcile`. *law*: the posterior of Chinchilla's law, the slope of its optimum between
the lowest and the highest budget. *isoflop*: each budget's minimum from a cubic in log N with
Student-t scatter, and a line through the minima. *envelope*: a line through the sizes of the best
runs.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=Path)
    asked = parser.parse_args()
    parts = [HEAD]
    for dataset in PUBLISHED:
        found = ladder(dataset)
        parts.append(
            f"## Porian et al. 2024 (arXiv 2406.19146), {dataset}\n\n"
            "*published* is theirs: Akima interpolation, and a regression weighted by a "
            f"bootstrap with a noise that they set.\n\n```\n{found}\n```\n"
        )
        save(found, asked.pictures, dataset)
    found = counted()
    parts.append(
        "## Chinchilla's runs, counted in two ways\n\n"
        "`epoch_chinchilla` (240 rows) with total parameters, and without embeddings by Pearce & "
        "Song's relation (2024, arXiv 2406.12907), every run in the budget it was made for. Over "
        "the range of these runs embeddings are few, and the exponent changes little. Over "
        "Kaplan's range of sizes (790 to 1.6e9 without embeddings) the same posterior gives what "
        "Kaplan et al. would have found. Published are their 0.73, and the 0.78 that Pearce & "
        "Song's script gives for the point estimate of Besiroglu et al.\n\n"
        f"```\n{found}\n```\n"
    )
    save(found, asked.pictures, "epoch")
    parts.append(environment() + "\n")
    print("\n".join(parts))
    REPORT.write_text("\n".join(parts), encoding="utf-8")


def counted() -> Reconciliation:
    return sf.reconcile(
        {"all runs": epoch()},
        budgets=BUDGETS,
        recounted=True,
        published={"all runs": HOFFMANN, "all runs, over Kaplan's sizes": (KAPLAN, PEARCE)},
    )


def save(found: Reconciliation, folder: Path | None, name: str) -> None:
    if folder is not None:
        from scalingfit.report import evidence_plots, plots

        plots.save(evidence_plots.reconciliation(found), folder / f"reconcile-{name}.png")


if __name__ == "__main__":
    main()
