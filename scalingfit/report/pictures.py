"""The picture of each kind of result: what `scalingfit.Result.plot` draws.

A function for each kind, found by the type of the result. Pictures of one panel take ``ax``, those
of several ``figure``; without either they draw into a new figure of pyplot's, which notebooks show.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from scalingfit._errors import InputError
from scalingfit._messages import Argument, Message
from scalingfit._text import listed as words
from scalingfit._text import quantity
from scalingfit.allocation import (
    Answer,
    BudgetReturns,
    Cheapest,
    Choice,
    Decision,
    Forecast,
    Multiplier,
)
from scalingfit.batch import Refits
from scalingfit.evidence import Backtest, Calibration, Comparison, Reconciliation
from scalingfit.experiments import Design, Experiment, Pool
from scalingfit.inference import Posterior
from scalingfit.report import _style as style
from scalingfit.report import evidence_plots, plots
from scalingfit.report._intervals import across, listed
from scalingfit.report._style import Canvas
from scalingfit.result import Result

__all__ = ["draw_runs", "picture", "plot"]

Panels = NDArray[np.object_]
"""Axes of several panels, in the order of reading."""

FITS = 40
"""Fits of many that are drawn one below the other."""

Kind = Literal["frontier", "loss", "overspend", "parameters", "residuals"]
"""Pictures of a posterior."""


def picture(result: Result, **options: Any) -> Canvas:
    """The picture of a result as a figure of its own, of which pyplot knows nothing.

    Parameters
    ----------
    result : Result
    **options
        As for `plot`.
    """
    figure = Figure(figsize=_size(result), dpi=150, layout="constrained")
    plot(result, figure=figure, **options)
    return figure


@functools.singledispatch
def plot(result: Result, **options: Any) -> Axes | Panels:
    """Draw a result: what `scalingfit.Result.plot` calls.

    Raises
    ------
    InputError
        There is no picture of this kind of result.
    """
    kinds = sorted(kind.__name__ for kind in plot.registry if kind is not object)
    raise InputError(
        f"there is no picture of a {type(result).__name__}",
        [f"there are pictures of {words(kinds, limit=len(kinds))}"],
        remedy="print it, or draw the columns of its data frame.",
    )


@plot.register
def _(
    result: Answer, ax: Axes | None = None, y: str | None = None, figure: Canvas | None = None
) -> Axes:
    """Any of the answer's numbers, such as ``y="L"``, against what was asked."""
    ax, shown = _axes(ax, figure), y or ("C" if isinstance(result, Cheapest) else "N")
    if shown not in result.draws:
        raise InputError(
            f"the answer has no {shown}",
            [f"it has {words(result.draws)}"],
            remedy=Message("write ", Argument("y", next(iter(result.draws))), "."),
        )
    name, x = _asked(result)
    across(ax, x, {shown: result.draws[shown]}, (name, shown), TITLES.get(shown, shown))
    return ax


@plot.register
def _(result: Forecast, ax: Axes | None = None, figure: Canvas | None = None) -> Axes:
    """The law's loss, and that of a new run, against the input that varies.

    Where several vary, each point has a row of its own.
    """
    ax, names = _axes(ax, figure), {"mean": "the law", "new_run": "a new run"}
    varied = [each for each, values in result.asked.items() if each != "C" and np.ptp(values) > 0]
    if len(varied) > 1:
        points = zip(*(result.asked[each] for each in varied), strict=True)
        rows = [
            ", ".join(
                f"{each} {quantity(each, value)}" for each, value in zip(varied, point, strict=True)
            )
            for point in points
        ]
        shown = "new_run" if "new_run" in result.draws else "mean"
        listed(ax, rows, result.draws[shown], f"loss of {names[shown]}", LOSS)
        return ax
    name, x = _asked(result)
    draws = {names[key]: values for key, values in result.draws.items()}
    across(ax, x, draws, (name, "L"), LOSS)
    return ax


@plot.register
def _(result: Choice, ax: Axes | None = None, figure: Canvas | None = None) -> Axes:
    """The loss of each model."""
    ax, pairs = _axes(ax, figure), zip(result.asked["N"], result.asked["C"], strict=True)
    names = [f"{quantity('N', N)} at {quantity('C', C)} FLOP" for N, C in pairs]
    listed(ax, names, result.draws["L"], "loss L", "Which of these models?")
    return ax


@plot.register
def _(result: Decision, ax: Axes | None = None, figure: Canvas | None = None) -> Axes:
    """What each plan overspends."""
    ax = _axes(ax, figure)
    names = [
        f"{plan} at {quantity('C', C)}" for plan, C in zip(result.plans, result.C, strict=True)
    ]
    over = np.maximum(100 * (result.overspend - 1), LEAST)
    listed(ax, names, over, "overspend [%]", "What does being wrong cost?", log=True)
    return ax


@plot.register
def _(result: BudgetReturns, ax: Axes | None = None, figure: Canvas | None = None) -> Axes:
    """What each budget buys."""
    ax = _axes(ax, figure)
    across(ax, result.C, {"best split": result.L}, ("C", "L"), "Which loss does a budget buy?")
    return ax


@plot.register
def _(result: Multiplier, ax: Axes | None = None, figure: Canvas | None = None) -> Axes:
    """How many times the compute the reference needs."""
    ax = _axes(ax, figure)
    symbols = ("C", "times the compute")
    across(ax, result.C, {"reference": result.factor}, symbols, "What is the recipe worth?")
    ax.axhline(1, color=style.GREY, lw=0.8, ls=":")
    return ax


@plot.register
def _(
    result: Refits,
    ax: Axes | None = None,
    parameter: str | None = None,
    figure: Canvas | None = None,
) -> Axes:
    """A parameter in every fit; by default the law's first exponent, or else its first one."""
    ax, draws = _axes(ax, figure), result.draws
    exponents = [name for name, each in result.law.parameters().items() if each.exponent]
    shown = parameter or next(iter([*exponents, *draws]))
    if shown not in draws:
        raise InputError(
            f"the fits have no parameter {shown}",
            [f"they have {words(draws)}"],
            remedy=Message("write ", Argument("parameter", next(iter(draws))), "."),
        )
    names = [str(label) for label in result.fitted[:FITS]]
    rest = len(result.fitted) - len(names)
    title = f"Does {shown} differ from fit to fit?" + (f" ({rest} more not drawn)" if rest else "")
    listed(ax, names, np.moveaxis(draws[shown][:FITS], 0, -1), shown, title)
    return ax


@plot.register
def _(result: Design, ax: Axes | None = None, figure: Canvas | None = None) -> Axes:
    """The runs to make next; a number says how often one is to be repeated."""
    ax = _axes(ax, figure)
    draw_runs(ax, result.runs, "Which runs next?", result.fitted)
    return ax


@plot.register
def _(result: Experiment, ax: Axes | None = None, figure: Canvas | None = None) -> Axes:
    """The runs to begin with."""
    ax = _axes(ax, figure)
    draw_runs(ax, result.runs, "Which runs to begin with?")
    return ax


@plot.register
def _(
    result: Posterior,
    kind: Kind | None = None,
    figure: Canvas | None = None,
    **options: Any,
) -> Panels:
    """One of the pictures of a fit, with the options of that function of `plots`."""
    split = {"N", "D"} <= set(result.law.inputs())
    draw = POSTERIOR[kind or ("frontier" if split else "parameters")]
    return _panels(draw(result, figure=figure or _figure(result), **options))


@plot.register
def _(result: Comparison, figure: Canvas | None = None, **options: Any) -> Panels:
    """See `evidence_plots.comparison`."""
    return _panels(evidence_plots.comparison(result, figure or _figure(result), **options))


@plot.register
def _(result: Backtest, figure: Canvas | None = None) -> Panels:
    """See `evidence_plots.backtest`."""
    return _panels(evidence_plots.backtest(result, figure or _figure(result)))


@plot.register
def _(result: Calibration, figure: Canvas | None = None) -> Panels:
    """See `evidence_plots.calibration`."""
    return _panels(evidence_plots.calibration(result, figure or _figure(result)))


@plot.register
def _(result: Reconciliation, figure: Canvas | None = None) -> Panels:
    """See `evidence_plots.reconciliation`."""
    return _panels(evidence_plots.reconciliation(result, figure or _figure(result)))


POSTERIOR: Mapping[str, Callable[..., Canvas]] = {
    "frontier": plots.frontier,
    "loss": plots.loss,
    "overspend": plots.valley,
    "parameters": plots.parameters,
    "residuals": plots.residuals,
}

TITLES: Mapping[str, str] = {
    "N": "How large a model does a budget train?",
    "D": "How many tokens does a budget train on?",
    "L": "Which loss does a budget buy?",
    "C": "How much compute does a loss take?",
}

LOSS = "Which loss is to be expected?"

LEAST = 1e-3
"""Percent of overspend that a logarithmic axis begins with."""

MARGIN = 2.0
"""How far axes of runs reach beyond them: a factor."""

SIZES: Mapping[type[Result], tuple[float, float]] = {Comparison: (11.0, 4.6), Backtest: (12.0, 4.0)}
"""Inches."""


def _size(result: Result) -> tuple[float, float]:
    return SIZES.get(type(result), (7.2, 4.8))


def _figure(result: Result) -> Canvas:
    """A new figure of pyplot's."""
    from matplotlib import pyplot as plt

    return plt.figure(figsize=_size(result), layout="constrained")


def _axes(ax: Axes | None, figure: Canvas | None) -> Axes:
    """The axes given, or else new ones, in the figure given or in one of pyplot's."""
    if ax is not None:
        return ax
    if figure is None:
        from matplotlib import pyplot as plt

        figure = plt.figure(layout="constrained")
    return figure.add_subplot()


def _panels(figure: Canvas) -> Panels:
    return np.array(figure.get_figure(root=True).axes, object)


def _asked(answer: Answer) -> tuple[str, NDArray[np.float64]]:
    """What was asked: the first input that varies, or else the first."""
    varied = (each for each in answer.asked.items() if np.ptp(each[1]) > 0)
    return next(varied, next(iter(answer.asked.items())))


def draw_runs(
    ax: Axes, runs: Pool, title: str, fitted: Mapping[str, NDArray[np.float64]] | None = None
) -> None:
    """Runs over N and D, with those that were fitted; a number says how often one is to be made."""
    N, D = runs.inputs["N"], runs.inputs["D"]
    places, times = np.unique(np.stack([N, D], axis=1), axis=0, return_counts=True)
    ax.scatter(
        places[:, 0], places[:, 1], s=50, color=style.BLUE, ec="white", zorder=3, label="to make"
    )
    for (x, y), count in zip(places, times, strict=True):
        if count > 1:
            ax.annotate(f"{count} x", (x, y), (6, 4), textcoords="offset points", fontsize=8)
    every = {"x": N, "y": D}
    if fitted is not None:
        ax.scatter(fitted["N"], fitted["D"], s=22, color=style.GREY, ec="white", label="fitted")
        every = {"x": np.append(N, fitted["N"]), "y": np.append(D, fitted["D"])}
    for which, values in every.items():
        ends = (values.min() / MARGIN, values.max() * MARGIN)
        (ax.set_xlim if which == "x" else ax.set_ylim)(ends)
        style.log_axis(ax, which)
    style.tidy(ax, title)
    ax.set(xlabel="parameters N", ylabel="tokens D")
    if fitted is not None:
        style.legend_below(ax)
