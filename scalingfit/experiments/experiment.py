"""A first experiment, and what it is expected to tell."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import final, override

import numpy as np

from scalingfit._files import replacing
from scalingfit._text import engineering, quantity
from scalingfit.allocation import Costs, FloatArray, dollars, percent, spent
from scalingfit.experiments.optima import DECADE
from scalingfit.experiments.pool import Pool
from scalingfit.result import Column, Interval, Note, Result, Table

__all__ = ["Experiment"]

STEEP = 1.0
"""Half width of the exponent a from which on the runs do not determine it."""


@final
@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Experiment(Result):
    """An isoFLOP grid to begin with: ``print`` it, and `save` it for a launcher.

    Attributes
    ----------
    runs : Pool
    targets : array, shape (target,)
        Budgets in FLOP that the experiment is for.
    log_sd : array, shape (truth, target)
        The standard deviation that log N* is expected to have, for each law that may be true. From
        a factor of ten on the runs do not determine it.
    exponent_sd : array, shape (truth, target)
        Likewise of the exponent a; from one on the runs do not determine it.
    overspend : array, shape (truth, target)
        What the best plan is then expected to overspend, as a share of the target.
    costs : Costs or None
    about : str
        Which laws may be true.
    sigma : float
        Scatter of a run, relative to its loss.
    exact : bool
        Whether the law is supposed to have no error.
    notes : sequence of Note
    """

    runs: Pool
    targets: FloatArray
    log_sd: FloatArray
    exponent_sd: FloatArray
    overspend: FloatArray
    costs: Costs | None
    about: str
    sigma: float
    exact: bool
    notes: Sequence[Note] = ()

    @property
    def cost(self) -> float:
        """Of all runs, FLOP."""
        return float(self.runs.cost.sum())

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the runs as CSV, one row each; `read` takes it back with a column of losses."""
        with replacing(path) as part:
            self.runs.to_pandas().to_csv(part, index=False)

    @property
    @override
    def tables(self) -> Sequence[Table]:
        runs = self.runs
        columns = {
            "N": Column([*map(float, runs.inputs["N"])], [*map(engineering, runs.inputs["N"])]),
            "D": Column([*map(float, runs.inputs["D"])], [*map(engineering, runs.inputs["D"])]),
            **{
                name: Column([*map(float, values)], [quantity(name, one) for one in values])
                for name, values in runs.labels.items()
                if name != "C"
            },
            **spent(runs.cost, self.costs, "cost"),
        }
        wide = 1.645
        factor = _over_truths(np.exp(np.minimum(wide * self.log_sd, DECADE)))
        slope = _over_truths(np.minimum(wide * self.exponent_sd, STEEP))
        lost = _over_truths(self.overspend)
        rows = {
            "target": Column([*map(float, self.targets)], [quantity("C", C) for C in self.targets]),
            "N_factor": _up_to(np.exp(DECADE), factor, "N* within a factor of"),
            "a_half_width": _up_to(STEEP, slope, "a within"),
            "overspend": Column(lost, [_percents(one) for one in lost], "best plan overspends [%]"),
        }
        title = "What it is expected to tell at 90 %: median [5 %, 95 %] over laws that may be true"
        return (
            Table("runs", "run", columns, "A first experiment"),
            Table("expected", "target", rows, title),
        )

    @property
    @override
    def conclusion(self) -> str:
        money = dollars(self.cost, self.costs, " ({})")
        return (
            f"{len(self.runs)} runs for {quantity('C', self.cost)} FLOP{money}; laws that may be "
            f"true: {self.about}; scatter of a run: {percent(self.sigma)} %"
            f"{'; the law is supposed to be exact' if self.exact else ''}."
        )

    @property
    @override
    def details(self) -> Mapping[str, object]:
        return {
            "cost": self.cost,
            "about": self.about,
            "sigma": self.sigma,
            "exact": self.exact,
        }


def _over_truths(values: FloatArray) -> list[Interval]:
    low, middle, high = np.quantile(values, (0.05, 0.5, 0.95), axis=0)
    return [Interval(*map(float, ends)) for ends in zip(low, middle, high, strict=True)]


def _up_to(limit: float, found: Sequence[Interval], heading: str) -> Column:
    """Intervals whose ends may stand for themselves or more."""

    def shown(value: float) -> str:
        return f"{limit:.3g} or more" if value >= limit * (1 - 1e-9) else f"{value:.3g}"

    cells = [
        shown(middle) if low == high else f"{shown(middle)} [{shown(low)}, {shown(high)}]"
        for low, middle, high in found
    ]
    return Column(found, cells, heading)


def _percents(share: Interval) -> str:
    low, middle, high = map(percent, share)
    return middle if low == high else f"{middle} [{low}, {high}]"
