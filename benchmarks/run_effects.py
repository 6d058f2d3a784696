"""Rows of one run: forecasts of runs that were held out whole, with effects of runs and without.

    SCALINGFIT_DATA=FOLDER python -m benchmarks.run_effects

writes ``benchmarks/run_effects.md``.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import scalingfit as sf
from benchmarks.speed.problem import environment
from scalingfit.evidence import candidates
from scalingfit.evidence.forecasts.scores import crps, inside, intervals
from scalingfit.inference import (
    Draws,
    Model,
    Settings,
    log_likelihood_by_run,
    log_predictive,
    new_runs,
    predicted,
    sample,
)
from scalingfit.law_error import LAW_ERROR
from scalingfit.runs import Runs

type Floats = NDArray[np.float64]

REPORT = Path(__file__).with_suffix(".md")
SETTINGS = Settings(draws=500, retries=2)
ELAPSED, EVERY, ROWS = 0.3, 4, 4
LEVELS = (0.5, 0.8, 0.9)
HOW = {"rows as runs": False, "effects of runs": True}
PARAMETERS = ("E", "alpha", "beta")

HEAD = f"""# Rows of one run

Made by `python -m benchmarks.run_effects`. Checkpoints of (Mis)Fitting's runs, beyond {ELAPSED:.0%}
of their schedules, {ROWS} of every fourth run, evenly spaced: half of these runs are fitted, by
Chinchilla's law with its error, and the others are forecast whole; then the reverse. Rows of one
run share an effect (the default, where a label names runs), or each counts as a run (the label was
dropped). Scores are of log loss, means over the rows of a run and then over runs. *Together* is the
log density of all rows of a run at once, divided by their number: rows that count as runs are
forecast as though they were independent.
"""


def main() -> None:
    runs = table()
    (model,) = candidates(["chinchilla"], law_error=LAW_ERROR).values()
    numbers = runs.run_numbers
    assert numbers is not None
    scored: dict[str, list[dict[str, Floats]]] = {how: [] for how in HOW}
    widths: dict[str, dict[str, list[float]]] = {how: {n: [] for n in PARAMETERS} for how in HOW}
    seconds = dict.fromkeys(HOW, 0.0)
    for half in (0, 1):
        fitted, rest = runs.take(numbers % 2 == half), runs.take(numbers % 2 != half)
        for how, effects in HOW.items():
            given = fitted if effects else Runs.from_columns(fitted.columns)
            start = time.perf_counter()
            (draws,) = sample(model, [given], SETTINGS)
            seconds[how] += time.perf_counter() - start
            scored[how].append(scores(model, given, draws, rest))
            for name in PARAMETERS:
                ends = np.quantile(draws.values[name], [0.05, 0.95])
                widths[how][name].append(float(np.log(ends[1] / ends[0])))
    REPORT.write_text(report(runs, scored, widths, seconds), encoding="utf-8")


def table() -> Runs:
    """A few late checkpoints of each run."""
    names = ["run_id", "portion_elapsed"]
    runs = sf.datasets.read("misfitting_checkpoints", labels=names)
    runs = runs.take(np.asarray(runs.labels["portion_elapsed"], float) > ELAPSED)
    kept = []
    for name in np.unique(runs.labels["run_id"].astype(str))[::EVERY]:
        rows = np.flatnonzero(runs.labels["run_id"] == name)
        if len(rows) >= ROWS:
            rows = rows[np.argsort(runs["D"][rows], kind="stable")]
            kept += rows[np.linspace(0, len(rows) - 1, ROWS).round().astype(int)].tolist()
    labels = {"run_id": runs.labels["run_id"][kept]}
    columns = {name: runs[name][kept] for name in ("N", "D", "L")}
    return Runs.from_columns(columns, labels=labels)


def scores(model: Model, fitted: Runs, draws: Draws, rest: Runs) -> dict[str, Floats]:
    """Of each run that was held out."""
    numbers = rest.run_numbers
    assert numbers is not None
    noise, at = predicted(model, fitted, draws, rest)
    observed, log = rest["L"], np.log(rest["L"])
    drawn = np.log(new_runs(noise, at, seed=0))
    ends = intervals(drawn, LEVELS)
    by_row = log_predictive(noise, at, observed) + log
    if noise.run_effect is None:
        together = total(numbers, by_row) / np.bincount(numbers)
    else:
        densities = log_likelihood_by_run(noise, at, observed, numbers)
        joint = np.logaddexp.reduce(densities, axis=0) - np.log(len(densities))
        together = (joint + total(numbers, log)) / np.bincount(numbers)
    found = {"log": by_row, "crps": crps(drawn, log), "width": ends[2, 1] - ends[2, 0]}
    found |= {f"{level:.0%}": one for level, one in zip(LEVELS, inside(ends, log), strict=True)}
    means = {name: total(numbers, value) / np.bincount(numbers) for name, value in found.items()}
    return means | {"together": together}


def total(numbers: NDArray[np.int64], values: Floats) -> Floats:
    """Over the rows of each run."""
    return np.bincount(numbers, np.asarray(values, float))


def report(
    runs: Runs,
    scored: dict[str, list[dict[str, Floats]]],
    widths: dict[str, dict[str, list[float]]],
    seconds: dict[str, float],
) -> str:
    names = [*(f"{level:.0%}" for level in LEVELS), "log", "together", "crps", "width"]
    lines = ["| | 50 % | 80 % | 90 % | log score | together | CRPS | width |"]
    lines.append("|---|" + "---:|" * len(names))
    for how, halves in scored.items():
        means = [float(np.mean(np.concatenate([half[name] for half in halves]))) for name in names]
        shares = [f"{100 * mean:.0f} %" for mean in means[:3]]
        numbers = [f"{mean:.2f}" for mean in means[3:5]] + [f"{mean:.3g}" for mean in means[5:]]
        lines.append(f"| {how} | " + " | ".join([*shares, *numbers]) + " |")
    other = ["| 90 % intervals: log of upper over lower end | " + " | ".join(PARAMETERS) + " | s |"]
    other.append("|---|" + "---:|" * (len(PARAMETERS) + 1))
    for how, each in widths.items():
        said = [f"{np.mean(values):.3f}" for values in each.values()]
        other.append(f"| {how} | " + " | ".join([*said, f"{seconds[how]:.0f}"]) + " |")
    numbers_of = runs.run_numbers
    assert numbers_of is not None
    count = f"{len(runs)} rows of {numbers_of.max() + 1} runs. Draws: {SETTINGS.chains} chains of "
    where = f"{SETTINGS.draws}. {environment()}"
    return "\n".join([HEAD, count + where, "", *lines, "", *other, ""])


if __name__ == "__main__":
    main()
