"""Losses that are forecast, of the law and of a new run."""

from typing import Any

import numpy as np
import pytest
from scipy.stats import t as student_t

from scalingfit._errors import InputError
from scalingfit.allocation import (
    SixND,
    WithInference,
    forecast,
    frontier,
)
from scalingfit.catalog import law
from tests.allocation.answers import POINT, notes_of, rows_of


def test_forecast_is_the_formula(posterior: Any) -> None:
    found = forecast(posterior, N=[70e9, 1e9], D=1.4e12)
    draws = {name: leaf[..., None] for name, leaf in posterior.law.values().items()}
    N, D = np.array([70e9, 1e9]), 1.4e12
    direct = draws["E"] + draws["A"] / N ** draws["alpha"] + draws["B"] / D ** draws["beta"]
    np.testing.assert_allclose(found.mean, direct, rtol=1e-12)


def test_a_new_run_scatters_as_the_noise_says(posterior: Any) -> None:
    found = forecast(posterior, N=70e9, D=np.full(100, 1.4e12))
    standard = np.log(found.new_run / found.mean) / 0.02
    # 20,000 draws: quantiles of the t within about five standard errors.
    for q in (0.05, 0.25, 0.5, 0.75, 0.95):
        share = np.mean(standard < student_t(6.0).ppf(q))
        assert share == pytest.approx(q, abs=5 * np.sqrt(q * (1 - q) / standard.size))


def test_the_seed_decides_the_new_runs(posterior: Any) -> None:
    first, again, other = (
        forecast(posterior, N=1e9, D=1e10, seed=seed).new_run for seed in (0, 0, 1)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_forecast_derives_tokens_from_compute_and_says_so(posterior: Any) -> None:
    found = forecast(posterior, N=[1e9, 2e9], C=1e20)
    assert found.asked["D"] == pytest.approx([1e20 / 6e9, 1e20 / 12e9])
    assert notes_of(found) == ("D was derived: C = 6 N D, with N as in the fit",)
    assert [row["N"] for row in rows_of(found)] == [1e9, 2e9]


def test_forecast_takes_compute_and_tokens_per_parameter() -> None:
    """As the law of over-training is written."""
    drawn = next(iter(law("over_training").published.values())).law
    found = forecast(drawn, C=[1.2e21, 6e22], M=[20.0, 100.0])
    assert found.asked["N"] == pytest.approx([np.sqrt(1e19), 1e10])
    assert found.asked["D"] == pytest.approx([20 * np.sqrt(1e19), 1e12])
    assert notes_of(found) == ("N was derived: N = sqrt(C / (6 M))", "D was derived: D = M N")
    again = forecast(drawn, N=found.asked["N"], D=found.asked["D"])
    np.testing.assert_allclose(found.mean, again.mean, rtol=1e-12)
    assert forecast(drawn, N=1e10, M=100.0).asked["D"] == pytest.approx([1e12])


def test_forecast_speaks_of_its_count_as_the_frontier_does(posterior: Any) -> None:
    found = forecast(posterior, N=1e9, C=1e20, counting="6ND-non-embedding")
    assert notes_of(found) == ("D was derived: by the counting rule",)
    assert str(found).count("C = 6 N_E D") == 1
    (_, said) = notes_of(forecast(POINT, N=1e9, C=1e20, counting="6ND-with-embedding"))
    assert (said,) == notes_of(frontier(POINT, 1e20, counting="6ND-with-embedding"))
    # Where the budget also serves, the training run is what compares with the runs.
    served = forecast(posterior, N=1e9, C=1e23, counting=WithInference(SixND(), 4.95e13))
    assert served.asked["D"] == pytest.approx(1e12 / 6)
    assert notes_of(served) == notes_of(found)


def test_forecast_derives_steps_from_tokens() -> None:
    point = law("kaplan_steps").published["kaplan-2020-table-3"].law
    by_steps = forecast(point, N=1e9, S=1e5, batch=5e5)
    by_compute = forecast(point, N=1e9, C=6 * 1e9 * 5e10, batch=5e5)
    assert by_compute.mean == pytest.approx(by_steps.mean)
    assert len(notes_of(by_compute)) == 2


def test_a_law_by_itself_has_no_new_run() -> None:
    found = forecast(POINT, N=70e9, D=1.4e12)
    assert found.mean.shape == (1,)
    with pytest.raises(InputError, match="has no noise"):
        _ = found.new_run


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"N": 1e9}, r"also needs D(.|\n)*add D=\.\.\., or C=\.\.\., from which D follows"),
        ({}, "also needs N, D"),
        ({"N": 1e9, "D": 1e10, "Q": 3.0}, "unknown input 'Q'"),
        ({"N": [1e9, 2e9], "D": [1e9, 1e9, 1e9]}, "do not match in length"),
        ({"N": "7B", "D": 1e10}, "must be a number"),
        ({"N": -1.0, "D": 1e10}, "positive and finite"),
    ],
)
def test_forecasts_without_an_answer_are_refused(
    posterior: Any, inputs: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        forecast(posterior, **inputs)
