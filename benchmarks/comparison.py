"""Laws compared on real runs: the table, the sentence, the picture, and what it costs.

    SCALINGFIT_DATA=FOLDER python -m benchmarks.comparison [TABLE ...] [--pictures FOLDER]

writes ``benchmarks/comparison.md``; the named tables' parts replace the old ones.
"""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import scalingfit as sf
from benchmarks.speed.problem import environment
from benchmarks.tables import LAWS, TABLES, Case, epoch

REPORT = Path(__file__).with_suffix(".md")

HEAD = """# Laws compared on real runs

Made by `python -m benchmarks.comparison`. Four laws on each table, by `scalingfit.compare` at
its default settings: `chinchilla`, `kaplan`, `nested` (which holds both) and `over_training`
(Chinchilla's with alpha = beta). elpd is the expected log predictive density of runs left out, in
nats; diff is to the best law, se the standard error; high k counts runs (or groups) that importance
sampling cannot leave out, which are left out by fits of their own; future/run is the mean log
density of larger runs given the smaller ones, over four cuts. Below each table is where the runs
lie in the family that holds Kaplan's and Chinchilla's laws as corners. Evidence and elpd ask
different questions: how well the law with its prior foretold all the runs from nothing, and how
well it foretells one more; so a Bayes factor may be large where elpd cannot tell two laws apart.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", nargs="*", default=[*TABLES, "time"])
    parser.add_argument("--pictures", type=Path)
    asked = parser.parse_args()
    for name in asked.tables:
        text = speed() if name == "time" else part(name, TABLES[name], asked.pictures)
        print(text, flush=True)
        write(REPORT, HEAD, {name: text}, [*TABLES, "time"])


def part(name: str, case: Case, pictures: Path | None) -> str:
    """The part of the report on one table."""
    found = sf.compare(case.runs(), LAWS, by=case.by)
    corners = found.corners()
    if pictures is not None:
        from scalingfit.report import evidence_plots, plots

        plots.save(evidence_plots.comparison(found), pictures / f"comparison-{name}.png")
    return f"## {case.title}\n\n{case.about}\n\n```\n{found}\n\n{corners}\n```\n"


def speed() -> str:
    """Wall times of compare as multiples of one fit's, in this process."""
    runs = epoch()
    # The first round compiles; the second has other seeds, so that nothing is reused.
    fit = [seconds(sf.fit, runs, seed=seed) for seed in (0, 1, 2)]
    plain = [seconds(sf.compare, runs, LAWS, future=False, seed=seed) for seed in (0, 1)]
    full = [seconds(sf.compare, runs, LAWS, seed=seed) for seed in (0, 1)]
    one = min(fit[1:])
    rows = [
        ("one fit of `chinchilla`, compiled", one),
        ("the same, with compiling", fit[0]),
        ("compare, four laws, without cuts: compiled", plain[1]),
        ("the same, with compiling what the fit had not", plain[0]),
        ("compare, four laws, four cuts: compiled", full[1]),
        ("the same, with compiling what came before had not", full[0]),
    ]
    table = "\n".join(f"| {what} | {took:.1f} | {took / one:.1f} |" for what, took in rows)
    return (
        "## What it costs\n\nChinchilla's 240 runs, at default settings (4 chains of 1000 draws).\n"
        "One process, in this order; compiled programs may come from JAX's cache on disk.\n\n"
        f"| | seconds | in fits |\n| --- | ---: | ---: |\n{table}\n\n{environment()}\n"
    )


def seconds(work: Any, *given: Any, **options: Any) -> float:
    start = time.perf_counter()
    work(*given, **options)
    return time.perf_counter() - start


def write(report: Path, head: str, parts: dict[str, str], order: Iterable[str]) -> None:
    """Replace parts of a report; the others stay."""
    old = report.read_text("utf-8") if report.is_file() else ""
    found = re.findall(r"<!-- (\S+) -->\n(.*?)(?=<!-- \S+ -->\n|\Z)", old, flags=re.DOTALL)
    kept = {name: text.strip() + "\n" for name, text in found} | parts
    body = [f"<!-- {name} -->\n{kept[name]}" for name in order if name in kept]
    report.write_text("\n".join([head, *body]), encoding="utf-8")


if __name__ == "__main__":
    main()
