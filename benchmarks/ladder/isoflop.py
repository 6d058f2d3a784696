"""What the table says: the minimum of each IsoFLOP curve, and how far seeds scatter."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from . import table

TABLE = Path(__file__).parents[2] / "scalingfit" / "runs" / "ladder.csv"

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Cell:
    """The runs of one size at one budget; they differ in their seeds alone."""

    params: int
    tokens: int
    losses: Floats
    loss_se: float

    @property
    def loss(self) -> float:
        """Mean over seeds, nats per byte."""
        return float(self.losses.mean())


@dataclass(frozen=True)
class Curve:
    """One IsoFLOP curve: cells by rising size, and a cubic of log loss in log N through them."""

    budget: float
    cells: tuple[Cell, ...]

    @property
    def sizes(self) -> Floats:
        """Parameters of each cell."""
        return np.array([cell.params for cell in self.cells], dtype=float)

    @property
    def losses(self) -> Floats:
        """Mean loss of each cell, nats per byte."""
        return np.array([cell.loss for cell in self.cells])

    @property
    def _cubic(self) -> np.polynomial.Polynomial:
        return np.polynomial.Polynomial.fit(np.log(self.sizes), np.log(self.losses), 3)

    def at(self, sizes: Floats) -> Floats:
        """Loss of the cubic at these sizes."""
        values: Floats = np.exp(self._cubic(np.log(sizes)))
        return values

    @property
    def optimum(self) -> float:
        """Size at the cubic's local minimum; NaN where it has none inside the grid."""
        slope = self._cubic.deriv()
        roots = np.asarray(slope.roots())
        bends = slope.deriv()(roots).real > 0
        inside = (np.log(self.sizes[0]) < roots.real) & (roots.real < np.log(self.sizes[-1]))
        found = roots[(np.abs(roots.imag) < 1e-9) & bends & inside].real
        return float(np.exp(found[0])) if found.size else float("nan")


def curves(path: Path = TABLE) -> list[Curve]:
    """The table's IsoFLOP curves by rising budget; the budget is the one a run's name states."""
    cells: dict[tuple[float, int], list[dict[str, str]]] = {}
    for row in table.read(path):
        budget = float(row["run"].split("-")[0].removeprefix("c"))
        cells.setdefault((budget, int(row["params"])), []).append(row)
    budgets = sorted({budget for budget, _ in cells})
    return [
        Curve(budget, tuple(_cell(cells[key]) for key in sorted(cells) if key[0] == budget))
        for budget in budgets
    ]


def seed_scatter(curves: list[Curve]) -> float:
    """Standard deviation of log loss between seeds, pooled over the replicated cells."""
    logs = [np.log(c.losses) for curve in curves for c in curve.cells if c.losses.size > 1]
    squares = sum(float(((x - x.mean()) ** 2).sum()) for x in logs)
    return float(np.sqrt(squares / sum(x.size - 1 for x in logs)))


def _cell(rows: list[dict[str, str]]) -> Cell:
    return Cell(
        params=int(rows[0]["params"]),
        tokens=int(rows[0]["tokens"]),
        losses=np.array([float(row["loss"]) for row in rows]),
        loss_se=float(rows[0]["loss_se"]),
    )
