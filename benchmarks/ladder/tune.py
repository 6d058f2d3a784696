"""The sweep behind the rule for learning rate and batch."""

import itertools
import sys
from collections.abc import Iterator
from pathlib import Path

from rich.progress import track

from . import table
from .corpus import load
from .grid import RUNGS, Plan
from .model import Shape
from .train import Diverged, train

#: Shape, budget [FLOP], batches [bytes], learning rates. The first two, near the optima of a low
#: and of a middle budget, set the rule; the last two check it far to either side of an optimum.
SWEEPS = (
    (RUNGS[3], 5e10, (128, 256, 512, 1024, 2048), (0.004, 0.008, 0.016, 0.032, 0.064)),
    (RUNGS[6], 4e11, (128, 256, 512, 1024), (0.004, 0.008, 0.016)),
    (RUNGS[9], 6.3e11, (128,), (0.00125, 0.0025, 0.005)),
    (RUNGS[1], 6.3e10, (512,), (0.0075, 0.015, 0.03, 0.06)),
)


def tune(out: Path) -> None:
    """Train what is missing of the sweep; rows go to ``tuning.csv`` in `out`."""
    corpus = load(out / "corpus")
    path = out / "tuning.csv"
    finished = table.finished(path)
    missing = [case for case in _cases() if case[0] not in finished]
    for name, shape, plan in track(missing, "tuning", disable=not sys.stderr.isatty()):
        try:
            loss, loss_se = train(shape, plan, corpus, seed=0)
        except Diverged:
            loss = loss_se = float("nan")  # a finding here, unlike in the ladder's table
        row: table.Row = {
            "run": name,
            "params": shape.params,
            "tokens": plan.tokens,
            "batch": plan.batch,
            "learning_rate": plan.learning_rate,
            "loss": f"{loss:.4f}",
            "loss_se": f"{loss_se:.4f}",
        }
        table.append(path, row)


def _cases() -> Iterator[tuple[str, Shape, Plan]]:
    for shape, budget, batches, rates in SWEEPS:
        for batch, rate in itertools.product(batches, rates):
            plan = Plan(round(budget / (6 * shape.params * batch)), batch, rate)
            yield f"n{shape.params}-b{batch}-lr{rate:g}", shape, plan
