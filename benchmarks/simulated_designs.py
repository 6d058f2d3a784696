"""Designed batches of runs against grids and random runs of equal compute, on simulated runs.

    python -m benchmarks.simulated_designs [--replicates 200] [WORLD ...]

writes ``benchmarks/simulated_designs.md``. Replicates that are done stand in
``benchmarks/out/simulated_designs.jsonl`` and are not repeated.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import gmean, sem

import scalingfit as sf
from benchmarks.speed.problem import environment
from scalingfit.allocation import SixND, Spending, frontier, worth
from scalingfit.declare import Law
from scalingfit.law_error import ErrorDraws, covariance, landmarks, law_with_error
from scalingfit.noise import Normal
from scalingfit.runs import Runs

REPORT = Path(__file__).with_suffix(".md")
DONE = Path(__file__).parent / "out" / "simulated_designs.jsonl"
PILOT, SIZES, SPAN = (1e19, 3e19), 7, 6.0
"""Budgets of the pilot, how many sizes each has, and how far these reach from 20 tokens each."""

BUDGET, TARGET, BATCH = 1e21, 1e22, 8
SCATTER = 0.007
"""Of runs about the loss that their size has: what seeds of the ladder do."""

MEDIANS, LOG_SD = np.log([1.5, 0.35, 0.35, 0.35, 0.4]), np.array([0.7, 0.5, 0.5, 1.5, 1.5])
N0, D0 = 1e9, 3e10
"""The prior of Chinchilla's law: floor, exponents, and the terms at N0 and D0, log-normal."""

KNOWN = 4.0
"""Factor of 20 tokens per parameter within which the optimum of a law that may be true lies."""

DRAWS, STEPS = 1000, 60
"""Of a posterior; steps to its mode at most."""

Floats = NDArray[np.float64]


WORLDS = {"exact law": 0.0, "error": 0.02}
"""Scale of the law's error in each, relative to the loss."""

HEAD = f"""# Designed runs against a grid, simulated

Made by `python -m benchmarks.simulated_designs`. Each replicate draws a Chinchilla law from the
prior (of those whose optimum at {PILOT[0]:g} and {BUDGET:g} FLOP lies within a factor of {KNOWN:g}
of 20 tokens per parameter), makes a pilot of {SIZES} sizes at {PILOT[0]:g} and {PILOT[1]:g} FLOP, a
factor of {SPAN:g} about 20 tokens per parameter, and fits it. A second batch of at most {BATCH}
runs for {BUDGET:g} FLOP is made, and pilot and batch are fitted together:

- *designed*: `scalingfit design --aim size`, for {TARGET:g} FLOP, from its own ladder;
- *grid*: an isoFLOP profile of {BATCH} sizes that costs the same, a factor of {SPAN:g} about the
  optimum that the pilot says;
- *random*: budgets that halve from {BUDGET:g} FLOP, and sizes a factor of {SPAN:g} about the
  optimum there, drawn at random, as many as can be paid.

Runs scatter by {SCATTER:.1%} about the truth, which is an exact law or a law times the exponential
of an error of scale {WORLDS["error"]:g}, as published tables have. So that there can be many
replicates, a fit is the normal approximation of the posterior about its mode, in the coordinates of
the prior and in the error at the runs, with {DRAWS} draws; the scales of scatter and error are
known. N* is looked for as `frontier` does, in the truth as in each draw. The error is that of the
median of ln N* at {TARGET:g} FLOP; *wasted* is the share of the budget that a model of that size
then wastes by the truth, which is bounded where the error is not. *Expected* is the standard
deviation of ln N* that `design` promised for its batch; *left* is what the posterior then had:
medians over the replicates, both. Standard errors are in brackets. Ratios are paired, for the
replicates are the same for all methods; theirs are by 2,000 bootstraps.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("worlds", nargs="*", default=[*WORLDS])
    parser.add_argument("--replicates", type=int, default=200)
    asked = parser.parse_args()
    DONE.parent.mkdir(exist_ok=True)
    done = {(row["world"], row["replicate"]) for row in _read()}
    for replicate, name in itertools.product(range(asked.replicates), asked.worlds):
        if (name, replicate) not in done:
            found = [*rows(name, replicate)]
            with DONE.open("a") as file:
                file.writelines(json.dumps(row) + "\n" for row in found)
    REPORT.write_text(report(pd.DataFrame(_read())))


class Truth:
    """A replicate: what its runs lose, and what is best at the target."""

    def __init__(self, tau: float, replicate: int) -> None:
        law = laws().take(np.array([replicate]))
        if tau:
            law = law_with_error(law, _error(tau, replicate))
        self.law: Law = law
        self._scatter = np.random.default_rng([1, replicate])

    def runs(self, N: Floats, D: Floats) -> Runs:
        """Train models."""
        with jax.enable_x64(True):
            mean = np.asarray(self.law.expand(1).loss(N=N, D=D)).ravel()
        loss = mean * np.exp(SCATTER * self._scatter.standard_normal(len(N)))
        return Runs.from_columns({"N": N, "D": D, "C": 6 * N * D, "L": loss})

    def judge(self, post: Any) -> dict[str, float]:
        """How far a fit's N* is from the best, and what that wastes."""
        spending = Spending(np.array([TARGET]), SixND(), {}, np.inf)
        best = spending.solve(self.law)
        log_n = np.log(frontier(post, TARGET).N)
        size = np.exp(np.array([np.median(log_n)]))
        found = worth(self.law, size, spending, np.array([0]), best)
        low, high = np.quantile(log_n, (0.05, 0.95))
        return {
            "error": float(np.log(size / best.N.ravel()).item()),
            "wasted": float(1.0 - 1.0 / found.overspend.item()),
            "sd": float(log_n.std()),
            "inside": float(low <= np.log(best.N.item()) <= high),
        }


def law_of(coordinates: Floats) -> Law:
    """Chinchilla's law, from standard normal numbers (..., 5), by the law's prior."""
    E, alpha, beta, u, v = np.moveaxis(np.exp(MEDIANS + LOG_SD * coordinates), -1, 0)
    return sf.law("chinchilla")(E=E, alpha=alpha, beta=beta, A=u * N0**alpha, B=v * D0**beta)


@functools.cache
def laws() -> Law:
    """Laws whose optimum is where a planner would look for it."""
    every = law_of(np.random.default_rng(0).standard_normal((4000, len(LOG_SD))))
    budgets = np.array([PILOT[0], BUDGET])
    off = np.log(frontier(every, budgets).N / np.sqrt(budgets / 120))
    return every.take(np.flatnonzero(np.all(np.abs(off) < np.log(KNOWN), axis=-1)))


def fitted(runs: Runs, tau: float) -> Any:
    """The normal approximation of the posterior about its mode.

    Unknown are standard normal numbers: those that make the law, and those that make its error.
    """
    count = len(LOG_SD)
    places = np.log10(np.stack([runs.N, runs.D], axis=1))
    known = landmarks(places) if tau else None
    factor = tau * known.factor if known else np.zeros((len(runs), 0))

    def misses(unknown: Floats) -> Floats:
        law: Any = law_of(unknown[:count])
        loss = law.E + law.A * runs.N**-law.alpha + law.B * runs.D**-law.beta
        return np.asarray((np.log(runs.L / loss) - factor @ unknown[count:]) / SCATTER)

    def objective(unknown: Floats) -> float:
        return float(np.sum(misses(unknown) ** 2) + np.sum(unknown**2))

    def slopes(unknown: Floats) -> Floats:
        steps = 1e-5 * np.eye(len(unknown))[:count]
        of_law = [(misses(unknown - h) - misses(unknown + h)) / 2e-5 for h in steps]
        return np.hstack([np.stack(of_law, axis=1), factor / SCATTER])

    unknown, damping = np.zeros(count + factor.shape[1]), 1.0
    for _ in range(STEPS):
        J = slopes(unknown)
        bend = J.T @ J + np.eye(len(unknown))
        downhill = J.T @ misses(unknown) - unknown
        step = np.linalg.solve(bend + damping * np.diag(np.diag(bend)), downhill)
        better = objective(unknown + step) < objective(unknown)
        unknown = unknown + step if better else unknown
        damping = damping / 5 if better else damping * 4
        if better and np.max(np.abs(step)) < 1e-6:
            break
    J = slopes(unknown)
    spread = np.linalg.inv(np.linalg.cholesky(J.T @ J + np.eye(len(unknown))))
    drawn = unknown + np.random.default_rng(0).standard_normal((DRAWS, len(unknown))) @ spread
    law = law_of(drawn[:, :count])
    if known:
        errors, scale = tau * drawn[:, count:] @ known.own.T, np.full(DRAWS, tau)
        error = ErrorDraws.given(known.places, errors, scale, places, additive=False)
        law = law_with_error(law, error)
    noise: Any = Normal(sigma=np.full(DRAWS, SCATTER))  # type: ignore[arg-type]  # of NumPy
    return SimpleNamespace(law=law, noise=noise, runs=runs, provenance={})


def pilot() -> tuple[Floats, Floats]:
    """N and D of the first runs."""
    C = np.repeat(PILOT, SIZES)
    N = np.sqrt(C / 120) * np.tile(np.geomspace(1 / SPAN, SPAN, SIZES), len(PILOT))
    return N, C / (6 * N)


def _error(tau: float, seed: int) -> ErrorDraws:
    """A draw of the law's error, by its values at the pilot's runs."""
    places = np.log10(np.stack(pilot(), axis=1))
    among = np.linalg.cholesky(covariance(places, places) + 1e-9 * np.eye(len(places)))
    values = tau * among @ np.random.default_rng([3, seed]).standard_normal(len(places))
    return ErrorDraws.given(
        places, values[None], np.array([tau]), places, additive=False, seed=seed
    )


def rows(name: str, replicate: int) -> Iterator[dict[str, object]]:
    """All methods on one replicate."""
    tau = WORLDS[name]
    truth = Truth(tau, replicate)
    first = truth.runs(*pilot())
    post = fitted(first, tau)
    found = sf.design(post, BUDGET, target=TARGET, aim="size", batch=BATCH)
    now = float(np.log(frontier(post, TARGET).N).std())
    batches = {
        "designed": (found.runs.inputs["N"], found.runs.inputs["D"]),
        "grid": _grid(post),
        "random": _random(post, replicate),
    }
    shrink = {"designed": found.expected[0].shrink, "grid": found.expected[0].by_grid}
    same = {"world": name, "replicate": replicate}
    yield same | {"method": "pilot alone", "runs": 0, "expected": None} | truth.judge(post)
    for method, made in batches.items():
        promised = None if shrink.get(method) is None else now * float(shrink[method] or 0)
        after = fitted(_joined(first, truth.runs(*made)), tau)
        kept = {"method": method, "runs": len(made[0]), "expected": promised}
        yield same | kept | truth.judge(after)


def _grid(post: Any) -> tuple[Floats, Floats]:
    """An isoFLOP profile about the optimum that the pilot says."""
    each = BUDGET / BATCH
    middle = np.exp(np.median(np.log(frontier(post, each).N)))
    N = middle * np.geomspace(1 / SPAN, SPAN, BATCH)
    return N, each / (6 * N)


def _random(post: Any, seed: int) -> tuple[Floats, Floats]:
    """Runs at random, between a thousandth of the budget and all of it, within the grid's span."""
    random = np.random.default_rng([4, seed])
    budgets = BUDGET / 2.0 ** np.arange(10)
    middle = np.exp(np.median(np.log(frontier(post, budgets).N.reshape(-1, len(budgets))), axis=0))
    chosen: list[tuple[float, float]] = []
    for _ in range(100):
        at = random.integers(len(budgets))
        cost = budgets[at]
        if len(chosen) < BATCH and sum(6 * N * D for N, D in chosen) + cost <= BUDGET * (1 + 1e-9):
            N = float(middle[at]) * SPAN ** random.uniform(-1, 1)
            chosen.append((N, float(cost) / (6 * N)))
    N, D = np.array(chosen).T
    return N, D


def _joined(*tables: Runs) -> Runs:
    names = ("N", "D", "C", "L")
    return Runs.from_columns({name: np.concatenate([t[name] for t in tables]) for name in names})


def report(frame: pd.DataFrame) -> str:
    """Errors and waste over replicates, by world and method."""
    heads = ["world", "method", "runs", "rms error of ln N*", "mean absolute error", "wasted"]
    heads += ["expected", "left", "N* inside 90 %"]
    ratios = ["world", "method", "rms error", "mean absolute error", "wasted", "left"]
    first, second = [_row(heads), _row(["---"] * len(heads))], [_row(ratios), _row(["---"] * 6)]
    for world in WORLDS:
        of_world = frame[frame.world == world]
        wide = of_world.pivot(index="replicate", columns="method")
        for method, part in of_world.groupby("method", sort=False):
            count, error = len(part), part.error.to_numpy(float)
            root, size = _root(error), np.abs(error)
            known = part.expected.notna().all()
            cell: Any = {name: part[name].astype(float) for name in ("wasted", "sd", "inside")}
            cells = [
                f"{world}, {count}",
                str(method),
                f"{part.runs.mean():.1f}",
                f"{root:.3f} ({sem(error**2) / (2 * root):.3f})",
                f"{size.mean():.3f} ({sem(size):.3f})",
                f"{cell['wasted'].mean():.2%} ({cell['wasted'].sem():.2%})",
                f"{part.expected.median():.3f}" if known else "",
                f"{cell['sd'].median():.3f}",
                f"{cell['inside'].mean():.0%}",
            ]
            first.append(_row(cells))
            if method in ("grid", "random"):
                second.append(_row([world, str(method), *_ratios(wide, str(method))]))
    intro = "What the other batches do, over what the designed one does:"
    return "\n".join([HEAD, *first, "", intro, "", *second, "", environment()]) + "\n"


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _root(values: Any) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def _mean_size(values: Any) -> float:
    return float(np.mean(np.abs(values)))


MEASURES = (("error", _root), ("error", _mean_size), ("wasted", np.mean), ("sd", gmean))


def _ratios(wide: pd.DataFrame, method: str) -> list[str]:
    """Of a method's errors, waste and widths to those of the designed batch."""
    picked = np.random.default_rng(0).integers(len(wide), size=(2000, len(wide)))
    found = []
    for name, measure in MEASURES:
        own, designed = wide[name, method].to_numpy(float), wide[name, "designed"].to_numpy(float)
        spread = np.std([measure(own[rows]) / measure(designed[rows]) for rows in picked])
        found.append(f"{measure(own) / measure(designed):.2f} ({spread:.2f})")
    return found


def _read() -> list[dict[str, Any]]:
    return [json.loads(line) for line in DONE.read_text().splitlines()] if DONE.exists() else []


if __name__ == "__main__":
    main()
