"""Which runs to make, on published pools of runs: ScaleBench's question, by inner targets.

    python -m benchmarks.scalebench [--seeds 10] [TABLE ...]

writes ``benchmarks/scalebench.md``. The tables are the fitting halves of ScaleBench (Li et al.
2026, arXiv 2604.22753); they are read from the folder that SCALINGFIT_DATA names. Trials that are
done stand in ``benchmarks/out/scalebench.jsonl`` and are not repeated.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

import scalingfit as sf
from benchmarks.speed.problem import environment
from scalingfit.allocation import frontier, subject
from scalingfit.inference import Limits, Posterior
from scalingfit.runs import Runs

REPORT = Path(__file__).with_suffix(".md")
DONE = Path(__file__).parent / "out" / "scalebench.jsonl"
SHARES = (0.01, 0.05, 0.10)
HELD, SEEN = 0.1, 0.8
"""Of the runs, those that cost the most and are the targets; of the others, what a trial sees."""

ROUNDS, BATCH = 3, 16
LARGE = 1e24

Floats = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Task:
    """A table, the law it is fitted by, and what a run of it costs."""

    file: str
    law: str
    columns: Mapping[str, str]
    cost: Callable[[pd.DataFrame], pd.Series]
    published: Mapping[str, tuple[float, float, float]]
    negative: bool = False


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
    ),
}

HEAD = f"""# Which runs to make, on published pools

Made by `python -m benchmarks.scalebench`. The pools are the fitting halves of ScaleBench (Li et al.
2026, arXiv 2604.22753), whose own targets are not used here. Of each table the {HELD:.0%} of runs
that cost the most are the targets, and their losses are seen by no method; a trial sees {SEEN:.0%}
of the others, drawn by its seed, and may spend a share of the compute of all others. It begins with
the cheapest runs, two and a half to each parameter of the law, as the published methods do, and
spends the rest in {ROUNDS} batches of at most {BATCH} runs, refitting after each. *loss* aims at
the losses of the targets, *size* at N* for {LARGE:g} FLOP (where the law splits a budget), *random*
takes runs at random until none can be paid. The score is R2 of the posterior median at the targets,
clipped to [-1, 1] as published; mean (standard error) over seeds. For N* it is the root mean square
of the error of ln N* against the same law fitted to the whole pool, which holds the runs chosen.
Laws and their default noise are taken as they are found in the package; nothing was tuned on these
tables. The published scores stand beside: they are for ScaleBench's own targets and laws, so that
they compare as to their order of size only.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", nargs="*", default=list(TASKS))
    parser.add_argument("--seeds", type=int, default=10)
    asked = parser.parse_args()
    done = {_key(row): row for row in _read()}
    for name in asked.tables:
        for trial in _trials(name, asked.seeds):
            if _key(trial) not in done:
                done[_key(trial)] = row = trial | run(**cast(Any, trial))
                DONE.parent.mkdir(exist_ok=True)
                with DONE.open("a") as file:
                    file.write(json.dumps(row) + "\n")
                print(row, flush=True)
        REPORT.write_text(report(list(done.values())))


def _trials(name: str, seeds: int) -> Iterator[dict[str, object]]:
    methods = ["loss", "random", *(["size"] if name == "farseer" else [])]
    for seed in range(seeds):
        for share in SHARES:
            for method in methods:
                yield {"table": name, "method": method, "share": share, "seed": seed}


def run(table: str, method: str, share: float, seed: int) -> dict[str, float]:
    """One trial: the score, the error of ln N*, and how many runs were made."""
    task = TASKS[table]
    runs, cost = _load(task)
    order = np.argsort(cost, kind="stable")
    held = order[round(len(order) * (1 - HELD)) :]
    rest = order[: round(len(order) * (1 - HELD))]
    random = np.random.default_rng([seed, round(1000 * share)])
    seen = np.sort(random.permutation(rest)[: round(SEEN * len(rest))])
    allowed = share * cost[rest].sum()
    chosen = (
        _at_random(random, seen, cost, allowed)
        if method == "random"
        else _designed(task, method, runs, cost, seen, held, allowed)
    )
    post = _fit(runs.take(chosen), task)
    targets = runs.take(held)
    asked: Any = {name: targets[name] for name in type(subject(post).law).inputs()}
    found = post.forecast(**asked)
    predicted = np.median(found.mean.reshape(-1, len(held)), axis=0)
    misses = np.sum((targets.L - predicted) ** 2) / np.sum((targets.L - targets.L.mean()) ** 2)
    scores = {"runs": len(chosen), "r2": float(np.clip(1 - misses, -1, 1))}
    if table == "farseer":
        whole = _fit(runs.take(rest), task)
        size, reference = (
            np.median(np.log(frontier(one, LARGE).N.ravel())) for one in (post, whole)
        )
        scores["error"] = float(size - reference)
    return scores


def _at_random(
    random: np.random.Generator, seen: NDArray[np.int64], cost: Floats, allowed: float
) -> list[int]:
    chosen: list[int] = []
    for at in random.permutation(seen):
        if cost[[*chosen, at]].sum() <= allowed:
            chosen.append(int(at))
    return chosen


def _designed(
    task: Task,
    method: str,
    runs: Runs,
    cost: Floats,
    seen: NDArray[np.int64],
    held: NDArray[np.int64],
    allowed: float,
) -> list[int]:
    law = sf.law(task.law)
    cheapest = seen[np.argsort(cost[seen], kind="stable")]
    start = [int(at) for at in cheapest[: int(2.5 * len(law.parameters()))]]
    chosen = [at for k, at in enumerate(start) if cost[start[: k + 1]].sum() <= allowed]
    inputs = law.inputs()
    target = {name: runs.take(held)[name] for name in inputs} if method == "loss" else LARGE
    for left in range(ROUNDS, 0, -1):
        open_ = np.array([at for at in seen if at not in chosen])
        budget = (allowed - cost[chosen].sum()) / left
        if len(open_) == 0 or cost[open_].min() > budget:
            continue
        pool = {name: runs.take(open_)[name] for name in inputs} | {
            "cost": cost[open_],
            "at": open_,
        }
        proposed = sf.design(
            _fit(runs.take(chosen), task),
            budget,
            target=target,
            aim="loss" if method == "loss" else "size",
            pool=pool,
            batch=BATCH,
        )
        # The pool holds each run once; where more is asked for, it cannot be had.
        chosen += list(dict.fromkeys(int(at) for at in proposed.runs.labels["at"]))
    return chosen


def _fit(runs: Runs, task: Task) -> Posterior:
    return sf.fit(runs, task.law, draws=300, retries=0, limits=Limits(ess=100))


def _load(task: Task) -> tuple[Runs, Floats]:
    folder = Path(os.environ.get("SCALINGFIT_DATA", "../shared/data")) / "scalebench"
    table = pd.read_csv(folder / task.file)
    columns = {symbol: table[column].to_numpy(float) for symbol, column in task.columns.items()}
    runs = Runs.from_columns(columns, allow_negative_loss=task.negative)
    return runs, task.cost(table).to_numpy(float)


def report(rows: list[dict[str, object]]) -> str:
    """The tables, and how they were made."""
    frame = pd.DataFrame(rows)
    lines = [HEAD, "| table | method | runs at 1, 5, 10 % | R2 at 1 % | 5 % | 10 % |"]
    lines.append("| --- | --- | --- | --- | --- | --- |")
    for table, task in TASKS.items():
        of_table = frame[frame.table == table]
        for method in dict.fromkeys(of_table.method):
            cells, counts = [], []
            for share in SHARES:
                part = of_table[(of_table.method == method) & (of_table.share == share)]
                error = part.r2.std(ddof=1) / np.sqrt(len(part))
                cells.append(f"{part.r2.mean():.2f} ({error:.2f})")
                counts.append(f"{part.runs.mean():.0f}")
            lines.append(f"| {table} | {method} | {', '.join(counts)} | {' | '.join(cells)} |")
        for method, scores in task.published.items():
            name = "theirs" if method == "theirs" else f"{method}-optimal" * (method != "random")
            cells = [f"{score:.2f}" for score in scores]
            lines.append(f"| | published, {name or method} | | {' | '.join(cells)} |")
    lines += ["", f"## Error of ln N* at {LARGE:g} FLOP, Farseer's pool", ""]
    lines += ["| method | 1 % | 5 % | 10 % |", "| --- | --- | --- | --- |"]
    farseer = frame[frame.table == "farseer"]
    for method in dict.fromkeys(farseer.method):
        cells = []
        for share in SHARES:
            part = farseer[(farseer.method == method) & (farseer.share == share)]
            cells.append(f"{np.sqrt((part.error**2).mean()):.3f}")
        lines.append(f"| {method} | {' | '.join(cells)} |")
    seeds = frame.groupby(["table", "method"]).seed.nunique().min()
    lines += ["", f"At least {seeds} seeds each. {environment()}"]
    return "\n".join(lines) + "\n"


def _read() -> list[dict[str, object]]:
    return [json.loads(line) for line in DONE.read_text().splitlines()] if DONE.exists() else []


def _key(row: Mapping[str, object]) -> tuple[object, ...]:
    return tuple(row[name] for name in ("table", "method", "share", "seed"))


if __name__ == "__main__":
    main()
