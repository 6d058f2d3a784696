"""The figure of a design: which sizes were trained on how many tokens."""

from __future__ import annotations

from collections import Counter

import numpy as np
from matplotlib.axes import Axes

from scalingfit._errors import InputError
from scalingfit._text import flop
from scalingfit.report import _style as style
from scalingfit.report._style import Canvas
from scalingfit.runs import Runs

__all__ = ["design"]

COLORS = (style.ORANGE, style.BLUE, style.GREEN, style.PINK, style.AMBER, style.SKY, style.INK)
"""Of groups; of more groups than these none is told apart."""

LINES, NUMBERS = 16, 60
"""Budgets, and designs that were run several times, which are marked: more would hide the runs."""


def design(runs: Runs, *, figure: Canvas | None = None) -> Canvas:
    """Draw which N was trained on how many D: budgets, repeats, groups, and the losses.

    Colours are groups of runs, where the table has a label of few groups, else losses. A number
    stands at designs that were run several times, and a dotted line joins the runs of one budget.

    Parameters
    ----------
    runs : Runs
        With N and D.
    figure : matplotlib figure, optional
        Where to draw.

    Raises
    ------
    InputError
        The table has no N or no D.
    """
    if not {"N", "D"} <= set(runs.columns):
        raise InputError(
            "a design is drawn in the plane of N and D, and these runs do not have both",
            [f"they have: {', '.join(runs.columns)}"],
            remedy="read a table with both, or with C beside one of them.",
        )
    figure = style.blank(figure, 7.2, 5.2, f"{len(runs)} runs")
    axes = figure.add_subplot()
    N, D = runs.N, runs.D
    few = {name: values for name, values in runs.groups.items() if len(values) <= len(COLORS)}
    if few:
        _by_group(axes, runs, *next(iter(few.items())))
    else:
        label = style.loss_label(runs, "loss of the run")
        highest = style.highest(runs.L)
        points = axes.scatter(
            N, D, c=runs.L, s=30, cmap=style.LOSS_COLORS, ec="white", lw=0.5, vmax=highest
        )
        beyond = "max" if runs.L.max() > highest else "neither"
        bar = figure.colorbar(points, ax=axes, label=label, pad=0.015, aspect=32, extend=beyond)
        bar.outline.set_visible(False)
    _repeats(axes, runs)
    _budgets(axes, runs)
    axes.set_xlim(N.min() / 2.2, N.max() * 1.6)
    axes.set_ylim(D.min() / 1.6, D.max() * 1.6)
    style.log_axis(axes, "x")
    style.log_axis(axes, "y")
    style.tidy(axes, "Which runs were trained?")
    axes.set(xlabel="parameters N", ylabel="tokens D")
    return figure


def _by_group(axes: Axes, runs: Runs, name: str, values: list[str]) -> None:
    """Runs in the colours of their groups, the first ones larger: all are seen at one place."""
    labels = np.array([str(each) for each in runs.labels[name].tolist()], dtype=object)
    colors = {"others": style.GREY, **dict(zip(values, COLORS, strict=False))}
    for place, (value, color) in enumerate(colors.items()):
        at = labels == value if place else ~np.isin(labels, values)
        size = 26 + 45 * (len(colors) - 1 - place)
        axes.scatter(
            runs.N[at], runs.D[at], s=size, color=color, ec="white", lw=0.3, zorder=2 + place / 10,
            label=value if at.any() else None,
        )  # fmt: skip
    axes.legend(title=name, fontsize=8, title_fontsize=8, framealpha=0.9, edgecolor="none")


def _repeats(axes: Axes, runs: Runs) -> None:
    """How often each design was run, where it was several times."""
    places = Counter(zip(runs.N.tolist(), runs.D.tolist(), strict=True))
    several = {place: count for place, count in places.items() if count > 1}
    if len(several) <= NUMBERS:
        for place, count in several.items():
            _say(axes, f"{count}", place, (5, 4))


def _budgets(axes: Axes, runs: Runs) -> None:
    """A line along the runs of each budget on which several sizes were trained."""
    numbers, scale = runs.budgets.usual, runs.budgets.scale
    shared = [
        at
        for number in np.unique(numbers[numbers >= 0])
        if len(np.unique(runs.N[at := np.flatnonzero(numbers == number)])) > 2
    ]
    if not runs.budgets.in_flop or len(shared) > LINES:
        return
    for at in shared:
        at = at[np.lexsort((runs.D[at], runs.N[at]))]
        axes.plot(runs.N[at], runs.D[at], color=style.GREY, lw=0.8, ls=":", zorder=1)
        middle = flop(float(np.exp(np.mean(np.log(scale[at])))))
        _say(axes, middle, (runs.N[at[0]], runs.D[at[0]]), (-5, 5))


def _say(axes: Axes, text: str, place: tuple[float, float], offset: tuple[int, int]) -> None:
    axes.annotate(
        text, place, offset, textcoords="offset points", fontsize=7, color="#666666",
        ha="right" if offset[0] < 0 else "left",
    )  # fmt: skip
