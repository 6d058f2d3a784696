"""A fit, from file to file, and what is shown of it."""

import dataclasses
import errno
import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

import scalingfit as sf
from scalingfit.cli import fits
from scalingfit.cli._spelling import COMMAND_LINE
from scalingfit.inference import Posterior, Verdict
from scalingfit.result import Note
from scalingfit.runs import Runs
from tests.cli.typed import Done, frame, names_here, one_json
from tests.report import standin


def test_a_fit_and_what_follows_from_it(type_in: Callable[..., Done]) -> None:
    frame().to_csv("runs.csv", index=False)
    done = type_in("fit", "runs.csv", "-o", "fit.nc", "--json")
    fit = one_json(done.out)
    assert done.code == 0
    assert done.err == ""
    assert fit["schema"] == 1
    assert fit["verdict"] == {"ok": True, "status": "ok"}
    assert fit["notes"] == []
    assert (fit["law"], fit["runs"]["count"], fit["saved"]) == ("chinchilla", 48, "fit.nc")
    truth = sf.law("chinchilla").published["besiroglu-2024"].values
    rows = {row["parameter"]: row for row in fit["parameters"]}
    for name, value in truth.items():
        row = rows[name]
        assert abs(row["mean"] - value) < 4 * row["sd"]  # the runs follow the published law
    C = 6 * frame()["params"] * frame()["tokens"]
    budgets = [row["C"] for row in fit["frontier"]["budgets"]]
    expected = [np.sqrt(C.min() * C.max()), C.max(), 10 * C.max(), 100 * C.max()]
    np.testing.assert_allclose(budgets, expected, rtol=0.05)  # rounded to two digits

    # The saved fit answers as the fit itself did.
    found = one_json(type_in("frontier", "fit.nc", "-C", f"{budgets[2]:g}", "--json").out)
    (row,), expected = found["budgets"], fit["frontier"]["budgets"][2]
    for name in ("N", "D", "tokens_per_param", "L"):
        assert row[name] == pytest.approx(expected[name])

    # Without --json the same command shows the same fit to people.
    shown = type_in("fit", "runs.csv")
    assert shown.code == 0
    assert "48 runs from runs.csv" in shown.out
    assert f"{rows['alpha']['mean']:.4g}" in shown.out
    assert "verdict: ok" in shown.out
    assert "Compute-optimal frontier" in shown.out


@pytest.mark.fault("fit -o", "the disk fills while the fit is made", "the answer, then the reason")
@pytest.mark.parametrize("step", ["os.fsync", "pathlib.Path.replace"])
def test_a_fit_that_cannot_be_saved_is_answered_first(
    step: str, type_in: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    found = standin.posterior()
    monkeypatch.setattr(sf, "fit", lambda *_, **__: found)
    frame().to_csv("runs.csv", index=False)
    monkeypatch.setattr(step, full)
    shown = type_in("fit", "runs.csv", "-o", "fit.nc")
    assert shown.code == 2
    assert "verdict: ok" in shown.out
    assert "Compute-optimal frontier" in shown.out
    assert "saved to" not in shown.out
    assert "cannot write 'fit.nc': No space left on device" in shown.err
    assert "free space on its disk" in shown.err
    done = type_in("fit", "runs.csv", "-o", "fit.nc", "--json")
    answer = one_json(done.out)
    assert done.code == 2
    assert answer["verdict"]["status"] == "ok"
    assert answer["saved"] is None
    assert "No space left on device" in answer["error"]
    assert names_here() == ["runs.csv"]


@pytest.mark.parametrize(
    ("what", "words"), [("budget", "same compute"), ("ratio", "same tokens per parameter")]
)
def test_a_design_that_tells_nothing_is_said_once(
    what: str, words: str, type_in: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fit(runs: Runs, **_: Any) -> Posterior:
        return standin.posterior(runs=runs)

    monkeypatch.setattr(sf, "fit", fit)  # sampling such a posterior takes long
    N = np.logspace(8, 10, 16)
    D = 1e20 / N if what == "budget" else 20 * N
    pd.DataFrame({"N": N, "D": D, "L": 2 + 1e3 / N**0.5}).to_csv("runs.csv", index=False)
    done = type_in("fit", "runs.csv", "--json")
    assert words not in done.err
    answer = one_json(done.out)
    budgets = [row["C"] for row in answer["frontier"]["budgets"]]
    assert len(set(budgets)) == len(budgets) > 2
    assert not answer["verdict"]["ok"]
    (said,) = (note["text"] for note in answer["notes"] if note["code"] == "design")
    assert words in said
    assert done.code == 1
    again = type_in("fit", "runs.csv")
    assert (again.out + again.err).count(words) == 1


def test_what_is_asked_next_goes_with_the_law() -> None:
    """What cannot be answered is not advised."""
    said = {name: fits._next_question(sf.law(name), Path("fit.nc")) for name in LAWS_ASKED}
    assert said == LAWS_ASKED


LAWS_ASKED = {
    "chinchilla": "frontier fit.nc --compute BUDGETS",
    "data_constrained": "frontier fit.nc --compute BUDGETS --input U=...",
    "kaplan_steps": "frontier fit.nc --compute BUDGETS --input batch=...",
    "power": "forecast fit.nc --input X=...",
    "routed": "forecast fit.nc --params ... --input experts=...",
    "vocabulary": "frontier fit.nc --compute BUDGETS",
}


def test_few_notes_are_shown_unless_all_are_asked_for(
    type_in: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = tuple(Note("design", f"doubt {number}") for number in range(8))
    fit = dataclasses.replace(standin.posterior(), verdict=Verdict("warned", notes))
    monkeypatch.setattr(sf, "fit", lambda *_, **__: fit)
    standin.table().to_pandas().to_csv("runs.csv", index=False)
    shown = type_in("fit", "runs.csv").out
    assert "! doubt 4\n! and 3 more notes: -v shows them\nverdict: warned\n" in shown
    assert "doubt 5" not in shown
    for flag in ("-v", "--verbose"):
        assert "doubt 7" in type_in("fit", "runs.csv", flag).out
    assert len(one_json(type_in("fit", "runs.csv", "--json").out)["notes"]) == 8


def test_terminals_mark_what_is_out_of_its_limits(
    type_in: Callable[..., Done], unsound: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for posterior, doubtful in ((standin.posterior(), False), (sf.load(unsound), True)):
        console = Console(file=io.StringIO(), width=200, force_terminal=True)
        console.print(posterior.rich(COMMAND_LINE))
        shown = console.file.getvalue()  # type: ignore[attr-defined]
        for name, row in posterior.summary().items():
            assert name in shown
            assert f"{row['q50']:.4g}" in shown
        assert (f"\x1b[1;31m{posterior.summary()['alpha']['rhat']:.4f}" in shown) == doubtful
        assert ("\x1b[1;31m" in shown) == doubtful


def test_a_stopped_fit_leaves_nothing_behind(tmp_path: Path) -> None:
    """Batch systems end jobs by SIGTERM."""
    (tmp_path / "runs.csv").write_text("N,D,L\n1e7,1e9,3\n")
    code = """
import os, signal, sys
from scalingfit import cli
from scalingfit.cli import fits
fits.load = lambda *_: os.kill(os.getpid(), signal.SIGTERM)
sys.argv = ["scalingfit", "fit", "runs.csv", "-o", "fit.nc"]
sys.exit(cli.main())
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(sf.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", code], env=environment, cwd=tmp_path, check=False)
    assert done.returncode == 128 + 15
    assert [path.name for path in tmp_path.iterdir()] == ["runs.csv"]
