"""Spelled and spoiled tables of every kind: read rightly, or refused; never anything else."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scalingfit._errors import InputError
from scalingfit.runs import read
from tests.runs import mutations

KINDS = [*mutations.FILES, *mutations.OBJECTS]


def check_one(seed: Any, folder: Any) -> Any:
    """Read one mutated table, and hold what comes against what is true of it."""
    random = np.random.default_rng(seed)
    table = mutations.table(random)
    kind = KINDS[seed % len(KINDS)]
    spellings = random.permutation(len(mutations.SPELLINGS))[: int(random.integers(3))]
    for place in spellings:
        mutations.SPELLINGS[place](table, random)
    for _ in range(int(random.integers(3))):
        mutations.FAULTS[int(random.integers(len(mutations.FAULTS)))](table, random)
    source = mutations.written(table, kind, folder, random)
    bad_rows: Any = ["refuse", "drop"][int(random.integers(2))]
    try:
        runs = read(source, bad_rows=bad_rows)
    except InputError as error:
        said = str(error)
    else:
        said = ""
    if said:
        # A comma between thousands beside one that is a decimal mark is asked about.
        assert not table.plain or "comma" in said or "no other cell tells" in said
        return "refused"
    expected = table.true[table.valid]
    if kind in mutations.NAMED and len(runs) > len(expected):
        # Each row has its own name there, so a row that stands twice is two runs.
        assert len(np.unique(runs.D)) == len(expected)
        return "read"
    found = np.stack([runs.N, runs.D, runs.L], axis=1)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert len(runs) + len(runs.provenance["dropped"]) == runs.provenance["rows_read"]
    if bad_rows == "refuse":
        # What is left out without a word of the caller are empty lines and rows that repeat a run.
        assert all("repeats" in str(row["reason"]) for row in runs.provenance["dropped"])
    return "read"


def check_damaged(seed: Any, folder: Any) -> None:
    """Damage a file: it is refused, or what is read are runs."""
    random = np.random.default_rng(seed)
    kind = [*mutations.FILES][seed % len(mutations.FILES)]
    path = mutations.written(mutations.table(random), kind, folder, random)
    mutations.damaged(path, random)
    try:
        runs = read(path, bad_rows="drop")
    except InputError:
        return
    for values in runs.columns.values():
        assert np.isfinite(values).all()
    assert len(runs) + len(runs.provenance["dropped"]) == runs.provenance["rows_read"]


def check(count: Any, first: Any, folder: Any) -> None:
    outcomes = [check_one(seed, folder) for seed in range(first, first + count)]
    for seed in range(first, first + count // 3):
        check_damaged(seed, folder)
    assert outcomes.count("read") > count / 3  # else little is held against what is true


def test_mutated_tables_are_read_rightly_or_refused(tmp_path: Path) -> None:
    check(225, 0, tmp_path)


@pytest.mark.slow
def test_ten_thousand_mutated_tables_are_read_rightly_or_refused(tmp_path: Path) -> None:
    check(7500, 1000, tmp_path)
