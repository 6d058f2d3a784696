"""The command `doctor`: what is installed, where it runs, and whether a fit works."""

from __future__ import annotations

import importlib.metadata
import platform
import time
from typing import Any

import scalingfit as sf
from scalingfit._cores import core_count
from scalingfit.cli._cache import VARIABLE, cache_folder
from scalingfit.cli._progress import progress
from scalingfit.cli._reply import Reply
from scalingfit.result import Column, Table

__all__ = ["doctor"]

PACKAGES = ("jax", "jaxlib", "numpyro", "numpy", "scipy", "pandas", "arviz", "matplotlib")


def doctor() -> Reply:
    """Say what is installed, where it computes, and whether a small fit works.

    ```
    scalingfit doctor
    ```
    """
    import jax

    from scalingfit.inference import default_precision

    folder = cache_folder()
    data: dict[str, Any] = {
        "versions": {"scalingfit": sf.__version__, "python": platform.python_version()}
        | {name: importlib.metadata.version(name) for name in PACKAGES},
        "devices": [f"{device.platform}: {device.device_kind}" for device in jax.devices()],
        "cores": core_count(),
        "precision": default_precision(),
        "cache": None if folder is None else str(folder),
        "fit": _small_fit(),
    }
    trial = data["fit"]
    rows = [
        ["versions", ", ".join(f"{name} {version}" for name, version in data["versions"].items())],
        ["devices", f"{', '.join(data['devices'])}; {data['cores']} cores"],
        ["precision", data["precision"]],
        ["compiled programs", data["cache"] or f"not kept ({VARIABLE} turns the cache off)"],
        ["a small fit", f"{trial['says']} in {trial['seconds']:.1f} s"],
    ]
    names, values = zip(*rows, strict=True)
    shown = Table("doctor", "part", {"": Column(names), " ": Column(values)}, labels=2)
    return Reply(data, [shown], warned=not trial["ok"])


def _small_fit() -> dict[str, Any]:
    """Fit runs made with Chinchilla's published parameters, and look whether they come back."""
    import numpy as np

    from scalingfit.runs import Runs

    published = sf.law("chinchilla").published["besiroglu-2024"]
    alpha = published.values["alpha"]
    N, D = (grid.ravel() for grid in np.meshgrid(np.logspace(8, 10, 4), np.logspace(9.5, 11.5, 4)))
    noise = np.random.default_rng(0).standard_normal(N.size)
    losses = np.asarray(published.law.loss(N, D)) * np.exp(0.01 * noise)
    runs = Runs.from_columns({"N": N, "D": D, "L": losses})
    start = time.perf_counter()
    with progress("trying a small fit"):
        post = sf.fit(runs, draws=200, warmup=60, retries=0)
    seconds = time.perf_counter() - start
    row = post.summary()["alpha"]
    ok = bool(row["q5"] < 3 * alpha and row["q95"] > alpha / 3)
    says = f"alpha {row['q50']:.2f} [{row['q5']:.2f}, {row['q95']:.2f}], made with {alpha}"
    return {"ok": ok, "says": says, "seconds": seconds}
