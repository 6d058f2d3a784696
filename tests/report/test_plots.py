"""Figures show the numbers that they claim to show."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.text import Annotation

import scalingfit as sf
from scalingfit._errors import InputError
from scalingfit.inference import Posterior
from scalingfit.report import _style as style
from scalingfit.report import plots
from scalingfit.report._known import known_models
from scalingfit.report._style import Canvas
from scalingfit.runs import Runs, read
from tests.report import standin


@pytest.fixture(scope="module")
def posterior() -> Posterior:
    return standin.posterior()


def line(figure: Canvas, label: str) -> np.ndarray:
    """The points of a line by its label, shape (2, point)."""
    (found,) = [
        drawn
        for axes in figure.axes
        for drawn in axes.get_lines()
        if str(drawn.get_label()).startswith(label)
    ]
    return np.asarray(found.get_data())


def marks(axes: Axes) -> dict[str, float]:
    """Where the vertical lines stand, by their labels; posterior and prior are the first lines."""
    return {
        str(found.get_label()): float(np.asarray(found.get_xdata())[0])
        for found in axes.get_lines()[2:]
    }


def drawn(figure: Canvas) -> None:
    """Make Matplotlib lay everything out, as saving does."""
    assert isinstance(figure, Figure)
    figure.canvas.draw()


def closed_form(posterior: Posterior, C: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """N* and L* of the published point (Hoffmann et al. 2022, arXiv 2203.15556, equation 4)."""
    p = posterior.model.law.published["besiroglu-2024"].values
    alpha, beta = p["alpha"], p["beta"]
    scale = (alpha * p["A"] / (beta * p["B"])) ** (1 / (alpha + beta))
    N = scale * (C / 6) ** (beta / (alpha + beta))
    return N, p["E"] + p["A"] / N**alpha + p["B"] / (C / 6 / N) ** beta


# The draws lie within one percent of the published point: N* is scattered by some percent, the
# loss by half a percent, and medians over a thousand draws by a thirtieth of that.


def test_the_frontier_is_the_closed_form(posterior: Posterior) -> None:
    figure = plots.frontier(posterior)
    drawn(figure)
    C, N = line(figure, "optimal N")
    np.testing.assert_allclose(N, closed_form(posterior, C)[0], rtol=0.03)
    runs = posterior.runs.columns
    assert C[0] < runs["C"].min() < 100 * runs["C"].max() < C[-1]


def test_the_title_says_what_holds_for_all_of_it(posterior: Posterior) -> None:
    plain, limited = (
        plots.frontier(posterior, 1e22, **options).axes[0].get_title(loc="left")
        for options in ({"counting": "6ND"}, {"max_params": 3e9, "inference_tokens": [2e12]})
    )
    assert plain == "Where does a budget go?"
    assert limited == "Where does a budget go?, max_params = 3.00B, inference_tokens = 2.00T"


def test_the_runs_are_where_they_were(posterior: Posterior) -> None:
    axes, *_ = plots.frontier(posterior).axes
    (points,) = [found for found in axes.collections if isinstance(found, PathCollection)]
    runs = posterior.runs.columns
    np.testing.assert_allclose(
        np.asarray(points.get_offsets()), np.stack([runs["C"], runs["N"]], axis=1)
    )
    np.testing.assert_array_equal(points.get_array(), runs["L"])


def test_budgets_asked_for_are_marked(posterior: Posterior) -> None:
    C, N = line(plots.frontier(posterior, [1e22, 1e24]), "asked")
    np.testing.assert_allclose(C, [1e22, 1e24])
    np.testing.assert_allclose(N, closed_form(posterior, C)[0], rtol=0.03)


def test_a_picture_says_where_no_size_is_the_best() -> None:
    """A hundred million unique tokens are used up within the runs."""
    rng = np.random.default_rng(0)
    N, D = 10 ** rng.uniform(8, 10, 40), 10 ** rng.uniform(9, 11, 40)
    truth = sf.law("data_constrained").published["muennighoff-2023"].law
    L = np.asarray(truth.loss(N, D, 1e9))
    runs = Runs.from_columns({"N": N, "D": D, "U": np.full(40, 1e9), "C": 6 * N * D, "L": L})
    fit = standin.posterior(runs=runs, law="data_constrained", point="muennighoff-2023")
    figure = plots.frontier(fit, [1e19, 1e22], U=1e8)
    C, middle = line(figure, "optimal N")
    none = np.isnan(middle)
    assert none.any()
    assert not none[C < 1e19].any()
    (span,) = (each for each in figure.axes[0].patches if each.get_label() == "N undefined")
    assert span.get_extents().width > 0
    box = span.get_path().get_extents(span.get_patch_transform())
    assert (box.x0, box.x1) == pytest.approx((C[none][0], C[none][-1]))


def test_lines_of_equal_loss_are_of_equal_loss(posterior: Posterior) -> None:
    axes, *_ = plots.frontier(posterior).axes
    law = posterior.model.law.published["besiroglu-2024"].law
    (contours,) = [c for c in axes.collections if hasattr(c, "levels")]
    for level, path in zip(contours.levels, contours.get_paths(), strict=True):
        vertices = np.asarray(path.vertices)
        if len(vertices):
            C, N = vertices.T
            # 0.02 of the loss: interpolation in the mesh, and the scatter of 64 draws.
            np.testing.assert_allclose(law.loss(N, C / 6 / N), level, rtol=0.02)


def test_the_loss_is_the_closed_form(posterior: Posterior) -> None:
    figure = plots.loss(posterior)
    drawn(figure)
    C, L = line(figure, "law at the best split")
    np.testing.assert_allclose(L, closed_form(posterior, C)[1], rtol=0.005)
    assert np.all(line(figure, "new run there")[1] < L)  # the lower edge of the band


def test_every_parameter_has_a_panel_with_its_published_values(posterior: Posterior) -> None:
    figure = plots.parameters(posterior)
    drawn(figure)
    panels = {axes.get_title(loc="left"): axes for axes in figure.axes}
    assert set(panels) - {""} == set(posterior.draws)
    assert len(figure.axes) == 8  # seven parameters, and a place for the legend
    # A published value is marked where it lies within the panel.
    published = posterior.model.law.published
    assert marks(panels["alpha"]) == {key: p.values["alpha"] for key, p in published.items()}
    assert marks(panels["E"]) == {"besiroglu-2024": 1.8172}
    marginal, prior = panels["alpha"].get_lines()[:2]
    grid, height = marginal.get_data()
    assert np.trapezoid(np.asarray(height), np.asarray(grid)) == pytest.approx(
        1, abs=0.03
    )  # a density
    believed = posterior.model.law.parameters()["alpha"].prior
    assert believed is not None
    density = np.exp(believed.log_prob(grid))
    # The density at the prior's shoulder from a thousand of its draws.
    np.testing.assert_allclose(np.asarray(prior.get_ydata()), density, rtol=0.2)


def test_what_lies_at_zero_is_told_and_not_smeared() -> None:
    """The scale of the law's error, where the law may be exact: three draws of four are zero."""
    posterior = standin.posterior(exact=False)
    posterior.sampled.values["tau"][:, 1:] = 0.0
    posterior.sampled.values["tau"][:, ::4] = 0.02
    posterior.sampled.values["tau"][:, ::8] = 0.03
    (panel,) = [ax for ax in plots.parameters(posterior).axes if ax.get_title(loc="left") == "tau"]
    assert [text.get_text() for text in panel.texts] == ["0: 75 %"]
    (curve,) = [line for line in panel.get_lines() if line.get_label() == "posterior"]
    x, density = np.array(curve.get_data(), float)
    assert x.min() >= 0
    area = np.trapezoid(density, x)
    assert area == pytest.approx(0.25, abs=0.02)  # but for what lies beyond the panel


def test_parameters_that_span_decades_have_a_log_axis() -> None:
    posterior = standin.posterior()
    A = posterior.sampled.values["A"]
    A[:] = np.exp(np.random.default_rng(0).normal(6.0, 2.0, A.shape))
    panels = {ax.get_title(loc="left"): ax for ax in plots.parameters(posterior).axes}
    assert panels["A"].get_xscale() == "log"
    assert panels["E"].get_xscale() == "linear"
    (curve,) = [line for line in panels["A"].get_lines() if line.get_label() == "posterior"]
    x, density = np.array(curve.get_data(), float)
    # Per unit of the logarithm, a normal density of sd 2.
    assert np.exp(6.0 - 1) < x[density.argmax()] < np.exp(6.0 + 1)
    assert density.max() == pytest.approx(1 / (2 * np.sqrt(2 * np.pi)), rel=0.15)


def test_residuals_are_relative_to_the_law(posterior: Posterior) -> None:
    figure = plots.residuals(posterior)
    drawn(figure)
    law = posterior.model.law.published["besiroglu-2024"].law
    runs = posterior.runs.columns
    expected = 100 * (runs["L"] / law.loss(runs["N"], runs["D"]) - 1)
    labels = [axes.get_xlabel() for axes in figure.axes]
    assert labels == ["parameters N", "tokens D", "expected loss"]
    for axes, values in zip(figure.axes, (runs["N"], runs["D"]), strict=False):
        shown = np.asarray(axes.collections[0].get_offsets())
        np.testing.assert_allclose(shown[:, 0], values)
        np.testing.assert_allclose(shown[:, 1], expected, atol=0.1)  # mean of the draws: 0.03 %


def test_the_overview_has_all_four(posterior: Posterior, tmp_path: Path) -> None:
    figure = plots.overview(posterior)
    plots.save(figure, tmp_path / "overview.png")
    assert (tmp_path / "overview.png").read_bytes().startswith(b"\x89PNG")
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert {"Where does a budget go?", "Which loss does a budget buy?", "alpha"} <= set(titles)
    assert "verdict: ok" in figure.get_suptitle()


def test_a_law_of_one_input_has_figures_too() -> None:
    posterior = standin.posterior(law="kaplan_size", point="kaplan-2020-eq-1.1")
    drawn(plots.parameters(posterior))
    figure = plots.residuals(posterior)
    drawn(figure)
    assert [axes.get_xlabel() for axes in figure.axes] == ["parameters N", "expected loss"]


@pytest.mark.parametrize("suffix", ["pdf", "svg"])
def test_figures_for_papers(suffix: str, tmp_path: Path, posterior: Posterior) -> None:
    path = tmp_path / f"residuals.{suffix}"
    plots.save(plots.residuals(posterior), path)
    assert {"pdf": b"%PDF", "svg": b"<?xml"}[suffix] == path.read_bytes()[: 4 + (suffix == "svg")]


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"type \.gif.*\.png, \.pdf, \.svg".replace(".*", "(.|\n)*")
    ):
        plots.save(Figure(), tmp_path / "figure.gif")
    assert not list(tmp_path.iterdir())


@given(st.floats(-3, 25), st.floats(0.5, 14))
def test_ticks_are_few_and_inside(start: float, decades: float) -> None:
    low, high = 10**start, 10 ** (start + decades)
    found = style.ticks(low, high)
    assert found == sorted(set(found))
    assert 1 <= len(found) <= 8
    assert low <= found[0]
    assert found[-1] <= high


@pytest.mark.parametrize(
    ("value", "text"),
    [(7e10, "70B"), (3e5, "300K"), (1.5e3, "1.5K"), (20.0, "20"), (999.9e6, "1B"), (2e12, "2T")],
)
def test_short_numbers(value: float, text: str) -> None:
    assert style.short(value) == text


def test_published_values_can_be_told_apart() -> None:
    marks = [(to_rgba(color), dashes) for color, dashes in style.PUBLISHED]
    assert len(set(marks)) == len(marks) >= 3


def labels(figure: Canvas) -> list[str]:
    return [text for axes in figure.axes for text in (axes.get_xlabel(), axes.get_ylabel())]


@pytest.mark.parametrize("draw", [plots.frontier, plots.loss, plots.residuals])
def test_losses_have_the_unit_of_the_table_or_none(draw: Any) -> None:
    table = standin.table()
    frame = table.to_pandas().rename(columns={"L": "val_bpb"})
    unnamed, named = (standin.posterior(runs=each) for each in (table, read(frame)))
    assert not any("nats" in label or "bits" in label for label in labels(draw(unnamed)))
    assert any(label.endswith("[bits per byte]") for label in labels(draw(named)))


def test_a_design_shows_every_run_its_budgets_and_repeats() -> None:
    N = np.array([1e8, 2e8, 4e8] * 2 + [2e8])
    D = np.array([4e9, 2e9, 1e9, 8e9, 4e9, 2e9, 2e9])
    runs = read({"params": N, "tokens": D, "val_bpb": np.linspace(1.2, 0.9, 7)})
    figure = plots.design(runs)
    drawn(figure)
    axes, bar = figure.axes
    (points,) = [one for one in axes.collections if isinstance(one, PathCollection)]
    np.testing.assert_array_equal(
        np.sort(np.asarray(points.get_offsets()), axis=0), np.sort(np.stack([N, D], axis=1), axis=0)
    )
    assert bar.get_ylabel() == "loss of the run [bits per byte]"
    assert sorted(text.get_text() for text in axes.texts) == ["2", "2.4e18", "4.8e18"]
    for found, C in zip(axes.get_lines(), (2.4e18, 4.8e18), strict=True):
        x, y = np.asarray(found.get_data())
        np.testing.assert_allclose(6 * x * y, C)


def test_a_design_tells_groups_apart() -> None:
    N, D = np.array([1e7, 1e8, 1e9] * 4), np.array([1e9, 1e10, 1e11] * 4)
    recipes = ["one"] * 6 + ["two"] * 6
    runs = read({"N": N, "D": D, "L": np.linspace(4, 3, 12), "optimizer": recipes})
    axes: Any = plots.design(runs).axes[0]
    shown = {str(each.get_label()): each for each in axes.collections}
    assert axes.get_legend().get_title().get_text() == "optimizer"
    for name in ("one", "two"):
        assert len(shown[name].get_offsets()) == 6
    assert shown["one"].get_sizes()[0] > shown["two"].get_sizes()[0]  # both are seen


def test_a_design_without_a_plane_is_refused() -> None:
    with pytest.raises(InputError, match="the plane of N and D"):
        plots.design(read({"X": [1.0, 2.0], "L": [2.0, 1.0]}))


def test_models_that_people_know_are_marked(posterior: Posterior) -> None:
    known = {model.name: model for model in known_models()}
    assert {"GPT-3", "Chinchilla", "Llama 3 405B"} <= set(known)
    assert all("arXiv" in model.source for model in known.values())
    # By Grattafiori et al. 2024, arXiv 2407.21783, section 1: 3.8e25 FLOP.
    assert pytest.approx(3.8e25, rel=0.01) == 6 * known["Llama 3 405B"].N * known["Llama 3 405B"].D
    # By Hoffmann et al. 2022, arXiv 2203.15556: the budget of Gopher, 5.76e23 FLOP.
    assert pytest.approx(5.76e23, rel=0.03) == 6 * known["Chinchilla"].N * known["Chinchilla"].D
    figure = plots.frontier(posterior, marks=True)
    drawn(figure)
    axes = figure.axes[0]
    named = {text.get_text(): text.xy for text in axes.texts if isinstance(text, Annotation)}
    for model in known.values():
        np.testing.assert_allclose(named[model.name], (6 * model.N * model.D, model.N))
        assert axes.get_xlim()[0] < 6 * model.N * model.D < axes.get_xlim()[1]
        assert axes.get_ylim()[0] < model.N < axes.get_ylim()[1]
