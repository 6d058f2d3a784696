"""Designed batches of training runs against grids of equal compute, really trained.

    python -m benchmarks.next_runs --train    # the pool, hours on one core; stop and start at will
    python -m benchmarks.next_runs            # the figures, into benchmarks/design.md

The pool is the ladder's grid (``benchmarks/ladder``) below its largest budget, each cell trained
from several seeds, into ``benchmarks/out/ladder/pool.csv``.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

import scalingfit as sf
from benchmarks.ladder import grid, isoflop
from benchmarks.speed.problem import environment
from scalingfit.inference import Limits, Posterior
from scalingfit.report import plots
from scalingfit.runs import Runs

REPORT, PICTURE = Path("benchmarks/design.md"), Path("benchmarks/design.png")
OUT = Path("benchmarks/out/ladder")
PILOT, POOL, TARGET = (2e10, 6.3e10), (2e11, 6.3e11), 2e12
SEEDS, BATCH = (1, 2, 3, 4, 5), 8
BUDGET = 1.3e12
"""FLOP of the second batch: 6.5 runs at 2e11, or two at 6.3e11."""

Floats = NDArray[np.float64]

HEAD = f"""# Designed runs against a grid, really trained

Made by `python -m benchmarks.next_runs`. The runs are byte language models of 1,244 to 1,014,656
parameters ([the ladder](ladder/README.md)), trained for this page: every cell of the ladder's grid
at {PILOT[0]:g} and {PILOT[1]:g} FLOP (the pilot) and at {POOL[0]:g} and {POOL[1]:g} (the pool),
each from several seeds. A trial takes the pilot of one seed, and makes a second batch of at most
{BATCH} runs of the pool for {BUDGET:g} FLOP, of the same seed:

- *designed*: `scalingfit design --aim size`, for {TARGET:g} FLOP;
- *grid*: the isoFLOP grid that a planner would make: the sizes at {POOL[0]:g} FLOP that lie nearest
  to the pilot's optimum there, as many as the budget pays;
- *random*: runs of the pool drawn at random, as many as the budget pays, ten draws a seed.

Chinchilla's law is fitted to pilot and batch, with D/N from 1.5 to 400 as in the ladder's own
description. The truth is the ladder's: runs at {TARGET:g} FLOP, which no trial sees, and their
cubic. The overspend is what the fit's best plan wastes by that cubic: its loss is bought for less
by the share shown, at the slope of the loss along the ladder's frontier.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", action="store_true")
    if parser.parse_args().train:
        train()
        return
    rows = [trial for seed in _trained_seeds() for trial in trials(seed)]
    frame = pd.DataFrame(rows)
    plots.save(picture(frame), PICTURE)
    REPORT.write_text(report(frame))
    print(report(frame))


def train() -> None:
    """Train what is missing of the pool, seed after seed."""
    from benchmarks.ladder import corpus, runner
    from benchmarks.ladder import train as ladder

    text = corpus.load(OUT / "corpus")
    runner.fill(
        list(_cells()),
        OUT / "pool.csv",
        lambda run, tell: ladder.train(run.shape, run.plan, text, run.seed, tell),
        ladder.device(),
    )


def _cells() -> Iterator[grid.Run]:
    for seed in SEEDS:
        for budget in (*PILOT, *POOL):
            yield from (grid.Run(shape, budget, seed) for shape in grid.GRID[budget])


def _trained_seeds() -> list[int]:
    """Seeds of which every cell is trained."""
    names = set(pd.read_csv(OUT / "pool.csv").run)
    every = {seed: {run.name for run in _cells() if run.seed == seed} for seed in SEEDS}
    return [seed for seed, wanted in every.items() if wanted <= names]


@dataclasses.dataclass(frozen=True)
class Seed:
    """The runs of one seed: those of the pilot, and those that could be made."""

    pilot: Runs
    pool: Runs

    @classmethod
    def of(cls, seed: int) -> Seed:
        """Of the trained table, without the corners that the law is not for."""
        table = pd.read_csv(OUT / "pool.csv")
        table = table[table.seed == seed]
        ratio = table.tokens / table.params
        table = table[(ratio > 1.5) & (ratio < 400)]
        budget = table.run.str.extract(r"c([^-]+)-")[0].astype(float)
        pilot = budget.isin(PILOT)
        return cls(_runs(table[pilot]), _runs(table[~pilot]))


def _runs(table: pd.DataFrame) -> Runs:
    columns = {"N": table.params, "D": table.tokens, "C": table.flops_6nd, "L": table.loss}
    return Runs.from_columns({name: values.to_numpy(float) for name, values in columns.items()})


def trials(seed: int) -> Iterator[dict[str, object]]:
    """Every method on one seed."""
    made = Seed.of(seed)
    post = fit(made.pilot)
    yield {"seed": seed, "method": "pilot alone", "runs": 0, **errors(post)}
    for method, chosen in batches(made, post, seed):
        found = errors(fit(_joined(made.pilot, made.pool.take(chosen))))
        yield {"seed": seed, "method": method, "runs": len(chosen), **found}


def batches(made: Seed, post: Posterior, seed: int) -> Iterator[tuple[str, list[int]]]:
    """The places in the pool that each method takes."""
    pool = made.pool
    candidates = {"N": pool.N, "D": pool.D, "at": np.arange(len(pool))}
    found = sf.design(post, BUDGET, target=TARGET, aim="size", pool=candidates, batch=BATCH)
    # A cell is trained once a seed: a replicate would be the same run.
    yield "designed", list(dict.fromkeys(int(at) for at in found.runs.labels["at"]))
    optimum = np.median(np.log(post.frontier(POOL[0]).N))
    level = np.flatnonzero(np.abs(np.log(pool.C / POOL[0])) < 0.05)
    near = level[np.argsort(np.abs(np.log(pool.N[level]) - optimum))]
    yield "grid", _afforded(near, pool.C)
    for draw in range(10):
        order = np.random.default_rng([seed, draw]).permutation(len(pool))
        yield "random", _afforded(order, pool.C)


def _afforded(order: NDArray[np.int64], cost: Floats) -> list[int]:
    """As many as the budget pays and the batch holds, in this order."""
    chosen: list[int] = []
    for at in order:
        if len(chosen) < BATCH and cost[[*chosen, at]].sum() <= BUDGET:
            chosen.append(int(at))
    return chosen


def _joined(one: Runs, other: Runs) -> Runs:
    return Runs.from_columns(
        {name: np.concatenate([one[name], other[name]]) for name in ("N", "D", "C", "L")}
    )


def fit(runs: Runs) -> Posterior:
    """Chinchilla's law, with the package's defaults."""
    return sf.fit(runs, "chinchilla", limits=Limits())


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
    """Root mean squares over seeds."""
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
    count = frame.seed.nunique()
    lines += ["", f"{count} seeds. {environment()}"]
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
