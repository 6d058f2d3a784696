"""Which runs make the ladder, and the rule that sets each one's batch and learning rate."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from .model import Shape

#: Shapes, each about twice the weights of the one before.
RUNGS = tuple(
    Shape(width, depth)
    for width, depth in (
        (4, 1),
        (8, 1),
        (12, 2),
        (16, 2),
        (24, 2),
        (32, 3),
        (48, 3),
        (64, 4),
        (96, 4),
        (128, 5),
        (192, 5),
    )
)

#: Budget [FLOP, 6 N D] -> the rungs trained on it: a factor of 8 or more to both sides of the
#: optimum that the curve turned out to have.
GRID: dict[float, tuple[Shape, ...]] = {
    2e10: RUNGS[0:8],
    6.3e10: RUNGS[0:8],
    2e11: RUNGS[1:9],
    6.3e11: RUNGS[2:10],
    2e12: RUNGS[3:11],
}

#: Cells trained from three seeds, by their place in the budget's row: about the optimum of each
#: budget, and at both ends of the cheaper ones.
REPLICATED = {
    2e10: (0, 3, 7),
    6.3e10: (0, 4, 5, 6, 7),
    2e11: (3, 4, 5),
    6.3e11: (3, 4),
    2e12: (3,),
}
SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class Plan:
    """How long and how fast: `batch` in bytes a step, `learning_rate` at the end of the warm-up."""

    steps: int
    batch: int
    learning_rate: float

    @property
    def tokens(self) -> int:
        """Bytes trained on; each is predicted once."""
        return self.steps * self.batch


@dataclass(frozen=True)
class Run:
    """One row to be."""

    shape: Shape
    budget: float
    seed: int

    @property
    def name(self) -> str:
        """Says what the run is; the table's key."""
        return f"c{self.budget:.1e}-w{self.shape.width}-d{self.shape.depth}-s{self.seed}".replace(
            "+", ""
        )

    @property
    def plan(self) -> Plan:
        """Batch and learning rate by the rule of README.md; as many steps as the budget pays."""
        tokens = self.budget / (6 * self.shape.params)
        batch = batch_for(tokens)
        return Plan(
            max(1, round(tokens / batch)), batch, learning_rate_for(self.shape.params, batch)
        )


def runs(budgets: Iterable[float] = tuple(GRID)) -> Iterator[Run]:
    """Every run of these budgets, cheap budgets first and the further seeds last."""
    budgets = sorted(budgets)
    for budget in budgets:
        yield from (Run(shape, budget, SEEDS[0]) for shape in GRID[budget])
    for budget in budgets:
        for seed in SEEDS[1:]:
            yield from (Run(GRID[budget][cell], budget, seed) for cell in REPLICATED[budget])


def batch_for(tokens: float) -> int:
    """Bytes a step: 256 sqrt(D / 1e6), to the nearest power of two from 128 to 2048."""
    return int(2 ** np.clip(np.round(np.log2(256 * (tokens / 1e6) ** 0.5)), 7, 11))


def learning_rate_for(params: int, batch: int) -> float:
    """Learning rate at the end of the warm-up: 0.014 sqrt(batch / 256) (N / 1e4)^-0.3."""
    return float(f"{0.014 * (batch / 256) ** 0.5 * (params / 1e4) ** -0.3:.3g}")
