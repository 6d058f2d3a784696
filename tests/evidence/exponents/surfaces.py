"""IsoFLOP grids on surfaces whose optimum is known."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from scalingfit import law
from scalingfit.evidence import (
    Exponent,
)
from scalingfit.runs import Runs

POINT = law("chinchilla").published["besiroglu-2024"].law
MIXED: Any = law("chinchilla")(E=1.8, A=480.0, B=2100.0, alpha=0.35, beta=0.37)
EXPONENT = POINT.beta / (POINT.alpha + POINT.beta)


def surface(
    scatter: float,
    seed: int = 0,
    *,
    point: Any = POINT,
    off_centre: float = 1.0,
    reach: float = 4.0,
    count: int = 9,
    lowest: float = 1e18,
) -> Runs:
    """A law at seven budgets, sizes about the optimum; by default Besiroglu et al.'s."""
    rng = np.random.default_rng(seed)
    C = np.repeat(np.geomspace(lowest, 1e21, 7), count)
    N = optimum(C, point) * off_centre * reach ** np.tile(np.linspace(-1, 1, count), 7)
    D = C / (6 * N)
    L = np.asarray(point.loss(N, D)) * np.exp(scatter * rng.standard_normal(len(C)))
    return Runs.from_columns({"N": N, "D": D, "C": C, "L": L})


def mixed(sizes: Mapping[float, int], seed: int = 0, scatter: float = 0.003) -> Runs:
    """`MIXED` at some budgets, each with its own count of sizes, within a factor of four."""
    rng = np.random.default_rng(seed)
    C = np.repeat([*sizes], [*sizes.values()])
    away = np.concatenate(
        [np.linspace(-1, 1, count) if count > 1 else [0] for count in sizes.values()]
    )
    N = optimum(C, MIXED) * 4.0**away
    D = C / (6 * N)
    L = np.asarray(MIXED.loss(N, D)) * np.exp(scatter * rng.standard_normal(len(C)))
    return Runs.from_columns({"N": N, "D": D, "C": C, "L": L})


def optimum(C: np.ndarray, point: Any = POINT) -> np.ndarray:
    """Hoffmann et al. 2022, equation 4."""
    both = point.alpha + point.beta
    G = (point.alpha * point.A / (point.beta * point.B)) ** (1 / both)
    return np.asarray(G * (C / 6) ** (point.beta / both))


def slope(omega: float, sizes: tuple[float, float]) -> float:
    """The slope by the closed first-order condition: of the loss along 6 N_E D, in log N_E."""
    counted = np.geomspace(*sizes, 20)
    N = counted + omega * np.cbrt(counted)
    rise = (counted + omega * np.cbrt(counted) / 3) / N  # d log N / d log N_E
    data = POINT.alpha * POINT.A * N**-POINT.alpha * rise / (POINT.beta * POINT.B)
    C = 6 * counted * data ** (-1 / POINT.beta)
    return float(np.polyfit(np.log(C), np.log(counted), 1)[0])


def about(middle: float, width: float) -> Exponent:
    """An exponent that is known to a width."""
    draws = middle + width * np.random.default_rng(int(1e6 * middle)).standard_normal(2000)
    return Exponent(draws, np.zeros(2000), 5)
