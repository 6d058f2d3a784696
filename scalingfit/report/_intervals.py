"""Figures of answers that are an interval for each of some rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter
from matplotlib.transforms import offset_copy
from numpy.typing import NDArray

from scalingfit.report import _style as style

__all__ = ["across", "listed"]

Floats = NDArray[np.float64]

COLORS = (style.BLUE, style.ORANGE)

LABELS: Mapping[str, str] = {
    "C": "compute C [FLOP]",
    "N": "parameters N",
    "D": "tokens D",
    "L": "loss L",
    "U": "unique tokens U",
    "tokens_per_param": "tokens per parameter D/N",
}
"""Of axes, by symbol."""

LINEAR = frozenset({"L", "a", "b", "regret", "penalty", "epochs", "saved", "doubling"})
"""What is shown as it is, not by its logarithm."""


def across(
    ax: Axes, x: Floats, draws: Mapping[str, Floats], symbols: tuple[str, str], title: str
) -> None:
    """Draw intervals upright: the median, 50 % and 90 % of the draws, against what was asked.

    Parameters
    ----------
    ax : Axes
    x : array, shape (row,)
    draws : mapping of label to array, shape (..., row)
        Each gets a colour.
    symbols : tuple of str
        Of the two axes.
    title : str
        The question.
    """
    order = np.argsort(x, kind="stable")
    figure = ax.get_figure(root=True)
    for place, ((label, values), color) in enumerate(zip(draws.items(), COLORS, strict=False)):
        low, lower, middle, upper, high = ends_of(values)[:, order]
        # Side by side, so that none hides another.
        aside = place - (len(draws) - 1) / 2
        beside = offset_copy(ax.transData, fig=figure, x=8 * aside, units="points")
        ax.plot(x[order], middle, color=color, lw=1, alpha=0.5, transform=beside)
        ax.vlines(
            x[order], low, high, color=color, lw=1.2, label=f"{label}: 90 %", transform=beside
        )
        ax.vlines(x[order], lower, upper, color=color, lw=4, label="50 %", transform=beside)
        ax.plot(
            x[order], middle, "o", color=color, mec="white", ms=7, label="median", transform=beside
        )
        ax.update_datalim(np.stack([np.tile(x[order], 2), np.concatenate([low, high])], axis=1))
    ax.margins(0.08)
    for which, symbol in zip("xy", symbols, strict=True):
        _scale(ax, which, symbol)
    style.tidy(ax, title)
    xlabel, ylabel = (LABELS.get(symbol, symbol) for symbol in symbols)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    _legend(ax)


def listed(
    ax: Axes, names: Sequence[str], draws: Floats, label: str, title: str, *, log: bool = False
) -> None:
    """Draw intervals lying, one for each name, the first on top.

    Parameters
    ----------
    ax : Axes
    names : sequence of str
    draws : array, shape (..., name)
    label : str
        Of the axis.
    title : str
        The question.
    log : bool
        Whether the axis is logarithmic.
    """
    places = np.arange(len(names))
    low, lower, middle, upper, high = ends_of(draws)
    ax.hlines(places, low, high, color=style.BLUE, lw=1.2, label="90 %")
    ax.hlines(places, lower, upper, color=style.BLUE, lw=4, label="50 %")
    ax.plot(middle, places, "o", color=style.BLUE, mec="white", ms=7, label="median")
    # A name may hold a dollar sign, which would begin a formula.
    ax.set_yticks(places, [name.replace("$", r"\$") for name in names])
    ax.set_ylim(len(names) - 0.5, -0.5)
    if log:
        ax.set_xscale("log")
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    style.tidy(ax, title)
    ax.set_xlabel(label)
    _legend(ax)


def ends_of(draws: Floats) -> Floats:
    """The quantiles of `style.BAND` over the draws, (quantile, row); what is infinite stays so."""
    flat = draws.reshape(-1, draws.shape[-1])
    return np.asarray(np.quantile(flat, style.BAND, axis=0, method="inverted_cdf"))


def _scale(ax: Axes, which: str, symbol: str) -> None:
    """Logarithmic, with round ticks, where the numbers span sizes."""
    if symbol in LINEAR:
        return
    (ax.set_xscale if which == "x" else ax.set_yscale)("log")
    ax.autoscale_view()
    style.log_axis(ax, which, flop=symbol in {"C", "serving", "total", "training"})


def _legend(ax: Axes) -> None:
    """Beside the axes, where no interval can be."""
    ax.legend(fontsize=8, frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
