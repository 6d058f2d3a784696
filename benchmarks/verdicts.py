"""How often a verdict warns of nothing, or misses a mistake, and what it says of real tables.

    SCALINGFIT_DATA=... python -m benchmarks.verdicts [--tables 1000] [--mistakes 50]

Tables are simulated from published points of laws, with normal or Student-t scatter of 0.2 to 2 %
and a label that means nothing; mistakes are made in such tables of 30 to 60 runs. Writes
``benchmarks/verdicts.md``.
"""

from __future__ import annotations

import argparse
import functools
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import scalingfit as sf
from benchmarks.speed.problem import environment, markdown
from benchmarks.tables import epoch
from scalingfit._errors import InputError
from scalingfit.runs import Runs

REPORT = Path(__file__).with_suffix(".md")
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


def false_alarms(tables: int) -> Iterator[list[object]]:
    for law in LAWS:
        for rows in ROWS:
            random = np.random.default_rng(rows)
            made = {number: runs_of(law, rows, random) for number in range(tables)}
            fits = sf.refit(made, law).fits.values()
            codes = [{note.code for note in fit.verdict.notes} for fit in fits]
            alarms = sum(bool(found & MISFIT) for found in codes)
            which = Counter(code for found in codes for code in found & MISFIT)
            statuses = Counter(fit.verdict.status for fit in fits)
            yield [
                law, rows, len(codes), f"{alarms / len(codes):.1%}",
                f"{statuses['ok'] / len(codes):.0%}",
                ", ".join(f"{name} {count}" for name, count in which.items()) or "-",
            ]  # fmt: skip


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


def _counted(columns: Columns, random: np.random.Generator) -> tuple[Columns, dict[str, Any]]:
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
    "half of the compute counted": _counted,
}


def misses(tables: int) -> Iterator[list[object]]:
    for number, (name, mistake) in enumerate(MISTAKES.items()):
        random = np.random.default_rng(number)
        made = {}
        for table in range(tables):
            rows = int(random.choice([30, 40, 60]))
            columns, labels = mistake(columns_of("chinchilla", rows, random), random)
            made[table] = Runs.from_columns(columns, labels=labels)
        fits = sf.refit(made, "chinchilla").fits.values()
        missed = sum(fit.verdict.ok for fit in fits)
        which = Counter(code for fit in fits for code in {n.code for n in fit.verdict.notes})
        named = ", ".join(f"{code} {count}" for code, count in which.most_common(4))
        yield [name, len(fits), f"{missed / max(len(fits), 1):.0%}", named or "-"]


# --- real tables ---------------------------------------------------------------------------------

REAL: dict[str, tuple[Callable[[], Runs], str]] = {
    "epoch_chinchilla, 240": (epoch, "chinchilla"),
    **{
        name: (functools.partial(sf.datasets.read, name), "chinchilla")
        for name in (
            "llama3_isoflop", "gzip_complexity", "cerebras_gpt", "xlstm_isoflop",
            "steplaw_dense", "porian_isoflop", "muennighoff_data_constrained",
        )
    },
}  # fmt: skip


def real() -> Iterator[list[object]]:
    for name, (read, law) in REAL.items():
        try:
            runs = read()
            fit = sf.fit(runs, law)
        except InputError as error:
            yield [name, "-", "refused", str(error).splitlines()[0]]
            continue
        codes = dict.fromkeys(note.code for note in fit.verdict.notes)
        yield [name, len(runs), fit.verdict.status, ", ".join(codes) or "-"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, default=1000)
    parser.add_argument("--mistakes", type=int, default=50)
    given = parser.parse_args()
    parts = [
        "# Verdicts\n",
        f"`python -m benchmarks.verdicts --tables {given.tables} --mistakes {given.mistakes}`.\n",
        environment(),
        "\n## False alarms\n\nTables of the law itself that are called a misfit of any kind.\n",
        table(["law", "runs", "tables", "alarms", "ok", "codes"], false_alarms(given.tables)),
        "\n## Mistakes in simulated tables\n\nMissed: the verdict is `ok`.\n",
        table(["mistake", "tables", "missed", "codes"], misses(given.mistakes)),
        "\n## Real tables, whole, under Chinchilla's law\n",
        table(["table", "runs", "verdict", "codes"], real()),
    ]
    REPORT.write_text("\n".join(parts) + "\n")


def table(head: list[str], lines: Iterator[list[object]]) -> str:
    """A table as Markdown, each line of which is printed as soon as it is there."""
    made = []
    for line in lines:
        print(*line, sep="\t", flush=True)
        made.append(line)
    return markdown(head, made)


if __name__ == "__main__":
    main()
