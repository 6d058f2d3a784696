"""Cause every fault that a test names by the mark `fault`, and write what came of it to a table.

Run by ``make faults``; the long checks are among them.
"""

from __future__ import annotations

import collections
import sys
from pathlib import Path

import pytest

TABLE = Path(__file__).parents[1] / "benchmarks" / "faults.md"
HEAD = """# Faults, and what comes of them

Written by `make faults`, which causes each of them. Every row is one test or several, with as many
cases as stand in the last column; "as stated" means that all of them passed.

| where | fault | outcome | found | cases |
|---|---|---|---|---|
"""


class Recorder:
    """What a run of pytest makes of every fault."""

    def __init__(self) -> None:
        self.faults: dict[str, tuple[str, str, str]] = {}
        self.cases: dict[tuple[str, str, str], collections.Counter[str]] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Remember which fault every test causes."""
        for item in items:
            if (mark := item.get_closest_marker("fault")) is not None:
                place, kind, outcome = mark.args
                self.faults[item.nodeid] = place, kind, outcome

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count outcomes; of what is set up and taken down, only failures."""
        if report.when == "call" or report.outcome != "passed":
            counts = self.cases.setdefault(self.faults[report.nodeid], collections.Counter())
            counts[report.outcome] += 1

    def table(self) -> str:
        """The faults in Markdown, by place."""
        rows = []
        for (place, kind, outcome), counts in sorted(self.cases.items()):
            found = "as stated" if set(counts) == {"passed"} else ", ".join(sorted(counts))
            rows.append(f"| {place} | {kind} | {outcome} | {found} | {counts.total()} |\n")
        return HEAD + "".join(rows)


def main() -> int:
    """Run the tests, write the table, and return pytest's exit code."""
    recorder = Recorder()
    code = pytest.main(["-m", "fault", "-q", *sys.argv[1:]], plugins=[recorder])
    TABLE.write_text(recorder.table(), encoding="utf-8")
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
