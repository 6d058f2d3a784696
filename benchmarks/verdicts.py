"""How often a verdict warns of nothing, or misses a mistake, and what it says of real tables.

    SCALINGFIT_DATA=... python -m benchmarks.verdicts [--part alarms]

Tables are simulated from published points of laws, with normal or Student-t scatter of 0.2 to 2 %
and a label that means nothing; mistakes are made in such tables of 30 to 60 runs. Writes
``benchmarks/verdicts.md``.
"""

from __future__ import annotations

import argparse
import functools
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import scalingfit as sf
from benchmarks.speed.problem import environment, markdown
from scalingfit._errors import InputError
from scalingfit.inference import Verdict
from scalingfit.law_error import LAW_ERROR, LawError
from scalingfit.runs import Runs

REPORT = Path(__file__).with_suffix(".md")
FOLDER = Path(tempfile.gettempdir()) / "scalingfit-verdicts"
"""Where the parts of the report wait for each other."""

ROWS = (12, 24, 60, 120, 240)
LAWS = ("chinchilla", "kaplan", "power")
MISFIT = {"misfit", "label_explains", "order", "outliers", "no_trend"}

POWER: dict[str, Any] = {"E": 1.8, "c": 0.3, "beta": 900.0}

type Columns = dict[str, Any]


def columns_of(law: str, rows: int, random: np.random.Generator) -> Columns:
    """Runs of a published point over one to two powers of ten in each input."""
    size = 10 ** random.uniform(7, 8.3)
    width = random.uniform(1.3, 2.2)
    N = size * 10 ** random.uniform(0, width, rows)
    D = N * 10 ** random.uniform(0.5, 2.5, rows)
    found = sf.law(law)
    point = POINTS[law] if law in POINTS else next(iter(found.published.values())).law
    inputs = {name: {"N": N, "D": D, "X": D}[name] for name in found.inputs()}
    scatter = 10 ** random.uniform(-2.7, -1.7)
    drawn = random.standard_t(random.choice([5, 20, 1000]), rows)
    return {**inputs, "L": np.asarray(point.loss(**inputs)) * np.exp(scatter * drawn)}


POINTS: dict[str, Any] = {"power": sf.law("power")(**POWER)}


def runs_of(law: str, rows: int, random: np.random.Generator) -> Runs:
    columns = columns_of(law, rows, random)
    label = random.choice(["a", "b", "c"], rows)
    return Runs.from_columns(columns, labels={"recipe": label})


def false_alarms(tables: int, law_error: LawError | None) -> Iterator[list[object]]:
    for law in LAWS if law_error is None else LAWS[:1]:
        for rows in ROWS:
            random = np.random.default_rng(rows)
            made = {number: runs_of(law, rows, random) for number in range(tables)}
            fits = sf.refit(made, law, law_error=law_error).fits.values()
            codes = [{*_codes(fit.verdict)} & MISFIT for fit in fits if not fit.verdict.ok]
            alarms = sum(map(bool, codes))
            which = Counter(code for found in codes for code in found)
            ok = sum(fit.verdict.ok for fit in fits)
            share = f"{alarms} ({alarms / len(fits):.1%})"
            yield [law, rows, len(fits), share, f"{ok / len(fits):.0%}", _counted(which)]


def _codes(verdict: Verdict) -> list[str]:
    return list(dict.fromkeys(note.code for note in verdict.notes))


def _counted(codes: Counter[str], most: int | None = None) -> str:
    return ", ".join(f"{code} {count}" for code, count in codes.most_common(most)) or "-"


# --- mistakes ------------------------------------------------------------------------------------

type Mistake = Callable[[Columns, np.random.Generator], tuple[Columns, dict[str, Any]]]


def _recipes(columns: Columns, random: np.random.Generator) -> tuple[Columns, dict[str, Any]]:
    recipe = random.integers(0, 3, len(columns["L"]))
    return {**columns, "L": columns["L"] * (1 + 0.04 * recipe)}, {"recipe": recipe.astype(str)}


def _batch(columns: Columns, random: np.random.Generator) -> tuple[Columns, dict[str, Any]]:
    large = columns["N"] > np.median(columns["N"])
    return {**columns, "D": columns["D"] * np.where(large, 4.0, 1.0)}, {}


def _perplexity(columns: Columns, random: np.random.Generator) -> tuple[Columns, dict[str, Any]]:
    return {**columns, "L": np.exp(columns["L"])}, {}


def _accuracy(columns: Columns, random: np.random.Generator) -> tuple[Columns, dict[str, Any]]:
    return {**columns, "L": np.exp(-columns["L"] / 2)}, {}


def _shuffled(columns: Columns, random: np.random.Generator) -> tuple[Columns, dict[str, Any]]:
    return {**columns, "L": random.permutation(columns["L"])}, {}


def _slip(columns: Columns, random: np.random.Generator) -> tuple[Columns, dict[str, Any]]:
    L = columns["L"].copy()
    L[random.integers(len(L))] *= 10.0
    return {**columns, "L": L}, {}


def _drift(columns: Columns, random: np.random.Generator) -> tuple[Columns, dict[str, Any]]:
    return {**columns, "L": columns["L"] * np.linspace(1.0, 1.15, len(columns["L"]))}, {}


def _curved(columns: Columns, random: np.random.Generator) -> tuple[Columns, dict[str, Any]]:
    N, D = (np.log10(columns[name] / np.median(columns[name])) for name in "ND")
    return {**columns, "L": columns["L"] * np.exp(0.15 * N * D)}, {}


def _checkpoints(columns: Columns, random: np.random.Generator) -> tuple[Columns, dict[str, Any]]:
    run = np.arange(len(columns["L"])) // 5
    return columns, {"run": run.astype(str)}


def _scaled(columns: Columns, random: np.random.Generator) -> tuple[Columns, dict[str, Any]]:
    return {**columns, "L": 1000 * columns["L"]}, {}


def _scattered(columns: Columns, random: np.random.Generator) -> tuple[Columns, dict[str, Any]]:
    noise = np.exp(0.2 * random.standard_normal(len(columns["L"])))
    return {**columns, "L": columns["L"] * noise}, {}


def _half_counted(columns: Columns, random: np.random.Generator) -> tuple[Columns, dict[str, Any]]:
    ratio = np.where(columns["N"] > np.median(columns["N"]), 1.0, 0.5)
    return {**columns, "C": 6 * columns["N"] * columns["D"] * ratio}, {}


MISTAKES: dict[str, Mistake] = {
    "three recipes pooled, 4 % apart": _recipes,
    "tokens of the larger half times 4": _batch,
    "perplexity as loss": _perplexity,
    "accuracy as loss": _accuracy,
    "losses of other rows": _shuffled,
    "a decimal slip": _slip,
    "a drift of 15 % from row to row": _drift,
    "N and D interact": _curved,
    "five checkpoints a run": _checkpoints,
    "losses times 1000": _scaled,
    "20 % scatter": _scattered,
    "half of the compute counted": _half_counted,
}


def misses(tables: int, law_error: LawError | None) -> Iterator[list[object]]:
    for number, (name, mistake) in enumerate(MISTAKES.items()):
        random = np.random.default_rng(number)
        made = {}
        for table in range(tables):
            rows = int(random.choice([30, 40, 60]))
            columns, labels = mistake(columns_of("chinchilla", rows, random), random)
            made[table] = Runs.from_columns(columns, labels=labels)
        verdicts = sf.refit(made, "chinchilla", law_error=law_error).verdicts.values()
        missed = sum(verdict.ok for verdict in verdicts)
        which = Counter(code for verdict in verdicts for code in _codes(verdict))
        share = f"{missed} ({missed / max(len(verdicts), 1):.0%})"
        yield [name, len(verdicts), share, _counted(which, 4)]


# --- real tables ---------------------------------------------------------------------------------

MANY = 150
"""Rows beyond which the law is held to be exact, for time's sake."""

LAW_OF = {
    "muennighoff_data_constrained": "data_constrained",
    "vocab_scaling": "vocabulary",
    "clark_routing_moe": "routed",
    "alabdulmohsin_curves": "power",
    "double_descent_curves": "power",
    "nanogpt_bench_width": "power",
    "bnsl_4digit_addition": "power",
    "negative_floor": "power",
}


DATA = Path(os.environ.get("SCALINGFIT_DATA", "../shared/data"))


def published() -> Iterator[list[object]]:
    """Every published table, whole, with its usual columns."""
    for name in sf.datasets.names():
        yield _verdict(name, functools.partial(sf.datasets.read, name))
    for path in sorted(DATA.glob("*.csv*")):
        if (name := path.name.split(".")[0]) not in sf.datasets.names():
            yield _verdict(name, functools.partial(sf.read, path))


def wrong() -> Iterator[list[object]]:
    """Every small table that went wrong, read without options."""
    for path in sorted((DATA.parent / "cases").glob("[!R]*")):
        yield _verdict(path.stem, functools.partial(sf.read, path))


def _verdict(name: str, read: Callable[[], Runs]) -> list[object]:
    law = LAW_OF.get(name, "chinchilla")
    try:
        runs = read()
        error = LAW_ERROR if len(runs) <= MANY else None
        verdict = sf.fit(runs, law, law_error=error).verdict
    except InputError as refusal:
        return [name, "-", law, "-", "refused", str(refusal).splitlines()[0]]
    said = ", ".join(_codes(verdict)) or "-"
    return [name, len(runs), law, "exact" if error is None else "error", verdict.status, said]


# --- the report ----------------------------------------------------------------------------------


def parts(tables: int, mistakes: int) -> dict[str, Callable[[], str]]:
    """The sections of the report, by name; each fits what it reports."""
    alarms = ["law", "runs", "tables", "alarms", "ok", "codes of alarms"]
    missed = ["mistake", "tables", "missed", "codes"]
    read = ["table", "runs", "law", "taken as", "verdict", "codes"]
    few = max(tables // 4, 1), max(mistakes // 5, 1)
    return {
        "alarms": lambda: _section(
            "False alarms, the law held to be exact",
            "Tables of the law itself that are warned for a misfit of any kind.",
            table(alarms, false_alarms(tables, None)),
        ),
        "alarms-with-error": lambda: _section(
            "False alarms, the law with its error",
            "As above.",
            table(alarms, false_alarms(few[0], LAW_ERROR)),
        ),
        "mistakes": lambda: _section(
            "Mistakes, the law held to be exact",
            "Mistakes in simulated tables; missed where the verdict is `ok`.",
            table(missed, misses(mistakes, None)),
        ),
        "mistakes-with-error": lambda: _section(
            "Mistakes, the law with its error",
            "As above.",
            table(missed, misses(few[1], LAW_ERROR)),
        ),
        "published": lambda: _section(
            "Published tables",
            f"Whole, with no options; the law is held to be exact beyond {MANY} rows.",
            table(read, published()),
        ),
        "wrong": lambda: _section(
            "Small tables that went wrong",
            "As a careless user would fit them: read without options.",
            table(read, wrong()),
        ),
    }


def _section(title: str, about: str, body: str) -> str:
    return f"## {title}\n\n{about}\n\n{body}\n\n{environment()}\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, default=70, help="of each law and number of runs")
    parser.add_argument("--mistakes", type=int, default=50, help="tables of each mistake")
    parser.add_argument("--part", action="append", help="of the report; others stay as they are")
    given = parser.parse_args()
    every = parts(given.tables, given.mistakes)
    FOLDER.mkdir(exist_ok=True)
    for name in given.part or every:
        (FOLDER / f"{name}.md").write_text(every[name]())
    made = [path.read_text() for name in every if (path := FOLDER / f"{name}.md").is_file()]
    REPORT.write_text("\n".join(["# Verdicts\n", *made]))


def table(head: list[str], lines: Iterator[list[object]]) -> str:
    """A table as Markdown, each line of which is printed as soon as it is there."""
    made = []
    for line in lines:
        print(*line, sep="\t", flush=True)
        made.append(line)
    return markdown(head, made)


if __name__ == "__main__":
    main()
