"""The command `reconcile` and its picture; the fits are made beforehand."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from scalingfit import cli
from scalingfit.evidence import Exponent, Reconciliation
from scalingfit.evidence.exponents.result import Stage
from scalingfit.inference import Posterior
from scalingfit.report import evidence_plots
from scalingfit.runs import Runs


@pytest.fixture(scope="session")
def reconciled(posterior: Posterior) -> Reconciliation:
    """Two stages with known exponents."""
    spread = np.linspace(-0.1, 0.1, 101)
    stages = {}
    for name, a in (("first", 0.73), ("a much longer name of a stage", 0.5)):
        ways = {method: Exponent(a + spread, spread, 5) for method in ("law", "isoflop")}
        stages[name] = Stage(posterior, {**ways, "envelope": None}, None, (a, a + 0.05), ())
    return Reconciliation(stages)


def test_reconcile(
    reconciled: Reconciliation,
    runs: Runs,
    stand_in: Callable[[str, Any], dict[str, Any]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    table = runs.to_pandas().assign(stage=np.repeat(["late", "early", "never"], 12))
    table.to_csv(tmp_path / "stages.csv", index=False)
    asked = stand_in("reconcile", reconciled)
    words = ["reconcile", str(tmp_path / "stages.csv"), "--by", "stage"]
    cli.run([*words, "--published", "late=0.73", "--published", "late=0.78", "--recounted"])
    assert asked["omega"] is None
    assert "0.730, 0.780" in capsys.readouterr().out
    assert list(asked["given"][0]) == ["late", "early", "never"]  # as they come in the file
    assert asked["published"] == {"late": [0.73, 0.78]}
    assert asked["recounted"] is True
    cli.run([*words, "--stages", "early,late", "--budgets", "1e20,1e21", "--json"])
    assert json.loads(capsys.readouterr().out)["stages"][0]["published"] == [0.73, 0.78]
    assert list(asked["given"][0]) == ["early", "late"]
    assert asked["budgets"] == [1e20, 1e21]
    cli.run([*words[:2], "--recounted", "--omega", "255"])
    assert list(asked["given"][0]) == ["all runs"]
    assert asked["omega"] == 255


@pytest.mark.parametrize("missing", [[], ["envelope"]])
def test_a_missing_exponent_is_a_warning(
    missing: list[str], file: str, stand_in: Callable[[str, Any], dict[str, Any]]
) -> None:
    fit: Any = SimpleNamespace(verdict=SimpleNamespace(ok=True, status="ok"), runs=range(9))
    exponent = Exponent(np.array([0.5, 0.6]), np.zeros(2), 5)
    ways = {way: None if way in missing else exponent for way in ("law", "isoflop", "envelope")}
    stand_in("reconcile", Reconciliation({"all runs": Stage(fit, ways, None, (), ())}))
    assert cli.run(["reconcile", file]) == len(missing)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--by", "stage"], "no column 'stage'"),
        (["--stages", "a"], "needs --by"),
        (["--by", "L", "--stages", "a"], "'a' is not a value of L"),
        (["--published", "0.73"], "names no stage"),
        (["--published", "all runs=much"], "is not a number"),
        (["--budgets", ""], "--budgets '' is not a number"),
        (["--omega", "255"], "omega is of the recount"),
        (["--recounted", "--omega", "1e20"], "less than one parameter is left"),
    ],
)
def test_reconcile_is_refused(
    file: str, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["reconcile", file, *words]) == 2
    assert said in capsys.readouterr().err


def test_nothing_covers_the_exponents(reconciled: Reconciliation) -> None:
    figure = evidence_plots.reconciliation(reconciled)
    assert isinstance(figure, Figure)
    figure.draw_without_rendering()
    (axes,) = figure.axes
    box = axes.get_legend()
    assert box is not None
    legend = box.get_window_extent()
    assert legend.x0 >= axes.get_window_extent().x1
    for text in (axes.xaxis.label, *axes.get_yticklabels()):
        place = text.get_window_extent()
        assert place.x0 >= 0
        assert place.y0 >= 0
        assert place.x1 <= figure.bbox.x1
    *_, marks = axes.collections
    np.testing.assert_allclose(np.asarray(marks.get_offsets())[:, 0], [0.73, 0.78, 0.5, 0.55])
