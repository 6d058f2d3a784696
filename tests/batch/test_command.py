"""The command `refit`. No draws are needed."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from scalingfit import cli
from tests.batch.small import simulated

pytestmark = pytest.mark.usefixtures("pretended")

QUICK = ("--noises", "normal", "--draws", "100", "--law-error", "none")


@pytest.fixture
def table(tmp_path: Path) -> str:
    """Thirty runs of two families, and three of a third, which have no weight."""
    runs = simulated(33, seed=0)
    frame = pd.DataFrame({"params": runs.N, "tokens": runs.D, "loss": runs.L})
    frame["family"] = np.repeat(["a", "b", "c"], [15, 15, 3])
    frame["weight"] = np.where(frame["family"] == "c", 0.0, 1.0)
    frame.to_csv(tmp_path / "runs.csv", index=False)
    return str(tmp_path / "runs.csv")


@pytest.fixture
def asked(table: str, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run the command; its exit code and its JSON."""

    def run(*options: str) -> tuple[int, dict[str, Any]]:
        code = cli.run(["refit", table, *options, *QUICK, "--json"])
        return code, json.loads(capsys.readouterr().out)

    return run


def test_groups_are_fitted_and_the_one_without_weight_is_refused(asked: Any) -> None:
    code, data = asked("--by", "family")
    assert code == 1
    assert data["counts"]["refused"] == 1
    assert [fit["fit"] for fit in data["fits"]] == ["a", "b", "c"]
    assert data["fits"][2]["status"] == "refused"
    assert data["fits"][2]["why"].startswith("none of the 3 runs has weight")
    assert all(row["across"]["q95"] > 0 for row in data["spread"])


@pytest.mark.parametrize(
    ("options", "count"),
    [
        (["--bootstrap", "5"], 5),
        (["--bootstrap", "5", "--cluster", "family", "--part", "2/2"], 2),
        (["--leave-out", "family"], 3),
        (["--horizons", "1e22,1e23"], 2),
        (["--bootstrap", "2", "--laws", "chinchilla,kaplan"], 4),
    ],
)
def test_every_design_makes_its_tables(asked: Any, options: list[str], count: int) -> None:
    code, data = asked(*options)
    assert code == 1  # pretended draws need not be ok
    assert len(data["fits"]) == count


def test_parts_fill_one_store(asked: Any, tmp_path: Path) -> None:
    whole = ["--bootstrap", "7", "--store", str(tmp_path / "fits")]
    for part in ("1/3", "2/3", "3/3"):
        asked(*whole, "--part", part)
    stored = sorted(path.name for path in (tmp_path / "fits").iterdir())
    _, data = asked(*whole)
    assert len(data["fits"]) == 7
    assert sorted(path.name for path in (tmp_path / "fits").iterdir()) == stored


def test_a_pinned_parameter_is_pinned(asked: Any) -> None:
    _, data = asked("--bootstrap", "2", "--prior", "beta=0.28")
    (row,) = (row for row in data["spread"] if row["parameter"] == "beta")
    for kind in ("across", "within"):
        assert row[kind] == pytest.approx({"q5": 0.28, "q50": 0.28, "q95": 0.28})


def test_people_see_counts_and_spreads(table: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["refit", table, "--by", "family", *QUICK]) == 1
    printed = capsys.readouterr().out
    assert "3 fits:" in printed
    assert ", 2 by none." in printed
    rows = [line.split()[0] for line in printed.splitlines() if line.startswith(("a ", "b "))]
    assert rows == ["a", "b"] * (len(rows) // 2) != []  # wide tables go on below
    assert "across fits" in printed
    assert "! c: refused: none of the 3 runs has weight" in printed


def test_an_unknown_column_gets_advice_that_can_be_typed(asked: Any) -> None:
    code, data = asked("--by", "nosuch")
    assert code == 2
    columns, advice = data["error"].splitlines()[-2:]
    assert "family" in columns
    assert advice == "What to do: choose one of these."


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "nothing says which tables to fit"),
        (["--by", "family", "--bootstrap", "3"], "--by and --bootstrap cannot go together"),
        (["--by", "family", "--cluster", "family"], "--cluster goes with --bootstrap"),
        (["--by", "family", "--part", "3/2"], "'3/2' is not a part"),
        (["--by", "family", "--part", "4/9"], "has no table: there are 3"),
        (["--by", "size"], "no column 'size'"),
        (["--by", "family", "--laws", "a,b"], "unknown law 'a'"),
        (
            ["--by", "family", "--laws", "kaplan,chinchilla", "--prior", "beta=0.3"],
            "does not say which law it is for",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(asked: Any, options: list[str], message: str) -> None:
    code, data = asked(*options)
    assert code == 2
    assert message in data["error"]
