"""Which law a comparison chooses, over many simulated tables whose law is known.

    python -m benchmarks.choices [--tables 200] [CELL ...]

writes ``benchmarks/choices.md``; a cell is a number of rows and a scatter in percent, such as
``24x0.5``, and replaces its own part of the report.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from scipy.stats import beta

import scalingfit as sf
from benchmarks.comparison import write
from benchmarks.speed.problem import environment
from scalingfit.evidence.comparison.candidate import is_better
from scalingfit.evidence.comparison.compare import rank
from scalingfit.evidence.comparison.leave_out import LeaveOut, leave_each
from scalingfit.inference import Limits, Settings
from scalingfit.runs import Runs

REPORT = Path(__file__).with_suffix(".md")
CELLS = ("24x0.5", "24x3", "60x0.5", "60x3")
TRUTHS = {
    "chinchilla": dict(sf.law("chinchilla").published["hoffmann-2022"].values),
    "kaplan": dict(sf.law("kaplan").published["kaplan-2020-table-2"].values),
    "nested": dict(sf.law("nested").published["hoffmann-2022"].values) | {"q": 0.5},
    "over_training": dict(sf.law("over_training").published["muennighoff-2023"].values),
}
CONTAINED = {
    "chinchilla": ("over_training",),
    "kaplan": (),
    "nested": ("chinchilla", "kaplan", "over_training"),
    "over_training": (),
}
"""A law that contains another predicts its runs nearly as well: the two cannot be distinguished."""
LIMITS, DRAWS = Limits(ess=200), 250

HEAD = """# Which law a comparison chooses

Made by `python -m benchmarks.choices`. Tables are simulated from a law whose parameters are known,
at six budgets from 3e18 to 3e21 FLOP, on a band of sizes about 20 tokens a parameter, with normal
scatter on log loss. Each is fitted by all four laws with `scalingfit.refit` (method "auto", 4
chains of 250 draws, Student-t scatter), and compared by PSIS-LOO by the rule that `compare` uses:
one law is better where its elpd is higher by more than 4 nats and two standard errors (a few
percent more, since so many runs tell the error only so well).
`over_training` is Chinchilla's law with alpha = beta, so that where it is true the runs cannot tell
the two apart, and must not. `nested` holds all the others; where it is true, it has Chinchilla's
constants and q = 0.5, midway between the two corners.

*highest*: its elpd is the highest. *preferred*: it is declared better than all laws that do not
contain it. *undecided*: no other law is declared better than it, and it is not preferred. *wrong*:
a law that does not contain it is declared better than it. Intervals are 95 % (Clopper-Pearson).
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cells", nargs="*", default=list(CELLS))
    parser.add_argument("--tables", type=int, default=200)
    asked = parser.parse_args()
    for cell in asked.cells:
        rows, percent = (float(part) for part in cell.split("x"))
        text = part(int(rows), percent / 100, asked.tables)
        print(text, flush=True)
        write(REPORT, HEAD, {cell: text}, CELLS)


def part(rows: int, scatter: float, count: int) -> str:
    """All laws' tables of one size and scatter."""
    start, lines, failed = time.perf_counter(), [], 0
    for truth in TRUTHS:
        tables = {seed: simulated(truth, rows, scatter, seed) for seed in range(count)}
        fits = sf.refit(tables, list(TRUTHS), draws=DRAWS, limits=LIMITS, retries=1, progress=False)
        failed += sum(not verdict.ok for verdict in fits.verdicts.values())
        tally = np.zeros(4, int)
        for seed in tables:
            left = {law: _left(fits[seed, law], rows) for law in TRUTHS}
            tally += outcome(truth, left)
        cells = [f"{hits} {interval(int(hits), count)}" for hits in tally]
        lines.append(f"| {truth} | {' | '.join(cells)} |")
    seconds = time.perf_counter() - start
    return (
        f"## {rows} rows, {scatter:.1%} scatter, {count} tables of each law\n\n"
        "| truth | highest | preferred | undecided | wrong |\n| --- | --- | --- | --- | --- |\n"
        + "\n".join(lines)
        + f"\n\n{seconds:.0f} seconds for {len(TRUTHS) ** 2 * count} fits; {failed} of them "
        f"did not pass their diagnostics. {environment()}\n"
    )


def simulated(law: str, rows: int, scatter: float, seed: int) -> Runs:
    """Runs of a law at six budgets."""
    random = np.random.default_rng([seed, rows])
    C = np.repeat(np.geomspace(3e18, 3e21, 6), rows // 6)
    N = np.sqrt(C / 120) * np.exp(random.uniform(-1.8, 1.8, rows))
    D = C / (6 * N)
    mean = np.asarray(sf.law(law)(**TRUTHS[law]).loss(N, D), float)
    losses = mean * np.exp(scatter * random.standard_normal(rows))
    return Runs.from_columns({"N": N, "D": D, "C": C, "L": losses})


def outcome(truth: str, left: dict[str, LeaveOut]) -> list[bool]:
    """Highest, preferred, undecided, wrong."""
    ranked = rank(left)
    best = next(iter(ranked))
    rivals = [law for law in left if law != truth and truth not in CONTAINED[law]]
    preferred = all(_better(left, truth, law) for law in rivals)
    wrong = any(_better(left, law, truth) for law in rivals)
    return [best == truth, preferred, not preferred and not wrong, wrong]


def _better(left: dict[str, LeaveOut], one: str, other: str) -> bool:
    return is_better(left[one].elpd_i - left[other].elpd_i)


def _left(posterior: sf.Posterior, rows: int) -> LeaveOut:
    return leave_each(posterior, np.arange(rows), Settings(), refit=False)


def interval(hits: int, count: int) -> str:
    low = beta.ppf(0.025, hits, count - hits + 1) if hits else 0.0
    high = beta.ppf(0.975, hits + 1, count - hits) if hits < count else 1.0
    return f"[{low:.0%}, {high:.0%}]"


if __name__ == "__main__":
    main()
