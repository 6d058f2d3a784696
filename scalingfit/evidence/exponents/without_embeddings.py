"""The same runs and the same law, had embeddings not been counted.

Pearce & Song 2024, "Reconciling Kaplan and Chinchilla Scaling Laws", arXiv 2406.12907.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalingfit._errors import InputError
from scalingfit._messages import Argument, Message
from scalingfit._text import engineering
from scalingfit.allocation import CHINCHILLA_OMEGA, Asked, counting, frontier, with_embedding
from scalingfit.evidence.exponents.isoflop import Exponent
from scalingfit.result import Note
from scalingfit.runs import Runs

__all__ = ["exponent_without_embeddings", "without_embeddings"]

Floats = NDArray[np.float64]

RULE = "6ND-non-embedding"

KAPLAN_SIZES = (10**2.9, 10**9.2)
"""Smallest and largest N of Kaplan et al.'s runs, without embeddings (Pearce & Song 2024)."""


def without_embeddings(
    runs: Runs, omega: float = CHINCHILLA_OMEGA, *, budgets: ArrayLike | None = None
) -> Runs:
    """The same runs with N and C counted without embeddings: N_E, and C = 6 N_E D.

    Runs of one budget stay together: the label "budget" names the one they were made for, in FLOP
    as counted before, unless the table has one already.

    Parameters
    ----------
    runs : Runs
        With total parameters N.
    omega : float
        Of the relation N = N_E + omega N_E^(1/3) (Pearce & Song 2024, arXiv 2406.12907).
    budgets : array, optional
        FLOP, as counted before; see `Budgets.numbered`.

    Returns
    -------
    Runs

    Raises
    ------
    InputError
        Less than one parameter is left of some run, or `omega` is not positive.
    """
    N = np.asarray(counting(RULE, omega=omega).size(runs["N"]), float)
    if np.any(N < 1):
        raise InputError(
            f"without embeddings less than one parameter is left in {np.sum(N < 1)} of "
            f"{len(runs)} runs",
            [f"N = {engineering(runs['N'].min())} leaves N_E = {N.min():.2g}, "
             f"with omega = {omega:g}"],
            remedy=Message(
                "state the omega of these models, the vocabulary times the cube root of width / "
                "(12 depth): ", Argument("omega"), ".",
            ),
        )  # fmt: skip
    named = budgets is None and "budget" in {**runs.columns, **runs.labels}
    return Runs.from_columns(
        {**runs.columns, "N": N, "C": 6 * N * runs["D"]},
        labels=runs.labels if named else {**runs.labels, "budget": _names(runs, budgets)},
        row_numbers=runs.row_numbers,
        provenance={**runs.provenance, "recounted": f"without embeddings, omega {omega:g}"},
    )


def exponent_without_embeddings(
    asked: Asked,
    sizes: tuple[float, float] = KAPLAN_SIZES,
    omega: float = CHINCHILLA_OMEGA,
) -> Exponent:
    """What a study that counts no embeddings would find, if the law holds for total parameters.

    The line through log N_E* against log C_E over a range of N_E, where N_E and C_E = 6 N_E D
    leave the embeddings out (Pearce & Song 2024, arXiv 2406.12907, section 4), for every draw.

    Parameters
    ----------
    asked : Posterior or Law
        Of a law of N and D, fitted on total parameters; or a law with values.
    sizes : (float, float)
        Smallest and largest N_E; by default those of Kaplan et al. 2020.
    omega : float
        As in `without_embeddings`.

    Returns
    -------
    Exponent
        Of N_E, for every draw; it rests on no budgets. Its notes are caveats of the relation.

    Raises
    ------
    InputError
        The sizes are no range of positive numbers, or budgets from 1e8 to 1e26 FLOP do not have
        them as their optima in every draw; `omega` is not positive.
    """
    low, high = sizes
    if not 0 < low < high:
        raise InputError(
            f"sizes run from {low:g} to {high:g}",
            remedy="give the smallest and the largest N_E, both positive.",
        )
    rule = counting(RULE, omega=omega)
    C = np.logspace(8, 26, 73)
    found = frontier(asked, C, counting=rule)
    log_N = np.log(np.asarray(rule.size(found.N.reshape(-1, len(C))), float))
    _require_within(log_N, low, high, omega)
    places = np.linspace(np.log(low), np.log(high), 20)
    log_C = np.stack([np.interp(places, row, np.log(C)) for row in log_N])
    offset = log_C - log_C.mean(axis=1, keepdims=True)
    a = np.sum(offset * (places - places.mean()), axis=1) / np.sum(offset**2, axis=1)
    total = with_embedding(np.array(sizes), omega)
    caveats = tuple(Note("omega", text) for text in rule.caveats(total))
    return Exponent(a, places.mean() - a * log_C.mean(axis=1), 0, caveats)


def _require_within(log_N: Floats, low: float, high: float, omega: float) -> None:
    """Nothing is known of optima outside the budgets that were solved: log_N, (draw, budget)."""
    outside = (log_N[:, 0] > np.log(low)) | (log_N[:, -1] < np.log(high))
    if outside.any():
        covered = np.exp([log_N[:, 0].max(), log_N[:, -1].min()])
        raise InputError(
            f"in {100 * outside.mean():.3g} % of the draws the optimum does not pass all sizes "
            f"from N_E = {engineering(low)} to {engineering(high)} between 1e8 and 1e26 FLOP",
            [f"all draws cover N_E = {engineering(covered[0])} to {engineering(covered[1])}, "
             f"with omega = {omega:g}"],
            remedy="choose sizes within these.",
        )  # fmt: skip


def _names(runs: Runs, budgets: ArrayLike | None) -> Floats:
    """The geometric mean of each run's budget, in FLOP, shape (run,); NaN for none."""
    numbers = runs.budgets.numbered(budgets)
    log_C, names = np.log(runs["C"]), np.full(len(runs), np.nan)
    for number in np.unique(numbers[numbers >= 0]):
        names[numbers == number] = np.exp(log_C[numbers == number].mean())
    return names
