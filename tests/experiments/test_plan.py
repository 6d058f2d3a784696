"""A first experiment: what it costs, and whether it tells what it says it would."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

import scalingfit as sf
from scalingfit._errors import InputError
from scalingfit.allocation import (
    AspectRatio,
    SixND,
    Spending,
    WithInference,
    decide,
    frontier,
)
from scalingfit.experiments import plan
from scalingfit.experiments.first_runs import _truths
from scalingfit.experiments.optima import Optima
from tests.posteriors import POINT, posterior_of


def _spending(budget: float) -> Spending:
    return Spending(np.array([budget]), SixND(), {}, np.inf)


@pytest.fixture(scope="module")
def planned() -> Any:
    return plan(1e21, target=[1e23, 1e24], about="besiroglu-2024", sigma=0.003, exact=True)


def test_a_grid_costs_its_budget_and_has_profiles(planned: Any) -> None:
    assert planned.cost == pytest.approx(1e21, rel=1e-6)
    _, sizes = np.unique(np.round(np.log(planned.runs.cost), 6), return_counts=True)
    assert len(sizes) >= 2
    assert np.all(sizes >= 5)


def test_it_tells_what_it_says(planned: Any) -> None:
    """The posterior of such runs, made by other code, is as wide as was promised."""
    made = planned.runs.inputs
    runs = sf.Runs.from_columns({**made, "L": np.full(len(planned.runs), 3.0)})
    # Student's t of many degrees of freedom is the normal noise that the plan supposes.
    post = posterior_of(runs, sigma=0.003, nu=1e6)
    found = frontier(post, [1e23, 1e24])
    assert planned.log_sd[0] == pytest.approx(np.log(found.N).std(axis=(0, 1)), rel=0.1)
    assert planned.exponent_sd[0] == pytest.approx(found.a.std(axis=(0, 1)), rel=0.1)
    overspend = decide(post, [1e23, 1e24]).overspend.mean(axis=(0, 1)) - 1
    assert planned.overspend[0] == pytest.approx(overspend, rel=0.2)


def test_more_compute_and_less_noise_tell_more() -> None:
    small = plan(1e20, target=1e24, about="besiroglu-2024")
    large = plan(1e22, target=1e24, about="besiroglu-2024")
    quiet = plan(1e20, target=1e24, about="besiroglu-2024", sigma=0.003)
    exact = plan(1e20, target=1e24, about="besiroglu-2024", exact=True)

    def waste(found: Any) -> float:
        return float(found.overspend.mean())

    assert waste(large) < waste(small)
    assert waste(quiet) < waste(small)
    assert waste(exact) < waste(small)


def test_a_law_with_an_error_is_checked_nearer_the_target() -> None:
    doubtful, exact = (
        plan(1e20, target=1e24, about="besiroglu-2024", exact=exact) for exact in (False, True)
    )
    assert doubtful.runs.cost.min() > exact.runs.cost.min()


def test_the_optimum_moves_as_the_slope_of_the_error_says() -> None:
    """Against the minimum of a law times the exponential of a small, known error."""
    budget, size = 1e23, 1e-4
    aims = Optima.of(_truths(sf.law("chinchilla"), "besiroglu-2024")[0], _spending(budget))
    best = frontier(POINT.law, budget)

    def loss(log_n: Any) -> Any:
        log_d = np.log(budget / 6) - log_n
        wave = np.sin(log_n / np.log(10) + 2 * log_d / np.log(10))
        law = POINT.law
        return (law.E + law.A * np.exp(-law.alpha * log_n) + law.B * np.exp(-law.beta * log_d)) * (
            np.exp(size * wave)
        )

    near = np.log(best.N[0])
    options: Any = {"xatol": 1e-10}
    moved = minimize_scalar(loss, bounds=(near - 1, near + 1), method="bounded", options=options)
    along = aims.along[0, 0]
    place = aims.place[0, 0]
    slope = np.cos(place[0] + 2 * place[1]) * (along[0] + 2 * along[1])
    assert moved.x - near == pytest.approx(-size * slope / aims.stiffness[0, 0], rel=0.02)


def test_targets_are_served_and_runs_are_not(planned: Any) -> None:
    options: Any = {"target": [1e23, 1e24], "about": "besiroglu-2024", "sigma": 0.003}
    served = plan(1e21, exact=True, counting=WithInference(SixND(), 1e12), **options)
    assert served.cost == pytest.approx(1e21, rel=1e-6)
    N, D = served.runs.inputs["N"], served.runs.inputs["D"]
    assert served.runs.cost == pytest.approx(6 * N * D, rel=1e-12)
    # Serving takes much of the smaller target, and moves its optimum.
    assert np.abs(np.log(served.log_sd / planned.log_sd))[0, 0] > 0.05


def test_laws_of_the_prior_may_be_true() -> None:
    found = plan(1e21, target=1e23)
    assert found.log_sd.shape[0] > 1
    assert "its prior" in str(found)


def test_shapes_come_with_it(tmp_path: Path) -> None:
    family = AspectRatio(aspect=64.0, context=2048.0, vocabulary=32000.0)
    found = plan(1e21, target=1e23, about="hoffmann-2022", shapes=family, batch_tokens=2**18)
    found.save(tmp_path / "grid.csv")
    header = (tmp_path / "grid.csv").read_text().splitlines()[0]
    assert header == "N,D,C,width,depth,batch,steps"


def test_what_runs_do_not_determine_is_shown_as_so_much_or_more() -> None:
    found = plan(1e20, target=1e24)
    factor: Any = found.tables[1].columns["N_factor"]
    assert factor.values[0].high == pytest.approx(10.0)  # a number for machines
    assert factor.texts()[0].endswith(", 10 or more]")
    sizes = 1.645 * np.quantile(found.log_sd[:, 0], 0.95)
    assert np.exp(sizes) > 10
    certain = plan(1e20, target=1e20, about="besiroglu-2024", exact=True).tables[1].columns
    assert "more" not in certain["N_factor"].texts()[0]


def test_how_far_targets_lie_beyond_the_grid_is_told() -> None:
    (note,) = plan(1e21, target=1e23, about="hoffmann-2022").notes
    assert note.code == "beyond_plan"
    largest = plan(1e21, target=1e23, about="hoffmann-2022").runs.cost.max()
    assert f"C 1e23 is {float(f'{1e23 / largest:.3g}'):,g} times the largest run" in str(note.text)
    assert plan(1e21, target=[1e19, 1e20], about="hoffmann-2022").notes == []


def test_models_below_those_that_priors_are_meant_for_are_told_or_refused() -> None:
    with pytest.raises(InputError, match=r"to 5850 parameters.*\n.*raise the budget to 1e14 FLOP"):
        plan(1e10, target=1e23)
    found = plan(1e14, target=1e15)
    (note,) = found.notes[:1]
    few = np.count_nonzero(found.runs.inputs["N"] < 1e5)
    assert 0 < few < len(found.runs)
    assert note.code == "small_models"
    assert f"{few} of {len(found.runs)} models" in str(note.text)


def test_what_cannot_be_planned_is_refused() -> None:
    with pytest.raises(InputError, match=r'about="hoffmann-2022"'):
        plan(1e21, target=1e23, about="hofmann-2022")
    with pytest.raises(InputError, match="needs a law of both"):
        plan(1e21, target=1e23, law="kaplan_size")
