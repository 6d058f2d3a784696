"""Designed batches of training runs against grids of equal compute, really trained.

    python -m benchmarks.next_runs               # the figures, into benchmarks/design.md
    python -m benchmarks.next_runs --train SEED  # a further trial's runs, minutes on one core

A trial is a seed of the ladder: its runs stand in ``scalingfit/runs/ladder.csv`` and in
``benchmarks/ladder/pool.csv``.
"""

from __future__ import annotations

import argparse
import os
import resource
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

import scalingfit as sf
from benchmarks.ladder import grid, isoflop
from benchmarks.ladder.grid import Run
from benchmarks.speed.problem import environment, markdown
from scalingfit.inference import Posterior
from scalingfit.report import plots
from scalingfit.runs import Runs

REPORT, PICTURE = Path("benchmarks/design.md"), Path("benchmarks/design.png")
TABLE, OUT = Path("benchmarks/ladder/pool.csv"), Path("benchmarks/out/ladder")
STORE = OUT / "fits"
SEEDS = range(5)
PILOT, LEVEL, TARGET = (2e10, 6.3e10), 2e11, 2e12
BATCH = 4
BUDGET = BATCH * LEVEL
"""FLOP of the second batch: an isoFLOP grid of four sizes."""

POOL = tuple(BUDGET / 2.0**halving for halving in range(4))
"""Budgets of the runs that may be chosen, FLOP."""

RATIOS = (1.5, 400.0)
"""Of D to N: the ladder's own description says that the law is not for the corners beyond."""

HEAD = f"""# Designed runs against a grid, really trained

Made by `python -m benchmarks.next_runs`. The runs are byte language models, trained by the ladder's
scripts (`benchmarks/ladder`): its shapes of 1,244 to 1,014,656 parameters, those with D/N from
{RATIOS[0]:g} to {RATIOS[1]:g}, as the ladder's own description has it. A trial is a seed, which
draws the weights and the order of the text, so that trials share no runs. Its pilot is the ladder's
cells at {PILOT[0]:g} and {PILOT[1]:g} FLOP. A second batch of at most {BATCH} runs costs
{BUDGET:g} FLOP:

- *designed*: what `scalingfit design --aim size` asks for after the trial's pilot, for
  {TARGET:g} FLOP, out of every shape at {", ".join(f"{C:g}" for C in POOL[::-1])} FLOP;
- *grid*: the isoFLOP grid of equal compute: the {BATCH} sizes at {LEVEL:g} FLOP that lie nearest to
  the pilot's optimum there.

Chinchilla's law with its error is fitted to pilot and batch, as `refit` does by default. The truth
is the ladder's: runs at {TARGET:g} FLOP, which no trial sees, and their cubic. The overspend is
what the fit's median N* wastes by that cubic: its loss is bought for less by the share shown, at
the slope of the loss along the ladder's frontier. Errors are those of posterior medians, as their
mean over the seeds [least, largest], and as root mean square. *Promised* is the standard deviation
of ln N* that `design` expected its batch to leave, *left* what the posterior then had, root mean
squares; *inside* counts the seeds whose 90 % interval contains the truth.
"""

LIMITS = """
Seeds share the shapes, and shapes are not equally good: cells miss their budget's cubic by about
1 % (`benchmarks/ladder/README.md`), more than seeds scatter. What a shape is off is in every trial
that takes it, and in the truth's own cubic, so that five seeds are far from five truths. They say
how far off a real table leaves each method, and little of which is the better one: that takes
[many independent truths](simulated_designs.md).
"""

SPEED = """
## Speed

1,000 candidates, 4,000 draws with the law's error, a batch of 16: {cpu:.1f} s of CPU time once
compiled, {wall:.1f} s by the clock beside a load of {load:.0f} on 2 cores, {ratio:.1f} times a
frontier of eight budgets from the same draws; at most {memory:.1f} GB for the whole process, the
fit included. Most of it goes into what plans waste, in every draw.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", type=int, metavar="SEED", help="train what a trial lacks")
    seed = parser.parse_args().train
    if seed is not None:
        train(seed)
        return
    frame = pd.DataFrame(rows())
    plots.save(picture(frame), PICTURE)
    text = report(frame) + LIMITS + SPEED.format(**speed())
    REPORT.write_text(f"{text}\n{environment()}\n")
    print(REPORT.read_text())


def train(seed: int) -> None:
    """Train what is missing of a trial: its pilot, then the batches that follow from it."""
    from benchmarks.ladder import corpus, runner
    from benchmarks.ladder import train as ladder

    text = corpus.load(OUT / "corpus")

    def fill(runs: Iterable[Run]) -> None:
        runner.fill(
            [run for run in runs if run.name not in trained()],
            TABLE,
            lambda run, tell: ladder.train(run.shape, run.plan, text, run.seed, tell),
            ladder.device(),
        )

    pilot = cells(PILOT, seed)
    fill(pilot)
    post = sf.refit({seed: runs_of(pilot)}, store=STORE)[seed]
    for batch in batches(post, seed):
        fill(batch.runs)


def cells(budgets: Iterable[float], seed: int) -> list[Run]:
    """The ladder's shapes at these budgets for which the law is meant."""
    every = (Run(shape, C, seed) for C in budgets for shape in grid.RUNGS)
    return [run for run in every if RATIOS[0] < run.plan.tokens / run.shape.params < RATIOS[1]]


def trained() -> dict[str, float]:
    """Losses of all runs there are, by name."""
    table = pd.concat([pd.read_csv(path) for path in (TABLE, isoflop.TABLE)])
    return dict(zip(table.run, table.loss, strict=True))


def runs_of(wanted: Iterable[Run]) -> Runs:
    """Runs with their losses."""
    wanted, losses = list(wanted), trained()
    if missing := [run.name for run in wanted if run.name not in losses]:
        raise SystemExit(
            f"{', '.join(missing)}: not trained yet. "
            f"Run `python -m benchmarks.next_runs --train {wanted[0].seed}`."
        )
    N, D = (np.array(values, float) for values in zip(*map(_inputs, wanted), strict=True))
    L = np.array([losses[run.name] for run in wanted])
    return Runs.from_columns({"N": N, "D": D, "C": 6 * N * D, "L": L})


def _inputs(run: Run) -> tuple[int, int]:
    return run.shape.params, run.plan.tokens


class Batch(NamedTuple):
    """Runs that a method asks for, and the standard deviation of ln N* that it promises."""

    method: str
    runs: list[Run]
    promised: float | None


def batches(post: Posterior, seed: int) -> Iterator[Batch]:
    """What each method asks for after a pilot."""
    pool = cells(POOL, seed)
    N, D = (np.array(values, float) for values in zip(*map(_inputs, pool), strict=True))
    costs = np.array([run.budget for run in pool])
    candidates = {"N": N, "D": D, "cost": costs, "at": np.arange(len(pool))}
    # A seed makes one run of a cell: batches this small have no replicates.
    found = sf.design(post, BUDGET, target=TARGET, aim="size", pool=candidates, batch=BATCH)
    sd = float(np.log(post.frontier(TARGET).N).std())
    chosen = [pool[int(at)] for at in found.runs.labels["at"]]
    yield Batch("designed", chosen, sd * found.expected[0].shrink)
    optimum = np.median(np.log(post.frontier(LEVEL).N))
    level = [run for run in pool if run.budget == LEVEL]
    level.sort(key=lambda run: abs(np.log(run.shape.params) - optimum))
    yield Batch("grid", level[:BATCH], None)


def rows() -> Iterator[dict[str, object]]:
    """Every method in every trial."""
    pilots = {seed: cells(PILOT, seed) for seed in SEEDS}
    before = sf.refit({seed: runs_of(pilot) for seed, pilot in pilots.items()}, store=STORE)
    for seed in SEEDS:
        yield {"seed": seed, "method": "pilot alone", "batch": "", **errors(before[seed])}
    asked = {(each.method, seed): each for seed in SEEDS for each in batches(before[seed], seed)}
    tables = {key: runs_of([*pilots[key[1]], *batch.runs]) for key, batch in asked.items()}
    after = sf.refit(tables, store=STORE)
    for method in ("designed", "grid"):
        for seed in SEEDS:
            batch = asked[method, seed]
            kept = {"batch": _told(batch.runs), "promised": batch.promised}
            yield {"seed": seed, "method": method, **kept, **errors(after[method, seed])}


def _told(runs: Iterable[Run]) -> str:
    ordered = sorted(runs, key=lambda run: (run.budget, run.shape.params))
    return ", ".join(f"{run.shape.params:,} at {run.budget:g}" for run in ordered)


def errors(post: Posterior) -> dict[str, float]:
    """Errors at the target by the ladder's own runs there."""
    curves = {curve.budget: curve for curve in isoflop.curves()}
    truth = curves[TARGET]
    found = post.frontier(TARGET)
    size = float(np.median(found.N))
    inside = np.clip(size, truth.sizes[0], truth.sizes[-1])
    least, bought = (float(truth.at(np.array([N]))[0]) for N in (truth.optimum, inside))
    below = curves[6.3e11]
    slope = np.log(least / below.at(np.array([below.optimum]))[0]) / np.log(TARGET / below.budget)
    low, high = np.quantile(found.N, (0.05, 0.95))
    return {
        "log_n": float(np.log(size / truth.optimum)),
        "log_l": float(np.log(np.median(found.L) / least)),
        "overspend": float(np.exp(np.log(bought / least) / -slope) - 1.0),
        "sd": float(np.log(found.N).std()),
        "inside": float(low <= truth.optimum <= high),
    }


def speed() -> dict[str, float]:
    """How long a design of 16 runs of 1,000 takes, beside a frontier, and the most memory."""
    post = sf.fit(sf.datasets.read("ladder"))
    C = np.repeat(np.geomspace(2e10, 4e12, 40), 25)
    N = np.sqrt(C / 120) * np.tile(np.geomspace(1 / 8, 8, 25), 40)
    budgets = np.geomspace(2e10, 2e13, 8)

    def design() -> None:
        sf.design(post, 1e13, target=1e14, aim="size", pool={"N": N, "D": C / (6 * N)}, batch=16)

    def frontier() -> None:
        post.frontier(budgets)

    times = {}
    for work in (design, frontier):
        work()
        start, used = time.perf_counter(), time.process_time()
        work()
        times[work.__name__] = time.perf_counter() - start, time.process_time() - used
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    (wall, cpu), (beside, _) = times["design"], times["frontier"]
    load = os.getloadavg()[0]
    return {"wall": wall, "cpu": cpu, "ratio": wall / beside, "memory": memory, "load": load}


def report(frame: pd.DataFrame) -> str:
    """Each method over the seeds, and every trial."""
    by_method = []
    for method, part in frame.groupby("method", sort=False):
        root = np.sqrt((part[["log_n", "log_l", "promised", "sd"]].astype(float) ** 2).mean())
        promised = "" if part.promised.isna().all() else f"{root.promised:.2f}"
        by_method.append(
            [
                method,
                _spread(part.log_n, ".2f"),
                f"{root.log_n:.2f}",
                promised,
                f"{root.sd:.2f}",
                _spread(part.log_l, ".4f"),
                f"{root.log_l:.4f}",
                _spread(part.overspend, ".1%"),
                f"{part.inside.sum():.0f} of {len(part)}",
            ]
        )
    trials = [
        [row.seed, row.method, row.batch, f"{row.log_n:.2f}", f"{row.log_l:.4f}", f"{row.sd:.2f}"]
        for row in frame[frame.batch != ""].sort_values("seed", kind="stable").itertuples()
    ]
    head = [
        "method", "error of ln N*", "rms", "promised", "left", "error of ln L", "rms",
        "overspend", "inside",
    ]  # fmt: skip
    trial = ["seed", "batch", "parameters at FLOP", "error of ln N*", "of ln L", "left"]
    return "\n".join(
        [
            HEAD,
            "![Errors by method](design.png)",
            "",
            markdown(head, by_method),
            "",
            "Every trial:",
            "",
            markdown(trial, trials),
            "",
        ]
    )


def _spread(values: pd.Series, form: str) -> str:
    return f"{values.mean():{form}} [{values.min():{form}}, {values.max():{form}}]"


def picture(frame: pd.DataFrame) -> Figure:
    """Every trial as a point, its methods joined: the errors of ln N* and of ln L."""
    figure = Figure(figsize=(8.5, 3.2), dpi=150, layout="constrained")
    methods = list(dict.fromkeys(frame.method))
    for axes, (name, label) in zip(
        figure.subplots(1, 2, sharey=True),
        (("log_n", "error of ln N*"), ("log_l", "error of ln L")),
        strict=True,
    ):
        for seed, part in frame.groupby("seed"):
            axes.plot(part[name], range(len(methods)), "o-", lw=0.8, mec="white", label=f"{seed}")
        axes.axvline(0.0, color="#888888", lw=1)
        axes.set_yticks(range(len(methods)), methods)
        axes.set_xlabel(f"{label} at {TARGET:g} FLOP")
        axes.spines[["top", "right"]].set_visible(False)
    axes.invert_yaxis()
    axes.legend(title="seed", frameon=False, fontsize="small")
    return figure


if __name__ == "__main__":
    main()
