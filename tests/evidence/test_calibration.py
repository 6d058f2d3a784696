"""Simulation-based calibration finds what is wrong, and lets pass what is right."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.stats import chi2

from scalingfit import cli
from scalingfit._errors import InputError
from scalingfit.declare import dist
from scalingfit.evidence import Calibration, calibrate
from scalingfit.evidence.calibration import BINS, KEPT
from scalingfit.inference import Limits

X = np.logspace(5, 8, 12)
QUICK = {"draws": 150, "warmup": 60, "retries": 0, "limits": Limits(ess=50)}
# Priors so narrow that the simulated runs are those of a laboratory, and fits are fast.
PRIORS = {"c": 0.3, "sigma": 0.01, "E": dist.LogNormal(-0.7, 0.3)}


def made_of(ranks: np.ndarray) -> Calibration:
    inside = np.stack([np.abs(ranks / KEPT - 0.5) < level / 2 for level in (0.5, 0.8, 0.9)])
    return Calibration("test", {"E": ranks}, {"E": inside}, 0, 0.01)


def test_a_tiny_law_is_calibrated() -> None:
    found = calibrate({"X": X}, "power", "normal", simulations=100, priors=PRIORS, **QUICK)
    assert set(found.ranks) == {"E", "beta"}
    assert found.simulations == 100
    assert found.ok
    said = json.loads(json.dumps(found.as_json()))
    assert said["ok"]
    for row in said["parameters"]:
        for level, (low, high) in said["bands"].items():
            # Six bands that hold 95 % each; five points of room make one of them failing rare.
            assert low - 0.05 <= row[level] <= high + 0.05
    arrays = found.to_xarray()
    assert dict(arrays.sizes) == {"parameter": 2, "level": 3, "simulation": 100}
    np.testing.assert_array_equal(arrays["rank"].sel(parameter="E"), found.ranks["E"])
    assert "is calibrated as far as 100 tables can tell" in str(found)


def test_false_alarms_are_as_rare_as_stated() -> None:
    rng = np.random.default_rng(0)
    alarms = sum(not made_of(rng.integers(0, KEPT + 1, 200)).ok for _ in range(2000))
    # Binomial(2000, 0.01): mean 20, standard deviation 4.4; the chi-square is an approximation.
    assert 2 <= alarms <= 45


@pytest.mark.parametrize("power", [0.6, 1.7])
def test_intervals_of_the_wrong_width_or_place_are_found(power: float) -> None:
    rng = np.random.default_rng(1)
    uniform = rng.random(400)
    too_narrow = 0.5 + 0.5 * np.sign(uniform - 0.5) * np.abs(2 * uniform - 1) ** power
    for shares in (too_narrow, uniform**power):
        found = made_of(np.minimum((shares * (KEPT + 1)).astype(int), KEPT))
        assert not found.ok
        assert "is not calibrated: the ranks of E" in found.conclusion


def test_the_test_is_pearsons() -> None:
    ranks = np.repeat(np.arange(0, 100, 5), np.arange(1, 21))
    counts = np.arange(1, 21)
    statistic = np.sum((counts - 10.5) ** 2 / 10.5)
    assert made_of(ranks).p_value("E") == pytest.approx(chi2.sf(statistic, BINS - 1))


def test_misuse_is_refused() -> None:
    with pytest.raises(InputError, match="at least 100"):
        calibrate({"X": X}, "power", simulations=20)
    with pytest.raises(InputError, match="takes runs, or the law's inputs by name, not str"):
        calibrate("chinchilla")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="lack D"):
        calibrate({"N": X}, simulations=100)


@pytest.mark.parametrize("right", [True, False])
def test_calibrate(
    file: str,
    stand_in: Callable[[str, Any], dict[str, Any]],
    capsys: pytest.CaptureFixture[str],
    right: bool,
) -> None:
    ranks = np.arange(200) % 100 if right else np.zeros(200, int)
    found = Calibration("test", {"E": ranks}, {"E": np.ones((3, 200), bool)}, 0, 0.01)
    asked = stand_in("calibrate", found)
    assert cli.run(
        ["calibrate", file, "--simulations", "200", "--prior", "beta=0.28", "--json"]
    ) == int(not right)
    assert json.loads(capsys.readouterr().out)["ok"] is right
    assert asked["priors"] == {"beta": 0.28}


@pytest.mark.slow
def test_chinchillas_law_is_calibrated() -> None:
    """200 tables at the places of six isoFLOP budgets, with the priors as shipped."""
    C = np.repeat(np.logspace(18.5, 21.5, 6), 6)
    N = np.sqrt(C / 120) * 10 ** np.tile(np.linspace(-0.8, 0.8, 6), 6)
    found = calibrate({"N": N, "D": C / (6 * N)}, draws=500)
    assert found.ok
