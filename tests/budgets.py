"""Runs of known budgets, for tests of several rooms."""

import numpy as np

from scalingfit.runs import Runs

BUDGETS = np.array([6e18, 1e19, 3e19, 6e19, 1e20, 3e20, 6e20, 1e21, 3e21])


def jittered(scatter: float, seed: int = 0, budgets: np.ndarray = BUDGETS) -> Runs:
    """Six runs of each budget, which miss it by up to the scatter."""
    rng = np.random.default_rng(seed)
    C = np.repeat(budgets, 6) * np.exp(scatter * rng.uniform(-1, 1, 6 * len(budgets)))
    N = np.sqrt(C / 120)
    return Runs.from_columns({"N": N, "D": C / 6 / N, "C": C, "L": np.linspace(4, 2, len(C))})
