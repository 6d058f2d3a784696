"""`python -m benchmarks.ladder.picture`: draw the table and print what it shows."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from .isoflop import Curve, curves, seed_scatter

PICTURE = Path(__file__).with_name("isoflop.png")


def main() -> None:
    """Write ``isoflop.png`` and print the curves' minima and the seeds' scatter as Markdown."""
    drawn = curves()
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(10, 4.4), width_ratios=(1.7, 1), layout="constrained"
    )
    _isoflop(left, drawn)
    _optima(right, drawn)
    figure.savefig(PICTURE, dpi=110, metadata={"Software": None})
    print(report(drawn))


def report(drawn: list[Curve]) -> str:
    """Markdown: one line a budget, then the replicated cells."""
    lines = [
        "| C [FLOP] | sizes | N\\* | D\\* [bytes] | D\\*/N\\* | loss at N\\* | grid about N\\* |"
    ]
    lines.append("|---|---|---|---|---|---|---|")
    for curve in drawn:
        best = curve.optimum
        tokens = curve.budget / (6 * best)
        loss = curve.at(np.array(best))
        lines.append(
            f"| {curve.budget:.2g} | {len(curve.cells)} | {best:,.0f} | {tokens:,.0f} "
            f"| {tokens / best:.1f} | {loss:.3f} "
            f"| {curve.sizes[0] / best:.3f} to {curve.sizes[-1] / best:.1f} |"
        )
    lines += ["", "| C [FLOP] | N | losses by seed | scatter [%] | loss_se [%] |"]
    lines.append("|---|---|---|---|---|")
    for curve in drawn:
        for cell in (c for c in curve.cells if c.losses.size > 1):
            scatter = np.log(cell.losses).std(ddof=1)
            losses = " ".join(f"{loss:.4f}" for loss in cell.losses)
            lines.append(
                f"| {curve.budget:.2g} | {cell.params:,} | {losses} "
                f"| {100 * scatter:.2f} | {100 * cell.loss_se / cell.loss:.2f} |"
            )
    lines += ["", f"pooled scatter between seeds: {100 * seed_scatter(drawn):.2f} %"]
    return "\n".join(lines)


def _isoflop(axes: Axes, drawn: list[Curve]) -> None:
    colors = plt.colormaps["viridis"](np.linspace(0, 0.82, len(drawn)))
    for curve, color in zip(drawn, colors, strict=True):
        sizes = np.geomspace(curve.sizes[0], curve.sizes[-1], 200)
        axes.plot(sizes, curve.at(sizes), color=color, lw=1.2)
        for cell in curve.cells:
            x = np.full(cell.losses.size, float(cell.params))
            axes.errorbar(x, cell.losses, cell.loss_se, fmt="o", ms=3.5, lw=0.8, color=color)
        best = np.array(curve.optimum)
        axes.plot(best, curve.at(best), "*", ms=13, color=color, mec="black", mew=0.7)
        axes.annotate(
            f"{curve.budget:.2g} FLOP".replace("e+", "e"),
            (curve.sizes[-1], curve.losses[-1]),
            xytext=(7, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            color=color,
        )
    axes.set(xscale="log", yscale="log", xlabel="parameters N", ylabel="loss [nats per byte]")
    axes.set_xlim(right=axes.get_xlim()[1] * 3)  # room for the budgets' names
    ticks = [1.4, 1.6, 1.8, 2.0, 2.2, 2.5, 3.0, 3.5, 4.0]
    low, high = axes.get_ylim()
    axes.set_yticks(shown := [t for t in ticks if low < t < high], [f"{t:g}" for t in shown])
    axes.minorticks_off()
    axes.set_title("IsoFLOP curves; star: minimum of the cubic", fontsize=10)
    axes.grid(alpha=0.25)


def _optima(axes: Axes, drawn: list[Curve]) -> None:
    budgets = np.array([curve.budget for curve in drawn])
    optima = np.array([curve.optimum for curve in drawn])
    for values, marker, label in ((optima, "*", "N*"), (budgets / 6 / optima, "o", "D*")):
        slope, offset = np.polyfit(np.log(budgets), np.log(values), 1)
        axes.plot(budgets, np.exp(offset) * budgets**slope, color="0.6", lw=1)
        axes.plot(
            budgets,
            values,
            marker,
            ms=8,
            label=f"{label} ∝ $C^{{{slope:.2f}}}$",
            mec="black",
            mew=0.5,
        )
    axes.set(xscale="log", yscale="log", xlabel="budget C = 6ND [FLOP]")
    axes.minorticks_off()
    axes.set_xticks(budgets, [f"{c:.2g}".replace("e+", "e") for c in budgets])
    axes.set_title("parameters N* and bytes D* at the minima", fontsize=10)
    axes.legend(frameon=False)
    axes.grid(alpha=0.25)


if __name__ == "__main__":
    main()
