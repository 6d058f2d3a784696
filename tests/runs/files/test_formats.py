"""Every kind of source gives the same table, or is refused in words."""

import gzip
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalingfit._errors import InputError
from scalingfit.runs import read
from tests.runs.small import DIGEST, FRAME, GOOD, RECORDS

FILES = {
    "runs.csv": GOOD.encode(),
    "RUNS.CSV": GOOD.encode(),
    "with_mark.csv": b"\xef\xbb\xbf" + GOOD.encode(),
    "windows.csv": GOOD.replace("\n", "\r\n").encode(),
    "runs.tsv": GOOD.replace(",", "\t").encode(),
    "runs.csv.gz": gzip.compress(GOOD.encode(), mtime=0),
    "runs.jsonl": "\n".join(map(json.dumps, RECORDS)).encode(),
    "runs.ndjson.gz": gzip.compress("\n\n".join(map(json.dumps, RECORDS)).encode(), mtime=0),
    "runs.json": json.dumps(RECORDS).encode(),
    "columns.json": json.dumps(FRAME.to_dict("list")).encode(),
}


@pytest.mark.parametrize("name", FILES)
def test_every_file_type_gives_the_same_runs(write: Any, name: str) -> None:
    runs = read(write(name, FILES[name]))
    assert runs.digest == DIGEST
    assert runs.labels["run"].tolist() == ["a", "b", "c", "d"]
    assert runs.provenance["source"] == name
    assert len(str(runs.provenance["sha256"])) == 64
    assert json.loads(json.dumps(runs.provenance)) == runs.provenance


def test_parquet_gives_the_same_runs(tmp_path: Path) -> None:
    FRAME.to_parquet(tmp_path / "runs.parquet")
    assert read(str(tmp_path / "runs.parquet")).digest == DIGEST


OBJECTS = {
    "pandas": FRAME,
    "pandas with an index": FRAME.set_index(np.array([7, 7, 8, 9])),
    "polars": pl.DataFrame(FRAME.to_dict("list")),
    "arrow": pa.table(FRAME.to_dict("list")),
    "mapping": FRAME.to_dict("list"),
    "records": RECORDS,
    "structured": FRAME.to_records(index=False),
}


@pytest.mark.parametrize("name", OBJECTS)
def test_every_object_gives_the_same_runs(name: str) -> None:
    assert read(OBJECTS[name]).digest == DIGEST


NUMBERS = st.floats(1e-3, 1e3, allow_subnormal=False)


@given(
    st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS), min_size=2, max_size=12, unique=True),
    st.permutations(["params", "tokens", "loss"]),
)
def test_a_csv_round_trip_keeps_every_bit(
    tmp_path_factory: pytest.TempPathFactory, rows: Any, order: Any
) -> None:
    frame = pd.DataFrame(rows, columns=["params", "tokens", "loss"])
    frame[["params", "tokens"]] *= [1e8, 1e10]
    path = tmp_path_factory.mktemp("csv") / "runs.csv"
    frame[order].to_csv(path, index=False)
    runs = read(path, derive=None, N=("params", 1), D=("tokens", 1), L="loss in nats")
    for symbol, name in {"N": "params", "D": "tokens", "L": "loss"}.items():
        np.testing.assert_array_equal(runs[symbol], frame[name])
    again = read(frame, N=("params", 1), D=("tokens", 1), L="loss in nats", derive=None)
    assert runs.digest == again.digest


def test_nested_records_become_dotted_columns(write: Any) -> None:
    lines = [{"config": {"params": r["params"]}, "summary": {**r, "params": 0}} for r in RECORDS]
    path = write("runs.jsonl", "\n".join(map(json.dumps, lines)))
    assert read(path, N="config.params").digest == DIGEST
    with pytest.raises(InputError, match=r"could be N: config\.params, summary\.params"):
        read(path)


TWO = "tokens,loss\n1e9,3\n2e9,2\n"
BAD_FILES = [
    ("empty.csv", "", {}, ["empty.csv is empty"]),
    ("blank.csv", "\n\n", {}, ["blank.csv is empty"]),
    ("header.csv", "params,tokens,loss\n", {}, ["no run", "header and no rows", "params"]),
    ("one.csv", "params,tokens,loss\n1e7,1e9,3\n", {}, ["1 of 1 rows", "2 or more"]),
    (
        "noloss.csv",
        "params,tokens\n1e7,1e9\n",
        {},
        ["the loss L", "params, tokens", "no other column holds numbers"],
    ),
    ("only.csv", "loss,seed\n3,1\n2,2\n", {}, ["any input", "loss, seed", "holds it: seed"]),
    ("twice.csv", "params,params,loss\n1,2,3\n", {}, ["more than one column", "'params'"]),
    ("both.csv", "params,model_size,loss\n1,2,3\n", {}, ["could be N", 'N="params"']),
    ("losses.csv", "N,loss,val_loss\n1,2,3\n", {}, ["could be L: loss, val_loss"]),
    ("ragged.csv", "params,loss\n1,2\n1,2,3,4\n", {}, ["line 3", "4 cells for 2 columns"]),
    ("irregular.csv", "params,loss\n1,2,3\n1,2,3\n", {}, ["not a regular table", "line 2"]),
    ("quote.csv", 'N,L\n1,"2\n3,4\n', {}, ["not a regular table", "close every quote"]),
    ("swallow.csv", 'a,N,L\nx,"1,2\ny,3,4\nz",5\n', {}, ["opens in line 2", "close the quote"]),
    ("latin.csv", b"params,loss\n1,2\n\xe9,3\n", {}, ["not UTF-8", "line 3", "0xe9"]),
    ("binary.csv", b"params\0loss\n", {}, ["binary data"]),
    ("table.doc", b"PK", {}, [".doc", ".parquet", "data frame"]),
    ("noend", TWO, {}, ["(no suffix)"]),
    ("bad.csv.gz", TWO, {}, ["not a whole gzip file"]),
    ("cut.csv.gz", gzip.compress(TWO.encode(), mtime=0)[:-9], {}, ["not a whole gzip file"]),
    ("bad.json", '[{"loss": 1},\n{"loss"}]', {}, ["not valid JSON", "line 2"]),
    ("text.json", '"runs"', {}, ["cannot read runs from text.json"]),
    ("bad.jsonl", '{"loss": 1}\n{"loss": \n', {}, ["JSON Lines", "line 2"]),
    ("bad.parquet", b"PAR1 no", {}, ["not a Parquet file"]),
    ("asked.csv", GOOD, {"N": "parms"}, ["no column 'parms'", "closest: params"]),
    ("asked.csv", GOOD, {"labels": ["family"]}, ["no column 'family'", "label"]),
    ("asked.csv", GOOD, {"N": ("params", 0)}, ["factor of N is 0"]),
    ("asked.csv", GOOD, {"bad_rows": "ignore"}, ["'ignore'", '"refuse" or "drop"']),
    ("asked.csv", GOOD, {"derive": "7ND"}, ["'7ND'", '"6ND"']),
    ("asked.csv", GOOD, {"l": "loss"}, ["no argument 'l'", "write L"]),
    ("asked.csv", GOOD, {"label": ["run"]}, ["no argument 'label'", "write labels"]),
    ("asked.csv", GOOD, {"U": 3}, ["the column of U is given as 3", "names none"]),
    ("asked.csv", GOOD, {"N": ("params", 1, 2)}, ["names none", 'N="column"']),
    (
        "comma.csv",
        'tokens,loss\n1e9,"3,141"\n2e9,2\n',
        {},
        ["3141 or 3.141", 'decimal=","', 'decimal="."'],
    ),
    ("text.csv", "tokens,loss\n1e9,n/a.\n2e9,2\n", {}, ["line 2, loss: 'n/a.'"]),
    ("half.csv", "tokens,loss\n1Q,3\n2B,2\n", {}, ["1 of 2 rows", "'1Q' is not a number"]),
    ("neg.csv", "tokens,loss\n1e9,-3\n2e9,-2\n", {}, ["-3", "allow_negative_loss=True"]),
    ("b.csv", "N,D,loss\n7,1.4e12,2\n70,1e12,1.9\n", {}, ["N looks like billions", '("N", 1e+09)']),
    ("bb.csv", "N,D,loss\n0.4,8,2\n7,140,1.9\n", {}, ["N looks like billions", '("N", 1e+09)']),
    ("m.csv", "N,D,loss\n125,2e9,2\n350,7e9,2\n", {}, ["N looks like millions", "1e+06"]),
    ("d.csv", "N,D,loss\n7e9,140,2\n7e10,1400,1.9\n", {}, ["D looks like billions", "1e+09"]),
    ("n.csv", "N,D,C,loss\n7,1e11,4e21,2\n70,1e12,4e23,1\n", {}, ["N looks like billions"]),
    (
        "c.csv",
        "N,D,C,loss\n1e9,1e9,6,2\n1e9,2e9,12,1\n",
        {},
        ["1.0e-18 times 6 N D", "C (C) is in EFLOP", 'C=("C", 1e+18)'],
    ),
    (
        "c1.csv",
        "N,D,C,loss\n1e7,1e9,6e16,4\n1e8,1e9,6e17,3\n1e8,2e9,6,2\n",
        {},
        ["line 4, C", "6 N D"],
    ),
]


@pytest.mark.parametrize(("name", "content", "options", "words"), BAD_FILES)
def test_what_cannot_be_read_is_refused_in_clear_words(
    write: Any, name: str, content: bytes | str, options: dict[str, Any], words: list[str]
) -> None:
    with pytest.raises(InputError) as caught:
        read(write(name, content), **options)
    for word in words:
        assert word in str(caught.value)


def test_a_missing_file_names_its_neighbours(write: Any, tmp_path: Path) -> None:
    write("ladder_runs.csv", GOOD)
    with pytest.raises(InputError, match=r"no file(.|\n)*ladder_runs.csv"):
        read(tmp_path / "ladder_run.csv")
    with pytest.raises(InputError, match=r'datasets.read\("ladder"\)'):
        read(str(tmp_path / "ladder"))
    with pytest.raises(InputError, match="is a folder"):
        read(tmp_path)


def test_parquet_without_pyarrow_says_what_to_install(
    write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scalingfit.runs.files.formats.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"scalingfit\[parquet\]"):
        read(write("runs.parquet", b"PAR1"))


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (3, "type int"),
        (None, "type NoneType"),
        (np.zeros((3, 2)), "type ndarray"),
        ({"N": [1.0, 2.0], "L": [1.0]}, r"one length(.|\n)*N: shape \(2,\)"),
        (pd.DataFrame([[1.0, 2.0]], columns=["L", "L"]), "more than one column"),
        ({"tokens": [True, False], "loss": [1.0, 2.0]}, "True is not a number"),
        ({"tokens": [1j, 2j], "loss": [1.0, 2.0]}, "1j is not a number"),
    ],
)
def test_objects_that_hold_no_runs_are_refused(source: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read(source)


def test_reading_leaves_the_source_alone_and_warns_of_nothing() -> None:
    frame = FRAME.assign(params=["10M", "100M", "100M", "1B"])
    before = frame.copy()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read(frame).digest == DIGEST
    pd.testing.assert_frame_equal(frame, before)
