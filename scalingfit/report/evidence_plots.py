"""Pictures of comparisons, backtests, calibrations and reconciliations."""

from __future__ import annotations

from collections.abc import Sequence, Sized
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from scalingfit._errors import InputError
from scalingfit._messages import Argument, Message
from scalingfit.allocation import Counting, Rule, SixND, subject
from scalingfit.allocation import counting as rule
from scalingfit.evidence import (
    LEVELS,
    METHODS,
    NINETY,
    PLAIN,
    Backtest,
    Comparison,
    Reconciliation,
    ScoredForecasts,
    band,
    coverage,
)
from scalingfit.report._calibration import calibration, distributions
from scalingfit.report._style import (
    AMBER,
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PINK,
    SKY,
    Canvas,
    blank,
    log_axis,
    tidy,
)

__all__ = ["backtest", "calibration", "comparison", "distributions", "reconciliation"]

COLORS = (BLUE, ORANGE, GREEN, PINK, INK, SKY, AMBER)
BINS = 10
MOST = 0.95  # of the ends of intervals are inside the picture
Floats = NDArray[np.float64]


def comparison(
    found: Comparison, figure: Canvas | None = None, *, counting: Rule = "6ND"
) -> Canvas:
    """Each law's frontier over the same runs, and its forecasts of held-out runs.

    Parameters
    ----------
    found : Comparison
        Laws that do not split a budget between N and D alone have no frontier to draw.
    counting : str, Counting or callable
        What a run costs; see `scalingfit.allocation.frontier`.
    figure : figure, optional
        To draw into.

    Raises
    ------
    InputError
        No law has a frontier, and no larger runs were forecast.
    """
    figure = blank(figure, 11, 4.6)
    drawn = list(found.candidates.items())[: len(COLORS)]
    futures = {name: item.future for name, item in drawn if item.future is not None}
    splitting = [n for n, fit in found.posteriors.items() if set(fit.model.law.inputs()) == PLAIN]
    if not splitting and not futures:
        raise InputError(
            "there is nothing to draw: no law splits a budget between N and D alone, and no larger "
            "runs were forecast",
            remedy=Message("name cuts, so that there are forecasts: ", Argument("cuts"), "."),
        )
    right = figure
    if splitting:
        halves: Any = figure.subfigures(1, 2)  # Matplotlib's stub knows of one alone
        left, right = halves
        _frontiers(left.subplots(), found, splitting, rule(counting))
    if futures:
        columns = 1 if len(futures) < 3 else 2
        panels = right.subplots(
            -(-len(futures) // columns), columns, sharex=True, sharey=True, squeeze=False
        ).ravel()
        for axes, color, (name, scored) in zip(panels, COLORS, futures.items(), strict=False):
            _forecasts(axes, scored, name, color)
        for axes in panels[len(futures) :]:
            axes.axis("off")
        _finish(panels[0])
        right.supxlabel("times larger than the largest fitted run", fontsize=10)
        right.supylabel("loss from its median forecast; lines: 90 % of new runs", fontsize=10)
        right.suptitle(
            f"Larger runs, forecast from smaller ones{_rest(found.candidates)}", x=0.12, ha="left",
            fontsize=11, fontweight="bold", color=INK,
        )  # fmt: skip
    return figure


def _rest(laws: Sized) -> str:
    """How many laws there are no colours for, if any."""
    return f" ({len(laws) - len(COLORS)} laws not drawn)" if len(laws) > len(COLORS) else ""


def _frontiers(axes: Axes, found: Comparison, splitting: Sequence[str], counted: Counting) -> None:
    """Where each law would spend a budget, as far as a hundred times the largest."""
    runs, asked = found.runs, subject(found.posteriors[splitting[0]])
    counted = asked.own(counted)
    scale = asked.counted(counted)["C"]
    C = np.geomspace(scale.min(), 100 * scale.max(), 40)
    axes.scatter(scale, runs["N"], s=10, color=GREY, alpha=0.6, linewidths=0, label="runs")
    for color, name in zip(COLORS, found.posteriors, strict=False):
        if name not in splitting:
            axes.plot([], [], color=color, label=f"{name}: not of N and D alone")
            continue
        low, middle, high = found.posteriors[name].frontier(C, counting=counted).quantiles("N")
        axes.fill_between(C, low, high, color=color, alpha=0.2, linewidth=0)
        axes.plot(C, middle, color=color, label=f"{name}, weight {found.weights[name]:.2f}")
    axes.axvline(scale.max(), color=GREY, linewidth=0.8, linestyle=":")
    how = "" if isinstance(counted, SixND) else f" ({counted.name})"
    axes.set(xlabel=f"compute C, FLOP{how}", ylabel="best size N*, parameters")
    tidy(axes, f"Where would each law spend a budget?{_rest(found.candidates)}")
    axes.set_xscale("log")
    axes.set_yscale("log")
    log_axis(axes, "x", flop=True)
    log_axis(axes, "y")
    axes.legend(
        frameon=False, fontsize=8, title="bands: 90 % of the draws", title_fontsize=8, ncols=3,
        loc="upper center", bbox_to_anchor=(0.5, -0.14),
    )  # fmt: skip


def _forecasts(axes: Axes, scored: ScoredForecasts, name: str, color: str) -> None:
    """Losses of held-out runs, over a law's forecasts of them."""
    distance = _side_by_side(scored.distance)
    low, high = scored.ends[NINETY] / scored.point
    axes.vlines(distance, low, high, color=color, alpha=0.25, linewidth=1.5)
    _losses(axes, scored, distance)
    axes.set_xscale("log")
    tidy(axes)
    axes.set_title(
        f"{name}: {scored.covered().mean():.0%} inside", loc="left", fontsize=9, color=INK
    )


def _side_by_side(distance: Floats) -> Floats:
    """Distances with those of one budget moved apart a little, so that none hides another."""
    log = np.log(distance)
    width = 0.06 * max(float(np.ptp(log)), 0.5)
    budget = np.round(log / width)
    for place in np.unique(budget):
        here = np.flatnonzero(budget == place)
        if len(here) > 1:
            log[here] += 0.4 * width * np.linspace(-1, 1, len(here))
    return np.asarray(np.exp(log))


def _finish(axes: Axes) -> None:
    """Limits and ticks, once all laws are drawn: the axes are shared."""
    low, high = axes.get_ylim()
    # A wide interval of one law would hide all that the others say.
    axes.set_ylim(max(low, 0.7), min(high, 1.4))
    log_axis(axes, "x")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _percent(value - 1)))


def _percent(value: float) -> str:
    return "0" if abs(value) < 1e-9 else f"{100 * value:+.3g} %"


def backtest(found: Backtest, figure: Canvas | None = None) -> Canvas:
    """Whether forecasts were right: PIT, coverage, and errors against distance.

    Parameters
    ----------
    found : Backtest
    figure : figure, optional
        To draw into.
    """
    records = dict(list(found.records.items())[: len(COLORS)])
    figure = blank(figure, 12, 4)
    pits, shares, errors = figure.subplots(1, 3)
    for color, (name, scored) in zip(COLORS, records.items(), strict=False):
        _pit(pits, scored, name, color)
        _coverage(shares, scored, color)
    count = min(scored.count() for scored in records.values())
    low, high = band(1 / BINS, count)
    pits.axhspan(low * BINS, high * BINS, color=GREY, alpha=0.2, linewidth=0)
    pits.set(xlabel="share of the forecast below what happened", ylabel="density", xlim=(0, 1))
    tidy(pits, f"Flat if the forecasts are right{_rest(found.records)}")
    figure.legend(loc="outside lower left", ncols=len(records), frameon=False, fontsize=9)
    ends = np.array([band(level, count) for level in LEVELS])
    shares.fill_between(LEVELS, ends[:, 0], ends[:, 1], color=GREY, alpha=0.2, linewidth=0)
    shares.plot([0, 1], [0, 1], color=GREY, linewidth=0.8)
    shares.set(
        xlabel="their probability", ylabel="share of the runs", xlim=(0.45, 1), ylim=(0, 1.02)
    )
    tidy(shares, "How many runs lay in their intervals?")
    best = found.best
    shown = dict(zip(records, COLORS, strict=False))
    _errors(errors, found.records[best], shown.get(best, INK))
    tidy(errors, f"How far off was {best}?")
    errors.set(
        xlabel="times larger than the largest fitted run",
        ylabel="loss from its median forecast; lines: 90 %",
    )
    errors.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _percent(value - 1)))
    errors.set_xscale("log")
    log_axis(errors, "x")
    return figure


def _pit(axes: Axes, scored: ScoredForecasts, name: str, color: str) -> None:
    counts, edges = np.histogram(scored.pit, bins=BINS, range=(0, 1), density=True)
    axes.stairs(counts, edges, color=color, label=name, linewidth=1.5)


def _coverage(axes: Axes, scored: ScoredForecasts, color: str) -> None:
    found = coverage(scored.ends, scored.observed)
    axes.plot(LEVELS, found, marker="o", markersize=4, color=color)


def _errors(axes: Axes, scored: ScoredForecasts, color: str) -> None:
    distance = _side_by_side(scored.distance)
    ends = scored.ends[NINETY] / scored.point
    axes.vlines(distance, *ends, color=color, alpha=0.35, linewidth=1.5)
    ratio = _losses(axes, scored, distance)
    # A few wide intervals, of some of many tables, would hide all the others.
    low, high = axes.get_ylim()
    far = max(2 * float(np.max(np.abs(ratio - 1))), float(np.quantile(np.abs(ends - 1), MOST)))
    axes.set_ylim(max(low, 1 - far), min(high, 1 + far))


def _losses(axes: Axes, scored: ScoredForecasts, distance: Floats) -> Floats:
    """What happened, over its forecast."""
    ratio = np.asarray(scored.observed / scored.point)
    axes.scatter(distance, ratio, s=8, color=INK, alpha=0.7, linewidths=0, zorder=3)
    axes.axhline(1, color=GREY, linewidth=0.8)
    return ratio


def reconciliation(found: Reconciliation, figure: Canvas | None = None) -> Canvas:
    """The exponent of every stage with its 90 % intervals, beside what was published.

    Parameters
    ----------
    found : Reconciliation
    figure : figure, optional
        To draw into.
    """
    rows = [*found.stages.items()]
    figure = blank(figure, 8.5, 1.6 + 0.55 * len(rows))
    axes = figure.subplots()
    for place, (color, method) in enumerate(zip(COLORS, METHODS, strict=False)):
        kept = [
            (at + 0.22 * (place - 1), exponent.interval)
            for at, (_, stage) in enumerate(rows)
            if (exponent := stage.exponents[method]) is not None
        ]
        low, middle, high = np.array([ends for _, ends in kept]).reshape(-1, 3).T
        axes.errorbar(
            middle, [at for at, _ in kept], fmt="o", markersize=4,
            xerr=[middle - low, high - middle], color=color, label=method,
        )  # fmt: skip
    known = [(value, at) for at, (_, stage) in enumerate(rows) for value in stage.published]
    if known:
        values, places = zip(*known, strict=True)
        axes.scatter(values, places, marker="|", s=500, color=INK, label="published")
    axes.axvline(0.5, color=GREY, linewidth=0.8, linestyle=":")
    axes.axvline(0.73, color=GREY, linewidth=0.8, linestyle=":")
    axes.set_yticks(range(len(rows)), [name for name, _ in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlabel("a in N* ~ C^a\ndotted: 0.50 (Hoffmann et al.), 0.73 (Kaplan et al.)")
    tidy(axes, "Which exponent, stage by stage?")
    # Beside the axes, where no interval can be.
    axes.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1, 1), markerscale=0.5)
    return figure
