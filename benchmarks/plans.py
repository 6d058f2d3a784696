"""Chinchilla's runs and two budgets: what to train, what rules of thumb cost, what to run next.

    python -m benchmarks.plans

writes ``benchmarks/plans.md`` and ``benchmarks/plans.png``. The table is fetched once
(``scalingfit.datasets``).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

import scalingfit as sf
from benchmarks.speed.problem import environment, epoch
from scalingfit._text import quantity
from scalingfit.allocation import Costs, Decision
from scalingfit.inference import Posterior
from scalingfit.report import plots

REPORT, PICTURE = Path("benchmarks/plans.md"), Path("benchmarks/plans.png")
BUDGETS, LARGEST = (5.76e23, 3.8e25), 1.3e22
RULES = ("20tpp", "hoffmann-2022", "kaplan-2020")
PILOTS, BATCH = 5e22, 8
COSTS = Costs.of("h100", mfu=0.45, price=2.5)

HEAD = f"""# What Chinchilla's runs say of two budgets

Made by `python -m benchmarks.plans`: Chinchilla's law, fitted to the 240 runs that Besiroglu et al.
2024 (arXiv 2404.10102) keep, is asked for two budgets: 5.76e23 FLOP, that of Chinchilla 70B, and
3.8e25, that of Llama 3 405B, {BUDGETS[0] / LARGEST:.0f} and {BUDGETS[1] / LARGEST:.0f} times the
largest run. Compute costs $2.5 an hour of an H100 at 45 % of its peak. The rules are 20 tokens per
parameter, the optimum of Hoffmann et al.'s constants, and Kaplan et al.'s exponent.

With the error of the law the posterior is a distribution of functions. What it says to be wasted is
measured from the best split of each, which no one can know: so far from the runs most of it is due
to bumps and slopes that they do not tell, and even the best plan wastes much. What can be decided
is the difference between plans.
"""


def main() -> None:
    runs = epoch()
    fits = {
        "with the law's error, the default": sf.fit(runs, "chinchilla"),
        "with the law taken for exact": sf.fit(runs, "chinchilla", law_error=None),
    }
    found = {name: sf.decide(post, BUDGETS, RULES, costs=COSTS) for name, post in fits.items()}
    honest = next(iter(fits.values()))
    plots.save(plots.valley(honest, BUDGETS, RULES), PICTURE)
    REPORT.write_text(report(found, honest))
    print(REPORT.read_text())


def report(found: dict[str, Decision], honest: Posterior) -> str:
    """The page."""
    lines = [HEAD, summary(found), "![Overspend against size](plans.png)", ""]
    for name, decision in found.items():
        lines += [f"## `decide`, {name}", "", "```", str(decision), "```", ""]
    design = sf.design(honest, PILOTS, target=BUDGETS[0], aim="size", batch=BATCH, costs=COSTS)
    lines += [
        f"## `design`: {quantity('C', PILOTS)} FLOP of runs for {quantity('C', BUDGETS[0])}",
        "",
        "```",
        str(design),
        "```",
        "",
        environment(),
    ]
    return "\n".join(lines) + "\n"


def summary(found: dict[str, Decision]) -> str:
    """What each plan is expected to waste, with and without the error of the law."""
    lines = [
        "| C [FLOP] | plan | N | " + " | ".join(f"wasted, {name}" for name in found) + " |",
        "| --- | --- | --- | " + " | ".join("---" for _ in found) + " |",
    ]
    first = next(iter(found.values()))
    for row, plan in enumerate(first.plans):
        cells = [_wasted(decision, row) for decision in found.values()]
        sizes = dict.fromkeys(f"{decision.N[row] / 1e9:.3g}B" for decision in found.values())
        lines.append(
            f"| {quantity('C', first.C[row])} | {plan} | {', '.join(sizes)} | {' | '.join(cells)} |"
        )
    return "\n".join(lines) + "\n"


def _wasted(decision: Decision, row: int) -> str:
    wasted = decision.wasted[row]
    money = float(COSTS.money(np.array([wasted])).item())
    return f"{wasted / decision.C[row]:.2%}, ${money:,.0f}"


if __name__ == "__main__":
    main()
