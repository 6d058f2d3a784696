"""What rows of one run share, in words, and how many independent rows they are worth."""

from __future__ import annotations

import numpy as np

from scalingfit._messages import Message
from scalingfit.noise import Noise
from scalingfit.result import Note
from scalingfit.runs import Runs, checkpoints

__all__ = ["CODE", "about_effects", "effective_rows"]

CODE = "rows_of_one_run"
"""Of what a table says of them, which a fit with their effects says otherwise."""


def effective_rows(runs: Runs, noise: Noise) -> float | None:
    """How many independent rows those of a table are worth; None where runs have no effects.

    By the design effect of clusters (Kish 1965, Survey Sampling, section 5.4): the n rows of a run
    are worth n / (1 + (n - 1) rho), with rho = omega^2 / (omega^2 + sigma^2) at its median. In
    place of the scatter's variance, which may be infinite, stands the square of its scale.

    Parameters
    ----------
    runs : Runs
    noise : Noise
        Draws, as a fit has them.
    """
    runs = runs.used()
    if noise.run_effect is None or (numbers := runs.run_numbers) is None:
        return None
    rows = np.bincount(numbers, runs.weight)
    omega, sigma = np.asarray(noise.run_effect) ** 2, np.asarray(noise.sigma) ** 2
    rho = float(np.median(omega / (omega + sigma)))
    return float(np.sum(rows / (1 + (rows - 1) * rho)))


def about_effects(runs: Runs, noise: Noise) -> list[tuple[Note, bool]]:
    """What was made of rows of one run, and whether it is a doubt.

    Rows at several inputs are checkpoints, which no effect makes finished runs.

    Parameters
    ----------
    runs, noise
        As of `effective_rows`.
    """
    runs = runs.used()
    worth = effective_rows(runs, noise)
    found = [finding for finding in runs.findings if finding.code == CODE]
    if worth is None or not found:
        return []
    omega = float(np.median(noise.run_effect))  # type: ignore[arg-type]  # else nothing is worth
    size = f"{100 * omega:.2g} %" if noise.on_log else f"{omega:.2g}"
    said = (
        f"rows of one run ({runs.run_label}) share an effect: runs differ by {size} beyond the "
        f"scatter, so the {len(runs)} rows are worth {worth:.0f} independent ones"
    )
    if not checkpoints(runs.columns, runs.run_of):
        return [(Note(CODE, said), False)]
    bias = (
        "; before the end of a schedule the loss is too high for its tokens, which biases the fit "
        "all the same: "
    )
    return [(Note(CODE, Message(said + bias, found[0].remedy, ".")), True)]
