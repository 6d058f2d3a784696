"""Which runs to make, on published pools of runs: ScaleBench's question, by inner targets.

    python -m benchmarks.scalebench [--seeds 10] [TABLE ...]

writes ``benchmarks/scalebench.md``. The tables are the fitting halves of ScaleBench (Li et al.
2026, arXiv 2604.22753); they are read from the folder that SCALINGFIT_DATA names. Trials that are
done stand in ``benchmarks/scalebench.csv`` and are not repeated.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

import scalingfit as sf
from benchmarks.one_by_one import OneByOne
from benchmarks.pools import TASKS, Task, load
from benchmarks.speed.problem import environment, markdown
from scalingfit._errors import ScalingfitError
from scalingfit.allocation import frontier, subject
from scalingfit.declare import Law
from scalingfit.inference import Posterior
from scalingfit.law_error import LAW_ERROR

REPORT, DONE = (Path(__file__).with_suffix(suffix) for suffix in (".md", ".csv"))
STORE = Path(__file__).parent / "out" / "scalebench"
COLUMNS = ("table", "method", "share", "seed", "runs", "r2", "log_n")
SHARES = (0.01, 0.05, 0.10)
HELD, SEEN = 0.1, 0.8
"""Of the runs, those that cost the most and are the targets; of the others, what a trial sees."""

ROUNDS, BATCH = 3, 16
ONE_BY_ONE, OUR_FIT = "one by one", "one by one, our fit"
WHOLE = ("whole pool", "whole pool by an exact law")

Floats = NDArray[np.float64]


HEAD = f"""# Which runs to make, on published pools

Made by `python -m benchmarks.scalebench`. The pools are the fitting halves of ScaleBench (Li et al.
2026, arXiv 2604.22753), whose own targets are not used here. Of each table the {HELD:.0%} of runs
that cost the most are the targets, and their losses are seen by no method; a trial sees {SEEN:.0%}
of the others, drawn by its seed, and may spend a share of the compute of all others. It begins with
the cheapest runs, two and a half to each parameter of the law, as the published methods do, and
spends the rest in {ROUNDS} batches of at most {BATCH} runs, refitting after each.

- *loss*: `design --aim loss` for the targets.
- *size*: `design --aim size`, where the law splits a budget: for N* at the budgets below.
- *V-optimal*: the least variance of the targets' losses by the same search, with a law that is
  taken to be exact while runs are chosen. It is fitted and scored as the others are.
- *one by one*: V-optimal as published, written anew (`benchmarks/one_by_one.py`): any run that can
  be paid, chosen and fitted one after the other by least squares, which also make the forecast.
- *one by one, our fit*: its runs, fitted as the others are.
- *random*: runs at random until none can be paid, without the cheapest to begin with.
- *whole pool*: the law fitted to all runs but the targets; beside it the same law taken to be
  exact.

The score is R2 of the posterior median at the targets, clipped to [-1, 1] as published, and -1
where the runs are too few to fit; mean (standard error) over seeds. Laws, their error and their
default noise are taken as they are found in the package; nothing was tuned on these tables. Fits
are those of `refit` without its retries, whether their chains have mixed or not. The published
scores stand beside. They are for ScaleBench's own targets and laws, which are harder or easier than
ours: the last column sets each score against that of all the data.
"""

NOTES = """
## The targets

{targets}

R2 measures errors by how much the targets differ. *Cells' means* is the R2 of the mean loss of the
targets of equal inputs, which no method can know: what the inputs leave open. Moe's targets are few
cells whose runs differ in what the pool's inputs do not tell, such as the router, the share of
layers that are routed and the experts a token (Clark et al. 2022), so that a score there says
little of the choice of runs. Vocab's targets are of one model size and differ by a small part of
what the pool does; an exact law misses them by more than that, and its error makes up for most of
it. The pool counts the vocabulary in tokens and not in parameters, so that budgets are not split
there.

## What it shows

Published scores are of other targets, so the published V-optimal design was made again for these,
by the same laws (*one by one*). At 5 % *loss* and it score 0.99 and 0.96 on farseer, 0.48 and -0.83
on data_constrained, 0.52 and -0.39 on vocab; on moe no method is above zero, nor are all the data,
and it is the nearer one, -0.96 and -0.52. Most of that is the fit, whose law has an error: fitted
as ours are, its runs score 0.99, 0.53, -0.61 and -0.86. At 1 % of farseer's pool they are the
better choice (0.90, ours 0.78): it may spend all that is left on any run, ours a third a round.

On farseer's pool 5 % of the compute tell the targets as well as all of it, by *loss* and by
*V-optimal*. For N*, *size* and *loss* are both nearer than *V-optimal* and *random* at every share.
What is left of *size*'s error at 5 and 10 % is nearly the same in all seeds, about an eighth less
in N*: runs chosen for one budget see the law's error elsewhere than the whole pool does.

On data_constrained and vocab, *loss* and *V-optimal* are both nearer to the targets than *random*
at 5 and 10 %. *Loss* is hardly ahead of *V-optimal*: on data_constrained by one to two standard
errors, on vocab not at all. What the law's error adds is the forecast more than the choice: from
the whole pool it is far better than that of a law taken to be exact.

Measured by what all the data score on their own targets, the published designs lose less than ours
on all but farseer's pool. How much of that is due to easier targets cannot be told from here.

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
            done = {*_read()[[*COLUMNS[:4]]].itertuples(index=False, name=None)}
            wanted = [trial for trial in _trials(table, seed) if trial not in done]
            if wanted:
                rows = pd.DataFrame(run(table, wanted), columns=COLUMNS)
                new = not DONE.exists()
                rows.to_csv(DONE, mode="a", header=new, index=False, float_format="%.6g")
    REPORT.write_text(report(_read()))


def _trials(table: str, seed: int) -> list[Trial]:
    every = [(table, method, C, seed) for C in SHARES for method in _methods(TASKS[table])]
    whole = [(table, method, 1.0, 0) for method in WHOLE]
    return [*whole, *every] if seed == 0 else every


def _methods(task: Task) -> list[str]:
    return [*task.methods, ONE_BY_ONE, OUR_FIT]


def _read() -> pd.DataFrame:
    return pd.read_csv(DONE) if DONE.exists() else pd.DataFrame(columns=COLUMNS)


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
        self.runs, self.cost = load(self.task)
        order = np.argsort(self.cost, kind="stable")
        count = round(len(order) * (1 - HELD))
        self.rest, self.held = order[:count], order[count:]

    def begin(self, trial: Trial) -> Search:
        """The first runs, or all that a trial without design will have."""
        _, method, share, seed = trial
        if method in WHOLE:
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

    def fit(self, searches: Mapping[Trial, Search], exact: bool = False) -> dict[Trial, Posterior]:
        """Those that can be fitted."""
        tables = {trial: self.runs.take(one.chosen) for trial, one in searches.items()}
        error = None if exact else LAW_ERROR
        try:
            fits = sf.refit(tables, self.task.law, law_error=error, retries=0, store=STORE)
        except ScalingfitError:  # none can
            return {}
        fitted = set(fits.fitted)
        return {trial: fits[trial] for trial in tables if trial in fitted}

    def one_by_one(self, searches: Mapping[Trial, Search]) -> dict[Trial, Law]:
        """Choose runs where that goes one by one; the laws where least squares fit them."""
        by_squares = OneByOne(self.task.law, self.runs, self.cost, self.held)
        found: dict[Trial, Law] = {}
        for trial, one in searches.items():
            if one.method in (ONE_BY_ONE, OUR_FIT):
                seed = trial[-1]
                one.chosen, place = by_squares.choose(one.seen, one.chosen, one.allowed, seed)
                if one.method == ONE_BY_ONE:
                    found[trial] = by_squares.law(place)
        return found

    def extend(self, search: Search, post: Posterior, rounds: int) -> None:
        """Choose a batch for the next of so many rounds."""
        open_ = np.array([at for at in search.seen if at not in search.chosen])
        budget = (search.allowed - self.cost[search.chosen].sum()) / rounds
        if len(open_) == 0 or self.cost[open_].min() > budget:
            return
        inputs = sf.law(self.task.law).inputs()
        pool = {name: self.runs.take(open_)[name] for name in inputs}
        candidates = pool | {"cost": self.cost[open_], "at": open_}
        if search.method == "size":
            question: dict[str, Any] = {"aim": "size", **self.task.large}
            question["target"] = question.pop("C")
        else:
            target = {name: self.runs.take(self.held)[name] for name in inputs}
            question = {"aim": "loss", "target": target}
        proposed = sf.design(post, budget, pool=candidates, batch=BATCH, **question)
        # The pool holds each run once; where more is asked for, it cannot be had.
        search.chosen += list(dict.fromkeys(int(at) for at in proposed.runs.labels["at"]))

    def score(self, made: Posterior | Law | None) -> float:
        """R2 at the targets, clipped."""
        if made is None:
            return -1.0
        targets = self.runs.take(self.held)
        law = type(subject(made).law)
        asked: Any = {name: targets[name] for name in law.inputs()}
        forecast = sf.forecast(made, **asked).mean.reshape(-1, len(targets))
        predicted = np.median(forecast, axis=0)
        misses = np.sum((targets.L - predicted) ** 2)
        return float(np.clip(1 - misses / np.sum((targets.L - targets.L.mean()) ** 2), -1, 1))


def run(table: str, trials: Sequence[Trial]) -> list[dict[str, object]]:
    """All trials of a table side by side: their scores, the error of ln N*, how many runs."""
    pools = Pools(table)
    searches = {trial: pools.begin(trial) for trial in trials}
    exact = {trial: one for trial, one in searches.items() if one.method == "V-optimal"}
    honest = {trial: one for trial, one in searches.items() if one.method in ("loss", "size")}
    for rounds in range(ROUNDS, 0, -1):
        for trial, post in (pools.fit(honest) | pools.fit(exact, exact=True)).items():
            pools.extend(searches[trial], post, rounds)
    laws = pools.one_by_one(searches)
    taken_exact = {trial: one for trial, one in searches.items() if one.method == WHOLE[1]}
    ours = {t: one for t, one in searches.items() if t not in taken_exact and t not in laws}
    made_of: dict[Trial, Posterior | Law] = {**laws, **pools.fit(ours)}
    if taken_exact:
        made_of |= pools.fit(taken_exact, exact=True)
    rows = []
    for trial, one in searches.items():
        names = dict(zip(COLUMNS, trial, strict=False))
        made = made_of.get(trial)
        scores = {"runs": len(one.chosen), "r2": pools.score(made)}
        if pools.task.large and made is not None:
            scores["log_n"] = float(np.median(np.log(frontier(made, **pools.task.large).N)))
        rows.append(names | scores)
        print(rows[-1], flush=True)
    return rows


def report(frame: pd.DataFrame) -> str:
    """The tables, and how they were made."""
    sections = [
        HEAD,
        markdown(
            [
                "table",
                "method",
                "runs at 1, 5, 10 %",
                "R2 at 1 %",
                "5 %",
                "10 %",
                "less all data's",
            ],
            [row for table, task in TASKS.items() for row in _scores(frame, table, task)],
        ),
        NOTES.format(targets=_targets()),
        *_sizes(frame),
        f"Seeds: {_seeds(frame)}.",
        environment(),
    ]
    return "\n".join(sections) + "\n"


def _scores(frame: pd.DataFrame, table: str, task: Task) -> list[list[object]]:
    """What was measured, and what was published."""
    rows: list[list[object]] = []
    of_table = frame[frame.table == table]
    whole = of_table[of_table.method.isin(WHOLE)]
    if len(whole):
        best = float(whole.r2.iloc[0])
        for method in _methods(task):
            parts = _parts(of_table, method)
            counts = ", ".join(f"{part.runs.mean():.0f}" for part in parts)
            less = ", ".join(f"{part.r2.mean() - best:+.2f}" for part in parts)
            rows.append([table, method, counts, *map(_score, parts), less])
        rows += [
            [table, row.method, row.runs, "", "", f"{row.r2:.2f}", ""] for row in whole.itertuples()
        ]
    for method, scores in task.published.items():
        name = f"{method}-optimal" if len(method) == 1 else method
        less = ", ".join(f"{score - task.all_data:+.2f}" for score in scores)
        rows.append([table, f"published, {name}", "", *(f"{score:.2f}" for score in scores), less])
    return [*rows, [table, "published, all data", "", "", "", f"{task.all_data:.2f}", ""]]


def _sizes(frame: pd.DataFrame) -> list[str]:
    """Root mean squares of the error of ln N*, by table and method."""
    rows: list[list[object]] = []
    for table, task in TASKS.items():
        of_table = frame[frame.table == table]
        reference = of_table[of_table.method == WHOLE[0]].log_n.mean()
        for method in _methods(task) if task.large and not np.isnan(reference) else []:
            errors = [part.log_n - reference for part in _parts(of_table, method)]
            cells = [f"{np.sqrt((each**2).mean()):.3f}" for each in errors]
            rows.append([table, f"{task.large['C']:g}", method, *cells])
    if not rows:
        return []
    about = (
        "Root mean square over seeds, against the same law fitted to the whole pool, which holds\n"
        "the runs chosen."
    )
    table = markdown(["table", "FLOP", "method", "1 %", "5 %", "10 %"], rows)
    return ["## Error of ln N*", "", about, "", table, ""]


def _score(part: pd.DataFrame) -> str:
    """Mean and standard error over seeds; of one seed there is no error."""
    spread = f" ({float(part.r2.std()) / len(part) ** 0.5:.2f})" if len(part) > 1 else ""
    return f"{part.r2.mean():.2f}{spread}"


def _parts(frame: pd.DataFrame, method: str) -> list[pd.DataFrame]:
    """The trials of a method, by share."""
    of_method = frame[frame.method == method]
    return [of_method[of_method.share == share] for share in SHARES]


def _seeds(frame: pd.DataFrame) -> str:
    seeds = frame[frame.method == "random"].groupby("table").seed.nunique()
    return ", ".join(f"{table} {count}" for table, count in seeds.items())


def _targets() -> str:
    """How much there is to tell about the targets, table by table."""
    rows = []
    for table in TASKS:
        pools = Pools(table)
        targets = pools.runs.take(pools.held)
        names = [name for name in pools.task.columns if name != "L"]
        cells = pd.DataFrame({name: targets[name] for name in (*names, "L")}).groupby(names).L
        scatter = np.sum((targets.L - cells.transform("mean").to_numpy()) ** 2)
        best = 1 - scatter / np.sum((targets.L - targets.L.mean()) ** 2)
        sizes = len(np.unique(targets[names[0]]))
        spreads = [f"{pools.runs.L[at].std():.3f}" for at in (pools.held, pools.rest)]
        rows.append([table, len(targets), cells.ngroups, sizes, *spreads, f"{best:.2f}"])
    head = ["table", "targets", "cells", "sizes", "sd of their losses", "of the others'"]
    return markdown([*head, "cells' means"], rows)


if __name__ == "__main__":
    main()
