"""Designed batches of training runs against grids of equal compute, really trained.

    python -m benchmarks.next_runs            # the figures, into benchmarks/design.md
    python -m benchmarks.next_runs --train    # more seeds of the pool, an hour each on one core

The runs are the ladder's below its largest budget (``scalingfit/runs/ladder.csv``), and further
seeds of the same cells, ``benchmarks/ladder/pool.csv``.
"""

from __future__ import annotations

import argparse
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
the slope of the loss along the ladder's frontier. Trials share runs, so that they are not
independent: what differs between them is the seeds and the random draws alone. What errors have
in common is a single observation of each method.
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
    REPORT.write_text(report(frame))
    print(report(frame))


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
    chosen = {
        (trial, method, at): places
        for trial, made in trials.items()
        for at, (method, places) in enumerate(batches(made, pilots[trial], trial))
    }
    after = sf.refit(
        {key: _joined(trials[key[0]], places) for key, places in chosen.items()}, store=STORE
    )
    for key, places in chosen.items():
        trial, method, _ = key
        yield {"trial": trial, "method": method, "runs": len(places), **errors(after[key])}


def batches(made: Trial, post: Posterior, seed: int) -> Iterator[tuple[str, list[int]]]:
    """The places in the pool that each method takes."""
    pool = made.pool
    candidates = {"N": pool.N, "D": pool.D, "at": np.arange(len(pool))}
    found = sf.design(post, BUDGET, target=TARGET, aim="size", pool=candidates, batch=BATCH)
    # A trial has one run of a cell: a replicate would be the same.
    yield "designed", list(dict.fromkeys(int(at) for at in found.runs.labels["at"]))
    optimum = np.median(np.log(post.frontier(POOL[0]).N))
    level = np.flatnonzero(np.abs(np.log(pool.C / POOL[0])) < 0.05)
    near = level[np.argsort(np.abs(np.log(pool.N[level]) - optimum))]
    yield "grid", _afforded(near, pool.C)
    for draw in range(RANDOM):
        order = np.random.default_rng([seed, draw]).permutation(len(pool))
        yield "random", _afforded(order, pool.C)


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
        "width": float(np.log(np.quantile(found.N, 0.95) / np.quantile(found.N, 0.05))),
        "covered": float(np.quantile(found.N, 0.05) <= truth.optimum <= np.quantile(found.N, 0.95)),
    }


def report(frame: pd.DataFrame) -> str:
    """Root mean squares over trials."""
    lines = [
        HEAD,
        "![Errors by method](design.png)",
        "",
        "| method | runs | rms error of ln N* | of ln L | overspend | 90 % width | N* inside |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for method, part in frame.groupby("method", sort=False):
        root = np.sqrt((part[["log_n", "log_l"]] ** 2).mean())
        lines.append(
            f"| {method} | {part.runs.mean():.1f} | {root.log_n:.3f} | {root.log_l:.4f} | "
            f"{part.overspend.mean():.1%} | {part.width.mean():.2f} | {part.covered.mean():.0%} |"
        )
    lines += ["", f"{frame.trial.nunique()} trials. {environment()}"]
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
