"""The table and the picture that are made of the ranks."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.stats import binom

import scalingfit as sf
from benchmarks.sbc.cells import FALSE_ALARMS, ROWS, SLOW, TIERS, Cell, cells
from benchmarks.sbc.kept import calibrations, written
from benchmarks.speed.problem import environment, markdown
from scalingfit.evidence import Calibration, band
from scalingfit.report.evidence_plots import distributions

REPORT = Path(__file__).parents[1] / "sbc.md"
PICTURE = REPORT.with_suffix(".png")


def report() -> None:
    """Write the table and the picture."""
    found = calibrations()
    draw(found)
    kept = written()
    lines = [
        [
            cell.law,
            cell.tier,
            cell.rows,
            one.simulations,
            f"{one.failed / one.simulations:.1%}",
            one.left_out,
            *coverages(one),
            against_fit(cell, found),
            f"{min(map(one.p_value, one.ranks)):.2g}",
            ", ".join(f"`{name}`" for name in one.uneven) or "-",
            f"{kept[cell.key]['seconds'] / one.simulations:.2f}",
        ]
        for cell, one in sorted(found.items(), key=lambda item: item[0].law)
    ]
    head = [
        "law", "as by", "runs", "tables", "not converged", "left out", "covered by 90 %",
        "least", "most", "less that of `fit`", "least p", "outside the band", "s a table",
    ]  # fmt: skip
    REPORT.write_text(f"{introduction(found)}\n{markdown(head, lines)}\n", "utf-8")


def coverages(found: Calibration) -> list[str]:
    """Of 90 % intervals: the mean over all that is ranked, the least and the most."""
    every = {name: found.coverage(name, 0.9) for name in found.ranks}
    ends = min(every, key=every.__getitem__), max(every, key=every.__getitem__)
    mean = float(np.mean([*every.values()]))
    return [f"{mean:.1%}", *(f"{every[name]:.1%} (`{name}`)" for name in ends)]


def against_fit(cell: Cell, found: dict[Cell, Calibration]) -> str:
    """By how much the mean coverage differs from that of `fit` on the same tables."""
    other = dataclasses.replace(cell, tier="fit")
    if cell.tier != "refit" or other not in found:
        return "-"
    here, there = (_covered(found[each]) for each in (cell, other))
    both = min(len(here), len(there))
    apart = here[:both] - there[:both]
    error = apart.std(ddof=1) / math.sqrt(both)
    return f"{apart.mean():+.1%} ± {error:.1%}"


def _covered(found: Calibration) -> NDArray[np.float64]:
    """Of every table: the share of truths that 90 % intervals hold."""
    ranks = np.stack([*found.ranks.values()])
    return np.mean((ranks >= 5) & (ranks < 95), axis=0)


def introduction(found: dict[Cell, Calibration]) -> str:
    """What was done, and the verdict on all cells."""
    outside = sum(not one.ok for one in found.values())
    chance = int(binom.ppf(0.99, len(found), FALSE_ALARMS))
    sizes = sorted({one.simulations for one in found.values()})
    ends = "; ".join(
        "{:.1%} to {:.1%} of {} tables".format(*band(0.9, size), size)
        for size in {sizes[0], sizes[-1]}
    )
    return f"""# Posteriors hold what they claim

Made by `python -m benchmarks.sbc` (`make sbc`): simulation-based calibration (Talts et al. 2018,
arXiv 1804.06788) by `scalingfit.calibrate`. Parameters are drawn from each law's own prior, runs
are simulated with them where published runs lie (log-uniform, inputs independent), and each table
is fitted: as `refit` does (importance sampling where it passes its gates, NUTS elsewhere, 4 chains
of 500 draws), and as `fit` does (NUTS, 4 chains of 1000), both of the exact law; and as `fit` does
where nothing else is said, with the law's error, whose scale and shape are then drawn from their
prior too, exactly zero in half of the tables. What made the runs is ranked among 99 draws of each
fit: every sampled parameter, and what the law says at ten times the largest budget: `N*`, `D*`,
`L*` and `a*`, the exponent of `N*`, or `L` alone where a law splits no budget. Every fit counts,
converged or not; of {", ".join(f"`{name}`" for name in sorted(SLOW))}, whose fits take long, those
that are not converged are not tried again. Tables in which a loss is not finite cannot be fitted:
they are left out, which leaves the posteriors of the others as they are, since it is to be seen
from the table alone.

If sampler, likelihood and prior agree, ranks are uniform. The band is simultaneous over all ranks,
exact (Säilynoja, Bürkner & Vehtari 2022, arXiv 2103.10522), and a cell is outside with a
probability of {100 * FALSE_ALARMS:g} %; so of {len(found)} cells at most {chance} are, 99 % of the
time. **{outside} are.** "less that of `fit`" is the difference of the mean coverages on the same
tables, with its standard error over them. A right coverage of 90 % lies, 95 % of the time, within
{ends}. Over all cells alike they hold
{overall(found)}.

![Distribution functions of ranks, less the uniform one](sbc.png)

{missing(found)}{environment()}
"""


def overall(found: dict[Cell, Calibration]) -> str:
    """The mean coverage by each way of fitting, every cell alike, with its standard error."""
    said = []
    for tier in TIERS:
        every = [_covered(one) for cell, one in found.items() if cell.tier == tier]
        if every:
            mean = np.mean([each.mean() for each in every])
            error = math.sqrt(sum(each.var(ddof=1) / len(each) for each in every)) / len(every)
            said.append(f"{mean:.1%} ± {error:.1%} as by `{tier}` (cells: {len(every)})")
    return ", ".join(said)


def missing(found: dict[Cell, Calibration]) -> str:
    """Which cells are still to be measured."""
    left: dict[tuple[str, int], list[str]] = {}
    for cell in cells():
        if cell not in found:
            left.setdefault((cell.tier, cell.rows), []).append(cell.law)
    if not left:
        return ""
    lines = [
        f"- as by `{tier}`, {rows} runs: {', '.join(laws)}" for (tier, rows), laws in left.items()
    ]
    return "Not measured yet:\n\n" + "\n".join(lines) + "\n\n"


def draw(found: dict[Cell, Calibration]) -> None:
    """A panel for every cell of the exact laws: a row a law, a column a tier and a design.

    Each has its own scale, so that bands are of one height.
    """
    columns = [(tier, rows) for tier in ("refit", "fit") for rows in ROWS]
    laws = [*sf.laws()]
    figure = Figure(figsize=(13, 1.25 * len(laws)), dpi=110, layout="constrained")
    panels = figure.subplots(len(laws), len(columns), sharex=True)
    for row, law in zip(panels, laws, strict=True):
        for axes, (tier, rows) in zip(row, columns, strict=True):
            one = found.get(Cell(law, tier, rows))
            if one is None:
                axes.axis("off")
                continue
            distributions(axes, one)
            axes.set_yticks([])
            axes.text(0.02, 0.93, f"{one.simulations}", transform=axes.transAxes, fontsize=6)
        row[0].set_ylabel(law, fontsize=7)
    for axes, (tier, rows) in zip(panels[0], columns, strict=True):
        axes.set_title(f"as by {tier}, {rows} runs", fontsize=8)
    figure.supxlabel("rank of the truth among the draws, as a share", fontsize=9)
    figure.supylabel(
        "share of tables below, less what is right; each panel to its own scale", fontsize=9
    )
    figure.savefig(PICTURE)
