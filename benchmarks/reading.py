"""Every published table and every case, read as it stands: one line each, in ``reading.md``.

    SCALINGFIT_DATA=../shared/data python -m benchmarks.reading

A table is understood without a word about its columns, or refused; then the remedy is followed as
it is printed, until the table is read or nothing is left to follow. Large tables are timed beside
pandas, which takes cells as they are.
"""

from __future__ import annotations

import ast
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scalingfit._errors import InputError
from scalingfit.runs import Runs, read

HERE = Path(__file__).parent
HEADER = """# Tables as they stand

Made by `python -m benchmarks.reading`. Each table is read without naming a column. Where that is
refused, the first remedy is copied as it is printed, and so on; an arrow stands before what it led
to. What is doubtful of a table is in italics, by its code. "asks" means that the table has no one
column that could be meant: its reader has to choose.

| table | what came of it |
|---|---|
"""
HEADER_OF_SIZES = """
## Large tables

Numbers of 17 digits; seconds of one processor, the second time in a process.

| rows | columns | `read` | pandas' `read_csv` |
|---|---|---|---|
"""
LARGE = ((200_000, 4), (200, 5_000), (500, 5_000))


def main() -> None:
    data = Path(os.environ.get("SCALINGFIT_DATA", HERE.parents[1] / "shared" / "data"))
    lines = [
        f"| {path.name} | {' → '.join(steps(path))} |"
        for folder in (data, data.parent / "cases")
        for path in sorted(folder.iterdir())
        if path.is_file() and path.name not in ("README.md", "datasets.json")
    ]
    sizes = [f"| {rows:,} | {columns:,} | {large(rows, columns)} |" for rows, columns in LARGE]
    text = HEADER + "\n".join(lines) + "\n" + HEADER_OF_SIZES + "\n".join(sizes) + "\n"
    (HERE / "reading.md").write_text(text)


def steps(path: Path) -> Iterator[str]:
    """What is said of a table, and what follows from copying the remedy."""
    options: dict[str, Any] = {}
    for _ in range(5):
        try:
            yield understood(read(path, **options))
            return
        except InputError as error:
            said = str(error)
        remedy = said.partition("What to do: ")[2]
        call = first_call(remedy)
        first = said.partition("\n")[0].replace("|", "\\|")
        if call is None:
            yield f"refused: {first}; asks: {remedy.replace('|', chr(92) + '|')}"
            return
        yield f"refused: {first}; `{call}`"
        options |= arguments(call)


def large(rows: int, columns: int) -> str:
    """Seconds of reading a table of this size, by this package and by pandas."""
    random = np.random.default_rng(0)
    table = {name: 10 ** random.uniform(8, 11, rows) for name in ("N", "D")}
    table["L"] = 1.7 + 400 / table["N"] ** 0.34 + 400 / table["D"] ** 0.28
    table |= {f"label_{i}": random.random(rows) for i in range(columns - len(table))}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "runs.csv"
        pd.DataFrame(table).to_csv(path, index=False)
        return f"{seconds(read, path):.2f} | {seconds(pd.read_csv, path):.2f}"


def seconds(reader: Callable[[Path], object], path: Path) -> float:
    """Of one processor, that a reader takes the second time."""
    reader(path)
    start = time.process_time()
    reader(path)
    return time.process_time() - start


def understood(runs: Runs) -> str:
    """Counts, columns and what is doubtful."""
    columns = ", ".join(
        f"{symbol} = {origin['column']}"
        + (f" x {origin['factor']:g}" if origin["factor"] != 1 else "")
        for symbol, origin in runs.provenance["columns"].items()
    )
    unit = f", L in {runs.loss_unit}" if runs.loss_unit else ""
    left_out = len(runs.provenance["dropped"])
    dropped = f", {left_out} left out" if left_out else ""
    codes = dict.fromkeys(finding.code for finding in runs.findings)
    doubts = f"; *{', '.join(codes)}*" if codes else ""
    return f"{len(runs)} runs{dropped}: {columns}{unit}{doubts}".replace("|", "\\|")


def first_call(remedy: str) -> str | None:
    """The first ``read(..., name=value)`` of a remedy."""
    found = re.search(r"\bread\(\.\.\., .*?\)(?=[.,;]| |$)", remedy, re.DOTALL)
    return found[0] if found else None


def arguments(call: str) -> dict[str, Any]:
    """What a call names."""
    node = ast.parse(call.replace("..., ", "", 1), mode="eval").body
    assert isinstance(node, ast.Call)
    return {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in node.keywords}


if __name__ == "__main__":
    main()
