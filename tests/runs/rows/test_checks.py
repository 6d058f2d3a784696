"""Rows that cannot be used, and rows that are there twice."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from scalingfit._errors import InputError
from scalingfit.runs import read
from tests.runs.small import DIGEST, FRAME, RECORDS

BAD_ROWS = """run,params,tokens,loss

a,1e7,1e9,4.0
b,1e8,2e9,
c,big,4e9,3.3
d,1e9,8e9,-2.9
e,1e9,0,2.9
f,inf,8e9,2.9
a,1e7,1e9,4.0
g,1e9,9e9,2.8
"""
BAD_LINES = {4: "is missing", 5: "is not a number", 6: "is not positive", 7: "is not positive"}
BAD_LINES |= {8: "is not finite", 9: "repeats an earlier row"}


def test_bad_rows_are_refused_with_line_column_value_and_reason(write: Any) -> None:
    with pytest.raises(InputError) as caught:
        read(write("runs.csv", BAD_ROWS))
    assert str(caught.value).splitlines()[:7] == [
        "5 of 8 rows of runs.csv cannot be used",
        "  line 4, loss: the value is missing",
        "  line 5, params: 'big' is not a number",
        "  line 6, loss: -2.9 is not positive",
        "  line 7, tokens: 0 is not positive",
        "  line 8, params: 'inf' is not finite",
        "What to do: correct them, or leave them out with a record of it: "
        'read(..., bad_rows="drop").',
    ]


def test_a_row_that_repeats_another_of_the_same_run_counts_once_and_is_said() -> None:
    """Without a name of the run two equal rows may be two runs: that is asked."""
    twice = pd.concat([FRAME, FRAME.iloc[:1]])
    runs = read(twice)
    assert runs.digest == DIGEST
    assert runs.provenance["dropped"] == [
        {"row": 5, "column": None, "reason": "repeats an earlier row"}
    ]
    assert "1 row dropped" in runs.describe()
    with pytest.raises(InputError, match=r"row 5: is the same as row 1(.|\n)*tells them apart"):
        read(twice.drop(columns="run"))


def test_dropped_rows_are_recorded_and_told(write: Any) -> None:
    runs = read(write("runs.csv", BAD_ROWS), bad_rows="drop")
    assert runs.row_numbers.tolist() == [3, 10]
    assert {row["line"]: row["reason"] for row in runs.provenance["dropped"]} == BAD_LINES
    assert runs.provenance["rows_read"] == 8
    assert "6 rows dropped" in runs.describe()


def test_no_more_than_ten_bad_rows_are_listed() -> None:
    frame = pd.DataFrame({"N": [1e7] * 30, "L": [np.nan] * 28 + [2.0, 3.0]})
    with pytest.raises(InputError, match=r"28 of 30(.|\n)*row 10, L(.|\n)*and 18 more"):
        read(frame)


def test_equal_rows_with_another_label_are_different_runs() -> None:
    frame = pd.concat([FRAME, FRAME.assign(run="another seed")])
    assert len(read(frame)) == 8
    with pytest.raises(InputError, match="same as row"):
        read(frame, labels=[])


def test_cells_that_cannot_be_compared_are_still_checked_for_repeats() -> None:
    records = [{**record, "tags": ["x"]} for record in (*RECORDS, RECORDS[0])]
    assert read(records).row_numbers.tolist() == [1, 2, 3, 4]
    with pytest.raises(InputError, match="row 5: is the same as row 1"):
        read(records, labels=["tags"])


WANDB = """Name,State,Runtime,Tags,num_params,n_tokens,eval/loss,train/loss
one,finished,3600,,10000000,1000000000,3.9,3.8
two,crashed,12,,10000000,2000000000,7.1,7.0
three,finished,7200,big,100000000,2000000000,3.1,3.0
four,running,7200,big,100000000,4000000000,3.5,3.4
"""


def test_a_run_table_export_leaves_out_runs_that_did_not_finish(write: Any) -> None:
    path = write("wandb.csv", WANDB)
    with pytest.raises(InputError, match=r"2 of 4(.|\n)*line 3, State: the run is crashed"):
        read(path)
    runs = read(path, bad_rows="drop")
    assert runs.labels["Name"].tolist() == ["one", "three"]
    assert runs.L.tolist() == [3.9, 3.1]
