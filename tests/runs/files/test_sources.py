"""What the tools in use write: recognised for what it is."""

import json
from pathlib import Path

import pandas as pd
import pytest

from scalingfit._errors import InputError
from scalingfit.runs import read
from tests.runs.three import DIGEST, RECORDS, D, L, N, written

JSON = {
    "records": RECORDS,
    "columns": {"params": N, "tokens": D, "loss": L},
    "by name": {f"run-{i}": record for i, record in enumerate(RECORDS)},
    "under a key": {"schema": {"pandas_version": "1.4.0"}, "data": RECORDS},
    "pandas, by columns": json.loads(pd.DataFrame(RECORDS).to_json()),
    "pandas, by index": json.loads(pd.DataFrame(RECORDS).to_json(orient="index")),
    "pandas, split": json.loads(pd.DataFrame(RECORDS).to_json(orient="split")),
    "pandas, table": json.loads(pd.DataFrame(RECORDS).to_json(orient="table")),
    "nested": [{"config": {"params": r["params"]}, "summary": r | {"x": 1}} for r in RECORDS],
}


@pytest.mark.parametrize("kind", JSON)
def test_json_in_whatever_way_it_holds_a_table(tmp_path: Path, kind: str) -> None:
    path = written(tmp_path / "runs.json", JSON[kind])
    assert read(path).digest == DIGEST


def test_what_stands_beside_records_is_said(tmp_path: Path) -> None:
    path = written(tmp_path / "runs.json", {"author": "x", "runs": RECORDS})
    assert "records under 'runs'; beside them: author" in read(path).describe()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[{"loss": 1, "loss": 2}]', "'loss' stands twice"),
        ("[" * 100_000 + "]" * 100_000, "nested too deep"),
        ('[{"params": ' + "9" * 5000 + ', "loss": 1}]', "thousands of digits"),
        ('{"loss": 3, "params": 1e8}', "one record, not a table"),
        ('[{"a": {"b": 1}, "a.b": 2}]', "two values of a record are both 'a.b'"),
        ('{"loss": [1, 2], "params": [1]}', "do not have one length"),
        ("[1, 2]", "cannot read runs"),
    ],
)
def test_json_that_holds_no_table_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read(written(tmp_path / "runs.json", text))


def test_truth_values_are_no_numbers_wherever_they_stand(tmp_path: Path) -> None:
    columns = {"params": [1e8, True, 4e8], "tokens": D, "loss": L}
    for source in (columns, written(tmp_path / "runs.json", columns), pd.DataFrame(columns)):
        with pytest.raises(InputError, match="True is not a number"):
            read(source)


def test_an_index_that_holds_something_is_a_column(tmp_path: Path) -> None:
    frame = pd.DataFrame(RECORDS).set_index("params")
    assert read(frame).digest == DIGEST
    frame.to_parquet(tmp_path / "runs.parquet")
    assert read(tmp_path / "runs.parquet").digest == DIGEST
    named = pd.DataFrame(RECORDS, index=["a", "b", "c"])
    assert read(named).labels["index"].tolist() == ["a", "b", "c"]
    levels = pd.DataFrame(RECORDS).set_index(["params", "tokens"])
    assert read(levels).digest == DIGEST


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_any_separator(tmp_path: Path, mark: str) -> None:
    text = pd.DataFrame(RECORDS).to_csv(sep=mark, index=False)
    for name in ("runs.csv", "runs.tsv", "runs.txt"):
        assert read(written(tmp_path / name, text)).digest == DIGEST
    assert read(written(tmp_path / "excel.csv", f"sep={mark}\n{text}")).digest == DIGEST


def test_semicolons_with_decimal_commas(tmp_path: Path) -> None:
    text = pd.DataFrame(RECORDS).to_csv(sep=";", decimal=",", index=False)
    runs = read(written(tmp_path / "runs.csv", text))
    assert runs.digest == DIGEST
    german = "params;tokens;loss\n100.000.000;2.000.000.000;3,4\n200.000.000;4.000.000.000;3,1\n"
    assert read(written(tmp_path / "german.csv", german)).N.tolist() == [1e8, 2e8]


def test_excel_without_openpyxl_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scalingfit.runs.files.formats.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"scalingfit\[excel\]"):
        read(written(tmp_path / "runs.xlsx", "PK"))


def test_of_several_sheets_none_is_guessed(tmp_path: Path) -> None:
    path = tmp_path / "runs.xlsx"
    with pd.ExcelWriter(path) as book:
        pd.DataFrame(RECORDS).to_excel(book, sheet_name="runs", index=False)
    assert read(path).digest == DIGEST
    with pd.ExcelWriter(path) as book:
        pd.DataFrame(RECORDS).to_excel(book, sheet_name="runs", index=False)
        pd.DataFrame(RECORDS).to_excel(book, sheet_name="more", index=False)
    with pytest.raises(InputError, match="2 sheets with values"):
        read(path)


@pytest.mark.parametrize("name", ["runs.csv", "runs.csv.gz", "runs.xlsx", "runs.parquet"])
def test_what_is_larger_than_a_table_of_runs_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    frame = pd.DataFrame(RECORDS * 1000)
    path = tmp_path / name
    match path.suffix:
        case ".xlsx":
            frame.to_excel(path, index=False)
        case ".parquet":
            frame.to_parquet(path)
        case _:
            frame.to_csv(path, index=False)
    assert len(read(path, bad_rows="drop")) == 3
    monkeypatch.setattr("scalingfit.runs.files.formats.MOST_BYTES", 20_000)
    monkeypatch.setattr("scalingfit.runs.files.formats.MOST_CELLS", 1000)
    with pytest.raises(InputError, match="holds more than"):
        read(path, bad_rows="drop")


def test_long_cells_and_headers_are_quoted_in_part(tmp_path: Path) -> None:
    long = "x" * 5000
    with pytest.raises(InputError) as caught:
        read({"params": [1e8, long], "loss": [3.0, 2.0]})
    assert max(map(len, str(caught.value).splitlines())) < 200
    with pytest.raises(InputError, match="5,000 characters"):
        read({"params": [1e8, 2e8], "loss": [3.0, 2.0], long: [1, 2]})
    with pytest.raises(InputError, match="looks like the content of a file"):
        read("params,tokens,loss\n1e8,1e9,3\n")
    digits = f"params,loss\n1e8,3\n{'9' * 400_000},2\n"
    with pytest.raises(InputError, match="field larger than field limit"):
        read(written(tmp_path / "runs.csv", digits))


def test_one_input_is_whatever_a_law_of_one_input_takes() -> None:
    runs = read({"tokens": D, "loss": L})
    assert runs.input(["X"])["X"].tolist() == D
    with pytest.raises(InputError, match="lack X"):
        read(RECORDS).input(["X"])
