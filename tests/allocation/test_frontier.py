"""Frontiers: values against the solver and closed forms, and what they say."""

import json
from typing import Any

import jax
import numpy as np
import pytest

import scalingfit.allocation.solver as solver
from scalingfit._errors import InputError
from scalingfit.allocation import (
    SixND,
    WithInference,
    cheapest,
    choose,
    decide,
    forecast,
    frontier,
)
from scalingfit.catalog import law
from tests.allocation.answers import POINT, notes_of, rows_of


def test_frontier_is_the_solver_for_every_draw(posterior: Any) -> None:
    found = frontier(posterior, [1e21, 5.76e23, 1e26])
    direct = solver.solve(posterior.law, found.C, SixND())
    assert found.N.shape == (4, 50, 3)
    for name in ("N", "D", "L", "a", "b"):
        assert np.array_equal(getattr(found, name), getattr(direct, name))
    assert np.array_equal(found.tokens_per_param, direct.D / direct.N)
    assert found.provenance["posterior"] == {"data": "abc"}
    assert found.provenance["counting"] == "C = 6 N D, with N as in the fit"


def test_frontier_is_json_frame_and_arrays(posterior: Any) -> None:
    found = frontier(posterior, [1e21, 5.76e23])
    rows = rows_of(found)
    assert [row["C"] for row in rows] == [1e21, 5.76e23]
    assert set(rows[0]) == {"C", "N", "D", "tokens_per_param", "L", "a", "b"}
    assert rows[1]["N"] == pytest.approx(
        dict(
            zip(("q5", "q50", "q95"), np.quantile(found.N[..., 1], (0.05, 0.5, 0.95)), strict=True)
        )
    )
    assert found.quantiles("N", (0.1, 0.9)) == pytest.approx(
        np.quantile(found.N, (0.1, 0.9), axis=(0, 1))
    )
    frame = found.to_pandas()
    assert list(frame.columns[:4]) == ["C", "N_q5", "N_q50", "N_q95"]
    assert frame["N_q50"][1] == pytest.approx(rows[1]["N"]["q50"])
    arrays = found.to_xarray()
    assert arrays["N"].dims == ("chain", "draw", "budget")
    assert np.array_equal(arrays["N"].sel(budget=5.76e23), found.N[..., 1])


def test_arrays_know_the_inputs_and_the_points_that_were_asked(posterior: Any) -> None:
    drawn = law("data_constrained").published["muennighoff-2023"].law
    found = frontier(drawn, [1e20, 1e21], U=[1e10, 1e9]).to_xarray()
    assert found["N"].dims == ("budget",)  # a law by itself has no draws
    assert [*found["U"].values] == [1e10, 1e9]
    ahead = forecast(posterior, N=[1e9, 2e9], D=2e10).to_xarray()
    assert ahead["mean"].dims == ahead["new_run"].dims == ("chain", "draw", "point")
    assert [*ahead["N"].values] == [1e9, 2e9]
    models = choose(posterior, [1e21, 1e22], [1e9, 2e9]).to_xarray()
    assert models["L"].dims == ("chain", "draw", "model")
    assert [*models["C"].values] == [1e21, 1e21, 1e22, 1e22]
    least = cheapest(posterior, [2.5, 2.4]).to_xarray()
    assert least["C"].sel(loss=2.4).dims == ("chain", "draw")


def test_frontier_prints_a_table_and_its_caveats(posterior: Any) -> None:
    found = frontier(posterior, [1e21, 5.76e23, 1e26])
    text = str(found)
    assert "5.76e23" in text
    assert "2 of 3 budgets lie beyond the runs; the farthest: C 1e26 is 8,330 times" in text
    page = found._repr_html_()
    assert page.count("<tr>") == 4
    assert "<td>5.76e23</td>" in page


def test_no_caveat_where_there_is_none(posterior: Any) -> None:
    assert notes_of(frontier(posterior, [1e20, 1e21])) == ()
    assert notes_of(forecast(posterior, N=1e9, D=2e10)) == ()


def test_a_published_point_is_a_posterior_of_one_draw() -> None:
    found = frontier(POINT, 5.76e23)
    assert found.N.shape == (1,)
    assert found.N[0] == pytest.approx(7.225e10, rel=1e-3)
    assert "72.2B" in str(found)
    assert "[" not in str(found).splitlines()[2]


def test_the_limit_on_parameters_is_said(posterior: Any) -> None:
    found = frontier(posterior, [1e20, 1e22], max_params=2e9)
    assert found.N.max() <= 2e9
    assert notes_of(found)[0] == "C 1e22: in 100 % of the draws max_params (2.00B) binds"
    one: Any = [2e9]
    assert notes_of(frontier(posterior, [1e20, 1e22], max_params=one)) == notes_of(found)


def test_a_law_that_gains_nothing_from_tokens_says_so() -> None:
    point = law("chinchilla")(E=1.7, A=400.0, alpha=0.3, B=1e-9, beta=0.3)
    edge, flat = notes_of(frontier(point, 1e21))
    assert edge.startswith("C 1e21: in 100 % of the draws the best split is the largest")
    assert flat.startswith("C 1e21: in 100 % of the draws ten times the budget would lower")


def test_serving_more_makes_the_model_smaller(posterior: Any) -> None:
    sizes = [
        np.median(frontier(posterior, 1e24, counting=WithInference(SixND(), served)).N)
        for served in (1e6, 1e12, 1e13, 1e14)
    ]
    assert sizes[0] == pytest.approx(np.median(frontier(posterior, 1e24).N), rel=1e-5)
    assert np.all(np.diff(sizes) < 0)


def test_serving_is_the_same_whether_the_rule_or_an_argument_states_it(posterior: Any) -> None:
    rule = WithInference(SixND(), 1e13)
    by_rule = cheapest(posterior, 2.1, counting=rule)
    by_argument = cheapest(posterior, 2.1, inference_tokens=1e13)
    assert by_rule.as_json()["losses"] == by_argument.as_json()["losses"]
    for ask, about in ((frontier, [1e23]), (cheapest, [2.1]), (choose, [1e23, [1e9, 2e9]])):
        with pytest.raises(InputError, match="both state the tokens to serve"):
            ask(posterior, *about, counting=rule, inference_tokens=1e13)


def test_unique_tokens_add_epochs() -> None:
    point = law("data_constrained").published["muennighoff-2023"].law
    found = frontier(point, [1e20, 1e21], U=[1e10, 1e9])
    assert found.draws["epochs"] == pytest.approx(found.D / [1e10, 1e9])
    assert list(found.asked) == ["C", "U"]


def test_models_and_losses_at_the_critical_batch_size() -> None:
    point: Any = law("kaplan_steps").published["kaplan-2020-table-3"].law
    best = frontier(point, 1e21, batch="critical")
    found = choose(point, 1e21, best.N * [0.5, 1, 2], batch="critical")
    assert list(found.draws["best"]) == [0, 1, 0]
    batch = point.critical_batch(found.draws["L"])
    steps = found.asked["D"] / batch
    with jax.enable_x64(True):
        direct = np.asarray(point.loss(found.asked["N"], steps, batch))
    assert found.draws["L"] == pytest.approx(direct, rel=1e-12)
    least = cheapest(point, best.L, batch="critical")
    assert least.draws["C"][0] == pytest.approx(1e21, rel=1e-6)
    with pytest.raises(InputError, match='or batch="critical"'):
        frontier(point, 1e21)
    with pytest.raises(InputError, match="batch must be a number"):
        frontier(point, 1e21, batch="large")
    with pytest.raises(InputError, match="unknown input 'batch'"):
        frontier(POINT, 1e21, batch="critical")


def test_exhausted_data_are_said() -> None:
    point = law("data_constrained").published["muennighoff-2023"].law
    budgets = np.array([1e19, 1e20, 1e22, 1e24])
    found = frontier(point, budgets, U=1e9)
    gained = found.L - frontier(point, 10 * budgets, U=1e9).L
    assert np.array_equal(gained < 1e-3 * found.L, [False, False, True, True])
    said = [note for note in found.notes if note.code == "saturated"]
    assert [note.of for note in said] == ["C 1e22", "C 1e24"]
    assert "more unique tokens would help" in str(said[0])


def test_an_optimum_that_is_flat_to_rounding_is_undefined() -> None:
    """Few unique tokens are worth no more, however they are spent."""
    point = law("data_constrained").published["muennighoff-2023"].law
    C, U = 1e22, 1e8
    found = frontier(point, [1e19, C], U=U)
    assert np.array_equal(np.isnan(found.N), [False, True])
    assert np.array_equal(np.isnan(found.a), [False, True])
    assert np.all(np.isfinite(found.L))
    (line,) = (line for line in str(found).splitlines() if line.lstrip().startswith("1e22"))
    assert line.count("undefined") >= 4
    machine = json.loads(json.dumps(found.as_json()))["budgets"][1]
    assert {*machine["N"].values()} == {None}
    (note,) = (note for note in found.notes if note.code == "undefined")
    assert (note.of, note.share) == ("C 1e22", 1.0)
    assert "loss is the same to 1e-06 of it" in str(note)
    optimum = solver.solve(point, np.array([C]), SixND(), extras={"U": np.array([U])})
    ends = np.array([optimum.smaller[0], optimum.larger[0]])
    N = np.geomspace(ends[0], ends[1], 200)
    with jax.enable_x64(True):
        inside = np.asarray(point.loss(N, C / 6 / N, U))
        N = ends * [0.5, 2.0]
        outside = np.asarray(point.loss(N, C / 6 / N, U))
    assert inside.max() <= found.L[1] * (1 + 1e-6)
    assert outside.min() > found.L[1] * (1 + 1e-6)
    models = choose(point, [1e19, C], [2e8, 2e9], U=U)
    assert np.array_equal(np.isnan(models.draws["nearest"]), [False, False, True, True])
    assert "undefined" in [note.code for note in models.notes]
    assert "undefined" in [note.code for note in decide(point, C, U=U).notes]


@pytest.mark.parametrize("C", [1e15, 1e21, 1e27])
def test_an_ordinary_optimum_is_defined(C: float) -> None:
    """A factor of two in N costs kappa (log 2)^2 / 2 of the loss: far more than a millionth."""
    optimum = solver.solve(POINT, np.array([C]), SixND())
    assert optimum.smaller == optimum.larger == pytest.approx(optimum.N)


def test_the_vocabulary_of_a_given_model_is_the_papers() -> None:
    # Tao et al. 2024, arXiv 2407.13623: Llama 2 70B should have had at least 216,000 tokens. Their
    # code (scaling-with-vocab) takes C = (N_nv e^2.4847)^2 and a width of 8192.
    point = law("vocabulary").published["tao-2024"].law
    found = frontier(point, (70e9 * np.exp(2.4846510161625193)) ** 2, N_nv=70e9)
    assert found.draws["N_v"][0] / 8192 == pytest.approx(216e3, rel=0.01)
    assert found.N[0] == pytest.approx(70e9 + found.draws["N_v"][0])
    with pytest.raises(InputError, match="N_nv and N_v are given: there is nothing to split"):
        frontier(point, 1e21, N_nv=1e9, N_v=1e8)
    with pytest.raises(InputError, match="no split of the budget"):
        frontier(point, 1e12, N_nv=1e12)
