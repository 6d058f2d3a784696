"""The valley: what each size of a model would overspend at a budget."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from scalingfit._text import quantity
from scalingfit.allocation import Costs, Decision, Plans, Risk, Rule, decide, percent
from scalingfit.inference import Posterior
from scalingfit.report import _style as style
from scalingfit.report._style import Canvas

__all__ = ["valley", "valley_of"]

SIZES, DRAWS = 97, 300

SPAN = 6.0
"""How far the sizes reach to both sides of the plans, at least: a factor."""

FLOOR = 1e-4
"""The least overspend that is drawn, as a share."""


def valley(
    posterior: Posterior,
    C: ArrayLike,
    plans: Plans = (),
    *,
    figure: Canvas | None = None,
    risk: Risk = "mean",
    level: float = 0.9,
    counting: Rule = "6ND",
    max_params: float | None = None,
    costs: Costs | None = None,
    **extras: ArrayLike,
) -> Canvas:
    """Draw what models of each size overspend at a budget, with plans on it.

    Parameters
    ----------
    posterior : Posterior
        Of a law of N and D.
    C : float or array, shape (budget,)
        Budgets; each gets a panel.
    plans
        As for `scalingfit.decide`; those with tokens of their own are not drawn.
    figure : matplotlib figure, optional
        Where to draw.
    risk, level, counting, max_params, costs, **extras
        As for `scalingfit.decide`.
    """
    options: dict[str, Any] = {
        "counting": counting,
        "max_params": max_params,
        "costs": costs,
        **extras,
    }
    found = decide(posterior, C, plans, risk=risk, level=level, **options)
    return valley_of(posterior, found, figure, **options)


def valley_of(
    posterior: Posterior, found: Decision, figure: Canvas | None = None, **options: Any
) -> Canvas:
    """Draw what models of each size overspend, of a decision that was made with these options."""
    budgets = list(dict.fromkeys(found.C[row] for row in _of(found, found.best)))
    figure = style.blank(figure, 1.6 + 5.4 * len(budgets), 4.8, posterior.title)
    law = style.thinned(posterior, DRAWS)
    panels = figure.subplots(1, len(budgets), squeeze=False)[0]
    for axes, budget in zip(panels, budgets, strict=True):
        rows = np.flatnonzero(budget == found.C)
        N = np.geomspace(found.N[rows].min() / SPAN, found.N[rows].max() * SPAN, SIZES)
        _slopes(axes, decide(law, budget, [*N], **options))
        _marks(axes, found, rows)
        style.log_axis(axes, "x")
        style.tidy(axes, f"What does a size overspend at {quantity('C', budget)} FLOP?")
        axes.set(xlabel="parameters N", ylabel="overspend")
        style.legend_below(axes, 2)
    return figure


def _of(found: Decision, name: str) -> list[int]:
    return [row for row, plan in enumerate(found.plans) if plan == name]


def _slopes(axes: Axes, found: Decision) -> None:
    """The bands over sizes, all but the first row, which is the best."""
    order = np.argsort(found.N[1:]) + 1
    draws = found.overspend.reshape(-1, len(found.N))[:, order]
    bands = np.quantile(draws, style.BAND, axis=0, method="inverted_cdf") - 1.0
    style.band(axes, found.N[order], np.maximum(bands, FLOOR), style.BLUE, "overspend")
    axes.set_yscale("log")
    axes.set_xlim(found.N[order][0], found.N[order][-1])
    top = np.nanmax(np.where(np.isfinite(bands), bands, np.nan))
    axes.set_ylim(FLOOR, min(2.0 * top, 100.0))
    shares = [share for share in (1e-4, 1e-3, 0.01, 0.1, 1.0, 10.0, 100.0) if share <= 2.0 * top]
    axes.set_yticks(shares, [f"{100 * share:g} %" for share in shares])
    axes.minorticks_off()


def _marks(axes: Axes, found: Decision, rows: Any) -> None:
    """Where the plans stand."""
    colors = (style.INK, *(color for color, _ in style.PUBLISHED), style.SKY, style.GREY)
    for at, row in enumerate(rows):
        middle = np.median(found.overspend.reshape(-1, len(found.N))[:, row]) - 1.0
        label = f"{found.plans[row]}: {percent(found.wasted[row] / found.C[row])} % wasted"
        axes.plot(
            found.N[row],
            max(middle, FLOOR),
            "D" if at == 0 else "o",
            color=colors[at % len(colors)],
            ms=7,
            mec="white",
            label=label,
            zorder=5,
            clip_on=True,
        )
