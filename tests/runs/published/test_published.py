"""The registry of published tables."""

import json
from pathlib import Path

import pytest

from scalingfit.runs.published import PUBLISHED

ENTRIES = {entry.name: entry for entry in PUBLISHED}


@pytest.mark.parametrize("name", ENTRIES)
def test_the_registry_agrees_with_the_published_record(data_dir: Path, name: str) -> None:
    records = json.loads((data_dir / "datasets.json").read_text())["datasets"]
    record = next(record for record in records if record["name"] == name)
    entry = ENTRIES[name]
    assert entry.sha256 == record["csv_sha256"]
    assert entry.rows == record["rows"]
    assert entry.file == record["file"]
    source = record["sources"][0]
    assert (entry.address, entry.address_sha256) == (source["url"], source["sha256"])
    assert ("none stated" in entry.licence) == ("none stated (no" in record["licence"])


def test_no_entry_opens_a_pickle_or_a_notebook() -> None:
    for entry in PUBLISHED:
        if entry.fetchable:
            assert entry.address.endswith((".csv", ".csv.gz"))
