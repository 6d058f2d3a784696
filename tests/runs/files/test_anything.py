"""Whatever a file or a cell holds, it is read, or refused in words."""

import contextlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalingfit._errors import InputError
from scalingfit.runs import read

TEXT = st.text(st.sampled_from('aN1e9.,"\n\r\t ;-+{}[]:'), max_size=60)
CELL = st.sampled_from(["1e9", "2", "", "x", "-1", "0", "inf", "7B", "1,5", " ", '"', "NaN", "nan"])


@given(
    st.one_of(st.binary(max_size=60), TEXT.map(str.encode)),
    st.sampled_from([".csv", ".tsv", ".json", ".jsonl", ".csv.gz", ".parquet"]),
)
def test_any_bytes_are_read_or_refused_in_words(
    tmp_path_factory: pytest.TempPathFactory, content: Any, suffix: Any
) -> None:
    path = tmp_path_factory.mktemp("bytes") / f"runs{suffix}"
    path.write_bytes(content)
    with contextlib.suppress(InputError):
        assert len(read(path)) >= 2


@given(st.lists(st.lists(CELL, max_size=5), max_size=6), st.sampled_from(["refuse", "drop"]))
def test_any_cells_are_read_or_refused_in_words(
    tmp_path_factory: pytest.TempPathFactory, rows: Any, bad_rows: Any
) -> None:
    path = tmp_path_factory.mktemp("cells") / "runs.csv"
    path.write_text("\n".join(["N,D,L,family", *map(",".join, rows)]))
    with contextlib.suppress(InputError):
        runs = read(path, bad_rows=bad_rows)
        assert len(runs) + len(runs.provenance["dropped"]) == runs.provenance["rows_read"]
        assert all(np.isfinite(values).all() for values in runs.columns.values())
