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
from benchmarks.speed.problem import elsewhere, environment, markdown, timed
from benchmarks.tables import LAWS, TABLES, Case, epoch
from scalingfit._text import interval
from scalingfit.evidence import Comparison, NestedTest
from scalingfit.evidence.comparison.result import AHEAD
from scalingfit.inference import Sampling
from scalingfit.law_error import LAW_ERROR, LawError

REPORT = Path(__file__).with_suffix(".md")
WORK = {
    "fit": "one fit of `chinchilla`, with its error",
    "exact": "compare, four exact laws, without cuts",
    "plain": "compare, four laws with their error, without cuts",
    "full": "compare, four laws with their error, four cuts",
}
ORDER = ("summary", *TABLES, "time")
"""Of the parts of the report."""

COMPILED = "/jax/core/compile/backend_compile_duration"
"""What JAX calls the making of one program."""

READINGS: dict[str, tuple[str, LawError | None]] = {
    "exact": ("taken to be exact", None),
    "error": ("with their error", LAW_ERROR),
}
"""The two ways to take laws: what is said of each, and what `compare` is told."""

PART = r"^## ([^\n]+)\n(.*?)(?=^<!-- |\Z)"
"""Of the report: a title and what follows."""

SPARING: Sampling = {"draws": 500, "retries": 0}
"""Half the default's draws and no second attempt, so that all tables take an hour of one core."""

COLUMNS = (
    "laws",
    "highest elpd",
    "above the next",
    "nested over chinchilla: elpd",
    "log evidence",
    "Chinchilla's corner over Kaplan's: log Bayes factor",
    "D\\*/N\\* at ten times the budget: chinchilla",
    "nested",
)

HEAD = f"""# Laws compared on real runs

Made by `python -m benchmarks.comparison`. Four laws on each table, by `scalingfit.compare`:
`chinchilla`, `kaplan`, `nested` (which holds both) and `over_training` (Chinchilla's with alpha =
beta); {SPARING["draws"]} draws of each of four chains. Each table is read twice: by laws that are
taken to be exact (`law_error=None`), where the question is which law the runs follow, if one; and
by laws with their error, the default, where it is which law is nearer, and what its error can take
up tells nothing against it. The conclusion of each says which law is nearer, and whether that
matters for the answer at ten times the largest budget.

elpd is the expected log predictive density of runs left out, in nats; diff is to the best law, se
the standard error; high k counts runs (or groups) that importance sampling cannot leave out, which
are left out by fits of their own. Below each table is where the runs lie in the family that holds
Kaplan's and Chinchilla's laws as corners, in both readings. Evidence and elpd ask different
questions: how well the law with its prior predicted all the runs from nothing, and how well it
predicts one more; so a Bayes factor may be large where elpd cannot distinguish two laws. Forecasts
of larger runs from smaller ones, by the same laws on the same tables, stand in
[honest.md](honest.md).
"""


SAID = """\
Taken to be exact, `nested` is first everywhere, by up to 90 nats of elpd over Chinchilla's
law, and on four tables one corner, Kaplan's or Chinchilla's, is more than 10^5 times as probable as
the other: figures that say which law misfits less, for all of them misfit. With their error no law
leads the next clearly on any table, `nested` is above Chinchilla's by 8 nats at most, and the odds
between the corners are some hundreds to one at most: these runs hardly tell which law is nearer.
Whether that matters for the answer is a question of its own. Exact laws differ at ten times the
budget by more than either leaves open on three tables; with their error the intervals are several
times as wide, and the two best laws differ by more than one of them leaves open on one.
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
        write(REPORT, HEAD, {name: text}, ORDER)
    write(REPORT, HEAD, {"summary": summary()}, ORDER)


def part(name: str, case: Case, pictures: Path | None) -> str:
    """The part of the report on one table: both readings, and the question of Kaplan's law."""
    runs, found = case.runs(), {}
    for reading, (_, error) in READINGS.items():
        found[reading] = sf.compare(
            runs, LAWS, leave_out=case.leave_out, future=False, law_error=error, **SPARING
        )
        if pictures is not None:
            from scalingfit.report import evidence_plots, plots

            picture = pictures / f"comparison-{name}-{reading}.png"
            plots.save(evidence_plots.comparison(found[reading]), picture)
    corners = found["error"].nested_test()
    assert corners.exact is not None
    tests = {"exact": corners.exact, "error": corners}
    rows = [line(reading, found[reading], tests[reading]) for reading in READINGS]
    said = [
        f"### Laws {title}\n\n```\n{found[reading]}\n```"
        for reading, (title, _) in READINGS.items()
    ]
    family = f"### Kaplan's law or Chinchilla's\n\n```\n{corners}\n```"
    summary = markdown(COLUMNS, rows)
    return "\n\n".join([f"## {case.title}", case.about, summary, *said, family]) + "\n"


def summary() -> str:
    """The lines of all tables, and what they say."""
    rows = []
    for title, body in re.findall(PART, REPORT.read_text("utf-8"), flags=re.M | re.S):
        found = re.findall(r"^\| (?:taken to be exact|with their error) \|.*\|$", body, re.M)
        rows += [[title, *(cell.strip() for cell in row.strip("|").split("|"))] for row in found]
    return f"## All tables\n\n{markdown(['table', *COLUMNS], rows)}\n\n{SAID}"


def line(reading: str, found: Comparison, test: NestedTest) -> list[str]:
    """What one reading says, in a line."""
    best, second = [*found.candidates.items()][:2]
    chinchilla, nested = (found.candidates[law] for law in ("chinchilla", "nested"))
    ahead = found.answers(AHEAD * found.runs.budgets.largest)
    ratios = [
        interval("", *ahead.each[law].quantiles("tokens_per_param")[:, 0].tolist())
        for law in ("chinchilla", "nested")
    ]
    return [
        READINGS[reading][0],
        best[0],
        f"{-second[1].difference:.1f} ± {second[1].difference_se:.1f} ({second[0]})",
        f"{nested.loo.elpd - chinchilla.loo.elpd:.1f}",
        f"{nested.evidence.log - chinchilla.evidence.log:.1f}",
        f"{test.log_bayes_factor.log:.1f}",
        *ratios,
    ]


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
        error = None if what == "exact" else LAW_ERROR
        return sf.compare(runs, LAWS, future=what == "full", law_error=error, seed=seed)

    jax.monitoring.register_event_duration_secs_listener(note)
    # Later seeds differ, so that nothing but programs is reused.
    first, again = (timed(functools.partial(work, seed))[1] for seed in range(2))
    return [first, again, len(compiled)]


def write(report: Path, head: str, parts: dict[str, str], order: Iterable[str]) -> None:
    """Replace parts of a report; the others stay."""
    old = report.read_text("utf-8") if report.is_file() else ""
    found = re.findall(r"<!-- (\S+) -->\n(.*?)(?=<!-- \S+ -->\n|\Z)", old, flags=re.DOTALL)
    kept = {name: text.strip() + "\n" for name, text in found} | parts
    body = [f"<!-- {name} -->\n{kept[name]}" for name in order if name in kept]
    report.write_text("\n".join([head, *body]), encoding="utf-8")


if __name__ == "__main__":
    main()
