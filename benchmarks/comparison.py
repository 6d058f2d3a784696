"""Laws compared on real runs: the table, the sentence, the picture, and what it costs.

    SCALINGFIT_DATA=FOLDER python -m benchmarks.comparison [TABLE ...] [--pictures FOLDER]

writes ``benchmarks/comparison.md``; the named tables' parts replace the old ones.
"""

from __future__ import annotations

import argparse
import functools
import json
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jax

import scalingfit as sf
from benchmarks.speed.problem import elsewhere, environment, timed
from benchmarks.tables import LAWS, TABLES, Case, epoch

REPORT = Path(__file__).with_suffix(".md")
WORK = {
    "fit": "one fit of `chinchilla`",
    "plain": "compare, four laws, without cuts",
    "full": "compare, four laws, four cuts",
}
COMPILED = "/jax/core/compile/backend_compile_duration"
"""What JAX calls the making of one program."""

HEAD = """# Laws compared on real runs

Made by `python -m benchmarks.comparison`. Four laws on each table, by `scalingfit.compare` at
its default settings: `chinchilla`, `kaplan`, `nested` (which holds both) and `over_training`
(Chinchilla's with alpha = beta). elpd is the expected log predictive density of runs left out, in
nats; diff is to the best law, se the standard error; high k counts runs (or groups) that importance
sampling cannot leave out, which are left out by fits of their own; future/run is the mean log
density of larger runs given the smaller ones, over up to four cuts. Below each table is where the
runs lie in the family that holds Kaplan's and Chinchilla's laws as corners. Evidence and elpd ask
different questions: how well the law with its prior predicted all the runs from nothing, and how
well it predicts one more; so a Bayes factor may be large where elpd cannot distinguish two laws.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", nargs="*", default=[*TABLES, "time"])
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--once", choices=WORK, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.once is not None:
        print(json.dumps(once(asked.once)))
        return
    for name in asked.tables:
        text = speed() if name == "time" else part(name, TABLES[name], asked.pictures)
        print(text, flush=True)
        write(REPORT, HEAD, {name: text}, [*TABLES, "time"])


def part(name: str, case: Case, pictures: Path | None) -> str:
    """The part of the report on one table."""
    found = sf.compare(case.runs(), LAWS, leave_out=case.leave_out)
    corners = found.nested_test()
    if pictures is not None:
        from scalingfit.report import evidence_plots, plots

        plots.save(evidence_plots.comparison(found), pictures / f"comparison-{name}.png")
    return f"## {case.title}\n\n{case.about}\n\n```\n{found}\n\n{corners}\n```\n"


def speed() -> str:
    """Wall times of a fit and of comparisons, the first in a process and a later one."""
    rows = []
    for what, title in WORK.items():
        with tempfile.TemporaryDirectory() as empty:
            found = elsewhere(
                "benchmarks.comparison", "--once", what, JAX_COMPILATION_CACHE_DIR=empty
            )
        if "failed" in found:
            raise RuntimeError(f"{what}: {found['failed']}")
        rows.append([title, *found])
    one = rows[0][2]
    table = "\n".join(
        f"| {title} | {first:.1f} | {again:.1f} | {again / one:.1f} | {programs} |"
        for title, first, again, programs in rows
    )
    return (
        "## What it costs\n\nChinchilla's 240 runs, at default settings (4 chains of 1000 draws).\n"
        "Each line has a process of its own, whose cache of compiled programs on disk is empty:\n"
        "*first* compiles all that it needs, *again* does the same with another seed and compiles\n"
        "nothing, or little. *programs* counts what was compiled.\n\n"
        "| | first, seconds | again, seconds | again, in fits | programs |\n"
        f"| --- | ---: | ---: | ---: | ---: |\n{table}\n\n{environment()}\n"
    )


def once(what: str) -> list[float]:
    """Seconds of the first and of a later call in this process, and how many programs it took."""
    runs, compiled = epoch(), []

    def note(event: str, duration_secs: float, **_: str | int) -> None:
        if event == COMPILED:
            compiled.append(duration_secs)

    def work(seed: int) -> Any:
        if what == "fit":
            return sf.fit(runs, seed=seed)
        return sf.compare(runs, LAWS, future=what == "full", seed=seed)

    jax.monitoring.register_event_duration_secs_listener(note)
    # Later seeds differ, so that nothing but programs is reused.
    first, *later = (timed(functools.partial(work, seed))[1] for seed in range(3))
    return [first, min(later), len(compiled)]


def write(report: Path, head: str, parts: dict[str, str], order: Iterable[str]) -> None:
    """Replace parts of a report; the others stay."""
    old = report.read_text("utf-8") if report.is_file() else ""
    found = re.findall(r"<!-- (\S+) -->\n(.*?)(?=<!-- \S+ -->\n|\Z)", old, flags=re.DOTALL)
    kept = {name: text.strip() + "\n" for name, text in found} | parts
    body = [f"<!-- {name} -->\n{kept[name]}" for name in order if name in kept]
    report.write_text("\n".join([head, *body]), encoding="utf-8")


if __name__ == "__main__":
    main()
