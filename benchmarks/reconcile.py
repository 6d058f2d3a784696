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
from scalingfit.evidence import Reconciliation
from scalingfit.evidence.reconcile import exponent_without_embeddings, recount

REPORT = Path(__file__).with_suffix(".md")
LADDER = {
    "RefinedWeb": {
        "Reproducing Kaplan et al.": 0.835,
        "Counting last layer FLOPs": 0.706,
        "Correcting warmup": 0.602,
        "Cosine decay": 0.571,
        "Optimizer tuning (no decay)": 0.497,
    },
    "OpenWebText2": {
        "Reproducing Kaplan et al.": 0.864,
        "Counting last layer FLOPs": 0.699,
        "Correcting warmup": 0.603,
        "Cosine decay": 0.574,
        "Optimizer tuning (no decay)": 0.518,
    },
}
BUDGETS = (6e18, 1e19, 3e19, 6e19, 1e20, 3e20, 6e20, 1e21, 3e21)  # of Hoffmann et al.'s isoFLOPs
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
    for dataset, published in LADDER.items():
        found = ladder(dataset, published)
        parts.append(
            f"## Porian et al. 2024 (arXiv 2406.19146), {dataset}\n\n"
            "*published* is theirs: Akima interpolation, and a regression weighted by a "
            f"bootstrap with a noise that they set.\n\n```\n{found}\n```\n"
        )
        save(found, asked.pictures, dataset)
    found = counted()
    posterior = next(iter(found.stages.values())).posterior
    middle, low, high = exponent_without_embeddings(posterior).interval()
    parts.append(
        "## Chinchilla's runs, counted in two ways\n\n"
        "`epoch_chinchilla` (240 rows) with total parameters, and without embeddings by Pearce & "
        "Song's relation (2024, arXiv 2406.12907). Over the range of these runs embeddings are "
        "few, and the exponent changes little. Over Kaplan's range of sizes (790 to 1.6e9 without "
        "embeddings) the same posterior gives what Kaplan et al. would have found: "
        f"{middle:.3f} [{low:.3f}, {high:.3f}], where Pearce & Song's script gives {PEARCE:.3f} "
        f"for the point estimate of Besiroglu et al. and Kaplan et al. report 0.73.\n\n"
        f"```\n{found}\n```\n"
    )
    save(found, asked.pictures, "epoch")
    parts.append(environment() + "\n")
    print("\n".join(parts))
    REPORT.write_text("\n".join(parts), encoding="utf-8")


def ladder(dataset: str, published: dict[str, float]) -> Reconciliation:
    runs = sf.datasets.load("porian_isoflop")
    stages = runs.take(runs.labels["dataset"] == dataset).split("stage")
    return sf.reconcile({name: stages[name] for name in published}, published=published)


def counted() -> Reconciliation:
    runs = epoch()
    total = sf.reconcile({"total parameters": runs}, budgets=BUDGETS)
    return Reconciliation(
        {**total.stages, **sf.reconcile({"without embeddings": recount(runs)}).stages}
    )


def save(found: Reconciliation, folder: Path | None, name: str) -> None:
    if folder is not None:
        from scalingfit.report import evidence_plots, plots

        plots.save(evidence_plots.reconciliation(found), folder / f"reconcile-{name}.png")


if __name__ == "__main__":
    main()
