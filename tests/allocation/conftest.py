"""Laws with values and a stand-in for a posterior, for the tests of this room."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from scalingfit.catalog import law, noise
from scalingfit.declare import Law
from scalingfit.runs import Runs


@pytest.fixture(scope="session")
def chinchilla() -> Callable[..., Law]:
    """Draws of Chinchilla's law, scattered about a published point."""

    def make(shape: tuple[int, ...] = (), *, spread: float = 0.02, seed: int = 0) -> Law:
        rng = np.random.default_rng(seed)
        values = law("chinchilla").published["besiroglu-2024"].values
        return law("chinchilla")(
            **{k: v * np.exp(spread * rng.standard_normal(shape)) for k, v in values.items()}
        )

    return make


@pytest.fixture
def posterior(chinchilla: Callable[..., Law]) -> Any:
    """The parts of a posterior that this room reads; the largest run costs 1.2e22 FLOP."""
    N = np.geomspace(1e8, 1e10, 20)
    return SimpleNamespace(
        law=chinchilla((4, 50)),
        noise=noise("student_t")(sigma=np.full((4, 50), 0.02), nu=np.full((4, 50), 6.0)),
        runs=Runs.from_columns({"N": N, "D": 20 * N, "L": np.linspace(3.5, 2.2, 20)}),
        provenance={"data": "abc"},
    )
