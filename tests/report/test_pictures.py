"""Every result draws itself, into axes of the caller's, and shows the numbers that it holds."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

import scalingfit as sf
from scalingfit import cli
from scalingfit._errors import InputError
from scalingfit.batch import Refits
from scalingfit.experiments import Pool
from scalingfit.inference import Posterior
from scalingfit.report import picture, plots
from scalingfit.report._style import Canvas
from scalingfit.report.pictures import draw_runs
from scalingfit.result import Result
from scalingfit.runs import Runs
from tests.report import standin

C = [1e22, 1e23, 1e24]

ANSWERS: dict[str, Callable[[Posterior], Result]] = {
    "frontier": lambda post: post.frontier(C),
    "forecast": lambda post: post.forecast(N=[1e9, 1e10], D=1e12),
    "forecast of pairs": lambda post: post.forecast(N=[1e9, 1e10], D=[1e11, 1e12]),
    "one forecast": lambda post: post.forecast(N=1e9, D=1e12),
    "cheapest": lambda post: post.cheapest([2.1, 2.2]),
    "choice": lambda post: post.choose(1e24, [7e9, 7e10]),
    "decision": lambda post: post.decide(1e24, ["70B"]),
    "returns": lambda post: sf.returns(post, C),
    "refits": lambda post: Refits(dict.fromkeys("a$", "chinchilla"), dict.fromkeys("a$", post), {}),
}


@pytest.fixture(scope="module")
def posterior() -> Posterior:
    return standin.posterior()


def axes() -> Axes:
    return Figure(layout="constrained").subplots()


def points(ax: Axes) -> np.ndarray:
    """Where the medians stand, (2, row)."""
    (line, *_) = [line for line in ax.get_lines() if line.get_marker() == "o"]
    return np.array(line.get_data(), float)


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_draws_into_axes_of_the_callers(name: str, posterior: Posterior) -> None:
    ax = axes()
    assert ANSWERS[name](posterior).plot(ax=ax) is ax
    assert ax.get_title(loc="left").partition(" (")[0].endswith("?")
    assert ax.get_xlabel()
    figure = ax.get_figure()
    assert figure is not None
    figure.canvas.draw()
    legend = ax.get_legend()
    assert legend is not None
    assert legend.get_window_extent().x0 >= ax.get_window_extent().x1  # beside the data


@pytest.mark.parametrize("y", ["N", "L", "tokens_per_param"])
def test_a_frontier_shows_its_medians(y: str, posterior: Posterior) -> None:
    found, ax = posterior.frontier(C), axes()
    found.plot(ax, y=y)
    middle = np.quantile(found.draws[y].reshape(-1, 3), 0.5, axis=0, method="inverted_cdf")
    np.testing.assert_allclose(points(ax), np.stack([C, middle]))


def test_a_decision_shows_what_plans_overspend(posterior: Posterior) -> None:
    found, ax = posterior.decide(1e24, ["70B"]), axes()
    found.plot(ax)
    over = 100 * (found.overspend.reshape(-1, 2) - 1)
    middle = np.quantile(over, 0.5, axis=0, method="inverted_cdf")
    np.testing.assert_allclose(points(ax)[0], middle)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["best at 1e24", "70.0B at 1e24"]


def test_a_posterior_has_pictures_by_name(posterior: Posterior) -> None:
    figure = Figure(layout="constrained")
    panels = np.asarray(posterior.plot("residuals", figure=figure))
    assert panels.tolist() == figure.axes
    assert len(panels) == 3


def test_without_axes_a_picture_is_pyplots(posterior: Posterior) -> None:
    from matplotlib import pyplot as plt

    before = plt.get_fignums()
    ax = posterior.forecast(N=1e9, D=1e12).plot()
    assert ax is plt.gca()
    assert len(plt.get_fignums()) == len(before) + 1
    plt.close(plt.gcf())
    picture(posterior.forecast(N=1e9, D=1e12))
    assert plt.get_fignums() == before


def test_what_has_no_picture_says_so(posterior: Posterior) -> None:
    with pytest.raises(InputError, match="no picture of a Verdict"):
        posterior.verdict.plot()
    with pytest.raises(InputError, match="the answer has no M"):
        posterior.frontier(C).plot(axes(), y="M")


def test_losses_have_their_tables_unit() -> None:
    columns = standin.table().columns
    runs = Runs.from_columns(columns, provenance={"loss_unit": "nats per byte"})
    posterior = standin.posterior(runs=runs)
    labels = {
        label
        for figure in (plots.frontier(posterior), plots.loss(posterior), plots.residuals(posterior))
        for axes in figure.axes
        for label in (axes.get_xlabel(), axes.get_ylabel())
    }
    assert {"loss L [nats per byte]", "loss of the run [nats per byte]"} <= labels
    assert "expected loss [nats per byte]" in labels


@pytest.mark.parametrize("draw", [plots.frontier, lambda post: plots.design(post.runs)])
def test_an_outlier_does_not_take_the_colours(draw: Callable[[Posterior], Canvas]) -> None:
    columns = {name: np.array(values) for name, values in standin.table().columns.items()}
    usual = np.ptp(columns["L"])
    columns["L"][0] = columns["L"].max() + 20
    figure = draw(standin.posterior(runs=Runs.from_columns(columns)))
    (points,) = [each for each in figure.axes[0].collections if isinstance(each, PathCollection)]
    low, high = points.get_clim()
    assert high - low < 2.5 * usual
    assert figure.axes[-1].get_ylabel().startswith("loss of the run")


def test_forecasts_of_pairs_are_told_apart(posterior: Posterior) -> None:
    """Where both inputs differ, no line joins the points, as if one of them were fixed."""
    ax, found = axes(), posterior.forecast(N=[1e9, 1e10], D=[1e11, 1e12])
    found.plot(ax=ax)
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        "N 1.00B, D 100B", "N 10.0B, D 1.00T"
    ]  # fmt: skip
    medians = np.median(found.new_run.reshape(-1, 2), axis=0)
    np.testing.assert_allclose(points(ax)[0], medians, rtol=1e-3)


def test_runs_to_make_stand_beside_those_that_were_fitted() -> None:
    ax, N, D = axes(), np.array([1e9]), np.array([2e10])
    runs = standin.table()
    draw_runs(ax, Pool({"N": N, "D": D}, 6 * N * D, {}), "Which runs next?", runs.columns)
    made, fitted = (each for each in ax.collections if isinstance(each, PathCollection))
    assert len(np.asarray(made.get_offsets())) == 1
    np.testing.assert_allclose(
        np.asarray(fitted.get_offsets(), float), np.stack([runs["N"], runs["D"]], axis=1)
    )
    for axis, values in ((ax.xaxis, runs["N"]), (ax.yaxis, runs["D"])):
        low, high = axis.get_view_interval()
        assert low < values.min() <= values.max() < high
        assert len(axis.get_majorticklocs()) > 1


def test_runs_to_make_are_where_they_are_to_be_made() -> None:
    N, D = np.array([1e8, 1e8, 1e9]), np.array([2e9, 2e9, 2e10])
    ax = axes()
    draw_runs(ax, Pool({"N": N, "D": D}, 6 * N * D, {}), "Which runs next?")
    (points,) = [each for each in ax.collections if isinstance(each, PathCollection)]
    places = np.array([[1e8, 2e9], [1e9, 2e10]])
    np.testing.assert_allclose(np.asarray(points.get_offsets(), float), places)
    assert [text.get_text() for text in ax.texts] == ["2 x"]  # made twice


@pytest.mark.parametrize(
    "command",
    [
        "forecast fit.nc --params 1B,10B --tokens 1T",
        "decide fit.nc --compute 1e22 --plan 7B",
    ],
)
def test_commands_draw(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, posterior: Posterior
) -> None:
    monkeypatch.chdir(tmp_path)
    posterior.save("fit.nc")
    assert cli.run([*command.split(), "--plot", "drawn.png"]) == cli.OK
    assert Path("drawn.png").read_bytes().startswith(b"\x89PNG")
