"""Forecasts of larger runs from smaller ones, on real tables: coverage, and what helps it.

    SCALINGFIT_DATA=FOLDER python -m benchmarks.backtest [TABLE ...] [--pictures FOLDER]

writes ``benchmarks/backtest.md``; the named tables' parts replace the old ones, and the summary is
made anew from all parts.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

import scalingfit as sf
from benchmarks.comparison import write
from benchmarks.speed.problem import environment
from benchmarks.tables import LAWS, TABLES, Case
from scalingfit.evidence import Backtest, band
from scalingfit.evidence.forecasts.scored import SLACK

REPORT = Path(__file__).with_suffix(".md")
KEPT = Path(__file__).parent / "out" / "backtest"
REACH = 10.0  # times the compute of the largest fitted run

HEAD = """# Forecasts of larger runs from smaller ones

Made by `python -m benchmarks.backtest`: `scalingfit.backtest` at its default settings and
cuts (fits of about 40, 55, 70 and 85 % of the runs by compute, whole budgets at a time).
Coverage is of nominal 90 % intervals of a new run. *widened* is with the discrepancy: a relative
error of the law that grows with the distance, learned for each cut from the *other* cuts of the
same table. Several cuts forecast the same run, so *runs* are fewer than forecasts. The range beside
a table is where the coverage of right intervals would lie with 95 % probability if its runs were
independent. They are not: the errors of a law are shared by its forecasts, so the real range is
wider still. The widened figures are somewhat too good: a large run is forecast from several cuts,
so what is learned from the others has seen it, though not from as far away.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", nargs="*", default=list(TABLES))
    parser.add_argument("--pictures", type=Path)
    asked = parser.parse_args()
    KEPT.mkdir(parents=True, exist_ok=True)
    for name in asked.tables:
        case = TABLES[name]
        found = sf.backtest(case.runs(), LAWS)
        if asked.pictures is not None:
            from scalingfit.report import evidence_plots, plots

            plots.save(evidence_plots.backtest(found), asked.pictures / f"backtest-{name}.png")
        print(found, flush=True)
        (KEPT / f"{name}.json").write_text(json.dumps(near(found)), encoding="utf-8")
        parts = {name: part(case, found), "summary": summary()}
        write(REPORT, HEAD, parts, ["summary", *TABLES])


def part(case: Case, found: Backtest) -> str:
    return f"## {case.title}\n\n{case.about}\n\n```\n{found}\n```\n"


def near(found: Backtest) -> dict[str, Any]:
    """By law: how many forecasts there are up to ten times the compute; how many are covered."""
    rows = {}
    for name, record in found.records.items():
        kept = record.distance <= REACH * (1 + SLACK)
        rows[name] = {"count": int(kept.sum()), "runs": record.count(kept)}
        for label, wide in (("plain", False), ("widened", True)):
            rows[name][label] = int(record.covered(wide=wide)[kept].sum())
    return rows


def summary() -> str:
    """Coverage up to ten times the compute, over all tables that have been run."""
    lines = [
        "## Up to ten times the compute",
        "",
        "| table | forecasts | runs | range if right | " + " | ".join(LAWS) + " |",
        "| --- | ---: | ---: | --- |" + " --- |" * len(LAWS),
    ]
    total: dict[str, Any] = {law: np.zeros(2) for law in LAWS}
    every = np.zeros(2, int)
    for name, case in TABLES.items():
        path = KEPT / f"{name}.json"
        if not path.is_file():
            continue
        rows = json.loads(path.read_text("utf-8"))
        count, runs = (rows[LAWS[0]][what] for what in ("count", "runs"))
        every += [count, runs]
        for law in LAWS:
            total[law] += [rows[law]["plain"], rows[law]["widened"]]
        pairs = [(rows[law]["plain"] / count, rows[law]["widened"] / count) for law in LAWS]
        lines.append(_line(case.title, count, runs, pairs))
    lines.append(_line("all", every[0], every[1], [tuple(total[law] / every[0]) for law in LAWS]))
    lines += ["", "Plain coverage, then widened.", "", environment(), ""]
    return "\n".join(lines)


def _line(title: str, count: int, runs: int, pairs: list[Any]) -> str:
    low, high = band(0.9, runs)
    cells = " | ".join(f"{plain:.0%}, {wide:.0%}" for plain, wide in pairs)
    return f"| {title} | {count} | {runs} | {low:.0%} to {high:.0%} | {cells} |"


if __name__ == "__main__":
    main()
