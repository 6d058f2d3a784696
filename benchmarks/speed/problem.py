"""The problem that every tool gets: Chinchilla's law on 240 runs, one posterior, one ESS."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import math
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

import scalingfit as sf
from scalingfit.law_error import landmarks
from scalingfit.runs import Runs

Floats = NDArray[np.float64]
WITH_ERROR = "--with-error" in sys.argv
"""Whether the law has an error: the part of the default with one, which is not exact."""

PARAMETERS = ("E", "alpha", "beta", "A", "B", "sigma", "nu", *(["tau"] if WITH_ERROR else []))
CHAINS, DRAWS = 4, 1000


def epoch() -> Runs:
    """The 240 runs that Besiroglu et al. 2024 (arXiv 2404.10102) keep."""
    runs = sf.datasets.read("epoch_chinchilla", labels=["besiroglu_excluded"])
    kept = runs.take(runs.labels["besiroglu_excluded"] == 0)
    return Runs.from_columns({name: kept[name] for name in ("N", "D", "L")})


@dataclasses.dataclass(frozen=True)
class Table:
    """Runs in the form that the other tools' models take: logarithms, and the error's features."""

    n: Floats
    d: Floats
    y: Floats
    features: Floats

    @classmethod
    def of(cls, runs: Runs) -> Table:
        """From runs."""
        places = np.log10([runs["N"], runs["D"]]).T
        features = landmarks(places).factor if WITH_ERROR else np.empty((len(runs), 0))
        return cls(np.log(runs["N"]), np.log(runs["D"]), np.log(runs["L"]), features)


# The priors of models/chinchilla.py, noise.StudentT and law_error.LawError, for tools that cannot
# read them there.
PRIORS = {
    "log_E": (math.log(1.5), 0.7),
    "log_alpha": (math.log(0.35), 0.5),
    "log_beta": (math.log(0.35), 0.5),
    "term_A": (math.log(0.35), 1.5, math.log(1e9)),
    "term_B": (math.log(0.4), 1.5, math.log(3e10)),
    "log_sigma": (math.log(0.01), 1.0),
    "log_nu_minus_1": (math.log(10.0), 1.0),
    "log_tau": (math.log(0.02), 0.7),
}
FREE = ("log_E", "log_alpha", "log_beta", "log_sigma", "log_nu_minus_1")
"""What all tools sample, beside the terms at the middle of the runs."""


def natural(logs: Mapping[str, Floats], table: Table) -> dict[str, Floats]:
    """Parameters from draws of log E, log alpha, log beta, recentred a and b, log sigma, nu."""
    alpha, beta = np.exp(logs["log_alpha"]), np.exp(logs["log_beta"])
    return {
        "E": np.exp(logs["log_E"]),
        "alpha": alpha,
        "beta": beta,
        "A": np.exp(logs["a"] + alpha * table.n.mean()),
        "B": np.exp(logs["b"] + beta * table.d.mean()),
        "sigma": np.exp(logs["log_sigma"]),
        "nu": 1 + np.exp(logs["log_nu_minus_1"]),
        **({"tau": np.exp(logs["log_tau"])} if WITH_ERROR else {}),
    }


def summary(draws: Mapping[str, Floats], seconds: float, leapfrogs: float | None) -> dict[str, Any]:
    """What is compared; draws of shape (chain, draw) by parameter."""
    stacked = np.stack([np.asarray(draws[name], float) for name in PARAMETERS])
    return {
        "seconds": seconds,
        "leapfrogs": leapfrogs,
        "ess": min(ess_of(value) for value in stacked),
        "rhat": float(
            np.max(_array_stats().rhat(stacked, chain_axis=1, draw_axis=2, method="rank"))
        ),
        "mean": [float(np.log(value).mean()) for value in stacked],
        "sd": [float(np.log(value).std()) for value in stacked],
    }


def _array_stats() -> Any:
    """Imported late: ArviZ puts a lazy stand-in for NumPyro in its place."""
    from arviz_stats.base.array import array_stats

    return array_stats


def ess_of(draws: Floats) -> float:
    """Bulk ESS of one quantity, (chain, draw), by ArviZ."""
    array_stats = _array_stats()
    return float(array_stats.ess(draws, chain_axis=0, draw_axis=1, method="bulk"))


def timed[Found](call: Callable[[], Found]) -> tuple[Found, float]:
    begun = time.perf_counter()
    found = call()
    return found, time.perf_counter() - begun


def elsewhere(module: str, *arguments: str, **environ: str) -> Any:
    """Run a benchmark's worker in a process of its own; what it prints last is JSON."""
    command = [sys.executable, "-W", "ignore", "-m", module, *arguments]
    env = os.environ | environ
    made = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
    if made.returncode:
        return {"failed": made.stderr.strip().splitlines()[-1:] or ["no message"]}
    return json.loads(made.stdout.strip().splitlines()[-1])


def environment(*packages: str) -> str:
    """Versions and machine in one line."""
    names = ("jax", "numpyro", *packages)
    found = ", ".join(f"{name} {_version(name)}" for name in names)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return (
        f"scalingfit {sf.__version__}, {found}; Python {platform.python_version()}; "
        f"{jax.default_backend()}, {cores} CPU cores, shared with other work"
    )


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def markdown(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)
