"""Frontiers for Apache ECharts: options as JSON, for pages and dashboards of one's own."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalingfit.allocation import Rule, subject, terms
from scalingfit.allocation import frontier as solve
from scalingfit.inference import Posterior
from scalingfit.report import _style as style
from scalingfit.result import Json

__all__ = ["frontier"]

BUDGETS, DRAWS = 33, 500

LINES = {"5 %": "dotted", "25 %": "dashed", "median": "solid", "75 %": "dashed", "95 %": "dotted"}
"""Of the quantiles of `style.BAND`."""


def frontier(
    posterior: Posterior,
    C: ArrayLike,
    *,
    counting: Rule = "6ND",
    max_params: float | None = None,
    **extras: ArrayLike,
) -> dict[str, Json]:
    """The best size for each budget with its intervals, the runs, and the budgets that are asked.

    Parameters
    ----------
    posterior : Posterior
        Of a law of N and D.
    C : float or array, shape (budget,)
        Budgets to mark.
    counting, max_params, **extras
        As for `scalingfit.frontier`; single values.

    Returns
    -------
    dict
        For ``chart.setOption``; ``json.dumps`` writes it. Places are decimal logarithms, and the
        axes name the powers of ten: JSON holds no function that could write the numbers shorter.
    """
    rule = terms(counting, max_params, asked=subject(posterior)).training
    spent, N = subject(posterior).counted(rule)["C"], posterior.runs["N"]
    options: dict[str, Any] = {"counting": rule, "max_params": max_params, **extras}
    asked = solve(posterior, C, **options)
    ends = (spent.min() / 2, 2 * max(spent.max(), asked.C.max()))
    law = style.thinned(posterior, DRAWS)
    bands = solve(law, np.geomspace(*ends, BUDGETS), **options)
    series: list[Json] = [
        {
            "name": name, "type": "line", "showSymbol": False, "color": style.BLUE,
            "lineStyle": {"type": kind}, "data": _pairs(bands.C, values),
        }
        for (name, kind), values in zip(
            LINES.items(), bands.quantiles("N", style.BAND), strict=True
        )
    ]  # fmt: skip
    for name, color, places in (
        ("runs", style.GREY, _pairs(spent, N)),
        ("asked", style.ORANGE, _pairs(asked.C, asked.quantiles("N", (0.5,))[0])),
    ):
        size = 6 if name == "runs" else 10
        marks: dict[str, Json] = {"name": name, "type": "scatter", "symbolSize": size}
        series.append({**marks, "color": color, "data": places})
    return {
        "title": {"text": "Where does a budget go?", "subtext": posterior.title},
        "tooltip": {"trigger": "item"},
        "legend": {"bottom": 0, "data": [*LINES, "runs", "asked"]},
        "grid": {"top": 70, "bottom": 80, "left": 90},
        "xAxis": _axis("training compute C [FLOP]", 35),
        "yAxis": _axis("parameters N", 60),
        "series": series,
    }


def _axis(name: str, gap: int) -> Json:
    return {
        "type": "value",
        "name": name,
        "nameLocation": "middle",
        "nameGap": gap,
        "scale": True,
        "minInterval": 1,
        "axisLabel": {"formatter": "10^{value}"},
    }


def _pairs(x: NDArray[np.float64], y: NDArray[np.float64]) -> Json:
    """Decimal logarithms, to five digits behind the point: a part in 40,000 of the numbers."""
    places = np.round(np.log10(np.stack([x, y], axis=1)), 5)
    return [[float(a), float(b)] for a, b in places if np.isfinite(b)]  # where there is a best size
