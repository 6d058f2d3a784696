"""Figures of a posterior's frontier: the split of every budget, and the loss that it buys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from scalingfit._text import quantity
from scalingfit.allocation import Counting, Frontier, Rule, cost, forecast, subject, terms
from scalingfit.allocation import counting as rule_of
from scalingfit.allocation import frontier as solve
from scalingfit.inference import Posterior
from scalingfit.report import _style as style
from scalingfit.report._known import KnownModel, known_models
from scalingfit.report._style import Canvas

__all__ = ["frontier", "loss"]

Floats = NDArray[np.float64]

BEYOND = 100.0
"""How far beyond the runs a figure reaches where no budgets are asked for."""

BUDGETS, MESH = 32, 60

BANDS, LINES = 500, 64
"""Draws, of many, that are enough for bands and for lines of equal loss."""


def frontier(
    posterior: Posterior,
    C: ArrayLike | None = None,
    *,
    marks: bool = False,
    figure: Canvas | None = None,
    counting: Rule = "6ND",
    max_params: float | None = None,
    inference_tokens: float | None = None,
    **extras: ArrayLike,
) -> Canvas:
    """Draw the optimal size of the model against the budget, over the runs and lines of equal loss.

    Parameters
    ----------
    posterior : Posterior
        Of a law of N and D.
    C : float or array, optional
        Budgets to mark; by default the figure reaches 100 times beyond the runs.
    marks : bool
        Whether models that people know stand in it, such as GPT-3 and Chinchilla, by the size and
        the tokens that their papers state. They had other data than the runs.
    figure : matplotlib figure, optional
        Where to draw.
    counting, max_params, inference_tokens, **extras
        As for `scalingfit.frontier`; single values.
    """
    options = _options(posterior, counting, max_params, inference_tokens, extras)
    figure = style.blank(figure, 7.2, 5.2, posterior.title)
    axes = figure.add_subplot()
    known = known_models() if marks else []
    spent, grid = _budgets(posterior, C, options, known)
    found = solve(style.thinned(posterior, BANDS), grid, **options)
    grid = _trained(found, options)
    N = posterior.runs["N"]
    style.band(axes, grid, found.quantiles("N", style.BAND), style.BLUE, "optimal N")
    L = posterior.runs["L"]
    points = axes.scatter(
        spent, N, c=L, s=26, cmap=style.LOSS_COLORS, ec="white", lw=0.5, zorder=4,
        vmax=style.highest(L), label="runs",
    )  # fmt: skip
    if C is not None:
        asked = solve(posterior, C, **options)
        middle = np.median(asked.N.reshape(-1, len(asked)), axis=0)
        axes.plot(
            _trained(asked, options),
            middle,
            "D",
            color=style.ORANGE,
            ms=7,
            mec="white",
            label="asked",
            zorder=5,
        )
    low, _, _, _, high = found.quantiles("N", style.BAND)
    axes.set_xlim(grid[0], grid[-1])
    none = grid[np.isnan(high)]
    if len(none):  # no size is the best, and there is no band
        axes.axvspan(none[0], none[-1], color=style.GREY, alpha=0.15, lw=0, label="N undefined")
    tallest = np.nanmax([*N, *high, *(model.N for model in known)])
    axes.set_ylim(np.nanmin([*N, *low]) / 1.6, tallest * 1.6)
    _mark(axes, known, _training(options))
    if {"N", "D"} == set(type(posterior.law).inputs()):
        _equal_loss(axes, posterior, options)
    _mark_reach(axes, float(spent.max()))
    style.log_axis(axes, "x", flop=True)
    style.log_axis(axes, "y")
    style.tidy(axes, _title("Where does a budget go?", options))
    axes.set(xlabel="training compute C [FLOP]", ylabel="parameters N")
    style.legend_below(axes)
    label = style.loss_label(posterior.runs, "loss of the run")
    beyond = "max" if L.max() > style.highest(L) else "neither"
    bar = figure.colorbar(points, ax=axes, label=label, pad=0.015, aspect=32, extend=beyond)
    bar.outline.set_visible(False)
    return figure


def loss(
    posterior: Posterior,
    C: ArrayLike | None = None,
    *,
    figure: Canvas | None = None,
    counting: Rule = "6ND",
    max_params: float | None = None,
    inference_tokens: float | None = None,
    **extras: ArrayLike,
) -> Canvas:
    """Draw the least loss that each budget buys, with the runs.

    Parameters
    ----------
    posterior, C, figure, counting, max_params, inference_tokens, **extras
        As for `frontier`.
    """
    options = _options(posterior, counting, max_params, inference_tokens, extras)
    figure = style.blank(figure, 7.2, 5.2, posterior.title)
    axes = figure.add_subplot()
    spent, grid = _budgets(posterior, C, options)
    found = solve(style.thinned(posterior, BANDS), grid, **options)
    grid = _trained(found, options)
    style.band(axes, grid, found.quantiles("L", style.BAND), style.BLUE, "law at the best split")
    N, D = (np.median(v.reshape(-1, len(grid)), axis=0) for v in (found.N, found.D))
    sized = np.isfinite(N)  # where there is a best size
    if {"N", "D"} == set(type(posterior.law).inputs()) and sized.any():
        new = forecast(posterior, N=N[sized], D=D[sized]).quantiles("new_run", (0.05, 0.95))
        for edge, label in zip(new, ("new run there: 90 %", None), strict=True):
            axes.plot(
                grid[sized], edge, color=style.BLUE, lw=1, ls=(0, (4, 3)), label=label, zorder=3
            )
    L = posterior.runs["L"]
    axes.scatter(
        spent, L, s=24, color=style.ORANGE, alpha=0.75, ec="white", lw=0.4, label="runs", zorder=4
    )
    axes.set_xlim(grid[0], grid[-1])
    _mark_reach(axes, float(spent.max()))
    style.log_axis(axes, "x", flop=True)
    style.tidy(axes, _title("Which loss does a budget buy?", options))
    axes.set(xlabel="training compute C [FLOP]", ylabel=style.loss_label(posterior.runs, "loss L"))
    style.legend_below(axes)
    return figure


def _budgets(
    posterior: Posterior,
    C: ArrayLike | None,
    options: dict[str, Any],
    known: Sequence[KnownModel] = (),
) -> tuple[Floats, Floats]:
    """What training the runs cost by the counting rule, and the budgets that a figure spans."""
    rule = _training(options)
    spent = cost(rule, posterior.runs["N"], posterior.runs["D"])
    asked = np.array([BEYOND * spent.max()]) if C is None else np.atleast_1d(np.asarray(C, float))
    theirs = cost(rule, *(np.array([model[place] for model in known], float) for place in (1, 2)))
    every = np.concatenate([spent, asked, theirs])
    return spent, np.geomspace(every.min() / 2, 2 * every.max(), BUDGETS)


def _options(
    posterior: Posterior,
    counting: Rule,
    max_params: float | None,
    inference_tokens: float | None,
    extras: Mapping[str, ArrayLike],
) -> dict[str, Any]:
    """What a frontier is asked beside its budgets."""
    limits = {"max_params": max_params, "inference_tokens": inference_tokens}
    rule = subject(posterior).own(rule_of(counting))
    return {"counting": rule, **limits, **extras}


def _training(options: dict[str, Any]) -> Counting:
    """The rule by which training is counted, whatever else a budget pays for."""
    return terms(options["counting"]).training


def _trained(found: Frontier, options: dict[str, Any]) -> Floats:
    """What training the median optimum at each budget costs: what runs can be compared with."""
    N, D = (np.median(v.reshape(-1, len(found)), axis=0) for v in (found.N, found.D))
    return (
        found.C
        if _training(options).describe() == found.provenance["counting"]
        else cost(_training(options), N, D)
    )


def _title(title: str, options: dict[str, Any]) -> str:
    """With the inputs and limits that hold for all of it; the count is the axis's."""
    stated = [title]
    for name, value in options.items():
        if value is not None and name != "counting":
            one = value if isinstance(value, str) else quantity(name, np.ravel(value)[0])
            stated.append(f"{name} = {one}")
    return ", ".join(stated)


def _equal_loss(axes: Axes, posterior: Posterior, options: dict[str, Any]) -> None:
    """Lines of equal loss, by the median over some of the draws."""
    rule = _training(options)
    C = np.geomspace(*axes.get_xlim(), MESH)
    N = np.geomspace(*axes.get_ylim(), MESH)
    mesh_C, mesh_N = np.meshgrid(C, N)
    with jax.enable_x64(True):
        D = np.asarray(rule.tokens(mesh_N, mesh_C), np.float64)
    inside = D > 1
    heights = np.full(D.shape, np.nan)
    at = forecast(style.thinned(posterior, LINES), N=mesh_N[inside], D=D[inside])
    heights[inside] = np.median(at.mean, axis=0)
    best, worst = float(np.nanmin(heights)), float(posterior.runs["L"].max())
    levels = MaxNLocator(nbins=9, steps=[1, 2, 2.5, 5, 10]).tick_values(best, worst)
    lines = axes.contour(C, N, heights, levels=levels, colors="#B0B0B0", linewidths=0.8, zorder=1)
    axes.plot([], [], color="#B0B0B0", lw=0.8, label="equal loss, by the law")
    labels = axes.clabel(lines, fontsize=8, colors="#777777", inline=False, fmt=lambda x: f"{x:g}")
    for label in labels:
        label.set_path_effects([withStroke(linewidth=3, foreground="white")])


def _mark(axes: Axes, known: Sequence[KnownModel], rule: Counting) -> None:
    """Where models that people know would stand."""
    for model in known:
        spent = cost(rule, np.array([model.N]), np.array([model.D]))
        axes.plot(spent, model.N, "^", color=style.PINK, mec="white", ms=8, zorder=5)
        axes.annotate(
            model.name, (spent[0], model.N), (-6, 5), textcoords="offset points", ha="right",
            fontsize=8, color=style.INK, zorder=6,
        )  # fmt: skip


def _mark_reach(axes: Axes, largest: float) -> None:
    """Say where the runs end."""
    axes.axvline(largest, color=style.GREY, lw=1, ls=":", zorder=1)
    axes.annotate(
        "compute beyond the runs →",
        (largest, 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(4, -4),
        textcoords="offset points",
        va="top",
        fontsize=8,
        color="#666666",
        path_effects=[withStroke(linewidth=3, foreground="white")],
        zorder=3,
    )
