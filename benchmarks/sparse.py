"""Five small runs and a forecast: coverage of sparse designs, on simulated runs.

    python -m benchmarks.sparse [--tables 80]

writes ``benchmarks/sparse.md``. What is done stands in ``benchmarks/out/sparse`` and is kept.
"""

from __future__ import annotations

import argparse
import itertools
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from benchmarks.honest import HOW, LEVELS, REACH, SAID
from benchmarks.simulated_designs import laws
from benchmarks.speed.problem import environment, markdown
from scalingfit.evidence import candidates
from scalingfit.evidence.forecasts import Task, forecast_held_out
from scalingfit.evidence.forecasts.horizons import Horizon
from scalingfit.evidence.forecasts.scored import SLACK
from scalingfit.evidence.forecasts.scores import crps, inside, intervals
from scalingfit.inference import Settings
from scalingfit.law_error import LAW_ERROR, covariance
from scalingfit.runs import Runs

type Floats = NDArray[np.float64]

REPORT = Path(__file__).with_suffix(".md")
KEPT = Path(__file__).parent / "out" / "sparse"

SETTINGS = Settings(draws=1000, retries=0, method="auto")
LAWS = ("chinchilla", "over_training")
SCATTER, TAILS = 0.005, 5
"""Of log loss between runs: scale and degrees of freedom of Student's t."""

FARTHEST = 600.0
"""Times the compute of the largest fitted run."""

DESIGNS = {
    "five runs": (
        np.array([0.011, 0.079, 0.154, 0.411, 0.011]) * 1e9,
        np.array([20.0, 20, 20, 20, 320]),
    ),
    "twelve runs": (
        np.repeat([0.011e9, 0.079e9, 0.154e9], 4),
        np.tile([5.0, 20, 80, 320], 3),
    ),
}
"""Sizes, and tokens per parameter."""

AHEAD = (np.array([0.411, 0.83, 1.4, 6.9]) * 1e9, np.array([20.0, 40, 80, 160, 320, 640]))
"""Sizes, and tokens per parameter, of the runs that are forecast."""

TRUTHS = {"an exact law": False, "a law with an error": True}

HEAD = f"""# Few small runs, and a forecast

Made by `python -m benchmarks.sparse`. Gadre et al. 2024 (arXiv 2403.08540) forecast over-trained
models from five runs, the largest of 0.411B parameters, up to 300 times cheaper than what is
forecast. Here such runs are simulated. *Five runs* are four sizes, 0.011B to 0.411B, at 20 tokens
per parameter, and the smallest at 320. *Twelve runs* are 0.011B, 0.079B and 0.154B, each at 5, 20,
80 and 320. Forecast are 0.411B to 6.9B at 20 to 640 tokens per parameter, as far as these take more
compute than the largest run and at most {FARTHEST:g} times as much.

Each table draws a Chinchilla law from its prior, of those whose optimum lies within a factor of
four of 20 tokens per parameter, and is either that law exactly, or that law with an error: a smooth
function drawn from the error's prior, its scale too (median {LAW_ERROR.median:g}). Runs scatter by
{SCATTER:.1%}, Student's t with {TAILS} degrees of freedom. `over_training` is the law of Gadre et
al., Chinchilla's with one exponent: it is wrong where the truth has two.

Truths are drawn from what a fit believes beforehand, the two kinds in equal shares, but for the
optimum, which is restricted, and the scatter, which is fixed at half the prior's median; so over
both kinds together the intervals of Chinchilla's law with its error should hold what they claim or
a little more. What the tables tell is by how much each way is off where the truth is of one kind,
and what the intervals cost. Scores are of log loss, as in [honest.md](honest.md); standard errors
in brackets are over tables. *Failed* counts fits that miss a limit of the diagnostics, R-hat
or effective draws or E-BFMI, without a second attempt. They are scored with the others.

With the error the intervals cover about what they claim, near and far, under the law that the
truths have. Under a law whose form is wrong they cover much more than those of the exact law, but
still too little. The price where the law is exact is small: so few runs leave wide intervals
anyway. Five runs leave Chinchilla's five parameters to the priors, in posteriors that are long and
bent, and most fits say that they did not converge: a law with fewer parameters, or more runs, is
needed before such a forecast is used.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, default=80)
    count = parser.parse_args().tables
    KEPT.mkdir(parents=True, exist_ok=True)
    for design, truth, law, how in itertools.product(DESIGNS, TRUTHS, LAWS, HOW):
        if not path(design, truth, law, how).is_file():
            keep(design, truth, law, how, count)
            REPORT.write_text(report(), encoding="utf-8")
    REPORT.write_text(report(), encoding="utf-8")


def path(*names: str) -> Path:
    return KEPT / f"{'-'.join(names).replace(' ', '_')}.npz"


def simulated(design: str, erring: bool, number: int) -> Task:
    """A table with its runs and, behind them, those that are forecast."""
    rng = np.random.default_rng([7, number])
    N, M = DESIGNS[design]
    largest = float((6 * N * N * M).max())
    more_n, more_m = (each.ravel() for each in np.meshgrid(*AHEAD))
    far = 6 * more_n * more_n * more_m / largest
    asked = (far > 1 + SLACK) & (far <= FARTHEST * (1 + SLACK))
    N, M = np.concatenate([N, more_n[asked]]), np.concatenate([M, more_m[asked]])
    D = N * M
    with jax.enable_x64(True):
        law: Any = laws().take(np.array([number])).expand(1)
        mean = np.asarray(law.loss(N=N, D=D)).ravel()
    places = np.log10(np.stack([N, D], axis=1))
    among = np.linalg.cholesky(covariance(places, places) + 1e-9 * np.eye(len(N)))
    tau = LAW_ERROR.median * np.exp(LAW_ERROR.log_sd * rng.standard_normal())
    delta = tau * among @ rng.standard_normal(len(N))
    scatter = SCATTER * rng.standard_t(TAILS, len(N))
    L = mean * np.exp(scatter + (delta if erring else 0.0))
    runs = Runs.from_columns({"N": N, "D": D, "C": 6 * N * D, "L": L})
    train = np.arange(len(N)) < len(N) - int(asked.sum())
    horizon = Horizon(largest, train, ~train, runs["C"] / largest)
    return Task(number, number, runs, 0, horizon, runs.take(train))


def keep(design: str, truth: str, law: str, how: str, count: int) -> None:
    """Fit all tables of a kind at once, forecast, and keep what is scored."""
    start = time.perf_counter()
    tasks = [simulated(design, TRUTHS[truth], number) for number in range(count)]
    (model,) = candidates(law, law_error=HOW[how]).values()
    found, failed = forecast_held_out(model, tasks, SETTINGS)
    draws, observed = np.log(found.new_runs()), np.log(found.runs.observed)
    ends = intervals(draws, LEVELS)
    np.savez_compressed(
        path(design, truth, law, how),
        table=found.runs.table,
        distance=found.runs.distance,
        inside=inside(ends, observed),
        log_score=found.scores + observed,  # of log loss
        crps=crps(draws, observed),
        width=ends[-1, 1] - ends[-1, 0],
        failed=failed,
    )
    taken = time.perf_counter() - start
    print(f"{design}, {truth}, {law}, {how}: {taken:.0f} s, {failed} failed", flush=True)


def scores(found: Any, beyond: bool) -> dict[str, Floats]:
    """Of each table, up to ten times the compute, or beyond: means over its forecasts."""
    chosen = (found["distance"] > REACH * (1 + SLACK)) == beyond
    of_table = [chosen & (found["table"] == number) for number in np.unique(found["table"])]
    levels = zip(map(str, LEVELS), found["inside"].astype(float), strict=True)
    each = {**dict(levels), **{name: found[name] for name in ("log_score", "crps", "width")}}
    return {
        name: np.array([values[own].mean() for own in of_table]) for name, values in each.items()
    }


def row(each: dict[str, Floats]) -> list[str]:
    """Means over tables with their standard errors; of the widths the median."""
    formats = dict.fromkeys(map(str, LEVELS), ".0%") | {"log_score": ".2f", "crps": ".4f"}
    cells = [cell(each[name], spec) for name, spec in formats.items()]
    return [*cells, f"{np.median(each['width']):.3f}"]


def cell(values: Floats, spec: str) -> str:
    return f"{values.mean():{spec}} ({values.std(ddof=1) / np.sqrt(len(values)):{spec}})"


def together() -> list[str]:
    """Coverage of 90 % intervals and log scores over both kinds of truth."""
    rows = []
    for design, law, how in itertools.product(DESIGNS, LAWS, HOW):
        places = [path(design, truth, law, how) for truth in TRUTHS]
        if all(place.is_file() for place in places):
            cells = []
            for beyond in (False, True):
                kinds = [scores(dict(np.load(place)), beyond) for place in places]
                for name, spec in (("0.9", ".0%"), ("log_score", ".2f")):
                    cells.append(cell(np.concatenate([kind[name] for kind in kinds]), spec))
            rows.append([design, law, SAID[how], *cells])
    head = ["runs", "law", "", "90 %", "log score", "beyond ten times: 90 %", "log score"]
    return ["## Both kinds of truth together", "", markdown(head, rows), ""] if rows else []


def report() -> str:
    """The page."""
    lines, tables = together(), 0
    head = ["law", "", "50 %", "80 %", "90 %", "log score", "CRPS", "median width", "failed"]
    for design, truth in itertools.product(DESIGNS, TRUTHS):
        for beyond in (False, True):
            rows = []
            for law, how in itertools.product(LAWS, HOW):
                place = path(design, truth, law, how)
                if place.is_file():
                    found = dict(np.load(place))
                    tables = len(np.unique(found["table"]))
                    rows.append(
                        [law, SAID[how], *row(scores(found, beyond)), str(int(found["failed"]))]
                    )
            if rows:
                where = "beyond" if beyond else "up to ten times the compute"
                title = f"{design[0].upper()}{design[1:]}, the truth {truth}: {where}"
                lines += [f"## {title}", "", markdown(head, rows), ""]
    counted = f"{tables} tables of each kind; {SETTINGS.chains} chains of {SETTINGS.draws} draws."
    return "\n".join([HEAD, f"{counted} {environment()}.", "", *lines])


if __name__ == "__main__":
    main()
