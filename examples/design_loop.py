"""Plan, train, read, fit, design, and again: a loop of four commands.

    python examples/design_loop.py [FOLDER]

The lab of this example is a law that only it knows, with scatter: `train` fills in the losses of a
table of runs, as a launcher would. What the commands print is shown. They speak through files
alone, so that each may run elsewhere. After each round the optimum is compared with the truth.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

import scalingfit as sf
from scalingfit import cli

TRUTH = sf.law("chinchilla").published["besiroglu-2024"].law
SCATTER = 0.003
TARGET, PILOT, BATCH = "1e22", "2e18", "4e18"


def train(table: Path, seed: int) -> None:
    """Make the runs of a table: give each its loss."""
    runs = pd.read_csv(table)
    scatter = np.random.default_rng(seed).normal(0.0, SCATTER, len(runs))
    mean = TRUTH.E + TRUTH.A / runs["N"] ** TRUTH.alpha + TRUTH.B / runs["D"] ** TRUTH.beta
    runs["L"] = mean * np.exp(scatter)
    runs.to_csv(table, index=False)


def loop(folder: Path, rounds: int = 2) -> list[float]:
    """Run it; the error of ln N* at the target after the pilot and after each batch."""
    best = float(sf.frontier(TRUTH, float(TARGET)).N[0])
    tables, errors = [folder / "pilot.csv"], []
    _typed("plan", "--budget", PILOT, "--target", TARGET, "-o", str(tables[0]))
    for number in range(rounds + 1):
        train(tables[-1], seed=number)
        whole, fit = folder / "runs.csv", folder / "fit.nc"
        pd.concat(map(pd.read_csv, tables)).to_csv(whole, index=False)
        _typed("fit", str(whole), "-o", str(fit))
        found = sf.load(fit).frontier(float(TARGET))
        errors.append(float(np.median(np.log(found.N)) - np.log(best)))
        print(f"error of ln N* after {len(tables)} tables: {errors[-1]:+.3f}\n")
        if number < rounds:
            tables.append(folder / f"batch{number + 1}.csv")
            asked = ["--budget", BATCH, "--target", TARGET, "--aim", "size", "--batch", "12"]
            _typed("design", str(fit), *asked, "-o", str(tables[-1]))
    return errors


def _typed(*arguments: str) -> None:
    print("$ scalingfit", *arguments, flush=True)
    if cli.run(arguments) > 1:
        raise SystemExit(f"scalingfit {arguments[0]} was refused")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        loop(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as made:
            loop(Path(made))
