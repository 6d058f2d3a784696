"""How often a verdict warns of nothing, or misses a mistake, and what it says of real tables.

    SCALINGFIT_DATA=... python -m benchmarks.verdicts

Tables are simulated from published points of laws, with normal or Student-t scatter of 0.2 to 2 %
and a label that means nothing; mistakes are made in such tables of 30 to 60 runs. Writes
``benchmarks/verdicts.md``. It may be stopped: lines that this very code has made are kept in a
temporary folder, and not made again.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import json
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import scalingfit as sf
from benchmarks.comparison import write
from benchmarks.speed.problem import environment, markdown
from scalingfit._errors import InputError
from scalingfit.inference import Verdict
from scalingfit.inference.diagnostics import Limits
from scalingfit.inference.scrutiny import looked_at_again, verdict_on
from scalingfit.law_error import LAW_ERROR, LawError
from scalingfit.runs import Runs

REPORT = Path(__file__).with_suffix(".md")
FOLDER = Path(tempfile.gettempdir()) / "scalingfit-verdicts"
"""Where lines of the report wait for each other."""

ROWS = (12, 24, 60, 120, 240)
LAWS = ("chinchilla", "kaplan", "power")
MISFIT = {
    *("misfit", "miscounted", "unit", "label_explains", "order", "outliers", "no_trend"),
    "interaction",
}

POWER: dict[str, Any] = {"E": 1.8, "c": 0.3, "beta": 900.0}

FEWER = 5
"""Times as few tables where the law has an error: a fit then takes twenty times as long."""

HEAD = """# Verdicts

Made by `python -m benchmarks.verdicts`, part by part. Verdicts are those of `fit`. Tables are
simulated from published points of laws, with scatter of 0.2 to 2 %.
"""

type Columns = dict[str, Any]
type Line = list[object]
type Lines = dict[str, Callable[[], Line]]
type Tables = Mapping[str, Callable[[], Runs]]
type Part = tuple[str, str, list[str], Lines]


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


def false_alarms(law: str, rows: int, tables: int, law_error: LawError | None) -> Line:
    random = np.random.default_rng(rows)
    made = {number: runs_of(law, rows, random) for number in range(tables)}
    verdicts = _verdicts(made, law, law_error)
    codes = [{*_codes(verdict)} & MISFIT for verdict in verdicts if not verdict.ok]
    alarms = sum(map(bool, codes))
    which = Counter(code for found in codes for code in found)
    ok = sum(verdict.ok for verdict in verdicts)
    share = f"{alarms} ({alarms / len(verdicts):.1%})"
    return [law, rows, len(verdicts), share, f"{ok / len(verdicts):.0%}", _counted(which)]


def _verdicts(made: dict[int, Runs], law: str, law_error: LawError | None) -> list[Verdict]:
    """What `fit` says of each table."""
    fits = sf.refit(made, law, law_error=law_error).fits.values()
    return [looked_at_again(f.verdict, f.model, f.runs, f.sampled, f.law) for f in fits]


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


def misses(name: str, tables: int, law_error: LawError | None) -> Line:
    random = np.random.default_rng([*MISTAKES].index(name))
    made = {}
    for number in range(tables):
        rows = int(random.choice([30, 40, 60]))
        columns, labels = MISTAKES[name](columns_of("chinchilla", rows, random), random)
        made[number] = Runs.from_columns(columns, labels=labels)
    verdicts = _verdicts(made, "chinchilla", law_error)
    told = sum(verdict.ok and bool(verdict.notes) for verdict in verdicts)
    missed = sum(verdict.ok and not verdict.notes for verdict in verdicts)
    which = Counter(code for verdict in verdicts for code in _codes(verdict))
    share = f"{missed} ({missed / max(len(verdicts), 1):.0%})"
    return [name, len(verdicts), share, told, _counted(which, 4)]


# --- real tables ---------------------------------------------------------------------------------

MANY = 500
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


def published() -> Tables:
    """Every published table, whole, with its usual columns."""
    every = {path.name.split(".")[0]: path for path in sorted(DATA.glob("*.csv*"))}
    known = sf.datasets.names()
    others = {name: functools.partial(sf.read, every[name]) for name in every if name not in known}
    return {name: functools.partial(sf.datasets.read, name) for name in known} | others


def wrong() -> Tables:
    """Every small table that went wrong, read without options."""
    paths = sorted((DATA.parent / "cases").glob("[!R]*"))
    return {path.stem: functools.partial(sf.read, path) for path in paths}


def verdict(name: str, read: Callable[[], Runs]) -> Line:
    law = LAW_OF.get(name, "chinchilla")
    try:
        runs = read()
        error = LAW_ERROR if len(runs) <= MANY else None
        verdict = sf.fit(runs, law, law_error=error).verdict
    except InputError as refusal:
        return [name, "-", law, "-", "refused", str(refusal).splitlines()[0]]
    said = ", ".join(_codes(verdict)) or "-"
    return [name, len(runs), law, "exact" if error is None else "error", verdict.status, said]


# --- what it costs ------------------------------------------------------------------------------


def cost(law_error: LawError | None, repeats: int = 5) -> Line:
    """Of the verdict's own looks, beside the whole fit, on 240 runs."""
    runs = sf.datasets.read("epoch_chinchilla", where="besiroglu_excluded=0")
    fits, looks = [], []
    for seed in range(repeats + 1):
        start = time.process_time()
        fit = sf.fit(runs, law_error=law_error, seed=seed)
        fits.append(time.process_time() - start)
        start = time.process_time()
        given = fit.model, fit.runs, fit.sampled, fit.law
        looked_at_again(verdict_on(*given, fit.noise, Limits()), *given)
        looks.append(time.process_time() - start)
    (whole, part) = (1e3 * float(np.median(times[1:])) for times in (fits, looks))
    taken = "error" if law_error else "exact"
    return [len(runs), taken, f"{whole:.0f}", f"{part:.0f}", f"{part / whole:.1%}"]


# --- the report ----------------------------------------------------------------------------------


def parts(tables: int, mistakes: int) -> dict[str, Part]:
    """The sections of the report, by name, with what makes each line of them."""
    alarms = ["law", "runs", "tables", "alarms", "ok", "codes of alarms"]
    missed = ["mistake", "tables", "missed", "ok, but told", "codes"]
    read = ["table", "runs", "law", "taken as", "verdict", "codes"]
    few = max(tables // FEWER, 1), max(mistakes // FEWER, 1)

    def of_laws(laws: Sequence[str], count: int, error: LawError | None) -> Lines:
        return {
            f"{law}-{rows}": functools.partial(false_alarms, law, rows, count, error)
            for law in laws
            for rows in ROWS
        }

    def of_mistakes(count: int, error: LawError | None) -> Lines:
        return {name: functools.partial(misses, name, count, error) for name in MISTAKES}

    def of_tables(found: Tables) -> Lines:
        return {name: functools.partial(verdict, name, read) for name, read in found.items()}

    return {
        "alarms": (
            "False alarms, the law held to be exact",
            "Tables of the law itself that are warned for a misfit of any kind.",
            alarms,
            of_laws(LAWS, tables, None),
        ),
        "mistakes": (
            "Mistakes, the law held to be exact",
            "Mistakes in simulated tables; missed where the verdict is `ok` and no note says "
            "anything. One that a note tells, and that intervals carry, is `ok, but told`.",
            missed,
            of_mistakes(mistakes, None),
        ),
        "wrong": (
            "Small tables that went wrong",
            "As a careless user would fit them: read without options.",
            read,
            of_tables(wrong()),
        ),
        "published": (
            "Published tables",
            f"Whole, with no options; the law is held to be exact beyond {MANY} rows.",
            read,
            of_tables(published()),
        ),
        "mistakes-with-error": (
            "Mistakes, the law with its error",
            "As above.",
            missed,
            of_mistakes(few[1], LAW_ERROR),
        ),
        "cost": (
            "What it costs",
            "CPU time of a fit by programs that are compiled, and of all looks at it.",
            ["runs", "taken as", "fit [ms]", "looks [ms]", "share"],
            {"exact": functools.partial(cost, None), "error": functools.partial(cost, LAW_ERROR)},
        ),
        "alarms-with-error": (
            "False alarms, the law with its error",
            "As above.",
            alarms,
            of_laws(LAWS[:1], few[0], LAW_ERROR),
        ),
    }


def kept(part: str, key: str, make: Callable[[], Line]) -> Line:
    """A line of the report, which is made only once by the same code."""
    name = hashlib.sha256(f"{part} {key}".encode()).hexdigest()[:16]
    place = FOLDER / code() / f"{name}.json"
    if not place.is_file():
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(json.dumps(make()))
    line: Line = json.loads(place.read_text())
    print(*line, sep="\t", flush=True)
    return line


@functools.cache
def code() -> str:
    """What the lines hang on: this file, the package and its laws."""
    rooms = [Path(__file__).parents[1] / room for room in ("scalingfit", "models")]
    sources = [Path(__file__), *(path for room in rooms for path in sorted(room.rglob("*.py")))]
    return hashlib.sha256(b"".join(map(Path.read_bytes, sources))).hexdigest()[:16]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, default=70, help="of each law and number of runs")
    parser.add_argument("--mistakes", type=int, default=50, help="tables of each mistake")
    parser.add_argument("--parts", nargs="*", help="sections to make anew; by default all")
    given = parser.parse_args()
    every = parts(given.tables, given.mistakes)
    for name, (title, about, head, lines) in every.items():
        if name not in (given.parts or every):
            continue
        made = [kept(title, key, make) for key, make in lines.items()]
        text = f"## {title}\n\n{about}\n\n{markdown(head, made)}\n\n{environment()}\n"
        write(REPORT, HEAD, {name: text}, every)


if __name__ == "__main__":
    main()
