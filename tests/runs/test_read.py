import contextlib
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
from scalingfit.declare.law import SYMBOLS
from scalingfit.runs import Runs, read
from scalingfit.runs.columns.names import PLAIN, SPELLINGS

FRAME = pd.DataFrame(
    {
        "run": ["a", "b", "c", "d"],
        "params": [1.0e7, 1.0e8, 1.0e8, 1.0e9],
        "tokens": [1.0e9, 2.0e9, 4.0e9, 8.0e9],
        "loss": [4.0, 3.5, 3.3, 2.9],
    }
)
GOOD = "run,params,tokens,loss\na,1e7,1e9,4.0\nb,1e8,2e9,3.5\nc,1e8,4e9,3.3\nd,1e9,8e9,2.9\n"
DIGEST = read(FRAME).digest


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def write(name: Any, content: Any) -> Any:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


# --- every kind of source gives the same table ---------------------------------------------------

RECORDS = FRAME.to_dict("records")
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


# --- which column is what ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "names",
    [
        ("params", "tokens", "flops", "loss"),
        ("N", "D", "C", "L"),
        ("Model Size", "Training Tokens", "Training FLOP", "Validation Loss"),
        ("config.num_params", "summary/n_tokens", "train_flops", "eval/loss"),
        ("nParams", "NumTokens", "compute", "val-loss"),
    ],
)
def test_common_spellings_are_recognised(names: tuple[str, ...]) -> None:
    values = ([1e7, 1e8], [1e9, 1e9], [6e16, 6e17], [4.0, 3.0])
    runs = read(dict(zip(names, values, strict=True)))
    assert list(runs.columns) == ["N", "D", "C", "L"]
    assert not runs.labels


TRAINERS = {
    "nanochat": ("params_total", "tokens_trained", "flops_budget", "val_bpb", 1.0),
    "Trainer": ("model/num_parameters", "train/num_input_tokens_seen", "train/total_flos",
                "eval/loss", 1.0),
    "OLMo": ("num_params", "throughput/total_tokens", "throughput/total_training_Gflops",
             "eval_loss", 1e9),
    "OLMo-core": ("num_params", "throughput/total tokens", "throughput/total petaflops",
                  "eval_loss", 1e15),
    "levanter": ("parameter_count", "throughput/total_tokens", "throughput/total_gflops",
                 "eval/paloma/macro_loss", 1e9),
    "torchtitan": ("num_params", "n_tokens_seen", "flops", "validation_metrics/loss", 1.0),
    "lingua": ("num_params", "optim/total_tokens", "flops", "val_loss", 1.0),
    "Megatron": ("num_params", "consumed_tokens", "flops", "lm loss validation", 1.0),
}  # fmt: skip


@pytest.mark.parametrize("trainer", TRAINERS)
def test_headers_of_trainers_are_recognised(trainer: str) -> None:
    N, D, C, L, unit = TRAINERS[trainer]
    flops = [6e16, 6e17, 6e18]
    logged = {N: [1e7, 1e8, 1e9], D: [1e9, 1e9, 1e9], C: [one / unit for one in flops]}
    runs = read(logged | {L: [4.0, 3.0, 2.5], "train/CE loss": [1.0, 2.0, 3.0]})
    np.testing.assert_allclose(runs.C, flops)
    assert set(runs.columns) == {"N", "D", "C", "L"}


def test_sizes_in_a_column_of_models_are_parameters() -> None:
    sizes = {"Model": ["30M", "72M", "1.2B"], "tokens": [1e9, 2e9, 3e9], "loss": [4.0, 3.5, 3.0]}
    runs = read(sizes)
    assert runs.N.tolist() == [30e6, 72e6, 1.2e9]
    assert "Model: B, M understood as a power of ten" in runs.describe()
    for cells in (["30M", "72M", "llama"], [1, 2, 3]):
        assert "Model" in read(sizes | {"Model": cells}).labels


def test_a_column_like_the_missing_one_is_offered() -> None:
    runs = read({"n_params_no_embedding": [1e7, 2e7], "tokens": [1e9, 2e9], "loss": [4.0, 3.0]})
    with pytest.raises(InputError, match=r'N="n_params_no_embedding"(.|\n)*fit a law of D'):
        runs.input(["N", "D"])


def test_a_rate_of_compute_is_no_compute() -> None:
    runs = read(FRAME.drop(columns="flops", errors="ignore").assign(**{"throughput/gflops": 1e5}))
    assert "throughput/gflops" in runs.labels


def test_other_counts_of_parameters_and_train_losses_are_not_taken_for_n_and_l() -> None:
    frame = FRAME.assign(params_non_embedding=1e6, train_loss=1.0, n=3, c=4, flops_6nd=1.0)
    runs = read(frame)
    assert runs.digest == DIGEST
    assert {"params_non_embedding", "train_loss", "n", "c", "flops_6nd"} < set(runs.labels)


def test_a_budget_is_compute_unless_it_is_a_number_of_one() -> None:
    budget = 6 * FRAME["params"] * FRAME["tokens"]
    assert read(FRAME.assign(budget=budget)).provenance["columns"]["C"]["column"] == "budget"
    numbered = read(FRAME.assign(budget=[1, 1, 2, 2]))
    assert numbered.digest == DIGEST
    assert "budget" in numbered.labels
    both = read(FRAME.assign(budget=2 * budget, flops=budget))
    assert both.provenance["columns"]["C"]["column"] == "flops"


def test_an_input_of_a_law_is_known_by_its_own_name() -> None:
    """Where it holds positive numbers; else, and where it is asked for as one, it is a label."""
    runs = read(FRAME.assign(U=[1.0, 2.0, 3.0, 4.0], S=["a", "b", "c", "d"], X=[0.0, 1, 2, 3]))
    assert runs.columns["U"].tolist() == [1, 2, 3, 4]
    assert set(runs.labels) == {"run", "S", "X"}
    assert "U = U" in str(runs)
    assert "U" in read(FRAME.assign(U=[1.0, 2.0, 3.0, 4.0]), labels=["U"]).labels
    assert list(read({"X": [1, 2, 4], "loss": [3.0, 2.0, 1.0]}).columns) == ["X", "L"]


def test_all_inputs_but_the_batch_are_known_by_their_names() -> None:
    """A batch may be in tokens or in sequences."""
    assert set(PLAIN) == set(SYMBOLS) - set(SPELLINGS) - {"batch"}


def test_a_named_column_wins_over_a_recognised_one() -> None:
    runs = read(FRAME.assign(body=FRAME["params"] / 2), N="body")
    np.testing.assert_array_equal(runs.N, FRAME["params"] / 2)
    assert "params" in runs.labels


def test_a_column_whose_name_is_taken_by_a_symbol_is_left_out_and_said() -> None:
    runs = read(FRAME.assign(N=1.0), N="params")
    assert runs.digest == DIGEST
    assert "N" not in runs.labels
    assert "column 'N' left out" in runs.describe()
    with pytest.raises(InputError, match="both a numeric column and a label"):
        read(FRAME.assign(N=1.0), N="params", labels=["N"])


def test_further_inputs_errors_and_weights_by_name() -> None:
    frame = FRAME.assign(unique=1e9, se=0.01, w=[0, 1, 2, 3], steps=[1, 2, 3, 4])
    runs = read(frame, U="unique", S=("steps", 1e3), weight="w", labels=["run"])
    assert list(runs.columns) == ["N", "D", "C", "U", "S", "L", "loss_se", "weight"]
    assert runs["S"].tolist() == [1e3, 2e3, 3e3, 4e3]
    assert runs["weight"].tolist() == [0, 1, 2, 3]
    assert set(runs.labels) == {"run"}


@pytest.mark.parametrize(
    ("header", "asked", "factor", "said"),
    [
        ("Model Size (B)", {}, 1e9, True),
        ("params_millions", {}, 1e6, True),
        ("params in billions", {}, 1e9, True),
        ("size [M]", {"N": "size [M]"}, 1e6, True),
        ("Model Size (B)", {"N": ("Model Size (B)", 1e6)}, 1e6, False),
    ],
)
def test_units_are_applied_when_unmistakable_and_then_said(
    header: str, asked: dict[str, Any], factor: float, said: bool
) -> None:
    runs = read({header: [10.0, 20.0], "tokens": [1e9, 2e9], "loss": [3.0, 2.0]}, **asked)
    assert runs.N.tolist() == [10 * factor, 20 * factor]
    assert ("taken from the header" in runs.describe()) == said
    assert f"x {factor:g}" in runs.describe()
    assert runs.provenance["columns"]["N"] == {"column": header, "factor": factor}


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["70B", "1.4T"], [70e9, 1.4e12]),
        (["350M", "125 m"], [350e6, 125e6]),
        (["1,000,000,000", "2,500,000,000.0"], [1e9, 2.5e9]),
        (["1e9", " 2E+9 "], [1e9, 2e9]),
        (
            ["9456351902178213888", "99456351902178213888"],
            [9456351902178213888.0, 9.945635190217821e19],
        ),
    ],
)
def test_spellings_of_large_numbers(cells: list[str], expected: list[float]) -> None:
    runs = read({"tokens": cells, "loss": [3.0, 2.0]})
    assert runs.D.tolist() == expected
    assert ("power of ten" in runs.describe()) == any(cell[-1] in "BTMm" for cell in cells)


# --- the counting rule ---------------------------------------------------------------------------


@pytest.mark.parametrize("missing", ["N", "D", "C"])
def test_the_missing_one_of_three_follows_from_six_n_d(missing: str) -> None:
    full = {"N": [1e7, 1e8], "D": [1e9, 4e9], "C": [6e16, 2.4e18], "L": [4.0, 3.0]}
    runs = read({name: values for name, values in full.items() if name != missing})
    np.testing.assert_allclose(runs[missing], full[missing], rtol=1e-15)
    assert list(runs.provenance["derived"]) == [missing]
    assert f"{missing} = " in runs.describe()
    assert (
        missing
        not in read(
            {name: values for name, values in full.items() if name != missing}, derive=None
        ).columns
    )


@pytest.mark.parametrize("known", ["N", "D", "C"])
@pytest.mark.parametrize("header", ["M", "tokens per parameter", "D/N"])
def test_tokens_per_parameter_stand_in_for_one_of_n_d_and_c(known: str, header: str) -> None:
    """Gadre et al. 2024, arXiv 2403.08540, state their runs by C and M = D / N."""
    N, D = FRAME["params"], FRAME["tokens"]
    every = {"N": N, "D": D, "C": 6 * N * D}
    runs = read({known: every[known], header: D / N, "loss": FRAME["loss"]})
    for symbol, values in every.items():
        np.testing.assert_allclose(runs[symbol], values, rtol=1e-14)
    derived = runs.provenance["derived"]
    assert list(derived) == [symbol for symbol in "NDC" if symbol != known]
    assert all(f"{symbol} = {rule}" in str(runs) for symbol, rule in derived.items())


def test_tokens_per_parameter_tell_nothing_beside_two_others() -> None:
    runs = read(FRAME.assign(M=7.0))
    assert "M" not in runs.columns
    assert "M" in runs.labels
    assert runs.provenance["derived"] == {"C": "6 N D"}


@pytest.mark.parametrize("known", ["ND", "NC", "DC", "NDC"])
def test_tokens_per_parameter_are_checked_against_two_others(known: str) -> None:
    N, D = FRAME["params"], FRAME["tokens"]
    every = {"N": N, "D": D, "C": 6 * N * D}
    table = {"loss": FRAME["loss"], **{symbol: every[symbol] for symbol in known}}
    near = read({**table, "ratio": 20 * D / N}, M="ratio")
    np.testing.assert_allclose(near["M"], 20 * D / N)
    with pytest.raises(InputError, match=r"M is about 1\.0e\+03 times .*: a column is in other"):
        read({**table, "ratio": 1e3 * D / N}, M="ratio")
    with pytest.raises(InputError, match=r"row 2, ratio: 1\.0e\+03 times, which is far from"):
        read({**table, "ratio": D / N * [1, 1e3, 1, 1]}, M="ratio")
    nothing = {known[0]: every[known[0]] * [1, 1, 0, 1]}  # divides nothing
    with pytest.raises(InputError, match=rf"row 3, {known[0]}: 0\.0 is not positive"):
        read({**table, **nothing, "ratio": D / N}, M="ratio")
    assert len(read({**table, "ratio": 1e3 * D / N}, M="ratio", derive=None)) == len(FRAME)


def test_one_input_is_enough_and_derives_nothing() -> None:
    runs = read({"flops": [1e18, 1e19], "loss": [3.0, 2.0]})
    assert list(runs.columns) == ["C", "L"]
    assert runs.provenance["derived"] == {}


def test_compute_within_a_factor_of_thirty_is_kept_as_given() -> None:
    frame = FRAME.assign(flops=6 * FRAME["params"] * FRAME["tokens"] * [0.04, 1.0, 5.0, 29.0])
    np.testing.assert_array_equal(read(frame).C, frame["flops"])


def test_derive_none_does_not_judge_compute() -> None:
    frame = FRAME.assign(flops=1e9)
    assert read(frame, derive=None).C.tolist() == [1e9] * 4


# --- rows that cannot be used --------------------------------------------------------------------

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


def test_nested_records_become_dotted_columns(write: Any) -> None:
    lines = [{"config": {"params": r["params"]}, "summary": {**r, "params": 0}} for r in RECORDS]
    path = write("runs.jsonl", "\n".join(map(json.dumps, lines)))
    assert read(path, N="config.params").digest == DIGEST
    with pytest.raises(InputError, match=r"could be N: config\.params, summary\.params"):
        read(path)


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


# --- files and arguments that cannot be used -----------------------------------------------------

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


def test_a_stated_factor_of_one_is_taken_at_its_word() -> None:
    frame = {"N": [10.0, 20.0], "D": [1e9, 2e9], "loss": [3.0, 2.0]}
    with pytest.raises(InputError, match="factor of 1"):
        read(frame)
    assert read(frame, N=("N", 1)).N.tolist() == [10.0, 20.0]


def test_small_models_on_small_data_and_other_inputs_pass() -> None:
    ladder = {"params": [2e3, 5e4, 1e6], "tokens": [1e5, 1e6, 1e7], "loss": [3.0, 2.0, 1.5]}
    assert len(read(ladder)) == 3
    assert len(read({"x": [1.0, 2.0, 3.0], "loss": [3.0, 2.0, 1.5]}, X="x")) == 3


def test_negative_losses_are_read_on_request() -> None:
    runs = read({"tokens": [1e9, 2e9], "loss": [-3.0, -2.0]}, allow_negative_loss=True)
    assert runs.L.tolist() == [-3.0, -2.0]


def test_reading_leaves_the_source_alone_and_warns_of_nothing() -> None:
    frame = FRAME.assign(params=["10M", "100M", "100M", "1B"])
    before = frame.copy()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read(frame).digest == DIGEST
    pd.testing.assert_frame_equal(frame, before)


def test_from_columns_and_read_agree() -> None:
    runs = read(FRAME)
    assert Runs.from_columns(runs.columns).digest == DIGEST
