"""Every remedy is copied as it is printed: what comes is right, or is another refusal."""

import ast
import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from scalingfit import cli
from scalingfit._errors import InputError
from scalingfit.cli._spelling import COMMAND_LINE
from scalingfit.runs import read
from tests.runs.files.test_formats import BAD_FILES

N = np.array([2e7, 6e7, 2e8, 6e8, 2e9, 6e9])
D = np.array([3e9, 2e9, 8e9, 5e9, 9e10, 7e10])
L = 1.7 + 400 / N**0.34 + 410 / D**0.28
RUNS = [f"run-{i}" for i in range(6)]


def calls(text: Any) -> Any:
    """The arguments of every ``read(..., name=value)`` in a text."""
    return [
        {keyword.arg: ast.literal_eval(keyword.value) for keyword in node.keywords}
        for found in re.finditer(r"\bread\(\.\.\., ", text)
        for node in [_call(text[found.start() :])]
    ]


def _call(text: Any) -> Any:
    """The call that a text begins with."""
    for end in (place for place, mark in enumerate(text, start=1) if mark == ")"):
        try:
            return ast.parse(text[:end].replace("..., ", "", 1), mode="eval").body
        except SyntaxError:
            continue
    raise AssertionError(text)


def merged(options: Any, more: Any) -> Any:
    """Options with more of them; conditions add up."""
    where = [*options.get("where", []), *([more["where"]] if "where" in more else [])]
    return {**options, **more, **({"where": where} if where else {})}


def outcomes(source: Any, options: Any, depth: Any = 0, before: Any = ()) -> Any:
    """What comes of following every remedy, and the remedies of what comes of them."""
    try:
        return [read(source, **options)]
    except InputError as error:
        said = str(error)
    assert said not in before, f"following the remedy changes nothing: {said}"
    assert "What to do:" in said
    assert depth < 5
    found = []
    for more in calls(said.partition("What to do:")[2]):
        found += outcomes(source, merged(options, more), depth + 1, (*before, said))
    return found


def table(**changed: Any) -> Any:
    columns = {"params": N, "tokens": D, "loss": L, **changed}
    return {name: values for name, values in columns.items() if values is not None}


WIDE = {
    "params": [1e8, 3e8, 1e9],
    "1e18": [4.0, 3.9, 3.95],
    "1e19": [3.6, 3.4, 3.3],
    "1e20": [3.3, 3.0, 2.8],
}
RIGHT = {
    "N in millions": (table(params=N / 1e6), N, D, L),
    "D in billions": (table(tokens=D / 1e9), N, D, L),
    "N and D in billions": (table(params=N / 1e9, tokens=D / 1e9), N, D, L),
    "logarithms": (
        table(params=None, tokens=None, log10_params=np.log10(N), ln_tokens=np.log(D)),
        *(N, D, L),
    ),
    "logarithms that were named": (
        table(params=None, tokens=None, log10_params=np.log10(N), log10_tokens=np.log10(D)),
        *(N, D, L),
    ),
    "perplexity": (table(loss=None, val_ppl=np.exp(L)), N, D, L),
    "perplexity by name": (table(loss=None, **{"Perplexity (val)": np.exp(L)}), N, D, L),
    "accuracy": (table(loss=None, top1_acc=1 - L / 10), N, D, L / 10),
    "accuracy in percent": (table(loss=None, accuracy=100 - 10 * L), N, D, L / 10),
    "a likelihood": (table(loss=-L), N, D, L),
    "PF-days": (table(compute=6 * N * D / 8.64e19), N, D, L),
    "two columns": (table(val_loss=L, loss=L + 0.1), N, D, L),
    "states": (table(status=["done"] * 5 + ["crashed"]), N[:5], D[:5], L[:5]),
    "a sweep of runs": (
        {
            "params": np.repeat(N, 4),
            "tokens": np.repeat(D, 4),
            "lr": np.tile([1e-3, 2e-3, 3e-3, 4e-3], 6),
            "loss": np.repeat(L, 4) + np.tile([0.1, 0.0, 0.2, 0.3], 6),
        },
        *(N, D, L),
    ),
    "checkpoints": (
        {
            "run": np.repeat(RUNS, 3),
            "params": np.repeat(N, 3),
            "tokens": np.repeat(D, 3) * np.tile([0.2, 0.6, 1.0], 6),
            "loss": np.repeat(L, 3) + np.tile([0.5, 0.3, 0.0], 6),
        },
        *(N, D, L),
    ),
    "some unannealed": (
        table(
            params=np.tile(N, 2),
            tokens=np.tile(D, 2),
            loss=np.concatenate([L, L + 0.1]),
            kind=["final"] * 6 + ["checkpoint"] * 6,
        ),
        *(N, D, L),
    ),
    "epochs": (
        table(
            params=np.tile(N, 2),
            tokens=np.concatenate([D, 4 * D]),
            loss=np.tile(L, 2),
            unique_tokens=np.tile(D, 2),
        ),
        *(N, D, L),
    ),
    "wide": (
        WIDE,
        np.tile(WIDE["params"], 3),
        np.repeat([1e18, 1e19, 1e20], 3) / (6 * np.tile(WIDE["params"], 3)),
        np.concatenate([WIDE["1e18"], WIDE["1e19"], WIDE["1e20"]]),
    ),
}


@pytest.mark.parametrize("kind", RIGHT)
def test_remedies_lead_to_what_is_true(kind: str) -> None:
    """Of a refusal, and of what is doubtful of a table that is read."""
    source, *true = RIGHT[kind]
    found = outcomes(source, {})
    doubtful = [(runs, finding) for runs in found for finding in runs.findings]
    for runs, finding in doubtful:
        if finding.code not in ("compute_ratio", "groups"):
            found = [each for each in found if each is not runs]
            for more in calls(str(finding.remedy)):
                found += outcomes(source, more)
    assert found
    for runs in found:
        for symbol, values in zip("NDL", true, strict=True):
            # Three digits are kept where a unit was found.
            np.testing.assert_allclose(runs[symbol], values, rtol=1e-9)


def test_a_comma_that_could_be_either_is_asked_with_both_readings() -> None:
    source = {"X": ["2,500", "4,000"], "loss": [3.0, 2.9]}
    with pytest.raises(InputError, match=r"2500 or 2\.500") as caught:
        read(source)
    comma, point = calls(str(caught.value))
    assert read(source, X="X", **comma)["X"].tolist() == [2.5, 4]
    assert read(source, X="X", **point)["X"].tolist() == [2500, 4000]


@pytest.mark.parametrize(("name", "content", "options", "words"), BAD_FILES)
def test_remedies_of_refused_files_lead_somewhere(
    tmp_path: Path, name: str, content: bytes | str, options: dict[str, Any], words: list[str]
) -> None:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    for runs in outcomes(path, options):
        assert len(runs) > 1


def test_remedies_of_real_tables_lead_somewhere(data_dir: Path) -> None:
    """And what is read in the end has no unit that is off."""
    folders = [data_dir, data_dir.parent / "cases"]
    for path in (p for folder in folders for p in folder.glob("*.[cjmt]*")):
        if path.name not in ("datasets.json", "README.md"):
            for runs in outcomes(path, {}):
                if {"N", "D"} <= runs.columns.keys():
                    assert 1e-4 < np.median(runs.D / runs.N) < 1e6


@pytest.mark.parametrize("kind", RIGHT)
def test_remedies_can_be_typed(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first remedy of each refusal, on the command line, until the table is read."""
    monkeypatch.chdir(tmp_path)
    source, *_ = RIGHT[kind]
    pd.DataFrame(source).to_csv("runs.csv", index=False)
    words: list[str] = []
    for _ in range(5):
        if cli.run(["read", "runs.csv", *words]) == 0:
            break
        said = capsys.readouterr().err.partition("What to do: ")[2]
        words += first_options(said)
    else:
        raise AssertionError(said)
    assert "runs from runs.csv" in capsys.readouterr().out


def first_options(text: Any) -> Any:
    """The options of the first call in a remedy, as a shell takes them apart."""
    found = re.search(r"--[a-z].*", text, re.S)
    assert found is not None, text
    words: list[str] = []
    for word in _shell(found[0]):
        if word.startswith("--") or (words and words[-1].startswith("--")):
            words.append(word)
        else:
            break
    return words


def _shell(text: Any) -> Any:
    for end in range(len(text), 0, -1):
        try:
            words = shlex.split(text[:end])
        except ValueError:
            continue
        return [word.rstrip(".;,") for word in words]
    return []


def test_both_faces_name_the_same_columns() -> None:
    with pytest.raises(InputError) as caught:
        read(RIGHT["N in millions"][0])
    assert 'read(..., N=("params", 1e+06))' in str(caught.value)
    assert "--column 'N=params*1e+06'" in caught.value.spelled(COMMAND_LINE)
