"""The table on disk: a finished run is one row, and a row is there whole or not at all."""

import csv
import os
from pathlib import Path

COLUMNS = (
    "run",
    "params",
    "params_non_embedding",
    "width",
    "depth",
    "tokens",
    "flops_6nd",
    "flops_exact",
    "loss",
    "loss_se",
    "seed",
    "learning_rate",
    "batch",
    "steps",
    "device",
)

Row = dict[str, object]


def finished(path: Path) -> set[str]:
    """Names of the runs already in the table; none where there is no table."""
    return {row["run"] for row in read(path)}


def read(path: Path) -> list[dict[str, str]]:
    """All rows, as text."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def append(path: Path, row: Row) -> None:
    """Add one row: the new table is written aside, then takes the old one's name in one step.

    Raises
    ------
    ValueError
        When the run is in the table already.
    """
    rows = read(path)
    if any(old["run"] == row["run"] for old in rows):
        raise ValueError(f"{row['run']} is in {path} already: a run is never recorded twice")
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_suffix(".part")
    with aside.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(row), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        writer.writerow(row)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
