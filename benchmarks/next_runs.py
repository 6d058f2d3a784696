"""Designed batches of training runs against grids of equal compute, really trained.

    python -m benchmarks.next_runs            # the figures, into benchmarks/design.md
    python -m benchmarks.next_runs --train    # more seeds of the pool, an hour each on one core

The runs are the ladder's below its largest budget (``scalingfit/runs/ladder.csv``), and further
seeds of the same cells, ``benchmarks/ladder/pool.csv``.
"""

from __future__ import annotations

import argparse
import os
import resource
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

import scalingfit as sf
from benchmarks.ladder import grid, isoflop
from benchmarks.speed.problem import environment
from scalingfit.inference import Posterior
from scalingfit.report import plots
from scalingfit.runs import Runs

REPORT, PICTURE = Path("benchmarks/design.md"), Path("benchmarks/design.png")
TABLE, OUT = Path("benchmarks/ladder/pool.csv"), Path("benchmarks/out/ladder")
STORE = OUT / "fits"
PILOT, POOL, TARGET = (2e10, 6.3e10), (2e11, 6.3e11), 2e12
TRIALS, RANDOM, BATCH = 10, 3, 8
BUDGET = 1.3e12
"""FLOP of the second batch: 6.5 runs at 2e11, or two at 6.3e11."""

RATIOS = (1.5, 400.0)
"""Of D to N: the ladder's own description says that the law is not for the corners beyond."""

Floats = NDArray[np.float64]

HEAD = f"""# Designed runs against a grid, really trained

Made by `python -m benchmarks.next_runs`. The runs are byte language models of 1,244 to 1,014,656
parameters, the ladder's (`benchmarks/ladder`): its cells at {PILOT[0]:g} and {PILOT[1]:g} FLOP (the
pilot) and at {POOL[0]:g} and {POOL[1]:g} (the pool), trained from two or three seeds each. A trial
draws a seed for every cell, takes the pilot, and makes a second batch of at most {BATCH} runs of
the pool for {BUDGET:g} FLOP:

- *designed*: `scalingfit design --aim size`, for {TARGET:g} FLOP;
- *grid*: the isoFLOP grid that a planner would make: the sizes at {POOL[0]:g} FLOP that lie nearest
  to the pilot's optimum there, as many as the budget pays;
- *random*: runs of the pool drawn at random, as many as the budget pays, {RANDOM} times a trial.

Chinchilla's law with its error is fitted to pilot and batch, as `refit` does by default; of the
runs those with D/N from {RATIOS[0]:g} to {RATIOS[1]:g}, as the ladder's own description has it. The
truth is the ladder's: runs at {TARGET:g} FLOP, which no trial sees, and their cubic. The overspend
is what the fit's median N* wastes by that cubic: its loss is bought for less by the share shown, at
the slope of the loss along the ladder's frontier. *Promised* is the standard deviation of ln N*
that `design` expected its batch to leave, *left* what the posterior then had, root mean squares.

Trials share runs and sizes, so that they are not independent: what differs between them is the
seeds and the random draws alone. What errors have in common is a single observation of each method.
It says whether the truth lies as far off as the posterior has it, and little of which method is the
better: that takes [many independent truths](simulated_designs.md).
"""

SMOOTH = """
Shapes are not equally good: cells lie up to 2 % off their budget's cubic, more than seeds scatter.
With all cells of the first trial's runs moved onto their cubics, the errors of ln N* are
{errors}.
Most of the errors above is thus due to which shapes stand where, and a batch of few runs has little
to average it over. So small a pilot leaves the scatter open; `design` takes the mean of its
logarithm over the draws, where the mean of the information would take the least of them for true.
"""

SPEED = """
## Speed

1,000 candidates, 4,000 draws with the law's error, a batch of 16: {cpu:.1f} s of CPU time once
compiled, {wall:.1f} s by the clock beside a load of {load:.0f} on 2 cores, {ratio:.1f} times a
frontier of eight budgets from the same draws; at most {memory:.1f} GB for the whole process, the
fit included. Most of it goes into what plans waste, in every draw.
"""


class Trial(NamedTuple):
    """Runs of one draw of seeds: those of the pilot, and those that could be made."""

    pilot: Runs
    pool: Runs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", type=int, metavar="SEED", help="train what is missing of a seed")
    seed = parser.parse_args().train
    if seed is not None:
        train(seed)
        return
    frame = pd.DataFrame(rows())
    plots.save(picture(frame), PICTURE)
    text = report(frame) + SMOOTH.format(errors=smooth()) + SPEED.format(**speed())
    REPORT.write_text(f"{text}\n{environment()}\n")
    print(REPORT.read_text())


def train(seed: int) -> None:
    """Train what is missing of a seed's cells."""
    from benchmarks.ladder import corpus, runner
    from benchmarks.ladder import train as ladder

    text = corpus.load(OUT / "corpus")
    runner.fill(
        [
            grid.Run(shape, budget, seed)
            for budget in (*PILOT, *POOL)
            for shape in grid.GRID[budget]
        ],
        TABLE,
        lambda run, tell: ladder.train(run.shape, run.plan, text, run.seed, tell),
        ladder.device(),
    )


def drawn(trial: int) -> Trial:
    """The runs of a trial: of each cell one, from a seed drawn at random."""
    table = pd.concat([pd.read_csv(isoflop.TABLE), pd.read_csv(TABLE)]).drop_duplicates("run")
    ratio = table.tokens / table.params
    table = table[(ratio > RATIOS[0]) & (ratio < RATIOS[1])]
    cell = table.run.str.rsplit("-", n=1).str[0]
    table = table.groupby(cell).sample(n=1, random_state=trial)
    budget = table.run.str.extract(r"c([^-]+)-")[0].astype(float)
    return Trial(*(_runs(table[budget.isin(part)]) for part in (PILOT, POOL)))


def _runs(table: pd.DataFrame) -> Runs:
    columns = {"N": table.params, "D": table.tokens, "C": table.flops_6nd, "L": table.loss}
    return Runs.from_columns({name: values.to_numpy(float) for name, values in columns.items()})


def rows() -> Iterator[dict[str, object]]:
    """Every method of every trial."""
    trials = {trial: drawn(trial) for trial in range(TRIALS)}
    pilots = sf.refit({trial: made.pilot for trial, made in trials.items()}, store=STORE)
    for trial in trials:
        yield {"trial": trial, "method": "pilot alone", "runs": 0, **errors(pilots[trial])}
    batched = {
        (trial, at): each
        for trial, made in trials.items()
        for at, each in enumerate(batches(made, pilots[trial], trial))
    }
    chosen = {(trial, each.method, at): each.places for (trial, at), each in batched.items()}
    after = sf.refit(
        {key: _joined(trials[key[0]], places) for key, places in chosen.items()}, store=STORE
    )
    for key, places in chosen.items():
        trial, method, _ = key
        promised = batched[trial, key[2]].promised
        kept = {"runs": len(places), "promised": promised, **errors(after[key])}
        yield {"trial": trial, "method": method, **kept}


class Batch(NamedTuple):
    """Places in the pool that a method takes, and the standard deviation that it promises."""

    method: str
    places: list[int]
    promised: float | None


def batches(made: Trial, post: Posterior, seed: int) -> Iterator[Batch]:
    """What each method takes."""
    pool = made.pool
    candidates = {"N": pool.N, "D": pool.D, "at": np.arange(len(pool))}
    found = sf.design(post, BUDGET, target=TARGET, aim="size", pool=candidates, batch=BATCH)
    # A trial has one run of a cell: a replicate would be the same.
    places = list(dict.fromkeys(int(at) for at in found.runs.labels["at"]))
    sd = float(np.log(post.frontier(TARGET).N).std())
    yield Batch("designed", places, sd * found.expected[0].shrink)
    optimum = np.median(np.log(post.frontier(POOL[0]).N))
    level = np.flatnonzero(np.abs(np.log(pool.C / POOL[0])) < 0.05)
    near = level[np.argsort(np.abs(np.log(pool.N[level]) - optimum))]
    yield Batch("grid", _afforded(near, pool.C), None)
    for draw in range(RANDOM):
        order = np.random.default_rng([seed, draw]).permutation(len(pool))
        yield Batch("random", _afforded(order, pool.C), None)


def _afforded(order: NDArray[np.int64], cost: Floats) -> list[int]:
    """As many as the budget pays and the batch holds, in this order."""
    chosen: list[int] = []
    for at in order:
        if len(chosen) < BATCH and cost[[*chosen, at]].sum() <= BUDGET:
            chosen.append(int(at))
    return chosen


def _joined(made: Trial, places: list[int]) -> Runs:
    """The pilot's runs, and some of the pool's."""
    more = made.pool.take(places)
    return Runs.from_columns(
        {name: np.concatenate([made.pilot[name], more[name]]) for name in ("N", "D", "C", "L")}
    )


def errors(post: Posterior) -> dict[str, float]:
    """Errors at the target by the ladder's own runs there."""
    curves = {curve.budget: curve for curve in isoflop.curves()}
    truth = curves[TARGET]
    found = post.frontier(TARGET)
    size = float(np.median(found.N))
    inside = np.clip(size, truth.sizes[0], truth.sizes[-1])
    least, bought = (float(truth.at(np.array([N]))[0]) for N in (truth.optimum, inside))
    below = curves[6.3e11]
    slope = np.log(truth.at(np.array([truth.optimum]))[0] / below.at(np.array([below.optimum]))[0])
    slope /= np.log(TARGET / 6.3e11)
    return {
        "log_n": float(np.log(size / truth.optimum)),
        "log_l": float(np.log(np.median(found.L) / least)),
        "overspend": float(np.exp(np.log(bought / least) / -slope) - 1.0),
        "sd": float(np.log(found.N).std()),
        "width": float(np.log(np.quantile(found.N, 0.95) / np.quantile(found.N, 0.05))),
        "covered": float(np.quantile(found.N, 0.05) <= truth.optimum <= np.quantile(found.N, 0.95)),
    }


def smooth() -> str:
    """Errors of the first trial's batches where every cell lies on its budget's cubic."""
    curves, made = {curve.budget: curve for curve in isoflop.curves()}, drawn(0)

    def moved(runs: Runs) -> Runs:
        near = [min(curves, key=lambda budget: abs(np.log(budget / C))) for C in runs.C]
        L = [curves[C].at(np.array([N]))[0] for C, N in zip(near, runs.N, strict=True)]
        return Runs.from_columns({"N": runs.N, "D": runs.D, "C": runs.C, "L": np.array(L)})

    pilot = sf.refit({0: made.pilot}, store=STORE)[0]
    chosen = {each.method: each.places for each in batches(made, pilot, 0)}
    tables = {method: moved(_joined(made, chosen[method])) for method in ("designed", "grid")}
    fits = sf.refit(tables, store=STORE)
    found = {method: errors(fits[method])["log_n"] for method in tables}
    return f"{found['designed']:.2f} for the designed batch and {found['grid']:.2f} for the grid"


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
    """Root mean squares over trials."""
    lines = [
        HEAD,
        "![Errors by method](design.png)",
        "",
        "| method | runs | rms error of ln N* | promised | left | of ln L | overspend | 90 % width "
        "| N* inside |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for method, part in frame.groupby("method", sort=False):
        root = np.sqrt((part[["log_n", "log_l", "promised", "sd"]].astype(float) ** 2).mean())
        promised = "" if part.promised.isna().all() else f"{root.promised:.3f}"
        lines.append(
            f"| {method} | {part.runs.mean():.1f} | {root.log_n:.3f} | {promised} | "
            f"{root.sd:.3f} | {root.log_l:.4f} | "
            f"{part.overspend.mean():.1%} | {part.width.mean():.2f} | {part.covered.mean():.0%} |"
        )
    lines += ["", f"{frame.trial.nunique()} trials."]
    return "\n".join(lines) + "\n"


def picture(frame: pd.DataFrame) -> Figure:
    """Every trial as a point: the error of ln N* and of ln L."""
    figure = Figure(figsize=(8.5, 3.6), dpi=150, layout="constrained")
    methods = list(dict.fromkeys(frame.method))
    for axes, (name, label) in zip(
        figure.subplots(1, 2),
        (("log_n", "error of ln N*"), ("log_l", "error of ln L")),
        strict=True,
    ):
        for place, method in enumerate(methods):
            values = frame[frame.method == method][name].to_numpy(float)
            axes.plot(values, np.full(len(values), place), "o", alpha=0.6, mec="white")
        axes.axvline(0.0, color="#888888", lw=1)
        axes.set_yticks(range(len(methods)), methods)
        axes.invert_yaxis()
        axes.set_xlabel(f"{label} at {TARGET:g} FLOP")
        axes.spines[["top", "right"]].set_visible(False)
    return figure


if __name__ == "__main__":
    main()
