"""Small tables that went wrong for somebody, and published ones: what has to be understood."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scalingfit._errors import InputError
from scalingfit.runs import datasets, read


@pytest.fixture
def cases(data_dir: Path) -> Any:
    folder = data_dir.parent / "cases"
    if not folder.is_dir():
        pytest.skip("the cases are not here")
    return folder


def codes(runs: Any) -> Any:
    return [finding.code for finding in runs.findings]


def remedy(runs: Any, code: Any) -> Any:
    (found,) = (finding for finding in runs.findings if finding.code == code)
    return str(found.remedy)


def test_checkpoints_are_said_and_the_last_row_of_each_run_is_one_word_away(cases: Any) -> None:
    runs = read(cases / "checkpoints_as_runs.csv")
    assert codes(runs) == ["rows_of_one_run"]
    assert 'last_of="run"' in remedy(runs, "rows_of_one_run")
    ends = read(cases / "checkpoints_as_runs.csv", last_of="run")
    assert codes(ends) == []
    assert len(ends) == 6
    for name, L in zip(ends.labels["run"], ends.L, strict=True):
        of_run = runs.labels["run"] == name
        assert runs.L[of_run][np.argmax(runs.D[of_run])] == L
    assert "the last row of each run: 6 of 120 rows" in ends.describe()


def test_an_accuracy_is_no_loss(cases: Any) -> None:
    with pytest.raises(InputError, match=r"pass@1 is an accuracy"):
        read(cases / "pass_at_k.csv")
    with pytest.raises(InputError, match=r'an accuracy(.|\n)*L="pass@100 in accuracy"'):
        read(cases / "pass_at_k.csv", L="pass@100")
    runs = read(cases / "pass_at_k.csv", L="pass@100 in accuracy")
    assert runs.loss_unit == "error rate"
    assert runs.L[0] == 1 - 0.2782


def test_what_rises_with_scale_is_no_loss_whatever_its_name(cases: Any) -> None:
    text = (cases / "pass_at_k.csv").read_text().replace("pass@100", "loss")
    path = cases  # only to read; what is changed is written as a mapping
    assert path.is_dir()
    rows = [line.split(",") for line in text.split()]
    table = dict(zip(rows[0], zip(*rows[1:], strict=True), strict=True))
    with pytest.raises(InputError, match=r'rises with scale(.|\n)*L="loss in accuracy"'):
        read(table)
    stated = read(table, L="loss in nats")
    assert codes(stated) == ["rises"]


def test_a_perplexity_is_said_and_read_as_its_logarithm_on_a_word(cases: Any) -> None:
    with pytest.raises(InputError, match=r'a perplexity(.|\n)*L="val_ppl in ppl"'):
        read(cases / "perplexity.csv")
    runs = read(cases / "perplexity.csv", L="val_ppl in ppl")
    assert runs.loss_unit == "nats"
    np.testing.assert_allclose(np.exp(runs.L[:3]), [40.85, 30.67, 25.80])


def test_a_decimal_comma_is_never_between_thousands(cases: Any) -> None:
    runs = read(cases / "decimal_comma.tsv")
    np.testing.assert_allclose(runs.N, [1.25e8, 3.5e8, 1.3e9, 2.7e9])
    np.testing.assert_allclose(runs.D, [2.5e9, 7e9, 2.6e10, 5.4e10])
    assert "commas are a decimal mark" in runs.describe()


def test_pf_days_are_compute(cases: Any) -> None:
    runs = read(cases / "pf_days.csv")
    np.testing.assert_allclose(runs.C, 6 * runs.N * runs.D, rtol=0.01)
    table = runs.to_pandas()[["N", "D", "C", "L"]]
    with pytest.raises(InputError, match=r'C \(C\) is in PF-days(.|\n)*C=\("C", 8\.64e\+19\)'):
        read(table.assign(C=table["C"] / 8.64e19))


def test_logarithms_are_taken_back_on_a_word(cases: Any) -> None:
    asked: Any
    for asked in ({}, {"N": "log10_params", "D": "log10_tokens"}):
        with pytest.raises(InputError, match=r'N="10\^log10_params", D="10\^log10_tokens"'):
            read(cases / "log10_columns.csv", **asked)
    runs = read(cases / "log10_columns.csv", N="10^log10_params", D="10^log10_tokens")
    np.testing.assert_allclose([runs.N.min(), runs.N.max()], [2e7, 4e8], rtol=1e-3)
    np.testing.assert_allclose([runs.D.min(), runs.D.max()], [4e8, 8e10], rtol=1e-3)


def test_how_compute_was_counted_is_said(cases: Any) -> None:
    moe = read(cases / "moe_counted_flops.csv")
    assert moe.provenance["columns"]["N"]["column"] == "active_params"
    assert "C / (6 N D) is 1.17 to 2.35" in moe.describe()
    assert codes(moe) == ["compute_ratio"]
    assert "falls with N" in moe.findings[0].text
    wrong = read(cases / "tokens_wrong_batch.csv")
    assert codes(wrong) == ["compute_ratio"]
    assert "0.25 to 1 and rises with C" in wrong.findings[0].text


def test_headers_of_a_speed_run_are_known(cases: Any) -> None:
    runs = read(cases / "unknown_headers.csv")
    assert {s: o["column"] for s, o in runs.provenance["columns"].items()} == {
        "N": "params_total",
        "D": "tokens_trained",
        "C": "flops_budget",
        "L": "val_bpb",
    }
    assert runs.loss_unit == "bits per byte"
    assert "L in bits per byte" in runs.describe()


def test_a_markdown_table_is_read_and_its_diverged_run_is_not(cases: Any) -> None:
    with pytest.raises(InputError, match=r"line 17, status: the run is diverged"):
        read(cases / "isoflop_table.md")
    runs = read(cases / "isoflop_table.md", bad_rows="drop")
    assert len(runs) == 13
    assert runs.L.max() == 4.307
    np.testing.assert_allclose(runs.N, runs.C / (6 * runs.D))


def test_states_are_known_in_any_column(cases: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"2 of 4(.|\n)*line 3, status: the run is diverged"):
        read(cases / "status.csv")
    assert len(read(cases / "status.csv", bad_rows="drop")) == 2
    assert len(read(cases / "status.csv", where="status=done")) == 2
    words = ["done", "diverged", "running", "crashed", "nan", "oom", "failed", "killed", "done"]
    table = {
        "outcome": words,
        "params": np.logspace(7, 8, 9),
        "tokens": np.logspace(9, 10, 9),
        "loss": np.linspace(4, 3, 9),
    }
    kept = read(table, bad_rows="drop")
    assert kept.labels["outcome"].tolist() == ["done", "done"]
    assert [row["reason"] for row in kept.provenance["dropped"]] == [
        f"run is {word}" for word in words[1:-1]
    ]


def test_groups_that_one_fit_would_pool_are_named(cases: Any) -> None:
    runs = read(cases / "three_optimizers.csv")
    assert codes(runs) == ["groups"]
    assert 'where="optimizer=adamw"' in remedy(runs, "groups")
    assert codes(read(cases / "three_optimizers.csv", where="optimizer=muon")) == []


def test_records_by_name(cases: Any) -> None:
    runs = read(cases / "by_name.json")
    assert runs.labels["run"].tolist() == ["run-a", "run-b", "run-c"]
    assert runs.N.tolist() == [1e8, 3e8, 1e9]


def test_the_log_of_one_run_is_recognised_and_several_make_a_table(
    cases: Any, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"the log of one run(.|\n)*last=True"):
        read(cases / "trainer_state.json")
    state = json.loads((cases / "trainer_state.json").read_text())
    paths = []
    for scale in (1, 2, 4):
        more = {"num_input_tokens_seen": 10**9 * scale, "total_flos": 6e17 * scale**2}
        path = tmp_path / f"size-{scale}" / "trainer_state.json"
        path.parent.mkdir()
        path.write_text(json.dumps({**state, **more}))
        paths.append(path)
    runs = read(paths, last=True)
    final = [record for record in state["log_history"] if "eval_loss" in record][-1]
    assert runs.L.tolist() == [final["eval_loss"]] * 3
    assert runs.D.tolist() == [1e9, 2e9, 4e9]
    np.testing.assert_allclose(runs.N, [1e8, 2e8, 4e8])
    assert runs.labels["run"].tolist() == ["size-1", "size-2", "size-4"]
    with pytest.raises(InputError, match=r"not a table of runs(.|\n)*last=True"):
        read(paths)


# --- published tables, as they stand -------------------------------------------------------------

# What each of the ten tables with N, D and L says of itself.
FOUND = {
    "epoch_chinchilla": [],
    "porian_isoflop": ["groups"],
    "muennighoff_data_constrained": ["repeated_data"],
    "misfitting_checkpoints": ["rows_of_one_run", "unannealed", "sweep"],
    "llama3_isoflop": [],
    "steplaw_dense": ["sweep"],
    "vocab_scaling": ["negative_loss"],
    "gzip_complexity": ["groups"],
    "cerebras_gpt": ["compute_ratio"],
}


@pytest.mark.parametrize("name", FOUND)
def test_published_tables_are_understood_without_a_word(data_dir: Path, name: str) -> None:
    runs = read(data_dir / f"{name}.csv")
    assert list(dict.fromkeys(codes(runs))) == FOUND[name]
    known = datasets._BY_NAME[name]
    for symbol in ("N", "D", "L"):
        assert runs.provenance["columns"][symbol]["column"] == known.columns[symbol]


def test_the_tenth_has_a_run_that_did_not_finish(data_dir: Path) -> None:
    path = data_dir / "xlstm_isoflop.csv"
    with pytest.raises(InputError, match=r"1 of 430 rows(.|\n)*completed: the run is not complet"):
        read(path)
    assert codes(read(path, bad_rows="drop")) == ["rows_of_one_run", "groups", "groups"]


@pytest.mark.parametrize(
    ("name", "view", "count"),
    [
        ("epoch_chinchilla", "besiroglu", 240),
        ("steplaw_dense", "best", 17),
        ("clark_routing_moe", "finals", None),
        ("muennighoff_data_constrained", "fitted", 182),
    ],
)
def test_a_usual_view_is_one_word_away(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, name: str, view: str, count: int | None
) -> None:
    monkeypatch.setenv(datasets.FOLDER_VARIABLE, str(data_dir))
    runs = datasets.read(name, view=view)
    assert count is None or len(runs) == count
    assert runs.provenance["kept"]
    with pytest.raises(InputError, match=r"no view 'all'(.|\n)*view="):
        datasets.read(name, view="all")


def test_every_view_leaves_runs_that_are_not_rows_of_one(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(datasets.FOLDER_VARIABLE, str(data_dir))
    for name, entry in datasets._BY_NAME.items():
        for view in entry.views:
            runs = datasets.read(name, view=view)
            assert len(runs) < entry.rows
            assert "unannealed" not in codes(runs)


def test_a_published_table_tells_what_is_known_of_it(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(datasets.FOLDER_VARIABLE, str(data_dir))
    for name, entry in datasets._BY_NAME.items():
        said = datasets.read(name).describe()
        assert all(note in said for note in entry.notes)
        assert f"L in {entry.loss}" in said
        assert all(view in said for view in entry.views)
