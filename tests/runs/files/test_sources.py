"""What the tools in use write: recognised for what it is."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from scalingfit import cli
from scalingfit._errors import InputError
from scalingfit.runs import read
from scalingfit.runs.columns.formulas import LONGEST, parse_formula

N, D, L = [1e8, 2e8, 4e8], [2e9, 4e9, 9e9], [3.4, 3.1, 2.8]
RECORDS = [{"params": n, "tokens": d, "loss": x} for n, d, x in zip(N, D, L, strict=True)]
DIGEST = read(RECORDS).digest


def written(path: Any, content: Any) -> Any:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


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


# --- logs ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [False, True])
def test_the_frame_of_a_tracker_with_dictionaries_in_it(text: bool) -> None:
    frame = pd.DataFrame(
        {
            "name": ["a", "b", "c"],
            "config": [{"num_params": n, "optim": {"lr": 1e-3}} for n in N],
            "summary": [{"n_tokens": d, "eval/loss": x} for d, x in zip(D, L, strict=True)],
        }
    )
    frame = frame.astype({"config": str, "summary": str}) if text else frame
    runs = read(frame)
    assert runs.digest == DIGEST
    assert "config.optim.lr" in runs.labels


def test_a_chart_gives_the_last_value_of_each_run_on_a_word() -> None:
    chart: dict[str, list[float]] = {"Step": [1, 2, 3]}
    for run, ends in zip("abc", L, strict=True):
        for suffix in ("", "__MIN", "__MAX"):
            chart[f"{run} - val/loss{suffix}"] = [5.0, ends, np.nan]
    frame = pd.DataFrame(chart)
    with pytest.raises(InputError, match=r"one column a run(.|\n)*last=True"):
        read(frame)


def test_a_chart_from_a_file(tmp_path: Path) -> None:
    text = io.StringIO()
    names = [f"{run} - val/loss{suffix}" for run in "ab" for suffix in ("", "__MIN", "__MAX")]
    pd.DataFrame({"Step": [1, 2], **{name: [5.0, 3.0] for name in names}}).to_csv(text, index=False)
    path = written(tmp_path / "chart.csv", text.getvalue())
    with pytest.raises(InputError, match=r"one column a run(.|\n)*last=True"):
        read(path)
    with pytest.raises(InputError, match="as any input"):  # a chart knows no sizes
        read(path, last=True)


def test_scalars_of_tensorboard_are_the_log_of_one_run(tmp_path: Path) -> None:
    path = written(tmp_path / "loss.csv", "Wall time,Step,Value\n1.0,1,5.0\n2.0,2,3.0\n")
    with pytest.raises(InputError, match=r"the log of one run(.|\n)*last=True"):
        read(path)


def test_scalars_of_tensorboard_tell_their_run_and_tag(tmp_path: Path) -> None:
    def scalar(run: str, tag: str, value: float) -> Path:
        text = f"Wall time,Step,Value\n1.0,1,9.0\n2.0,2,{value!r}\n"
        path: Path = written(tmp_path / f"run-{run}-tag-{tag}.csv", text)
        return path

    paths = [scalar(f"m{i}", "eval_loss", x) for i, x in enumerate(L)]
    paths += [scalar(f"m{i}", "num_tokens", 1e9 * (i + 1)) for i in range(len(L))]
    runs = read(paths, last=True)
    assert runs.labels["run"].tolist() == [f"m{i}" for i in range(len(L))]
    np.testing.assert_array_equal(runs.L, L)
    np.testing.assert_array_equal(runs.D, 1e9 * np.arange(1, len(L) + 1))


def test_sizes_in_the_names_of_logs_are_a_column_that_is_taken_when_named(tmp_path: Path) -> None:
    def exported(run: str, value: float) -> Path:
        text = f"Wall time,Step,Value\n1.0,1,9.0\n2.0,2000,{value!r}\n"
        path: Path = written(tmp_path / f"{run}.csv", text)
        return path

    paths = [exported(f"gpt-{n}_s1", x) for n, x in zip(("125M", "350m", "1.3B"), L, strict=False)]
    columns: Any = {"L": "Value", "D": "Step*5e5"}
    assert "N" not in read(paths, last=True, **columns).inputs
    runs = read(paths, last=True, N="size_in_name", **columns)
    np.testing.assert_array_equal(runs.N, [125e6, 350e6, 1.3e9])
    np.testing.assert_array_equal(runs.D, 1e9)
    with pytest.raises(InputError, match="as any input") as refused:
        read(paths, last=True, L="Value")
    assert 'N="size_in_name"' in str(refused.value)
    paths.append(exported("gpt-large", 2.0))  # whose size nobody says
    with pytest.raises(InputError, match="size_in_name"):
        read(paths, last=True, N="size_in_name", **columns)


def test_the_bits_per_byte_of_an_evaluation_are_offered_before_perplexities(tmp_path: Path) -> None:
    metrics = {"word_perplexity,none": 20.0, "bits_per_byte,none": 1.0}
    evaluated = [
        {
            "results": {"wikitext": {k: v / (i + 1) for k, v in metrics.items()}},
            "config": {"model_num_parameters": n},
        }
        for i, n in enumerate(N)
    ]
    paths = [written(tmp_path / f"m{i}.json", each) for i, each in enumerate(evaluated)]
    with pytest.raises(InputError, match=r'L="wikitext\.bits_per_byte"'):
        read(paths, last=True)


def test_evaluations_of_several_models_make_a_table(tmp_path: Path) -> None:
    paths = [
        written(
            tmp_path / f"model-{i}.json",
            {
                "results": {
                    "lambada": {"acc,none": 1 - x / 10, "perplexity,none": float(np.exp(x))}
                },
                "config": {"model": "hf", "model_num_parameters": n},
            },
        )
        for i, (n, x) in enumerate(zip(N, L, strict=True))
    ]
    runs = read(paths, last=True, L="lambada.perplexity in ppl")
    assert runs.N.tolist() == N
    np.testing.assert_allclose(runs.L, L)


def test_logs_of_steps_are_joined_by_their_last_values(tmp_path: Path) -> None:
    paths = []
    for i, record in enumerate(RECORDS):
        steps = [{**record, "loss": 9.0, "step": 1}, {**record, "step": 2}, {"step": 3}]
        paths.append(written(tmp_path / f"log-{i}.jsonl", "\n".join(map(json.dumps, steps))))
    runs = read(paths, last=True)
    assert runs.digest == DIGEST
    assert runs.labels["run"].tolist() == ["log-0", "log-1", "log-2"]
    assert "the last values of each run, of 9 rows" in runs.describe()


def test_tables_in_several_files_are_one_table(tmp_path: Path) -> None:
    paths = [written(tmp_path / f"{i}.json", RECORDS[i : i + 1]) for i in range(3)]
    runs = read(paths)
    assert runs.digest == DIGEST
    assert runs.labels["file"].tolist() == ["0", "1", "2"]


# --- columns made of columns ---------------------------------------------------------------------


def test_formulas_of_columns() -> None:
    table = {
        "steps": ["1k", "2k", "4k"],
        "batch size": [64, 64, 128],
        "seq_len": [512, 1024, 1024],
        "PF-days": [0.1, 0.2, 0.3],
        "eval/loss": L,
    }
    runs = read(table, D="steps*batch size*seq_len", C="PF-days*8.64e19", derive=None)
    assert runs.D.tolist() == [1e3 * 64 * 512, 2e3 * 64 * 1024, 4e3 * 128 * 1024]
    np.testing.assert_allclose(runs.C, [8.64e18, 1.728e19, 2.592e19])
    powers = read(table, X="2^(10*PF-days)")["X"]
    np.testing.assert_allclose(powers, [2, 4, 8])
    assert read(table, X="`batch size`-1")["X"].tolist() == [63, 63, 127]


@pytest.mark.parametrize(
    "text",
    [
        "steps*__import__('os')",
        "steps.real",
        "steps if steps else 1",
        "[steps][0]",
        "steps*tokns",
        "eval(steps)",
        "lambda: steps",
        "steps**" * 200 + "2",
        "(" * 250 + "steps" + ")" * 250,
        "-" * 290 + "steps*",
        "steps*'a'",
        "steps+True",
    ],
)
def test_nothing_but_arithmetic_stands_in_a_formula(text: str) -> None:
    with pytest.raises(InputError, match="neither a column nor a formula"):
        parse_formula(text, ["steps", "tokens"], "D")
    assert LONGEST == 300


def test_a_column_of_any_name_goes_before_a_formula() -> None:
    table = {"a*b": [1.0, 2.0], "a": [5.0, 6.0], "loss in nats": [3.0, 2.0]}
    runs = read(table, X="a*b", L="loss in nats")
    assert runs["X"].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("columns", "symbol", "factor"),
    [
        ("params_M", "N", 1e6),
        ("tokens_B", "D", 1e9),
        ("Tokens [T]", "D", 1e12),
        ("train_gflops", "C", 1e9),
        ("Compute (PF-days)", "C", 8.64e19),
        ("FLOPs (1e18)", "C", 1e18),
        ("compute (exaFLOP)", "C", 1e18),
    ],
)
def test_units_in_headers(columns: str, symbol: str, factor: float) -> None:
    runs = read({columns: [1.0, 2.0], "loss": [3.0, 2.0]}, derive=None)
    np.testing.assert_allclose(runs[symbol], [factor, 2 * factor])
    assert "taken from the header" in runs.describe()


def test_a_unit_in_the_cells_goes_before_the_header_and_never_adds_to_it() -> None:
    cells = ["125M", "1.3B", "2.7"]
    runs = read({"Params (B)": cells, "loss": L})
    assert runs.N.tolist() == [125e6, 1.3e9, 2.7e9]
    assert "where the cell has none of its own" in runs.describe()
    with pytest.raises(InputError, match=r"units of their own(.|\n)*leave the factor out"):
        read({"params": cells[:2] * 2, "loss": [*L, 2.5]}, N=("params", 1e9))
    with pytest.raises(InputError, match=r"2\.7 has no unit"):
        read({"params": cells, "loss": L})


def test_one_input_is_whatever_a_law_of_one_input_takes() -> None:
    runs = read({"tokens": D, "loss": L})
    assert runs.input(["X"])["X"].tolist() == D
    with pytest.raises(InputError, match="lack X"):
        read(RECORDS).input(["X"])


def test_the_best_of_a_sweep_at_its_edge_is_said() -> None:
    table = {
        "params": np.repeat(N, 3),
        "tokens": np.repeat(D, 3),
        "lr": np.tile([1e-3, 2e-3, 3e-3], 3),
        "loss": np.repeat(L, 3) + np.tile([0.2, 0.1, 0.0], 3),
    }
    assert [found.code for found in read(table).findings] == ["sweep"]
    best = read(table, best_of="N,D")
    assert best.digest == DIGEST
    assert "lr: the best lies at the edge of its sweep in 3 of 3" in best.describe()


def test_conditions_hold_before_rows_are_refused() -> None:
    table = {"params": [*N, "x"], "tokens": [*D, 1e9], "loss": [*L, 3.0], "ok": ["y"] * 3 + ["n"]}
    with pytest.raises(InputError, match="'x' is not a number"):
        read(table)
    runs = read(table, where="ok=y")
    assert runs.digest == DIGEST
    assert "where ok=y: 3 of 4" in runs.describe()
    assert len(read(table, where=["D/N>=20", "params<4e8"])) == 2


def test_logs_are_read_on_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for i, record in enumerate(RECORDS):
        log = [{**record, "loss": 9.0, "step": 1}, {**record, "step": 2}]
        written(tmp_path / f"log-{i}.jsonl", "\n".join(map(json.dumps, log)))
    paths = [f"log-{i}.jsonl" for i in range(3)]
    assert cli.run(["read", *paths, "--last", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["count"], found["digest"]) == (3, DIGEST)
    assert found["findings"] == []
    assert cli.run(["read", *paths]) == 0
    shown = capsys.readouterr().out
    assert "6 runs from 3 files" in shown
    assert cli.run(["read", "ladder", "--view", "best"]) == 2
    assert "no view 'best'" in capsys.readouterr().err
    assert cli.run(["read", paths[0], "--view", "best"]) == 2
    assert "only tables by name have views" in capsys.readouterr().err
