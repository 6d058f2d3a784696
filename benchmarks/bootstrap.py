"""How sure is the exponent: the posterior against refits to resampled runs and resampled budgets.

    SCALINGFIT_DATA=FOLDER python -m benchmarks.bootstrap [--resamples COUNT]

writes ``benchmarks/bootstrap.md``. What was fitted stands in ``benchmarks/out/bootstrap.json``, and
is not fitted again.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import scalingfit as sf
from benchmarks.speed.problem import environment, markdown
from benchmarks.tables import epoch
from scalingfit.inference import Limits, Posterior
from scalingfit.runs import Runs

type Floats = NDArray[np.float64]
type Spread = dict[str, tuple[float, float]]

REPORT = Path(__file__).with_suffix(".md")
KEPT = Path(__file__).parent / "out" / "bootstrap.json"
NOMINAL = (6e18, 1e19, 3e19, 6e19, 1e20, 3e20, 6e20, 1e21, 3e21)
"""FLOP: the budgets of Hoffmann et al. 2022 (arXiv 2203.15556, section 3.2)."""

INSIDE, OUTSIDE = (1e19, 1e20, 1e21), (1e22, 5.76e23)
BUDGETS = (*INSIDE, *OUTSIDE)
FEWER = 40
"""Resamples that are refitted with the error, which is dear."""

POSTERIOR = "posterior, law with error"
EXPONENTS = ("closed form", "slope inside", *(f"slope at {C:g}" for C in INSIDE))

HEAD = f"""# How sure is the exponent?

Made by `python -m benchmarks.bootstrap`: Chinchilla's law on the 240 runs that Besiroglu et al.
2024 keep. A bootstrap fits the law to resampled runs and asks how the answer scatters. Where runs
of one budget err together, whole budgets must be resampled: the nine of the paper, each run in that
which is nearest on a log scale, or the groups of runs that lie within 10 % of each other. Refits
are posterior medians under Student-t scatter, by `refit`; *log-Huber* are point estimates, as in
the literature.

*Closed form* is beta / (alpha + beta), the exponent of the law's own optimum. *Slope inside* is
that of log N* between {INSIDE[0]:g} and {INSIDE[-1]:g} FLOP, two decades that the runs span;
*slope at* a budget is the local one. Under an exact law they are all the same number. With its
error they are not: the first is of the law's part of the sum, the others are of the sum, which is
what the runs show.
"""

SAID = """## What it says

A bootstrap of an exact law asks how far the law's constants move when other runs, or other budgets,
are drawn. Runs of one budget err together: resampled by budgets, the exponent spreads several times
as far as the exact posterior says, which counts every run as independent. The law with its error
allows for that too, but it divides the doubt differently, so the two agree in some figures and not
in others:

- The best size in the middle of the runs and just beyond them is as uncertain as by the bootstrap
  of budgets.
- The exponent of the law's own part is less certain than any bootstrap of an exact law says, since
  the error can take up what the law does not. So is the local slope, of a sum that is known at the
  runs and may bend between them. The mean slope over the runs is *more* certain than by that of
  budgets: an exact law that sees other budgets tilts as a whole, where the law with its error is
  held by the runs that are there.
- Refits of the law with its error to resampled budgets ask the posterior about the same quantities.
  Inside the runs they spread as it does, or less where a function that may bend has many ways to;
  a budget that was not drawn is a gap, which adds some. Far beyond the runs they spread much less:
  there the doubt is about what no run shows, and no resampling of runs can show it.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--resamples", type=int, default=400)
    asked = parser.parse_args()
    if not KEPT.is_file():
        measure(asked.resamples)
    REPORT.write_text(report(**json.loads(KEPT.read_text("utf-8"))), encoding="utf-8")


def measure(count: int) -> None:
    """Fit everything, and keep the medians and the standard deviations."""
    runs = epoch()
    away = np.abs(np.log(runs["C"][:, None] / NOMINAL))
    groups = {
        "runs": None,
        "budgets within 10 %": runs.budgets.usual,
        "the nine budgets": away.argmin(axis=1),
    }
    spreads: dict[str, Spread] = {}
    huber = sf.point(runs, bootstrap=count).bootstrap
    assert huber is not None
    spreads["bootstrap of runs, log-Huber"] = spread(of_exact(huber))
    for name, numbers in groups.items():
        spreads[f"bootstrap of {name}"] = spread(refitted(runs, numbers, count))
    spreads["bootstrap of the nine budgets, with the error"] = spread(
        open_refits(runs, away.argmin(axis=1))
    )
    alone = sf.fit(runs, law_error=None)
    spreads["posterior, law exact"] = spread(of_exact(alone.law))
    spreads[POSTERIOR] = spread(of_sum(sf.fit(runs)))
    KEPT.parent.mkdir(exist_ok=True)
    KEPT.write_text(json.dumps({"count": count, "spreads": spreads}), encoding="utf-8")


def resamples(runs: Runs, numbers: NDArray[np.int64] | None, count: int) -> dict[int, Runs]:
    """Tables in which runs, or groups of runs by their numbers, were drawn with replacement."""
    labels = {} if numbers is None else {"group": numbers}
    table = Runs.from_columns(runs.columns, labels=labels)
    return sf.designs.bootstraps(table, count, cluster=None if numbers is None else "group")


def refitted(runs: Runs, numbers: NDArray[np.int64] | None, count: int) -> dict[str, Floats]:
    """Medians of the answers of each refit of the exact law, (resample,)."""
    refits = sf.refit(resamples(runs, numbers, count), law_error=None)
    return medians([of_exact(fit.law) for fit in refits.fits.values() if converged(fit)])


def open_refits(runs: Runs, numbers: NDArray[np.int64]) -> dict[str, Floats]:
    """The same of the law with its error, of fewer resamples and draws."""
    refits = sf.refit(resamples(runs, numbers, FEWER), draws=200, limits=Limits(rhat=1.03, ess=150))
    return medians([of_sum(fit) for fit in refits.fits.values() if converged(fit)])


def converged(fit: Posterior) -> bool:
    return fit.verdict.status != "not converged"


def medians(drawn: list[dict[str, Floats]]) -> dict[str, Floats]:
    print(f"{len(drawn)} resamples converged", flush=True)
    return {name: np.array([np.median(one[name]) for one in drawn]) for name in drawn[0]}


def of_exact(law: Any) -> dict[str, Floats]:
    """The answers of every draw of an exact law, whose optimum has a closed form.

    Hoffmann et al. 2022, equation 4.
    """
    total = law.alpha + law.beta
    a = law.beta / total
    level = np.log(law.alpha * law.A / (law.beta * law.B)) / total
    found = dict.fromkeys(EXPONENTS, a)
    return found | {f"log N* at {C:g}": level + a * np.log(C / 6) for C in BUDGETS}


def of_sum(post: Posterior) -> dict[str, Floats]:
    """The same of every draw of a law with its error, by the solver."""
    law: Any = post.law
    found = post.frontier(BUDGETS)
    log_n = np.log(found.N)
    rise = log_n[..., len(INSIDE) - 1] - log_n[..., 0]
    slopes = [found.a[..., at] for at in range(len(INSIDE))]
    exponents = [law.beta / (law.alpha + law.beta), rise / np.log(INSIDE[-1] / INSIDE[0]), *slopes]
    return {
        **dict(zip(EXPONENTS, exponents, strict=True)),
        **{f"log N* at {C:g}": log_n[..., at] for at, C in enumerate(BUDGETS)},
    }


def spread(found: dict[str, Floats]) -> Spread:
    """Medians and standard deviations."""
    return {name: (float(np.median(each)), float(each.std(ddof=1))) for name, each in found.items()}


def report(count: int, spreads: dict[str, Spread]) -> str:
    """The page."""
    first = next(iter(spreads.values()))
    parts = []
    for title, kept in (("The exponent", EXPONENTS), ("The best size", [*first][len(EXPONENTS) :])):
        rows = [
            [name, *(f"{found[key][1]:.3f} ({found[key][0]:.3g})" for key in kept)]
            for name, found in spreads.items()
        ]
        parts.append(f"## {title}\n\n{markdown(['', *kept], rows)}\n")
    error = spreads[POSTERIOR]
    ratios = [
        [name, *(f"{error[key][1] / found[key][1]:.2f}" for key in first)]
        for name, found in spreads.items()
        if name.startswith("bootstrap")
    ]
    parts.append(
        "## The posterior of the law with its error, over each bootstrap\n\n"
        f"Ratios of standard deviations.\n\n{markdown(['', *first], ratios)}\n"
    )
    counted = f"{count} resamples of each kind, {FEWER} with the error. Standard deviations over"
    intro = f"{counted} refits or draws, and medians in brackets.\n"
    return "\n".join([HEAD, intro, *parts, SAID, environment(), ""])


if __name__ == "__main__":
    main()
