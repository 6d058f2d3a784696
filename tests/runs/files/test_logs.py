"""Charts and logs: the last value of each run, on a word."""

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
from tests.runs.three import DIGEST, RECORDS, D, L, N, written


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
