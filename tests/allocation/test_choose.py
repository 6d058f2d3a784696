"""The best of a list of models at a budget."""

from typing import Any

import numpy as np
import pytest

from scalingfit._errors import InputError
from scalingfit.allocation import (
    NonEmbedding,
    Shape,
    SixND,
    WithInference,
    cheapest,
    choose,
    exact_flops,
    forecast,
    frontier,
    with_embedding,
)
from scalingfit.catalog import law
from tests.allocation.answers import POINT, notes_of, rows_of


def test_a_part_of_the_model_that_is_as_large_as_the_whole_is_named() -> None:
    point = law("vocabulary").published["tao-2024"].law
    wrong = r"N_v = 1\.00B\nWhat to do: raise {0}, or give a smaller N_v"
    for ask, about in ((frontier, 1e21), (cheapest, -4.0)):
        with pytest.raises(InputError, match="max_params = 500M, " + wrong.format("max_params")):
            ask(point, about, N_v=1e9, max_params=5e8)
    with pytest.raises(InputError, match=r"\n  N = 1\.00B, " + wrong.format("N")):
        choose(point, [1e21, 1e22], [1e9, 2e9], N_v=1e9)
    assert len(choose(point, 1e21, [2e9], N_v=1e9)) == 1


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
