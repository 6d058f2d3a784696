"""A posterior that nobody sampled: independent draws about a published point. Figures, tables and
commands about saved fits need draws, not a fit, and this one costs no compilation.
"""

import math

import numpy as np

import scalingfit as sf
from scalingfit.catalog import noise
from scalingfit.inference import Draws, Posterior, Settings, build, posterior_of
from scalingfit.inference.diagnostics import diagnose
from scalingfit.inference.programs import places_of
from scalingfit.law_error import LAW_ERROR, landmarks
from scalingfit.runs import Runs, read

CHAINS, LENGTH = 4, 250


def table() -> Runs:
    """Forty-eight runs on a grid of eight sizes and six token counts, as a file would give them."""
    rng = np.random.default_rng(3)
    N, D = (grid.ravel() for grid in np.meshgrid(np.logspace(8, 10, 8), np.logspace(9.5, 11.5, 6)))
    truth = sf.law("chinchilla").published["besiroglu-2024"].law
    L = truth.loss(N, D) * np.exp(0.005 * rng.standard_normal(N.size))
    return read({"params": N, "tokens": D, "loss": L, "family": ["a", "b"] * 24})


def posterior(
    *,
    runs: Runs | None = None,
    sound: bool = True,
    law: str = "chinchilla",
    point: str = "besiroglu-2024",
    exact: bool = True,
) -> Posterior:
    """Draws within one percent of a published point; not sound where the chains disagree.

    Where the law is not exact, errors of half a percent are known at the landmarks of the runs.
    """
    rng = np.random.default_rng(5)
    runs = runs or table()
    model = build(sf.law(law), noise("student_t"), None, None if exact else LAW_ERROR)
    centres = {**sf.law(law).published[point].values, "sigma": 0.005, "nu": 5.0, "tau": 0.02}
    values = {
        name: centres[name] * np.exp(0.01 * rng.standard_normal((CHAINS, LENGTH)))
        for name in model.sites
    }
    if not sound:
        values["alpha"] *= np.exp(0.05 * np.arange(CHAINS))[:, None]
    places = None if exact else landmarks(places_of(model.law, runs)).places
    errors = None if places is None else 0.005 * rng.standard_normal((CHAINS, LENGTH, len(places)))
    judged = [*values.values(), *([] if errors is None else [errors[..., 0]])]
    energy = rng.standard_normal((CHAINS, LENGTH))
    quiet = np.zeros((CHAINS, LENGTH), dtype=bool)
    draws = Draws(
        values=values,
        log_density=-energy,
        energy=energy,
        acceptance=np.full((CHAINS, LENGTH), 0.8),
        leapfrogs=np.full((CHAINS, LENGTH), 7),
        diverging=quiet,
        step_size=np.full(CHAINS, math.pi / 4),
        diagnosis=diagnose(np.stack(judged), energy, quiet),
        record={"method": "nuts", "exact": float(exact)},
        errors=errors,
        landmarks=places,
    )
    return posterior_of(model, runs, draws, Settings(draws=LENGTH))
