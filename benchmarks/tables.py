"""The real tables that the benchmarks of comparisons and backtests share."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

import scalingfit as sf
from scalingfit.runs import Runs

__all__ = ["LAWS", "TABLES", "Case", "epoch", "porian"]

LAWS = ("chinchilla", "kaplan", "nested", "over_training")


@dataclasses.dataclass(frozen=True)
class Case:
    """A table.

    Attributes
    ----------
    title : str
    runs : callable
    leave_out : str or None
        What is left out together, where runs are not independent.
    about : str
        Which rows, and what to know of them.
    """

    title: str
    runs: Callable[[], Runs]
    leave_out: str | None
    about: str


def epoch() -> Runs:
    runs = sf.datasets.read("epoch_chinchilla", labels=["besiroglu_excluded"])
    return runs.take(runs.labels["besiroglu_excluded"] == 0)


def porian(dataset: str = "RefinedWeb", *stages: str) -> Runs:
    runs = sf.datasets.read("porian_isoflop")
    kept = (runs.labels["dataset"] == dataset) & np.isin(runs.labels["stage"], stages)
    return runs.take(kept)


def tuned() -> Runs:
    runs = porian("RefinedWeb", "Optimizer tuning (no decay)")
    return runs.take(runs["D"] >= 2 * runs["N"])


def misfitting() -> Runs:
    runs = sf.datasets.read("misfitting_checkpoints", labels=["in_last_ckpt_file", "peak_lr"])
    frame = runs.take(runs.labels["in_last_ckpt_file"] == 1).to_pandas()
    best = frame.groupby(["N", "D"])["L"].idxmin().to_numpy()
    return runs.take(runs.labels["in_last_ckpt_file"] == 1).take(np.sort(best))


TABLES = {
    "epoch_chinchilla": Case(
        "Chinchilla's runs",
        epoch,
        None,
        "`epoch_chinchilla`, the 240 rows that Besiroglu et al. 2024 fit. Read off a figure: the "
        "loss is precise to about 0.01.",
    ),
    "porian_isoflop": Case(
        "Porian et al., tuned",
        tuned,
        "N",
        "`porian_isoflop`, RefinedWeb, the last stage (tuned, no decay), rows with at least two "
        "tokens a parameter: below, losses are up to twice the best of their budget, and no law "
        "describes both. One training run gives points at several budgets, so all rows of one "
        "size are left out together.",
    ),
    "misfitting_checkpoints": Case(
        "Misfitting, final checkpoints",
        misfitting,
        None,
        "`misfitting_checkpoints`, final checkpoints at the best learning rate for each (N, D), "
        "81 rows.",
    ),
    "llama3_isoflop": Case(
        "Llama 3",
        lambda: sf.datasets.read("llama3_isoflop"),
        None,
        "`llama3_isoflop`, 133 rows read off a figure, C from 6e18 to 1e22. The unit of the loss "
        "is unknown (0.69 to 0.93, not nats a token), so priors in nats are off by a factor.",
    ),
    "ladder": Case(
        "The shipped ladder",
        lambda: sf.datasets.read("ladder"),
        None,
        "`ladder`, 68 runs of small models on bytes, with known standard errors of the loss.",
    ),
}
