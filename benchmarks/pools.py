"""The pools of ScaleBench (Li et al. 2026, arXiv 2604.22753): tables, laws, costs and scores.

They are read from the folder that SCALINGFIT_DATA names.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from scalingfit.runs import Runs

Floats = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Task:
    """A table, the law it is fitted by, and what a run of it costs.

    Attributes
    ----------
    published : mapping of str to scores
        ScaleBench's at 1, 5 and 10 % of the compute, by method.
    all_data : float
        ScaleBench's from every run.
    large : mapping
        Of a law that splits a budget: the one whose N* is asked for, and the law's other inputs.
    """

    file: str
    law: str
    columns: Mapping[str, str]
    cost: Callable[[pd.DataFrame], pd.Series]
    published: Mapping[str, tuple[float, float, float]]
    all_data: float
    large: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    negative: bool = False

    @property
    def methods(self) -> list[str]:
        """What chooses runs."""
        return ["loss", "V-optimal", *(["size"] if self.large else []), "random"]


TASKS = {
    "farseer": Task(
        "farseer_train.csv",
        "nested",
        {"N": "N", "D": "D", "L": "loss"},
        lambda t: 6 * t.N * t.D,
        {
            "random": (-0.77, 0.78, 0.79),
            "D": (-0.11, 0.49, 0.87),
            "V": (0.67, 0.87, 0.92),
            "theirs": (0.60, 0.88, 0.93),
        },
        all_data=0.91,
        large={"C": 1e24},
    ),
    "data_constrained": Task(
        "data_constrained_train.csv",
        "data_constrained",
        {"N": "params", "D": "tokens", "U": "unique_tokens", "L": "loss"},
        lambda t: 6 * t.params * t.tokens,
        {
            "random": (-0.74, -0.36, 0.12),
            "D": (0.71, 0.80, 0.77),
            "V": (0.58, 0.83, 0.85),
            "theirs": (0.73, 0.85, 0.86),
        },
        all_data=0.79,
    ),
    "vocab": Task(
        "vocab_train.csv",
        "vocabulary",
        {
            "N_nv": "non_vocab_parameters",
            "N_v": "vocab_size",
            "D": "num_characters",
            "L": "unigram_normalized_loss",
        },
        lambda t: t.non_vocab_parameters * t.num_characters,
        {
            "random": (0.54, 0.53, 0.59),
            "D": (0.95, 0.97, 0.97),
            "V": (0.96, 0.97, 0.98),
            "theirs": (0.96, 0.98, 0.98),
        },
        all_data=0.93,
        negative=True,
    ),
    "moe": Task(
        "moe_train.csv",
        "routed",
        {"N": "dense_parameter_count", "experts": "num_experts", "L": "loss_validation"},
        lambda t: t.dense_parameter_count * t.num_experts,
        {
            "random": (-0.47, 0.01, 0.26),
            "D": (0.34, 0.55, 0.74),
            "V": (0.67, 0.80, 0.80),
            "theirs": (0.59, 0.65, 0.83),
        },
        all_data=0.81,
    ),
}


def load(task: Task) -> tuple[Runs, Floats]:
    """The runs, and what each costs, shape (run,)."""
    folder = Path(os.environ.get("SCALINGFIT_DATA", "../shared/data")) / "scalebench"
    table = pd.read_csv(folder / task.file)
    columns = {symbol: table[column].to_numpy(float) for symbol, column in task.columns.items()}
    runs = Runs.from_columns(columns, allow_negative_loss=task.negative)
    return runs, task.cost(table).to_numpy(float)
