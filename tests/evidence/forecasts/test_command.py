"""The command `backtest` and its picture; the fits are made beforehand."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scalingfit import cli
from scalingfit.evidence import Backtest
from scalingfit.report import evidence_plots
from tests.evidence.conftest import PNG


def test_backtest(
    tested: Backtest,
    file: str,
    stand_in: Callable[[str, Any], dict[str, Any]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = stand_in("backtest", tested)
    plot = tmp_path / "backtest.png"
    code = cli.run(["backtest", file, "--held-out", "split", "--plot", str(plot)])
    assert code == int(bool(tested.notes))
    assert "90 % intervals covered" in capsys.readouterr().out
    assert asked["held_out"] == "split"
    assert asked["cuts"] is None
    assert plot.read_bytes().startswith(PNG)


def test_backtest_is_asked_to_stack(
    tested: Backtest,
    file: str,
    stand_in: Callable[[str, Any], dict[str, Any]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = stand_in("backtest", tested)
    cli.run(["backtest", file, "--stack", "--by", "family", "--domain", "kind"])
    assert (asked["stack"], asked["by"], asked["domain"]) == (True, "family", "kind")
    assert "RMSLE" in capsys.readouterr().out


def test_the_picture_shows_every_law(tested: Backtest) -> None:
    pits, shares, errors = evidence_plots.backtest(tested).axes
    assert len(pits.patches) == 3  # two histograms, and the band
    assert len(shares.get_lines()) == 3
    assert errors.get_xscale() == "log"
    crowd = {f"law {i}": tested.records[tested.best] for i in range(9)}
    pits, *_ = evidence_plots.backtest(dataclasses.replace(tested, records=crowd)).axes
    assert len(pits.patches) == 8  # of seven laws, and the band
    assert pits.get_title(loc="left").endswith("(2 laws not drawn)")
    # One interval of many tables' that reaches a thousandfold hides no error.
    record = tested.records[tested.best]
    ends = record.ends.copy()
    ends[:, 1, 0] *= 1e3
    far = {**tested.records, tested.best: dataclasses.replace(record, ends=ends)}
    *_, errors = evidence_plots.backtest(dataclasses.replace(tested, records=far)).axes
    largest = np.max(np.abs(record.observed / record.point - 1))
    assert 1 + largest < errors.get_ylim()[1] < 1.5
