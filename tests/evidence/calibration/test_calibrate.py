"""Simulation-based calibration finds what is wrong, and lets pass what is right."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom

from benchmarks.sbc import Cell
from scalingfit import cli
from scalingfit._errors import InputError
from scalingfit.declare import dist
from scalingfit.evidence import Calibration, calibrate
from scalingfit.evidence.calibration.simulated import KEPT
from scalingfit.inference import Limits
from scalingfit.law_error import LAW_ERROR
from scalingfit.report import evidence_plots

X = np.logspace(5, 8, 12)
QUICK: Any = {"draws": 150, "warmup": 60, "retries": 0, "limits": Limits(ess=50)}
# Priors so narrow that the simulated runs are those of a laboratory, and fits are fast.
PRIORS = {"c": 0.3, "sigma": 0.01, "E": dist.LogNormal(-0.7, 0.3)}


def made_of(ranks: np.ndarray) -> Calibration:
    return Calibration("test", {"E": ranks}, {"E": np.ones(len(ranks))}, 0, 0, 0.01)


def test_a_tiny_law_is_calibrated() -> None:
    found = calibrate({"X": X}, "power", "normal", simulations=100, priors=PRIORS, **QUICK)
    assert set(found.ranks) == {"E", "beta", "L"}
    assert found.simulations == 100
    assert found.ok
    said = json.loads(json.dumps(found.as_json()))
    assert said["ok"]
    for row in said["parameters"]:
        for level, (low, high) in said["bands"].items():
            # Nine bands that hold 95 % each; five points of room make one of them failing rare.
            assert low - 0.05 <= row[level] <= high + 0.05
    arrays = found.to_xarray()
    assert dict(arrays.sizes) == {"parameter": 3, "simulation": 100}
    np.testing.assert_array_equal(arrays["rank"].sel(parameter="E"), found.ranks["E"])
    assert "is calibrated as far as 100 tables can tell" in str(found)
    wide = np.median(found.widths["L"])
    assert f"leave 90 % intervals {wide:.2g} (L) times their medians wide" in found.conclusion


def test_coverage_is_that_of_central_intervals() -> None:
    found = made_of(np.arange(100))
    for level in (0.5, 0.8, 0.9):
        assert found.coverage("E", level) == pytest.approx(level)
    edges = made_of(np.array([4, 5, 94, 95]))
    assert edges.coverage("E", 0.9) == 0.5


def test_false_alarms_are_as_rare_as_stated() -> None:
    rng = np.random.default_rng(0)
    alarms = sum(not made_of(rng.integers(0, KEPT + 1, 200)).ok for _ in range(2000))
    # Ranks are discrete, and so is the test: it alarms at most that often, and not much less.
    assert binom.ppf(1e-4, 2000, 0.007) <= alarms <= binom.ppf(1 - 1e-4, 2000, 0.01)


@pytest.mark.parametrize("power", [0.6, 1.7])
def test_intervals_of_the_wrong_width_or_place_are_found(power: float) -> None:
    rng = np.random.default_rng(1)
    uniform = rng.random(400)
    too_narrow = 0.5 + 0.5 * np.sign(uniform - 0.5) * np.abs(2 * uniform - 1) ** power
    for shares in (too_narrow, uniform**power):
        found = made_of(np.minimum((shares * (KEPT + 1)).astype(int), KEPT))
        assert not found.ok
        assert "is not calibrated: the ranks of E" in found.conclusion


def test_misuse_is_refused() -> None:
    with pytest.raises(InputError, match="simulations"):
        calibrate({"X": X}, "power", simulations=0)
    with pytest.raises(InputError, match="takes runs, or the law's inputs by name, not str"):
        calibrate("chinchilla")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="lack D"):
        calibrate({"N": X}, simulations=100)


@pytest.mark.parametrize("right", [True, False])
def test_calibrate(
    file: str,
    stand_in: Callable[[str, Any], dict[str, Any]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    right: bool,
) -> None:
    found = made_of(np.arange(200) % 100 if right else np.zeros(200, int))
    asked, plot = stand_in("calibrate", found), tmp_path / "calibration.svg"
    options = ["--simulations", "200", "--prior", "beta=0.28", "--plot", str(plot), "--json"]
    assert cli.run(["calibrate", file, *options]) == int(not right)
    assert json.loads(capsys.readouterr().out)["ok"] is right
    assert asked["priors"] == {"beta": 0.28}
    assert asked["law_error"] is None
    assert plot.stat().st_size > 0
    assert cli.run(["calibrate", file, "--law-error", "smooth"]) == int(not right)
    assert asked["law_error"] == LAW_ERROR


def test_the_picture_marks_what_leaves_its_band() -> None:
    ranks = {"E": np.arange(200) % 100, "N*": np.arange(200) % 60}
    found = Calibration("test", ranks, {n: np.full(200, 0.3) for n in ranks}, 0, 0, 0.01)
    assert found.uneven == ["N*"]
    right, wrong, *_ = evidence_plots.calibration(found).axes
    assert right.get_lines()[0].get_color() != wrong.get_lines()[0].get_color()
    low, high = found.distribution_band
    for axes, name in ((right, "E"), (wrong, "N*")):
        share, off = np.asarray(axes.get_lines()[0].get_data())
        np.testing.assert_allclose(off, found.distribution(name) - share)
        inside = np.all((off >= low - share - 1e-12) & (off <= high - share + 1e-12))
        assert inside == (name == "E")


@pytest.mark.parametrize(
    "cell",
    [
        Cell("chinchilla", "refit", 12),
        Cell("chinchilla", "fit", 32),
        pytest.param(Cell("nested", "fit", 32), marks=pytest.mark.slow),
        pytest.param(Cell("chinchilla", "fit with error", 32), marks=pytest.mark.slow),
    ],
    ids=lambda cell: cell.key,
)
def test_laws_are_calibrated(cell: Cell) -> None:
    """A share of `make sbc`, of other tables; one of a hundred is outside by chance."""
    assert cell.batch(1000, 24).ok
