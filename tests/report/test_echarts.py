"""Options for ECharts hold the numbers of the frontier."""

import json
from pathlib import Path

import numpy as np
import pytest

from scalingfit import cli
from scalingfit.allocation import frontier
from scalingfit.report import echarts
from scalingfit.report._style import BAND, thinned
from tests.report import standin

ROUNDED = 1.2e-5
"""Relative, of numbers whose decimal logarithms are rounded to five digits: half a unit, ln 10."""


def test_an_option_holds_the_frontier() -> None:
    posterior = standin.posterior()
    option = json.loads(json.dumps(echarts.frontier(posterior, [1e22, 1e24])))
    series = {each["name"]: 10.0 ** np.array(each["data"]) for each in option["series"]}
    assert [*series] == option["legend"]["data"]
    p = posterior.model.law.published["besiroglu-2024"].values
    scale = (p["alpha"] * p["A"] / (p["beta"] * p["B"])) ** (1 / (p["alpha"] + p["beta"]))
    C, N = series["median"].T
    # Hoffmann et al. 2022, equation 4, at the centre of draws that scatter by some percent.
    exact = scale * (C / 6) ** (p["beta"] / (p["alpha"] + p["beta"]))
    np.testing.assert_allclose(N, exact, rtol=0.03)
    for below, above in zip(("5 %", "25 %"), ("25 %", "median"), strict=True):
        assert np.all(series[below][:, 1] < series[above][:, 1])
    runs = posterior.runs
    np.testing.assert_allclose(
        series["runs"], np.stack([runs["C"], runs["N"]], axis=1), rtol=ROUNDED
    )
    asked = posterior.frontier([1e22, 1e24])
    expected = np.stack([asked.C, np.median(asked.N, axis=(0, 1))], axis=1)
    np.testing.assert_allclose(series["asked"], expected, rtol=ROUNDED)
    drawn = frontier(thinned(posterior, echarts.DRAWS), C)
    for name, values in zip(echarts.LINES, drawn.quantiles("N", BAND), strict=True):
        np.testing.assert_allclose(series[name][:, 1], values, rtol=2 * ROUNDED)
    assert C[0] < runs["C"].min() < 1e24 < C[-1]
    assert (
        option["xAxis"]["axisLabel"] == option["yAxis"]["axisLabel"] == {"formatter": "10^{value}"}
    )


def test_the_command_writes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    standin.posterior().save("fit.nc")
    typed = "frontier fit.nc --compute 1e22 --echarts frontier.json"
    assert cli.run(typed.split()) == cli.OK
    assert "series" in json.loads(Path("frontier.json").read_text("utf-8"))
