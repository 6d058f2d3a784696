"""What each candidate of a comparison would have you train: what the choice of one changes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from scalingfit._errors import InputError
from scalingfit._text import flop, interval
from scalingfit.allocation import Frontier, Rule
from scalingfit.evidence.comparison.exponents import PLAIN
from scalingfit.inference import Posterior
from scalingfit.result import Axes, Column, Interval, Labels, Note, Result, Table

__all__ = ["Answers", "answers"]

SHOWN = ("N", "D", "tokens_per_param", "L")

ALIKE = 1.1
"""Optima within this factor are one for whoever trains."""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Answers(Result):
    """What `Comparison.answers` returns: ``print`` it for a table.

    Attributes
    ----------
    each : mapping of str to Frontier
        By candidate, in the order of the comparison.
    weights : mapping of str to float
        Of the stacked prediction.
    missing : sequence of str
        Candidates that split no budget between N and D alone.
    """

    each: Mapping[str, Frontier]
    weights: Mapping[str, float]
    missing: Sequence[str] = ()

    @property
    def C(self) -> list[float]:
        """The budgets, in FLOP."""
        return [float(C) for C in next(iter(self.each.values())).asked["C"]]

    @property
    def tables(self) -> Sequence[Table]:
        """One row a budget and candidate."""
        rows = [(place, name) for place in range(len(self.C)) for name in self.each]
        columns = {
            "name": Column([name for _, name in rows], heading=""),
            "C": Column([self.C[place] for place, _ in rows], [flop(self.C[p]) for p, _ in rows]),
            "weight": Column.of([self.weights[name] for _, name in rows], ".2f"),
        }
        for key in SHOWN:
            found = [self._interval(name, key, place) for place, name in rows]
            columns[key] = Column(found, [interval(key, *each) for each in found])
        columns["tokens_per_param"] = dataclasses.replace(
            columns["tokens_per_param"], heading="D*/N*"
        )
        title = "What each would have you train: median [5 %, 95 %]"
        return (Table("answers", "answer", columns, title, labels=1),)

    @property
    def notes(self) -> Sequence[Note]:
        """Which candidates have no such answer, and what to know of the others'."""
        lost = [Note("no_split", "splits no budget between N and D", name) for name in self.missing]
        return (
            *lost,
            *(note.within(name) for name, found in self.each.items() for note in found.notes),
        )

    @property
    def conclusion(self) -> str:
        """How far apart the answers lie, budget by budget."""
        return "\n".join(self._apart(place) for place in range(len(self.C)))

    @property
    def details(self) -> Mapping[str, object]:
        """How FLOP are counted, and the record of every answer."""
        return {"provenance": {name: found.provenance for name, found in self.each.items()}}

    @property
    def arrays(self) -> Mapping[str, Axes]:
        """Medians and ends of 90 % intervals over (candidate, budget, quantile)."""
        return {
            key: Axes(
                ("candidate", "budget", "quantile"),
                np.array([found.quantiles(key).T for found in self.each.values()]),
            )
            for key in SHOWN
        }

    @property
    def coordinates(self) -> Mapping[str, Labels]:
        """The candidates and the budgets."""
        return {
            **super().coordinates,
            "candidate": Labels("candidate", [*self.each]),
            "budget": Labels("budget", self.C),
        }

    def _interval(self, name: str, key: str, place: int) -> Interval:
        return Interval(*self.each[name].quantiles(key)[:, place].tolist())

    def _apart(self, place: int) -> str:
        ratio = {name: self._interval(name, "tokens_per_param", place) for name in self.each}
        least, most = (pick(ratio, key=lambda n: ratio[n].median) for pick in (min, max))
        times = ratio[most].median / ratio[least].median
        at = f"At {flop(self.C[place])} FLOP your D*/N* would be"
        if len(ratio) == 1 or times < ALIKE:
            return f"{at} {interval('', *ratio[least])}, whichever is chosen."
        return (
            f"{at} {interval('', *ratio[least])} under {least} and {interval('', *ratio[most])} "
            f"under {most}: a factor of {times:.2g}, {_open(ratio, least, most)}."
        )


def _open(found: Mapping[str, Interval], one: str, other: str) -> str:
    """Whether two answers are further apart than either leaves open."""
    too_sure = [
        name
        for name, there in ((one, other), (other, one))
        if not found[name].low <= found[there].median <= found[name].high
    ]
    if not too_sure:
        return "which either leaves open: the choice between them matters little there"
    return f"more than {' or '.join(too_sure)} by itself leaves open"


def answers(
    posteriors: Mapping[str, Posterior],
    weights: Mapping[str, float],
    C: ArrayLike,
    counting: Rule = "6ND",
) -> Answers:
    """Ask every candidate that splits budgets between N and D for its optimum.

    Parameters
    ----------
    posteriors, weights : mapping
        By the candidate's name.
    C : float or array, shape (budget,)
        Budgets in FLOP.
    counting : str, Counting or callable
        What a run costs; see `scalingfit.allocation.frontier`.

    Raises
    ------
    InputError
        None splits a budget between N and D alone; or as in `frontier`.
    """
    splitting = {name: fit for name, fit in posteriors.items() if set(fit.law.inputs()) == PLAIN}
    if not splitting:
        raise InputError(
            "no law splits a budget between N and D alone, so none has such an answer",
            remedy="ask laws of N and D.",
        )
    found = {name: fit.frontier(C, counting=counting) for name, fit in splitting.items()}
    return Answers(found, weights, [name for name in posteriors if name not in splitting])
