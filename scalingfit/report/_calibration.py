"""Pictures of calibrations: ranks of truths, and what a design leaves open."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from scalingfit.evidence import Calibration
from scalingfit.report._style import BLUE, GREY, INK, ORANGE, Canvas, blank, tidy

__all__ = ["calibration", "distributions"]

COLUMNS = 4


def calibration(found: Calibration, figure: Canvas | None = None) -> Canvas:
    """How the ranks of each truth are distributed, and how wide intervals come out.

    Parameters
    ----------
    found : Calibration
    figure : figure, optional
        To draw into.
    """
    names = [*found.ranks]
    rows = math.ceil(len(names) / COLUMNS)
    figure = blank(figure, 12.5, 1.2 + 1.7 * rows)
    left, right = figure.subfigures(1, 2, width_ratios=(2.4, 1))  # type: ignore[misc]
    panels = left.subplots(rows, COLUMNS, sharex=True, sharey=True, squeeze=False).ravel()
    for axes, name in zip(panels, names, strict=False):
        distributions(axes, found, [name])
        share = 100 * found.coverage(name, 0.9)
        axes.set_title(f"{name}: 90 % hold {share:.0f} %", loc="left", fontsize=9, color=INK)
    for axes in panels[len(names) :]:
        axes.axis("off")
    title = f"Ranks of the truth, {found.simulations} tables: inside the band if all is right"
    left.suptitle(title, x=0.02, ha="left", fontsize=11, fontweight="bold", color=INK)
    left.supxlabel("rank among the draws, as a share", fontsize=9)
    left.supylabel("share of tables below, less what is right", fontsize=9)
    _widths(right.subplots(), found)
    return figure


def distributions(axes: Axes, found: Calibration, names: Sequence[str] | None = None) -> None:
    """Distribution functions of ranks less the uniform one, in the band that should hold them."""
    low, high = found.distribution_band
    share = np.arange(1, len(low) + 1) / (len(low) + 1)
    axes.fill_between(share, low - share, high - share, color=GREY, alpha=0.25, linewidth=0)
    for name in found.ranks if names is None else names:
        color = ORANGE if name in found.uneven else BLUE
        axes.plot(share, found.distribution(name) - share, color=color, linewidth=0.9)
    axes.axhline(0, color=GREY, linewidth=0.6)
    axes.set_xlim(0, 1)
    tidy(axes)
    axes.tick_params(labelsize=7)


def _widths(axes: Axes, found: Calibration) -> None:
    """Relative widths of 90 % intervals: their median, and 90 % of the tables."""
    names = [*found.widths]
    ends = [np.nanquantile(found.widths[name], (0.05, 0.5, 0.95)) for name in names]
    low, middle, high = np.array(ends).T
    places = np.arange(len(names))
    axes.hlines(places, low, high, color=BLUE, alpha=0.35, linewidth=4)
    axes.scatter(middle, places, color=BLUE, s=22, zorder=3)
    axes.set_xscale("log")
    axes.set_yticks(places, names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    label = (
        "width of the 90 % interval over its median\n(dot: median of the tables; bar: 90 % of them)"
    )
    axes.set_xlabel(label, fontsize=8)
    tidy(axes, "What the design leaves open")
