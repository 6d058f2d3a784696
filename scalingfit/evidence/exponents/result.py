"""The outcome of `reconcile`: every stage's exponent by each method, beside what is published."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from scalingfit._errors import InputError
from scalingfit.evidence.exponents.isoflop import Exponent
from scalingfit.evidence.exponents.profiles import Profiles
from scalingfit.inference import Posterior
from scalingfit.result import Axes, Column, Interval, Labels, Note, Result, Table

__all__ = ["METHODS", "Reconciliation", "Stage"]

METHODS = ("law", "isoflop", "envelope")

MINIMA = 16
"""Minima that people get; machines get all."""


@dataclasses.dataclass(frozen=True, eq=False)
class Stage:
    """One stage of an experiment.

    Attributes
    ----------
    posterior : Posterior
        Of the law.
    exponents : mapping of str to Exponent or None
        By method: "law", "isoflop", "envelope"; None where the runs do not allow it.
    profiles : Profiles or None
    published : tuple of float
        Exponents to compare with.
    notes : tuple of Note
    law_alone : bool
        Whether the posterior, of another stage's runs, is asked where this stage has none itself.
    """

    posterior: Posterior
    exponents: Mapping[str, Exponent | None]
    profiles: Profiles | None
    published: tuple[float, ...]
    notes: tuple[Note, ...]
    law_alone: bool = False

    @property
    def runs(self) -> int:
        """How many runs the stage has; 0 where the law alone is asked."""
        return 0 if self.law_alone else len(self.posterior.runs)

    @property
    def missing(self) -> tuple[str, ...]:
        """The methods that the runs do not allow."""
        asked = METHODS[:1] if self.law_alone else METHODS
        return tuple(method for method in asked if self.exponents[method] is None)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Reconciliation(Result):
    """What `reconcile` returns: ``print`` it for the ladder of exponents.

    Attributes
    ----------
    stages : mapping of str to Stage
    """

    stages: Mapping[str, Stage]

    def probability(self, first: str, second: str, method: str = "isoflop") -> float:
        """Probability that the exponent of one stage is above that of another."""
        one, other = (self.stages[name].exponents[method] for name in (first, second))
        if one is None or other is None:
            raise InputError(
                f"{method} gives no exponent for one of {first!r} and {second!r}",
                remedy=f"ask of another method: {', '.join(METHODS)}.",
            )
        return one.above(other)

    @property
    def tables(self) -> Sequence[Table]:
        """One row a stage: medians and intervals of a by each method."""
        stages = [*self.stages.values()]
        counts = [stage.runs for stage in stages]
        published = [[*stage.published] for stage in stages]
        columns = {
            "stage": Column([*self.stages], heading="a in N* ~ C^a"),
            "runs": Column(counts, [str(count or "law alone") for count in counts]),
            **{method: Column.of(_intervals(stages, method), ".3f") for method in METHODS},
            "published": Column(
                published, [", ".join(f"{a:.3f}" for a in each) or "-" for each in published]
            ),
            "verdict": Column([stage.posterior.verdict.status for stage in stages], hidden=True),
        }
        return (Table("stages", "stage", columns, labels=1), self._minima())

    def _minima(self) -> Table:
        """Where each budget's loss is least, by stage."""
        parts = [(name, stage.profiles.tables[0].columns) for name, stage in self.stages.items()
                 if stage.profiles is not None]  # fmt: skip
        names = [name for name, columns in parts for _ in columns["C"].values]
        columns = {"stage": Column(names, heading="")}
        for key, first in parts[0][1].items() if parts else ():
            columns[key] = Column(
                [value for _, one in parts for value in one[key].values],
                [text for _, one in parts for text in one[key].texts()],
                first.heading,
                hidden=first.hidden,
            )
        title = "Minima of the budgets: median [5 %, 95 %]"
        return Table("minima", "budget", columns, title, labels=1, limit=MINIMA)

    @property
    def notes(self) -> Sequence[Note]:
        """What to know of each stage."""
        return [note.within(name) for name, stage in self.stages.items() for note in stage.notes]

    @property
    def arrays(self) -> Mapping[str, Axes]:
        """Quantiles of a over (stage, approach, quantile), and how many runs each stage has."""
        main = self.tables[0].arrays()
        a = np.stack([main[method].values for method in METHODS], axis=1)
        return {"a": Axes(("stage", "approach", "quantile"), a), "runs": main["runs"]}

    @property
    def coordinates(self) -> Mapping[str, Labels]:
        """The stages and the methods."""
        return {**super().coordinates, "approach": Labels("approach", METHODS)}


def _intervals(stages: Sequence[Stage], method: str) -> list[Interval | None]:
    found = [stage.exponents[method] for stage in stages]
    return [None if exponent is None else exponent.interval for exponent in found]
