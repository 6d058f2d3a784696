"""Figures of a fit itself: what was learnt of the parameters, and what the law misses."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray
from scipy.stats import gaussian_kde

from scalingfit.inference import Posterior, prior_values
from scalingfit.report import _style as style
from scalingfit.report._style import Canvas

__all__ = ["parameters", "residuals"]

NAMES = {"N": "parameters N", "D": "tokens D", "C": "training compute C [FLOP]"}

SHOWN = (0.002, 0.985)
"""Quantiles of the posterior between which a parameter is drawn, before a margin is added."""

WIDE = 20.0
"""From this factor between these quantiles on, a parameter is drawn on a log axis."""

FEWEST = 20
"""Draws that it takes to draw a density."""


def parameters(posterior: Posterior, *, figure: Canvas | None = None) -> Canvas:
    """Draw the marginal posterior of every sampled parameter, its prior, and published values.

    Parameters
    ----------
    posterior : Posterior
    figure : matplotlib figure, optional
        Where to draw.
    """
    names = [name for name in posterior.draws if name in posterior.model.sites]
    columns = 4 if len(names) > 6 else 3
    rows = -(-len(names) // columns)
    figure = style.blank(figure, 7.2, 1.5 + 1.6 * rows, posterior.title)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    priors = prior_values(posterior.model)
    for axes, name in zip(panels, names, strict=False):
        _marginal(axes, posterior.draws[name].ravel(), priors[name])
        axes.set_title(name, loc="left", fontsize=10, fontweight="bold", color=style.INK)
    for axes in panels[len(names) :]:
        axes.set_axis_off()
    _mark_published(dict(zip(names, panels, strict=False)), posterior)
    _legend(figure, panels, spare=panels[len(names) :])
    figure.suptitle("What was learnt?", x=0.01, ha="left", fontsize=11, fontweight="bold")
    return figure


def residuals(posterior: Posterior, *, figure: Canvas | None = None) -> Canvas:
    """Draw what each run's loss misses of the law, against every input and the expected loss.

    Parameters
    ----------
    posterior : Posterior
    figure : matplotlib figure, optional
        Where to draw.
    """
    inputs = posterior.runs.input(posterior.model.law.inputs())
    relative = posterior.model.noise.on_log
    missed, L = posterior.residuals(), posterior.runs["L"]
    expected = L / np.exp(missed) if relative else L - missed
    missed = 100 * np.expm1(missed) if relative else missed
    against = {**inputs, style.loss_label(posterior.runs, "expected loss"): expected}
    figure = style.blank(figure, 2.5 * len(against), 3.4, posterior.title)
    panels = figure.subplots(1, len(against), sharey=True, squeeze=False).ravel()
    for axes, (name, values) in zip(panels, against.items(), strict=True):
        axes.axhline(0, color=style.INK, lw=1)
        axes.scatter(values, missed, s=20, color=style.BLUE, alpha=0.7, ec="white", lw=0.4)
        axes.set_xlabel(NAMES.get(name, name), fontsize=8)
        if name in inputs:
            axes.set_xscale("log")
            style.log_axis(axes, "x", most=4)
        style.tidy(axes)
    above = "loss above the law"
    panels[0].set_ylabel(f"{above} [%]" if relative else style.loss_label(posterior.runs, above))
    figure.suptitle("What does the law miss?", x=0.01, ha="left", fontsize=11, fontweight="bold")
    return figure


def _marginal(axes: Axes, draws: NDArray[np.float64], prior: NDArray[np.float64]) -> None:
    exact = float(np.mean(draws == 0.0))  # an error's scale, where the law may have none
    known = draws[draws != 0.0] if np.count_nonzero(draws) >= FEWEST else prior[prior != 0.0]
    low, high = np.quantile(known, SHOWN)
    positive = bool(np.all(prior >= 0))
    wide = positive and low > 0 and high > WIDE * low and not exact
    if wide:
        margin = (high / low) ** 0.2
        grid = np.geomspace(low / margin, high * margin, 200)
    else:
        margin = 0.35 * (high - low)
        grid = np.linspace(max(low - margin, 0.0 if low > 0 else -np.inf), high + margin, 200)
    unit = grid if wide else 1.0  # on a log axis a density is one per unit of the logarithm
    height = unit * _density(draws, grid, wide or (positive and exact > 0))
    axes.fill_between(grid, height, color=style.BLUE, alpha=0.25, lw=0)
    axes.plot(grid, height, color=style.BLUE, lw=1.6, label="posterior")
    # The prior's density where the posterior lies; of its logarithms it is smoother.
    before = unit * _density(prior, grid, positive)
    axes.plot(grid, before, color=style.GREY, lw=1.2, ls="--", label="prior")
    axes.set_xlim(grid[0], grid[-1])
    axes.set_ylim(0, 1.12 * height.max())
    if exact:
        axes.set_xlim(-0.06 * grid[-1], grid[-1])
        axes.set_ylim(0, 1.12 * max(height.max(), before.max()))
        axes.axvline(0, color=style.BLUE, lw=3)
        axes.annotate(
            f"0: {100 * exact:.2g} %", (0, 1), xycoords=("data", "axes fraction"),
            xytext=(5, -3), textcoords="offset points", va="top", fontsize=8, color=style.BLUE,
        )  # fmt: skip
    axes.set_yticks([])
    style.tidy(axes)
    axes.spines["left"].set_visible(False)
    if wide:
        style.log_axis(axes, "x", most=3)
    else:
        axes.locator_params(axis="x", nbins=3)


def _density(
    draws: NDArray[np.float64], grid: NDArray[np.float64], positive: bool
) -> NDArray[np.float64]:
    """The density of draws, apart from those at zero; of positive numbers by their logarithms."""
    apart = draws[draws != 0.0]
    if len(apart) < FEWEST:
        return np.zeros_like(grid)
    share = len(apart) / len(draws)
    if not positive:
        return np.asarray(share * gaussian_kde(apart)(grid))
    place = np.maximum(grid, 1e-300)
    return np.asarray(share * gaussian_kde(np.log(apart))(np.log(place)) / place)


def _mark_published(panels: dict[str, Axes], posterior: Posterior) -> None:
    """A line at each published value that lies within a panel."""
    for (color, dashes), (key, point) in zip(
        style.PUBLISHED, posterior.model.law.published.items(), strict=False
    ):
        for name, axes in panels.items():
            value = point.values.get(name)
            low, high = axes.get_xlim()
            if value is not None and low <= value <= high:
                axes.axvline(value, color=color, ls=dashes, lw=1.5, label=key)


def _legend(figure: Canvas, panels: NDArray[Any], spare: NDArray[Any]) -> None:
    """One legend for all panels: in a panel that is left over, or else below them."""
    shown = {
        label: handle
        for axes in panels
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    options: dict[str, Any] = {"fontsize": 9, "frameon": False}
    if len(spare):
        spare[-1].legend(shown.values(), shown, loc="center", **options)
    else:
        figure.legend(shown.values(), shown, loc="outside lower center", ncols=4, **options)
