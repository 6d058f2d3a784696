"""What the figures share: colours that everyone can tell apart, axes, ticks in 1M, 10M, 1B."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator
from numpy.typing import NDArray

from scalingfit.declare import Law
from scalingfit.inference import Posterior
from scalingfit.runs import Runs

# Okabe & Ito's palette, made for every kind of colour vision.
BLUE, ORANGE, GREEN, PINK, INK, SKY, AMBER, GREY = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#222222",
    "#56B4E9",
    "#E69F00",
    "#8A8A8A",
)
PUBLISHED = ((ORANGE, "-"), (GREEN, (0, (4, 3))), (PINK, "-"), (AMBER, (0, (1, 1.5))))
LOSS_COLORS = "viridis_r"

type Canvas = Figure | SubFigure
"""What pictures are drawn into."""

SUFFIXES = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K"))


def blank(figure: Canvas | None, width: float, height: float, caption: str = "") -> Canvas:
    """The figure to draw into: the one given, or a new one of this size in inches, captioned."""
    if figure is not None:
        return figure
    new = Figure(figsize=(width, height), dpi=150, layout="constrained")
    new.supxlabel(caption, x=0.99, ha="right", fontsize=8, color=GREY)
    return new


def thinned(posterior: Posterior, most: int) -> Law:
    """The law of about this many of a posterior's draws: enough for a picture."""
    law = posterior.law_with_error
    draws = math.prod(law.shape)
    return law.take(np.arange(0, draws, max(1, draws // most)))


def tidy(axes: Axes, title: str = "") -> None:
    """Take away what carries no information."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GREY)
    axes.tick_params(color=GREY, labelsize=9)
    axes.grid(True, color="#E6E6E6", linewidth=0.7)
    axes.set_axisbelow(True)
    if title:
        axes.set_title(title, loc="left", fontsize=11, fontweight="bold", color=INK)


def log_axis(axes: Axes, which: str, *, flop: bool = False, most: int = 7) -> None:
    """A log axis with ticks in 1M, 10M, 1B, or as powers of ten: of compute, and of huge numbers.

    Call it once the limits are final.
    """
    axis = getattr(axes, f"{which}axis")
    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    low, high = axis.get_view_interval()
    axis.set_major_locator(FixedLocator(ticks(low, high, most)))
    label = power if flop or high >= 1e15 else short
    axis.set_major_formatter(FuncFormatter(lambda value, _: label(value)))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())


def loss_label(runs: Runs, what: str) -> str:
    """What an axis of losses is called: with their unit, where the table says it.

    >>> from scalingfit.runs import read
    >>> loss_label(read({"N": [1e8, 2e8], "val_bpb": [1.2, 1.1]}), "loss L")
    'loss L [bits per byte]'
    """
    return what if runs.loss_unit is None else f"{what} [{runs.loss_unit}]"


def highest(L: NDArray[np.float64]) -> float:
    """Where the colours of losses end: a few runs far above the others do not take them all."""
    low, middle, high = np.quantile(L, (0.0, 0.5, 0.98))
    return float(min(L.max(), max(high, middle + 2 * (middle - low))))


def ticks(low: float, high: float, most: int = 7) -> list[float]:
    """Round numbers between two positive ones: three to `most` of them where that can be.

    >>> ticks(900, 2e6)
    [1000.0, 10000.0, 100000.0, 1000000.0]
    >>> ticks(1.5e8, 9e8)
    [200000000.0, 500000000.0]
    >>> ticks(1e7, 6e8, 4)
    [10000000.0, 30000000.0, 100000000.0, 300000000.0]
    """
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    decades = range(first, last + 1, max(1, math.ceil((last - first) / most)))
    finest = 0 if last - first <= 2 else 1 if last - first == 3 else 2
    for steps in ((1.0, 2.0, 5.0), (1.0, 3.0))[finest:]:
        found = [step * 10.0**decade for decade in decades for step in steps]
        found = [value for value in found if low <= value <= high]
        if len(found) <= most:
            return found
    return [10.0**decade for decade in decades if low <= 10.0**decade <= high]


def short(value: float) -> str:
    """70B for 7e10, 300K for 3e5; what lies below a thousand as it is.

    >>> short(7e10), short(1500.0), short(20.0)
    ('70B', '1.5K', '20')
    """
    for unit, suffix in SUFFIXES:
        if value >= unit * 0.9995:
            return f"{value / unit:.3g}{suffix}"
    return f"{value:.3g}"


def power(value: float) -> str:
    r"""A power of ten as Matplotlib sets it, with a factor where there is one.

    >>> power(1e21), power(3e21)
    ('$10^{21}$', '$3\\times10^{21}$')
    """
    exponent = math.floor(math.log10(value) + 1e-9)
    factor = value / 10.0**exponent
    head = "" if math.isclose(factor, 1.0, rel_tol=1e-6) else f"{factor:.2g}\\times"
    return f"${head}10^{{{exponent}}}$"


def legend_below(axes: Axes, columns: int = 4) -> None:
    """A legend under the axis, where no data can be."""
    axes.legend(
        loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=columns, fontsize=9, frameon=False
    )


def band(
    axes: Axes, x: NDArray[np.float64], quantiles: NDArray[np.float64], color: str, label: str
) -> None:
    """A median with its bands; the quantiles of `BAND` along the first axis."""
    low, lower, middle, upper, high = quantiles
    axes.plot(x, middle, color=color, lw=2, label=f"{label}: median", zorder=3)
    axes.fill_between(x, low, high, color=color, alpha=0.16, lw=0, label="90 %", zorder=2)
    axes.fill_between(x, lower, upper, color=color, alpha=0.3, lw=0, label="50 %", zorder=2)


BAND = (0.05, 0.25, 0.5, 0.75, 0.95)
