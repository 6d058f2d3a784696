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
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

import scalingfit as sf
from benchmarks.speed.problem import environment
from scalingfit._errors import ScalingfitError
from scalingfit.allocation import frontier, subject
from scalingfit.inference import Posterior
from scalingfit.runs import Runs

REPORT = Path(__file__).with_suffix(".md")
OUT = Path(__file__).parent / "out"
DONE, STORE = OUT / "scalebench.jsonl", OUT / "scalebench"
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
clipped to [-1, 1] as published, and -1 where the runs are too few to fit; mean (standard error)
over seeds. For N* it is the root mean square of the error of ln N* against the same law fitted to
the whole pool, which holds the runs chosen. *whole pool* is the law fitted to all runs but the
targets: no choice of runs can be expected to do better. Tables without a line of ours are not run
yet. Laws, their error and their default noise
are taken as they are found in the package; nothing was tuned on these tables. The published scores
stand beside: they are for ScaleBench's own targets and laws, so that they compare as to their order
of size only.
"""

Trial = tuple[str, str, float, int]
"""Table, method, share of the compute, seed."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", nargs="*", default=list(TASKS))
    parser.add_argument("--seeds", type=int, default=10)
    asked = parser.parse_args()
    for seed in range(asked.seeds):
        for table in asked.tables:
            done = {_trial(row) for row in _read()}
            wanted = [trial for trial in _trials(table, seed) if trial not in done]
            rows = run(table, wanted) if wanted else []
            DONE.parent.mkdir(exist_ok=True)
            with DONE.open("a") as file:
                file.writelines(json.dumps(row) + "\n" for row in rows)
            REPORT.write_text(report(_read()))


def _trials(table: str, seed: int) -> list[Trial]:
    methods = ["loss", "random", *(["size"] if table == "farseer" else [])]
    every = [(table, method, share, seed) for share in SHARES for method in methods]
    return [(table, "whole pool", 1.0, 0), *every] if seed == 0 else every


@dataclasses.dataclass
class Search:
    """Where a trial stands: what it sees, what it may spend, and what it has chosen."""

    method: str
    seen: NDArray[np.int64]
    allowed: float
    chosen: list[int]


class Pools:
    """A table's runs: those that are targets, and the others."""

    def __init__(self, table: str) -> None:
        self.task = TASKS[table]
        self.runs, self.cost = _load(self.task)
        order = np.argsort(self.cost, kind="stable")
        count = round(len(order) * (1 - HELD))
        self.rest, self.held = order[:count], order[count:]

    def begin(self, trial: Trial) -> Search:
        """The first runs, or all that a trial without design will have."""
        _, method, share, seed = trial
        if method == "whole pool":
            return Search(method, self.rest, np.inf, [*map(int, self.rest)])
        random = np.random.default_rng([seed, round(1000 * share)])
        seen = np.sort(random.permutation(self.rest)[: round(SEEN * len(self.rest))])
        allowed = float(share * self.cost[self.rest].sum())
        if method == "random":
            order, most = random.permutation(seen), len(seen)
        else:
            order = seen[np.argsort(self.cost[seen], kind="stable")]
            most = int(2.5 * len(sf.law(self.task.law).parameters()))
        chosen: list[int] = []
        for at in order:
            if len(chosen) < most and self.cost[[*chosen, at]].sum() <= allowed:
                chosen.append(int(at))
        return Search(method, seen, allowed, chosen)

    def fit(self, searches: Mapping[Trial, Search]) -> dict[Trial, Posterior]:
        """Those that can be fitted."""
        tables = {trial: self.runs.take(one.chosen) for trial, one in searches.items()}
        try:
            fits = sf.refit(tables, self.task.law, store=STORE)
        except ScalingfitError:  # none can
            return {}
        fitted = set(fits.fitted)
        return {trial: fits[trial] for trial in tables if trial in fitted}

    def extend(self, search: Search, post: Posterior, rounds: int) -> None:
        """Choose a batch for the next of so many rounds."""
        open_ = np.array([at for at in search.seen if at not in search.chosen])
        budget = (search.allowed - self.cost[search.chosen].sum()) / rounds
        if len(open_) == 0 or self.cost[open_].min() > budget:
            return
        inputs = sf.law(self.task.law).inputs()
        pool = {name: self.runs.take(open_)[name] for name in inputs}
        aim: Any = "loss" if search.method == "loss" else "size"
        target = {name: self.runs.take(self.held)[name] for name in inputs}
        proposed = sf.design(
            post,
            budget,
            target=target if aim == "loss" else LARGE,
            aim=aim,
            pool=pool | {"cost": self.cost[open_], "at": open_},
            batch=BATCH,
        )
        # The pool holds each run once; where more is asked for, it cannot be had.
        search.chosen += list(dict.fromkeys(int(at) for at in proposed.runs.labels["at"]))

    def score(self, post: Posterior | None) -> float:
        """R2 at the targets, clipped."""
        if post is None:
            return -1.0
        targets = self.runs.take(self.held)
        asked: Any = {name: targets[name] for name in type(subject(post).law).inputs()}
        predicted = np.median(post.forecast(**asked).mean.reshape(-1, len(targets)), axis=0)
        misses = np.sum((targets.L - predicted) ** 2)
        return float(np.clip(1 - misses / np.sum((targets.L - targets.L.mean()) ** 2), -1, 1))


def run(table: str, trials: Sequence[Trial]) -> list[dict[str, object]]:
    """All trials of a table side by side: their scores, the error of ln N*, how many runs."""
    pools = Pools(table)
    searches = {trial: pools.begin(trial) for trial in trials}
    designed = {trial: one for trial, one in searches.items() if one.method in ("loss", "size")}
    for rounds in range(ROUNDS, 0, -1):
        for trial, post in pools.fit(designed).items():
            pools.extend(designed[trial], post, rounds)
    posts = pools.fit(searches)
    rows = []
    for trial, one in searches.items():
        names = dict(zip(("table", "method", "share", "seed"), trial, strict=True))
        made = posts.get(trial)
        scores = {"runs": len(one.chosen), "r2": pools.score(made)}
        if table == "farseer" and made is not None:
            scores["log_n"] = float(np.median(np.log(frontier(made, LARGE).N)))
        rows.append(names | scores)
        print(rows[-1], flush=True)
    return rows


def _load(task: Task) -> tuple[Runs, Floats]:
    folder = Path(os.environ.get("SCALINGFIT_DATA", "../shared/data")) / "scalebench"
    table = pd.read_csv(folder / task.file)
    columns = {symbol: table[column].to_numpy(float) for symbol, column in task.columns.items()}
    runs = Runs.from_columns(columns, allow_negative_loss=task.negative)
    return runs, task.cost(table).to_numpy(float)


def report(rows: list[dict[str, object]]) -> str:
    """The tables, and how they were made."""
    frame = pd.DataFrame(rows, columns=["table", "method", "share", "seed", "runs", "r2", "log_n"])
    lines = [HEAD, "| table | method | runs at 1, 5, 10 % | R2 at 1 % | 5 % | 10 % |"]
    lines.append("| --- | --- | --- | --- | --- | --- |")
    for table, task in TASKS.items():
        of_table = frame[frame.table == table]
        for method in ("loss", "size", "random"):
            parts = _parts(of_table, method)
            if parts:
                counts = ", ".join(f"{part.runs.mean():.0f}" for part in parts)
                cells = [_score(part) for part in parts]
                lines.append(f"| {table} | {method} | {counts} | {' | '.join(cells)} |")
        whole = of_table[of_table.method == "whole pool"]
        if len(whole):
            count, score = int(whole.runs.iloc[0]), float(whole.r2.iloc[0])
            lines.append(f"| {table} | whole pool | {count} | | | {score:.2f} |")
        for method, scores in task.published.items():
            name = f"{method}-optimal" if len(method) == 1 else method
            cells = [f"{score:.2f}" for score in scores]
            lines.append(f"| | published, {name} | | {' | '.join(cells)} |")
    lines += ["", f"## Error of ln N* at {LARGE:g} FLOP, Farseer's pool", ""]
    lines += ["| method | 1 % | 5 % | 10 % |", "| --- | --- | --- | --- |"]
    farseer = frame[frame.table == "farseer"]
    reference = farseer[farseer.method == "whole pool"].log_n.mean()
    for method in ("size", "loss", "random"):
        roots = [
            np.sqrt(((part.log_n - reference) ** 2).mean()) for part in _parts(farseer, method)
        ]
        lines.append(f"| {method} | {' | '.join(f'{root:.3f}' for root in roots)} |")
    seeds = frame[frame.method == "loss"].groupby("table").seed.nunique()
    lines += ["", f"Seeds: {', '.join(f'{table} {count}' for table, count in seeds.items())}."]
    lines += [environment()]
    return "\n".join(lines) + "\n"


def _score(part: pd.DataFrame) -> str:
    """Mean and standard error over seeds; of one seed there is no error."""
    spread = f" ({float(part.r2.std()) / len(part) ** 0.5:.2f})" if len(part) > 1 else ""
    return f"{part.r2.mean():.2f}{spread}"


def _parts(frame: pd.DataFrame, method: str) -> list[pd.DataFrame]:
    """The trials of a method, by share."""
    of_method = frame[frame.method == method]
    return [of_method[of_method.share == share] for share in SHARES] if len(of_method) else []


def _read() -> list[dict[str, object]]:
    return [json.loads(line) for line in DONE.read_text().splitlines()] if DONE.exists() else []


def _trial(row: Mapping[str, Any]) -> Trial:
    return row["table"], row["method"], row["share"], row["seed"]


if __name__ == "__main__":
    main()
