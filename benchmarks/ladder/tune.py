"""The sweep behind the rule: learning rate and batch, at two sizes."""

import itertools
import time
from pathlib import Path

from . import table
from .corpus import load
from .grid import RUNGS, Plan
from .train import Diverged, train

#: Shape, budget [FLOP], batches [bytes], learning rates: near the optima of the lowest and of a
#: high budget of the grid.
SWEEPS = (
    (RUNGS[3], 5e10, (128, 256, 512, 1024, 2048), (0.004, 0.008, 0.016, 0.032, 0.064)),
    (RUNGS[6], 4e11, (128, 256, 512, 1024), (0.004, 0.008, 0.016)),
)


def tune(out: Path) -> None:
    """Run what is missing of the sweep; rows go to ``tuning.csv`` in `out`."""
    corpus = load(out / "corpus")
    path = out / "tuning.csv"
    cases = [
        (shape, budget, batch, rate)
        for shape, budget, batches, rates in SWEEPS
        for batch, rate in itertools.product(batches, rates)
    ]
    for shape, budget, batch, rate in cases:
        plan = Plan(round(budget / (6 * shape.params * batch)), batch, rate)
        run = f"n{shape.params}-b{batch}-lr{rate:g}"
        if run in table.finished(path):
            continue
        start = time.perf_counter()
        try:
            loss, loss_se = train(shape, plan, corpus, seed=0)
        except Diverged:
            loss = loss_se = float("nan")
        row = {"run": run, "params": shape.params, "tokens": plan.tokens, "batch": batch}
        row |= {"learning_rate": rate, "loss": f"{loss:.4f}", "loss_se": f"{loss_se:.4f}"}
        table.append(path, row)
        print(run, row["loss"], row["loss_se"], f"{time.perf_counter() - start:.0f} s", flush=True)
