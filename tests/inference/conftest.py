"""Tables of runs and fits that the tests of this room share."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import scalingfit as sf
from scalingfit.inference import Posterior
from scalingfit.runs import Runs


@pytest.fixture(scope="session")
def simulated() -> Callable[..., Runs]:
    """Runs that follow a published Chinchilla law up to log-normal scatter."""

    def make(count: int, *, seed: int = 0, sigma: float = 0.01, **more: np.ndarray) -> Runs:
        rng = np.random.default_rng(seed)
        N = np.exp(rng.uniform(np.log(5e7), np.log(1e10), count))
        D = np.exp(rng.uniform(np.log(1e9), np.log(3e11), count))
        truth = sf.law("chinchilla").published["besiroglu-2024"].law
        L = truth.loss(N, D) * np.exp(sigma * rng.standard_normal(count))
        return Runs.from_columns({"N": N, "D": D, "L": L, **more})

    return make


@pytest.fixture(scope="session")
def epoch_245(data_dir: Path) -> Runs:
    """Every point that Besiroglu et al. 2024 read off Hoffmann's figure 4."""
    return sf.read(
        data_dir / "epoch_chinchilla.csv",
        N="params",
        D="tokens",
        L="loss",
        labels=["besiroglu_excluded"],
    )


@pytest.fixture(scope="session")
def epoch_240(epoch_245: Runs) -> Runs:
    """The points that they kept."""
    return epoch_245.take(epoch_245.labels["besiroglu_excluded"] == 0)


@pytest.fixture(scope="session")
def posterior_240(epoch_240: Runs) -> Posterior:
    """The default fit to the points they kept."""
    return sf.fit(epoch_240, law_error=None)
