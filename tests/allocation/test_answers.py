"""Frontier, choice, least cost and forecast: values against oracles, and what they say."""

import dataclasses
import json
from typing import Any

import jax
import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import t as student_t

import scalingfit.allocation.solver as solver
from scalingfit._errors import InputError
from scalingfit._text import engineering
from scalingfit.allocation import (
    Answer,
    NonEmbedding,
    Shape,
    SixND,
    WithInference,
    cheapest,
    choose,
    decide,
    exact_flops,
    forecast,
    frontier,
    with_embedding,
)
from scalingfit.allocation.answer import in_draws
from scalingfit.catalog import law
from scalingfit.declare import Law


def notes_of(answer: Answer) -> tuple[str, ...]:
    """What an answer says, a line each."""
    return tuple(map(str, answer.notes))


def rows_of(answer: Answer) -> list[dict[str, Any]]:
    """Its table, as JSON has it."""
    rows: list[dict[str, Any]] = json.loads(json.dumps(answer.as_json()))[answer.name]
    return rows


POINT = law("chinchilla").published["besiroglu-2024"].law


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


def test_runs_without_weight_do_not_count_in_how_far_a_question_lies(posterior: Any) -> None:
    runs = posterior.runs
    posterior.runs = runs.with_weight(6 * runs.N * runs.D < 1e20)
    (said,) = notes_of(forecast(posterior, N=1e9, D=2e11))
    posterior.runs = posterior.runs.used()
    assert notes_of(forecast(posterior, N=1e9, D=2e11)) == (said,)


def test_a_published_point_is_a_posterior_of_one_draw() -> None:
    found = frontier(POINT, 5.76e23)
    assert found.N.shape == (1,)
    assert found.N[0] == pytest.approx(7.225e10, rel=1e-3)
    assert "72.2B" in str(found)
    assert "[" not in str(found).splitlines()[2]


def test_budgets_compare_with_runs_under_the_same_counting(posterior: Any) -> None:
    (total,) = notes_of(frontier(posterior, [1e26]))
    (partial,) = notes_of(frontier(posterior, [1e26], counting="6ND-non-embedding"))
    assert total.startswith("C 1e26 is 8,330 times the largest run (1.2e22)")
    # The largest run is cheaper without its embedding, by 1 % at N = 1e10.
    assert partial.startswith("C 1e26 is 8,420 times the largest run (1.19e22)")


def test_the_count_stands_above_the_table_unless_it_is_the_usual_one(posterior: Any) -> None:
    title = "Compute-optimal frontier: median [5 %, 95 %]"
    first, second, *_ = str(frontier(posterior, 1e21)).splitlines()
    assert (first, second.split()[:2]) == (title, ["C", "N"])
    rule = WithInference(NonEmbedding(1200.0), 1e9)
    counted = frontier(posterior, 1e21, counting=rule)
    said = (
        "C = 6 N_E D, where the fit's N is total: N = N_E + 1200 N_E^(1/3); "
        "plus 1e+09 tokens served at a third of that"
    )
    # The others have no exponent a to speak of.
    others = choose(posterior, 1e21, [1e9], counting=rule), cheapest(posterior, 2.5, counting=rule)
    for answer in others:
        assert str(answer).splitlines()[1] == said
    said += "; a is the exponent of N_E"
    other = str(frontier(posterior, 1e21, counting="6ND-with-embedding"))
    assert other.splitlines()[1].endswith("; a is the exponent of the sum")
    assert str(counted).splitlines()[:2] == [title, said]
    assert f"<caption>{title}\n{said.replace(chr(39), '&#x27;')}</caption>" in counted._repr_html_()


@pytest.mark.parametrize(
    ("name", "key", "counting", "contradicts"),
    [
        ("chinchilla", "besiroglu-2024", "6ND", False),
        ("chinchilla", "besiroglu-2024", "6ND-non-embedding", False),
        ("chinchilla", "besiroglu-2024", "6ND-with-embedding", True),
        ("kaplan", "kaplan-2020-table-2", "6ND", False),
        ("kaplan", "kaplan-2020-table-2", "6ND-with-embedding", False),
        ("kaplan", "kaplan-2020-table-2", "6ND-non-embedding", True),
        ("data_constrained", "muennighoff-2023", "6ND-non-embedding", False),  # does not say
    ],
)
def test_a_rule_for_the_other_n_is_said_to_be(
    name: str, key: str, counting: str, contradicts: bool
) -> None:
    point = law(name).published[key].law
    extras: Any = {"U": 1e10} if name == "data_constrained" else {}
    messages = [
        *notes_of(frontier(point, 1e22, counting=counting, **extras)),
        *notes_of(choose(point, 1e22, [1e9], counting=counting, **extras)),
        *notes_of(cheapest(point, 2.5, counting=counting, **extras)),
    ]
    said = [message for message in messages if "the compute is wrong by their share" in message]
    assert len(said) == (3 if contradicts else 0)


def test_the_n_of_a_fit_is_known_by_its_column(posterior: Any) -> None:
    columns = {"N": {"column": "params_non_embedding", "factor": 1.0}}
    posterior.runs = dataclasses.replace(posterior.runs, provenance={"columns": columns})
    (said,) = notes_of(frontier(posterior, 1e21, counting="6ND-non-embedding"))
    assert said.startswith("the N of chinchilla leaves out the embeddings")
    assert notes_of(frontier(posterior, 1e21, counting="6ND-with-embedding")) == ()


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


def test_a_part_of_the_model_that_is_as_large_as_the_whole_is_named() -> None:
    point = law("vocabulary").published["tao-2024"].law
    wrong = r"N_v = 1\.00B\nWhat to do: raise {0}, or give a smaller N_v"
    for ask, about in ((frontier, 1e21), (cheapest, -4.0)):
        with pytest.raises(InputError, match="max_params = 500M, " + wrong.format("max_params")):
            ask(point, about, N_v=1e9, max_params=5e8)
    with pytest.raises(InputError, match=r"\n  N = 1\.00B, " + wrong.format("N")):
        choose(point, [1e21, 1e22], [1e9, 2e9], N_v=1e9)
    assert len(choose(point, 1e21, [2e9], N_v=1e9)) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"C": "much"}, "is not an amount"),
        ({"C": [1e21, np.nan, -1.0]}, "positive and finite, and has nan, -1"),
        ({"C": []}, "nothing at all"),
        ({"C": 5.0}, "ask for a larger budget"),
        ({"C": 1e21, "U": 1e9}, r"unknown input 'U'\n  chinchilla takes N, D"),
        ({"C": 1e21, "inference_token": 1e9}, "use inference_tokens"),
        ({"C": 1e21, "counting": "6ND-nonembedding"}, "use 6ND-non-embedding"),
        ({"C": 1e12, "counting": WithInference(SixND(), 1e13)}, "no split of the budget"),
        ({"C": 1e21, "max_params": -1}, "max_params must be positive"),
        ({"C": 1e21, "max_params": [1e9, 2e9]}, "max_params is one number, and .* has 2"),
        ({"C": 1e21, "inference_tokens": [1e12, 5e12]}, "inference_tokens is one number"),
    ],
)
def test_questions_without_an_answer_are_refused(
    posterior: Any, arguments: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        frontier(posterior, **arguments)


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("data_constrained", {}, "also needs U"),
        ("data_constrained", {"U": [1e9, 1e9, 1e9]}, "U has 3 values for 2 budgets"),
        ("kaplan_steps", {}, "also needs batch"),
        ("routed", {"experts": 8}, "depends on N, experts alone"),
    ],
)
def test_laws_of_other_inputs_say_what_they_need(
    name: str, arguments: dict[str, Any], said: str
) -> None:
    point = next(iter(law(name).published.values())).law
    with pytest.raises(InputError, match=said):
        frontier(point, [1e20, 1e21], **arguments)


def test_what_is_no_posterior_is_refused() -> None:
    with pytest.raises(InputError, match="a posterior or a law with values is needed"):
        frontier(law("chinchilla"), 1e21)  # type: ignore[arg-type]


# --- a choice among models ---------------------------------------------------------------------


def test_the_best_of_a_list_has_the_least_loss(posterior: Any) -> None:
    models, budgets = [1e9, 2e9, 4e9, 8e9], [1e21, 1e22]
    found = choose(posterior, budgets, models)
    loss = found.draws["L"].reshape(4, 50, 2, 4)
    for row, C in enumerate(budgets):
        for column, N in enumerate(models):
            direct = forecast(posterior, N=N, C=C).mean[..., 0]
            assert loss[..., row, column] == pytest.approx(direct)
    best = np.mean(loss.argmin(axis=-1)[..., None] == np.arange(4), axis=(0, 1))
    assert found.probability.reshape(2, 4) == pytest.approx(best)
    assert found.draws["regret"].reshape(4, 50, 2, 4).min(axis=-1) == pytest.approx(0.0)
    assert rows_of(found)[1]["best"] == pytest.approx(best[0, 1])
    assert found.tables[0].shown()[0][-2:] == ["best", "nearest"]


def test_the_nearest_of_a_list_is_nearest_to_the_optimum_over_every_size(posterior: Any) -> None:
    models, budgets = np.array([1e9, 2e9, 4e9, 8e9]), [1e21, 1e22]
    found = choose(posterior, budgets, models, counting=NonEmbedding())
    nearest = found.draws["nearest"].reshape(4, 50, 2, 4).argmax(axis=-1)
    penalty = found.draws["penalty"].reshape(4, 50, 2, 4)
    # By brute force: half a per cent between sizes, whose loss is flat to the second order.
    sizes = np.geomspace(1e8, 1e11, 1 + round(np.log(1e3) / 0.005))
    for row, C in enumerate(budgets):
        D = NonEmbedding().tokens(sizes, C)
        losses = forecast(posterior, N=sizes, D=D).mean
        place = np.log(sizes[losses.argmin(axis=-1)])
        distance = np.abs(np.log(models) - place[..., None])
        chosen = np.take_along_axis(distance, nearest[..., row, None], axis=-1)[..., 0]
        assert np.all(chosen <= distance.min(axis=-1) + 0.005)
        own = found.draws["L"].reshape(4, 50, 2, 4)[..., row, :]
        above = penalty[..., row, :] - (own - losses.min(axis=-1, keepdims=True))
        assert np.all(above >= -1e-12)
        assert np.all(above < 1e-5)  # the curvature, below 1 nat, times half the spacing squared
    share = np.mean(nearest[..., None] == np.arange(4), axis=(0, 1)).ravel()
    assert [line["nearest"] for line in rows_of(found)] == pytest.approx(list(share))


def test_the_nearest_model_need_not_be_the_best() -> None:
    # The smaller is a little farther off, but the loss rises more slowly on that side.
    steep = law("chinchilla")(E=1.7, alpha=0.2, beta=0.8, A=20.0, B=1e8)
    (optimum,) = frontier(steep, 1e21).N
    smaller, larger = optimum / 2.05, optimum * 2
    found = choose(steep, 1e21, [smaller, larger])
    assert list(found.draws["nearest"]) == [0.0, 1.0]
    assert list(found.draws["best"]) == [1.0, 0.0]
    assert notes_of(found)[0].startswith("C 1e21: N = ")
    assert "is nearest to the optimum, but" in notes_of(found)[0]
    assert notes_of(choose(steep, 1e21, [optimum])) == ()


@pytest.mark.parametrize(
    ("values", "exponent"),
    [
        ({"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658}, 0.7805),
        ({"E": 1.6934, "A": 406.4, "B": 410.7, "alpha": 0.3392, "beta": 0.2849}, 0.7388),
    ],
)
def test_kaplans_exponent_follows_from_chinchillas_law(
    values: dict[str, float], exponent: float
) -> None:
    # Pearce & Song 2024: 20 models over Kaplan's range, 100 budgets without embeddings, the best
    # model at each, a line through log N against log C.
    N = np.logspace(2.9, 9.2, 20)
    C = np.logspace(12.95, 20.7, 100)
    point = law("chinchilla")(**values)

    def slope(best: Any) -> Any:
        return np.polyfit(np.log(C), np.log(N[best]), 1)[0]

    # Their script reads each loss at the nearest of a thousand token counts; so does this.
    grid = np.logspace(6, 25, 1000)
    nearest = np.abs(6 * N[:, None] * grid - C[:, None, None]).argmin(axis=-1)
    losses = forecast(point, N=np.tile(with_embedding(N), 100), D=grid[nearest].ravel()).mean
    assert slope(losses.reshape(100, 20).argmin(axis=1)) == pytest.approx(exponent, abs=1e-4)

    # With all the tokens that the budget buys, the choice is less ragged.
    found = choose(point, C, with_embedding(N), counting=NonEmbedding())
    best = found.draws["best"].reshape(100, 20).argmax(axis=1)
    assert slope(best) == pytest.approx(exponent, abs=0.006)


def test_a_model_that_cannot_be_trained_is_named(posterior: Any) -> None:
    found = choose(posterior, [1e15, 3e15], [1e3, 1e9, 1e15])
    assert found.asked["C"].tolist() == [1e15, 1e15, 3e15, 3e15]
    assert found.asked["N"].tolist() == [1e3, 1e9, 1e3, 1e9]
    assert "N = 1e15 at C = 1e15" in str(found)
    assert np.all(np.isfinite(found.draws["L"]))
    assert found.probability[:2].sum() == pytest.approx(1.0)
    with pytest.raises(InputError, match="N = 1e15 at C = 1e15"):
        choose(posterior, [1e15], [1e15])


def test_a_budget_that_also_serves_leaves_the_models_fewer_tokens() -> None:
    models, C, served = np.array([1e9, 2e9, 4e9]), 1e22, 1e12
    rule = WithInference(SixND(), served)
    found = choose(POINT, C, models, counting=rule)
    # Sardana et al. 2024: C = 6 N D + 2 N D_inf.
    D = (C - 2 * models * served) / (6 * models)
    assert found.asked["D"] == pytest.approx(D, rel=1e-12)
    L = POINT.loss(models, D)
    assert found.draws["L"] == pytest.approx(L, rel=1e-12)
    best = frontier(POINT, C, counting=rule)
    assert found.draws["penalty"] == pytest.approx(L - best.L, abs=1e-12)
    assert "plus 1e+12 tokens served" in str(found.provenance["counting"])
    fewer = choose(POINT, C, models, counting=WithInference(SixND(), 1.5e12))
    assert fewer.asked["N"].tolist() == [1e9, 2e9]
    assert "N = 4.00B at C = 1e22: left out" in str(fewer)


def test_models_larger_than_allowed_are_left_out_and_named() -> None:
    assert list(choose(POINT, 1e22, [1e9, 3e9]).draws["best"]) == [0.0, 1.0]
    found = choose(POINT, [1e21, 1e22], [1e9, 3e9, 2e9], max_params=2e9)
    assert list(found.asked["N"]) == [1e9, 2e9, 1e9, 2e9]
    assert list(found.draws["best"])[2:] == [0.0, 1.0]
    assert notes_of(found) == ("N = 3.00B: larger than max_params (2.00B), left out",)
    # The optimum that they are held against keeps to the limit: at 1e22 it is a model of 2e9.
    assert found.draws["penalty"][3] == pytest.approx(0.0, abs=1e-12)
    assert found.provenance["max_params"] == 2e9
    with pytest.raises(InputError, match="max_params leaves no model to choose"):
        choose(POINT, 1e22, [3e9, 4e9], max_params=2e9)


def test_shapes_are_counted_exactly() -> None:
    shapes = [Shape(w, w / 64, w / 128, 4096, 64000) for w in (3072, 1024, 2048, 1536)]
    C = np.array([1e20, 1e21])
    found = choose(POINT, C, shapes)
    N = np.array([shape.parameters for shape in shapes])
    D = C[:, None] / [exact_flops(shape) for shape in shapes]
    assert found.asked["N"].reshape(2, 4) == pytest.approx(np.tile(N, (2, 1)))
    assert list(found.asked["width"][:4]) == [3072, 1024, 2048, 1536]
    assert found.asked["D"].reshape(2, 4) == pytest.approx(D, rel=1e-12)
    L = POINT.loss(N, D)
    assert found.draws["L"].reshape(2, 4) == pytest.approx(L, rel=1e-12)
    assert np.array_equal(found.draws["best"].reshape(2, 4).argmax(axis=1), L.argmin(axis=1))
    assert choose(POINT, 1e21, shapes[0]).asked["N"] == N[0]
    by_size = choose(POINT, C, shapes, counting="6ND")
    assert by_size.asked["D"] == pytest.approx(choose(POINT, C, N).asked["D"])
    with pytest.raises(InputError, match="shapes and sizes side by side"):
        choose(POINT, C, [shapes[0], 1e9])  # type: ignore[arg-type]
    # Width and depth are not rounded: 1024 is not 1020.
    header, *rows = found.tables[0].shown()
    columns = [header.index(name) for name in ("width", "depth")]
    told = [[float(row[column]) for column in columns] for row in rows[:4]]
    assert told == [[shape.width, shape.depth] for shape in shapes]


def test_shapes_of_one_size_need_a_count_by_size() -> None:
    # 12 depth width^2 is the same for a width twice as large and a quarter of the depth.
    shapes = [Shape(2048, 8, 16, 4096, 0), Shape(1024, 32, 16, 4096, 0)]
    found = choose(POINT, 1e21, shapes, counting="6ND")
    assert found.asked["N"][0] == found.asked["N"][1]
    assert list(found.asked["width"]) == [2048, 1024]
    with pytest.raises(InputError, match="one of each number of parameters"):
        choose(POINT, 1e21, shapes)


def test_models_come_from_anything_that_can_be_walked_through() -> None:
    N = [1e9, 2e9]
    assert list(choose(POINT, 1e21, iter(N)).asked["N"]) == N
    shapes = [Shape(w, w / 64, w / 128, 4096, 64000) for w in (1024, 2048)]
    walked = choose(POINT, 1e21, (shape for shape in shapes))
    assert rows_of(walked) == rows_of(choose(POINT, 1e21, shapes))
    empty: list[float] = []
    for nothing in (empty, iter(empty)):
        with pytest.raises(InputError, match=r"models must be .* nothing at all"):
            choose(POINT, 1e21, nothing)
    with pytest.raises(InputError, match="text is not converted"):
        choose(POINT, 1e21, "1e9")


# --- the least cost of a loss ------------------------------------------------------------------


def sardana(point: Any, L: float, served: float) -> tuple[float, float]:
    """N and D of Sardana et al. 2024, arXiv 2401.00448, equation 12."""

    def residual(log_d: float) -> float:
        D = np.exp(log_d)
        training = (point.beta * point.B / point.alpha + point.B) * D**-point.beta
        serving = served * point.beta * point.B / (3 * point.alpha) * D ** (-point.beta - 1)
        return float(training + serving + point.E - L)

    D = np.exp(brentq(residual, np.log(1e6), np.log(1e25), xtol=1e-14))
    return (point.A / (L - point.E - point.B * D**-point.beta)) ** (1 / point.alpha), D


@pytest.mark.parametrize("served", [1e9, 1e12, 1e13, 1e15])
@pytest.mark.parametrize("L", [2.0, 2.4])
def test_least_cost_is_sardanas(L: float, served: float) -> None:
    found = cheapest(POINT, L, inference_tokens=served)
    N, D = sardana(POINT, L, served)
    assert found.draws["N"][0] == pytest.approx(N, rel=1e-8)
    assert found.draws["D"][0] == pytest.approx(D, rel=1e-8)
    assert found.draws["C"][0] == pytest.approx(6 * N * D + 2 * N * served, rel=1e-8)


def test_least_cost_inverts_the_frontier(posterior: Any) -> None:
    losses = frontier(posterior, [1e21, 1e24]).L
    for row, C in enumerate((1e21, 1e24)):
        L = losses[0, 7, row]
        found = cheapest(posterior, L)
        assert found.draws["C"].shape == (4, 50, 1)
        cost = found.tables[0].shown()[1][1].split()[0]  # FLOP have no suffix, as everywhere
        assert float(cost) == pytest.approx(np.median(found.draws["C"]), rel=0.005)
        assert found.draws["C"][0, 7, 0] == pytest.approx(C, rel=1e-8)


@pytest.mark.parametrize("served", [None, 1e12])
def test_least_cost_with_the_largest_model_allowed(served: float | None) -> None:
    L, largest = 2.2, 2e9
    assert cheapest(POINT, L, inference_tokens=served).draws["N"] > largest
    found = cheapest(POINT, [L, 2.8], max_params=largest, inference_tokens=served)
    # The limit binds, and the law at N = largest tells D.
    left = L - POINT.E - POINT.A / largest**POINT.alpha
    D = (POINT.B / left) ** (1 / POINT.beta)
    assert found.draws["N"][0] == largest
    assert found.draws["D"][0] == pytest.approx(D, rel=1e-8)
    cost = 6 * largest * D + 2 * largest * (served or 0.0)
    assert found.draws["C"][0] == pytest.approx(cost, rel=1e-8)
    # It does not bind for a loss that a smaller model reaches at less cost.
    free = cheapest(POINT, 2.8, inference_tokens=served)
    assert found.draws["N"][1] == pytest.approx(free.draws["N"][0], rel=1e-8)
    assert notes_of(found) == ("L 2.20: in 100 % of the draws max_params (2.00B) binds",)
    with pytest.raises(InputError, match=r"100M parameters(.|\n)*or raise max_params"):
        cheapest(POINT, L, max_params=1e8)


@pytest.mark.parametrize("served", [-1e12, np.nan])
def test_less_than_nothing_cannot_be_served(served: float) -> None:
    def chosen(point: Law, C: float, **more: Any) -> Answer:
        return choose(point, C, [1e9], **more)

    for ask in (frontier, cheapest, chosen):
        with pytest.raises(InputError, match="inference_tokens must be positive"):
            ask(POINT, 1e22, inference_tokens=served)
        with pytest.raises(InputError, match="has served ="):
            ask(POINT, 1e22, counting=WithInference(SixND(), served))


def test_a_loss_out_of_reach_is_counted_and_not_averaged(posterior: Any) -> None:
    L = float(np.quantile(posterior.law.E, 0.3))
    found = cheapest(posterior, L)
    reachable = posterior.law.E < L
    assert not np.isfinite(found.draws["C"][..., 0][~reachable]).any()
    assert rows_of(found)[0]["N"]["q95"] is None
    assert notes_of(found)[0].startswith(f"L {engineering(L)}: in ")
    with pytest.raises(InputError, match="no budget reaches the loss"):
        cheapest(posterior, 1.0)


# --- forecasts ---------------------------------------------------------------------------------


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


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (7.236e10, "72.4B"),
        (9.9999e9, "10.0B"),
        (999.6e9, "1.00T"),
        (3.16e15, "3.16e15"),
        (5.76e23, "5.76e23"),
        (0.51286, "0.513"),
        (1633.0, "1630"),
        (0.0, "0"),
        (np.inf, "inf"),
    ],
)
def test_numbers_are_three_digits_and_a_suffix(value: float, text: str) -> None:
    assert engineering(value) == text


def test_what_holds_in_a_few_draws_only_is_not_said() -> None:
    held = np.zeros((1, 1000, 3), bool)
    held[0, :10, 0] = held[0, :11, 1] = True
    (said,) = in_draws("smallest", "C", np.array([1e20, 1e21, 1e22]), held, "it holds")
    assert (said.of, said.share) == ("C 1e21", 0.011)
