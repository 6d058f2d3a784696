"""Laws and the published runs that their reference posteriors are of.

Read with pandas and nothing else of this package, so that how tables are read does not matter.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from scalingfit.runs import Runs

__all__ = ["CASES", "Case"]


@dataclasses.dataclass(frozen=True)
class Case:
    """A posterior: the exact law, its default priors and noise, and some rows of a table."""

    law: str
    file: str
    rows: Callable[[pd.DataFrame], pd.DataFrame]
    columns: Mapping[str, str]
    allow_negative_loss: bool = False

    def runs(self, folder: Path) -> Runs:
        """The runs, from the folder of published tables."""
        frame = self.rows(pd.read_csv(folder / self.file))
        columns = {symbol: frame[name].to_numpy(float) for symbol, name in self.columns.items()}
        return Runs.from_columns(columns, allow_negative_loss=self.allow_negative_loss)


def _lowest(frame: pd.DataFrame, *names: str) -> pd.DataFrame:
    """The row of least loss at every combination of some columns."""
    return frame.loc[np.sort(frame.groupby([*names])["loss"].idxmin().to_numpy())]


def _kept(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[frame["besiroglu_excluded"] == 0]


def _final(frame: pd.DataFrame) -> pd.DataFrame:
    return _lowest(frame[frame["in_last_ckpt_file"] == 1], "params", "tokens")


def _routed(frame: pd.DataFrame) -> pd.DataFrame:
    kept = (frame["is_final_step"] == 1) & (frame["routing_frequency"] == 0.5)
    kept &= (frame["k"] == 1) & (frame["seed"] == 42) & (frame["router_type"] == "S-Base")
    return frame[kept]


def _curve(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[(frame["curve_id"] == "LM|val_loss|2.62e+08") & (frame["split"] == "train")]


def _images(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[(frame["curve_id"] == "IC|bird_10|BiT/101/3") & (frame["split"] == "train")]


def _envelope(frame: pd.DataFrame) -> pd.DataFrame:
    tuned = (frame["stage"] == "Optimizer tuning (no decay)") & (frame["dataset"] == "RefinedWeb")
    return _lowest(frame[tuned], "flops")


def _steps(frame: pd.DataFrame) -> pd.DataFrame:
    best = _lowest(frame, "params", "tokens", "batch_size_sequences")
    return best.assign(batch=2048 * best["batch_size_sequences"])


def _constrained(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[frame["in_final_fit_182"] == 1]


def _vocabulary(frame: pd.DataFrame) -> pd.DataFrame:
    """Every fourth row: the rows are checkpoints, and those of one run go together."""
    return frame[frame["in_approach3_fit"] == 1].iloc[::4]


N_AND_D = {"N": "params", "D": "tokens", "L": "loss"}
X = {"X": "x_seen_examples", "L": "loss"}

CASES = (
    Case("chinchilla", "epoch_chinchilla.csv", _kept, N_AND_D),
    Case("kaplan", "misfitting_checkpoints.csv", _final, N_AND_D),
    Case("nested", "epoch_chinchilla.csv", _kept, N_AND_D),
    Case("over_training", "epoch_chinchilla.csv", _kept, N_AND_D),
    Case(
        "routed",
        "clark_routing_moe.csv",
        _routed,
        {"N": "params", "experts": "num_experts", "L": "loss"},
    ),
    Case("power", "alabdulmohsin_curves.csv", _curve, X),
    Case("power_m1", "alabdulmohsin_curves.csv", _images, X),
    Case("power_m3", "alabdulmohsin_curves.csv", _curve, X),
    Case("power_m4", "alabdulmohsin_curves.csv", _images, X),
    Case("kaplan_compute", "porian_isoflop.csv", _envelope, {"C": "flops", "L": "loss"}),
    Case(
        "kaplan_steps",
        "steplaw_dense.csv",
        _steps,
        {"N": "params", "S": "steps", "batch": "batch", "L": "loss"},
    ),
    Case(
        "data_constrained",
        "muennighoff_data_constrained.csv",
        _constrained,
        {**N_AND_D, "U": "unique_tokens"},
    ),
    Case(
        "vocabulary",
        "vocab_scaling.csv",
        _vocabulary,
        {"N_nv": "params_non_vocab", "N_v": "params_vocab", "D": "tokens", "L": "loss"},
        allow_negative_loss=True,
    ),
)
