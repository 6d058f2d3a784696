"""Forecasts of runs that were held out, as the tests of this room make them."""

import jax.numpy as jnp
import numpy as np

from scalingfit.evidence.forecasts.held_out import (
    HeldOutRuns,
    LawForecasts,
)
from scalingfit.noise import At, Normal


def held_with(rate: float, seed: int = 0, rows: int = 300) -> LawForecasts:
    """Forecasts by an exactly known law whose truth drifts away from it."""
    rng = np.random.default_rng(seed)
    distance = 10 ** rng.uniform(0.2, 2, rows)
    drift = rate * np.log10(distance) * rng.standard_normal(rows)
    observed = 3 * np.exp(drift + 0.01 * rng.standard_normal(rows))
    sigma = jnp.full((500, rows), 0.01)
    cut = (np.arange(rows) % 3).astype(np.int64)
    places = HeldOutRuns(
        observed=observed,
        distance=distance,
        limit=np.ones(rows),
        largest=np.full(rows, 5.0),
        cut=cut,
        table=np.zeros(rows, np.int64),
        row=np.arange(rows),
    )
    return LawForecasts(runs=places, noise=Normal(sigma=sigma), at=At(np.full((500, rows), 3.0)))
