"""Bad input: what is wrong, where, and what to do."""

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import scalingfit as sf
from tests.cli.typed import Done, frame, names_here, one_json


def spoiled(**changes: Any) -> pd.DataFrame:
    """The good runs with the fourth one (line 5 of the file) changed."""
    table = frame().astype(object)
    for name, value in changes.items():
        table.loc[3, name] = value
    return table


BAD_TABLES = {
    "one row": (frame().head(1), ["1 of 1 rows are usable", "add runs"]),
    "two columns for N": (
        frame().assign(n_params=1e9),
        ["could be N: params, n_params", "--column N=params"],
    ),
    "text": (spoiled(params="big"), ["line 5, params: 'big' is not a number", "--bad-rows drop"]),
    "NaN": (spoiled(loss="nan"), ["line 5, loss", "missing", "--bad-rows drop"]),
    "zero": (spoiled(tokens=0), ["line 5, tokens", "not positive", "--bad-rows drop"]),
    "negative": (spoiled(loss=-2.5), ["line 5, loss: -2.5", "--allow-negative-loss"]),
    "infinite": (spoiled(params="inf"), ["line 5, params", "not finite"]),
    "billions": (
        frame().assign(params=frame()["params"] / 1e9),
        ["N looks like billions", "--column 'N=params*1e+09'"],
    ),
    "no loss": (
        frame().rename(columns={"loss": "score"}),
        ["recognised as the loss", "if one of these holds it: score"],
    ),
}


@pytest.mark.parametrize("kind", BAD_TABLES)
def test_bad_tables(kind: str, type_in: Callable[..., Done]) -> None:
    table, words = BAD_TABLES[kind]
    table.to_csv("runs.csv", index=False)
    refused(type_in, ["runs.csv", "-o", "fit.nc"], words, left=["runs.csv"])


def test_bad_files(type_in: Callable[..., Done]) -> None:
    refused(type_in, ["runs.csv"], ["no file runs.csv", "check the path"], left=[])
    Path("runs.csv").touch()
    refused(type_in, ["runs.csv"], ["runs.csv is empty", "one row per run"], left=["runs.csv"])


BAD_ARGUMENTS = {
    "unknown column": (["-c", "N=paramz"], ["no column 'paramz'", "closest: params"]),
    "no column": (["-c", "N"], ["--column 'N'", "--column N=params"]),
    "a column twice": (["-c", "N=params", "-c", "N=params"], ["gives N twice"]),
    "a column the law needs": (["--law", "data_constrained"], ["lack U", "--column 'U="]),
    "law": (["--law", "chinchila"], ["unknown law 'chinchila'", "chinchilla"]),
    "noise": (["--noise", "studen"], ["unknown noise", "student_t"]),
    "prior": (["--prior", "E~3"], ["names no parameter", "NAME=LogNormal(0.5, 0.2)"]),
    "family": (["--prior", "E=LogNorm(0,1)"], ["no family 'LogNorm'", "LogNormal"]),
    "code": (["--prior", "E=open('x')"], ["there is no family 'open'"]),
    "parameter": (["--prior", "Z=3"], ["'Z'", "alpha"]),
    "condition": (["--where", "tokens"], ["not a condition", "family=gpt"]),
    "condition on nothing": (["--where", "colour=red"], ["no column 'colour'", "params"]),
    "empty condition": (["--where", "N>1e15"], ["none of the 48 rows", "from 1e+08 to 1e+10"]),
    "draws": (["--draws", "many"], ["--draws", "many"]),
    "option": (["--nois", "normal"], ["--nois", "--noise"]),
    "a value of a switch": (["--last", "no"], ["nothing takes no", "--last is a switch"]),
    "no folder": (["-o", "nowhere/fit.nc"], ["cannot write", "existing folder"]),
    "a folder": (["-o", "."], ["cannot write", "it is a folder"]),
}


@pytest.mark.parametrize("kind", BAD_ARGUMENTS)
def test_bad_arguments(kind: str, type_in: Callable[..., Done]) -> None:
    arguments, words = BAD_ARGUMENTS[kind]
    frame().to_csv("runs.csv", index=False)
    refused(type_in, ["runs.csv", *arguments], words, left=["runs.csv"])


def refused(
    type_in: Callable[..., Done], arguments: list[str], words: list[str], left: list[str]
) -> None:
    """Hold that `fit` refuses, says why in both ways, and writes nothing."""
    done = type_in("fit", *arguments)
    assert (done.code, done.out) == (2, "")
    assert done.err.splitlines()[-1 if "warning" in done.err else 0]
    assert "error: " in done.err
    assert "Traceback" not in done.err
    assert all(word in done.err for word in words), done.err
    done = type_in("fit", *arguments, "--json")
    assert done.code == 2
    assert all(word in one_json(done.out)["error"] for word in words)
    assert names_here() == left


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["fti"], ["fti", "fit"]),
        (["fit"], ["RUNS"]),
        (["frontier", "fit.nc"], ["--compute"]),
        (["frontier", "fit.nc", "-C", "1e21"], ["no file 'fit.nc'"]),
        (["frontier", "{saved}", "-C", "much"], ["'much' is not an amount", "1e24"]),
        (["frontier", "{saved}", "-C", "-3"], ["positive"]),
        (["frontier", "{saved}", "-C", "1e21", "--counting", "7ND"], ["7ND", "6ND"]),
        (["frontier", "{saved}", "-C", "1e21", "--omega", "1200"], ["6ND takes no omega"]),
        (
            ["frontier", "{saved}", "-C", "1e21", "--max-params", "1B,2B"],
            ["--max-params takes one number, and '1B,2B' has 2"],
        ),
        (
            ["frontier", "{saved}", "-C", "1e21", "--inference-tokens", "1T,2T"],
            ["--inference-tokens takes one number"],
        ),
        (["frontier", "{saved}", "-C", "1e21", "--omega", "255,300"], ["--omega takes one number"]),
        (["frontier", "{saved}", "-C", "1e21", "--input", "U=1e9"], ["'U'"]),
        (["frontier", "{saved}", "-C", "1e21", "--input", "9"], ["--input U=1e11"]),
        (["forecast", "{saved}", "--params", "1B"], ["also needs D", "add --tokens ..."]),
        (["forecast", "{saved}", "--params", "1B", "--input", "N=1e9"], ["N is given twice"]),
        (["laws", "chinchila"], ["chinchilla"]),
        (["datasets", "lader"], ["ladder"]),
        (["read", "runs.csv"], ["no file"]),
    ],
)
def test_other_refusals(
    arguments: list[str], words: list[str], saved: Path, type_in: Callable[..., Done]
) -> None:
    done = type_in(*(word.format(saved=saved) for word in arguments))
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: ")
    assert all(word in done.err for word in words), done.err


def test_a_place_that_cannot_be_written_is_refused_before_any_work(
    type_in: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even root, who may write everywhere, cannot write under a file."""
    frame().to_csv("runs.csv", index=False)
    monkeypatch.setattr(sf, "fit", lambda *_, **__: pytest.fail("the fit has begun"))
    assert type_in("fit", "runs.csv", "-o", "runs.csv/fit.nc").code == 2
    assert type_in("demo", "--out", "runs.csv/demo").code == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_refused(type_in: Callable[..., Done]) -> None:
    frame().to_csv("runs.csv", index=False)
    Path("closed").mkdir(mode=stat.S_IRUSR | stat.S_IXUSR)
    refused(type_in, ["runs.csv", "-o", "closed/fit.nc"], ["cannot write"], ["closed", "runs.csv"])


def test_a_defect_is_told_apart_from_bad_input(
    type_in: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("not your fault")

    monkeypatch.setattr(sf, "read", broken)
    done = type_in("read", "runs.csv", "--json")
    assert done.code == 3
    assert one_json(done.out) == {"schema": 1, "error": "not your fault"}
    assert "Traceback" in done.err
