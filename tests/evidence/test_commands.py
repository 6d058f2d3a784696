"""The commands hand their options on, and print what was found; the fits are made beforehand."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import scalingfit
from scalingfit import cli
from scalingfit.evidence import Backtest, Comparison
from scalingfit.evidence.calibrate import Calibration
from scalingfit.report import evidence_plots
from scalingfit.runs import Runs

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def file(runs: Runs, tmp_path: Path) -> str:
    path = tmp_path / "runs.csv"
    runs.to_pandas().rename(columns={"N": "params", "D": "tokens", "L": "loss"}).to_csv(path)
    return str(path)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Any], dict[str, Any]]:
    """Let a verb return what was made beforehand; the dictionary shows what it was asked."""

    def install(verb: str, found: Any) -> dict[str, Any]:
        asked: dict[str, Any] = {}

        def pretend(*given: Any, **options: Any) -> Any:
            asked.update(options, given=given)
            return found

        monkeypatch.setitem(vars(scalingfit), verb, pretend)
        return asked

    return install


def test_compare(comparison: Comparison, file: str, stand_in, tmp_path: Path, capsys) -> None:
    asked = stand_in("compare", comparison)
    plot = tmp_path / "compare.png"
    code = cli.run(
        ["compare", file, "--laws", "chinchilla,kaplan", "--noise", "normal", "--cuts", "1e20,6e20",
         "--plot", str(plot), "--json"]
    )  # fmt: skip
    assert code == int(bool(comparison.messages))
    assert json.loads(capsys.readouterr().out)["best"] == "chinchilla"
    assert asked["given"][1:] == (["chinchilla", "kaplan"], ["normal"])
    assert asked["cuts"] == [1e20, 6e20]
    assert plot.read_bytes().startswith(PNG)


def test_backtest(tested: Backtest, file: str, stand_in, tmp_path: Path, capsys) -> None:
    asked = stand_in("backtest", tested)
    plot = tmp_path / "backtest.png"
    code = cli.run(["backtest", file, "--split", "split", "--plot", str(plot)])
    assert code == int(bool(tested.messages))
    assert "90 % intervals held" in capsys.readouterr().out
    assert asked["split"] == "split"
    assert asked["cuts"] is None
    assert plot.read_bytes().startswith(PNG)


@pytest.mark.parametrize("right", [True, False])
def test_calibrate(file: str, stand_in, capsys, right: bool) -> None:
    ranks = np.arange(200) % 100 if right else np.zeros(200, int)
    found = Calibration("test", {"E": ranks}, {"E": np.ones((3, 200), bool)}, 0, 0.01)
    asked = stand_in("calibrate", found)
    assert cli.run(["calibrate", file, "--tables", "200", "--prior", "beta=0.28", "--json"]) == int(
        not right
    )
    assert json.loads(capsys.readouterr().out)["ok"] is right
    assert asked["priors"] == {"beta": 0.28}


def test_reconcile_asks_for_stages(file: str, capsys) -> None:
    assert cli.run(["reconcile", file, "--by", "stage"]) == 2
    assert "no column 'stage'" in capsys.readouterr().err


def test_the_pictures_show_every_law(comparison: Comparison, tested: Backtest) -> None:
    left, *panels = evidence_plots.comparison(comparison).axes
    assert len(left.get_lines()) == 3  # two laws, and the largest budget
    unseen = sum(int(cut.test.sum()) for cut in comparison.cuts)
    for axes, name in zip(panels, ["chinchilla", "kaplan"], strict=True):
        assert axes.get_title(loc="left").startswith(name)
        assert len(axes.collections[-1].get_offsets()) == unseen
    pits, shares, errors = evidence_plots.backtest(tested).axes
    assert len(pits.patches) == 3  # two histograms, and the band
    assert len(shares.get_lines()) == 5
    assert errors.get_xscale() == "log"
