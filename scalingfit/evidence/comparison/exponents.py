"""The exponent a of N* ~ C^a under every law and every counting rule."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from scalingfit._errors import InputError
from scalingfit._text import quantity
from scalingfit.allocation import (
    QUANTILES,
    Answer,
    FloatArray,
    Frontier,
    Rule,
    Subject,
    TableCount,
    counting,
    counting_rules,
    frontier,
    quantiles_of,
    subject,
)
from scalingfit.evidence.comparison.stacked import stack
from scalingfit.inference import Posterior
from scalingfit.result import Axes, Column, Interval, Labels, Note, Result, Table

__all__ = ["PLAIN", "Exponents", "exponents_by_law"]

PLAIN = {"N", "D"}
"""Inputs of a law that splits a budget without further ones."""
PUBLISHED = (0.73, 0.50)
"""Kaplan et al. 2020, arXiv 2001.08361; Hoffmann et al. 2022, arXiv 2203.15556."""
TIE = 1e-9
"""Exponents closer than this are equal: what makes them differ is rounding."""


@dataclasses.dataclass(frozen=True)
class Row:
    """The local exponent of one law, or of all of them stacked, at one budget.

    Attributes
    ----------
    law, counting : str
    C : float
        The largest of the runs, as the rule counts them.
    a : Interval
    near_kaplan, near_chinchilla : float
        Probability that it is within r of 0.73, and of 0.50.
    larger : float
        Probability that a > b: that size should grow faster than data.
    """

    law: str
    counting: str
    C: float
    a: Interval
    near_kaplan: float
    near_chinchilla: float
    larger: float


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Exponents(Result):
    """What `exponents_by_law` returns: ``print`` it for a table.

    Attributes
    ----------
    rows : sequence of Row
    r : float
        What counts as near.
    notes : sequence of Note
        What is left out, and what the optima rest on.
    """

    rows: Sequence[Row]
    r: float
    notes: Sequence[Note] = ()

    @property
    def tables(self) -> Sequence[Table]:
        """One row a law and a counting rule."""
        columns = {
            "law": Column([row.law for row in self.rows], heading=""),
            "counting": Column([row.counting for row in self.rows], heading="counted"),
            "C": Column([row.C for row in self.rows], [quantity("C", row.C) for row in self.rows]),
            "a": Column.of([row.a for row in self.rows], ".3f"),
            "near_kaplan": Column.of(
                [row.near_kaplan for row in self.rows], ".3g", "P(|a - .73| < r)"
            ),
            "near_chinchilla": Column.of(
                [row.near_chinchilla for row in self.rows], ".3g", "P(|a - .50| < r)"
            ),
            "larger": Column.of([row.larger for row in self.rows], ".3g", "P(a > b)"),
        }
        title = f"a in N* ~ C^a at the largest budget of the runs, by law and count; r = {self.r:g}"
        return (Table("exponents", "row", columns, title, labels=1),)

    @property
    def details(self) -> Mapping[str, object]:
        """What counts as near."""
        return {"r": self.r}

    @property
    def arrays(self) -> Mapping[str, Axes]:
        """The columns over (law, counting), and the quantiles of a beside them."""
        laws, rules = (self.coordinates[name].values for name in ("law", "counting"))
        at: dict[tuple[Hashable, Hashable], int] = {
            (row.law, row.counting): place for place, row in enumerate(self.rows)
        }
        places = [[at.get((law, rule), len(self.rows)) for rule in rules] for law in laws]
        return {
            name: Axes(
                ("law", "counting", *axes.names[1:]),
                _padded(np.asarray(axes.values, np.float64))[places],
            )
            for name, axes in self.tables[0].arrays().items()
        }

    @property
    def coordinates(self) -> Mapping[str, Labels]:
        """Laws and counting rules."""
        return {
            **super().coordinates,
            "law": Labels("law", [*dict.fromkeys(row.law for row in self.rows)]),
            "counting": Labels("counting", [*dict.fromkeys(row.counting for row in self.rows)]),
        }


def _padded(values: NDArray[np.generic]) -> FloatArray:
    """With NaN in a last row."""
    return np.concatenate([np.asarray(values, np.float64), np.full((1, *values.shape[1:]), np.nan)])


def exponents_by_law(
    posteriors: Mapping[str, Posterior],
    weights: Mapping[str, float],
    *,
    rules: Sequence[Rule] | None = None,
    r: float = 0.05,
) -> Exponents:
    """Find the exponent under every law, every counting rule, and all laws averaged by weight.

    Parameters
    ----------
    posteriors, weights : mapping
        By the law's name.
    rules : sequence of str, Counting or callable
        What a run costs; by default every rule by name. The exponent is that of the N which
        a rule counts. One for an N that counts the embeddings, where that of the fit does not, or
        the other way round, is left out, and named; so is a count of the table that says the same.
    r : float
        What counts as near a published exponent.

    Raises
    ------
    InputError
        No law splits a budget between N and D alone; a rule is not known; r is not positive.
    """
    if not 0 < r < 1:
        raise InputError(f"r is {r:g}", remedy="give a distance between exponents, such as 0.05.")
    rows: list[Row] = []
    others: list[Note] = []
    caveats: list[Note] = []
    splitting = {name: fit for name, fit in posteriors.items() if set(fit.law.inputs()) == PLAIN}
    if not splitting:
        raise InputError(
            "no law splits a budget between N and D alone, so none has such an exponent",
            remedy="ask laws of N and D.",
        )
    for rule in map(counting, counting_rules() if rules is None else rules):
        found: dict[str, Frontier] = {}
        for name, fit in splitting.items():
            asked = subject(fit)
            if None not in (asked.total, rule.total) and asked.total != rule.total:
                others.append(Note("another_N", f"{rule.name} counts another N than its fit", name))
                continue
            if isinstance(rule, TableCount) and _counted_as_six(asked):
                continue
            budget = float(asked.counted(asked.own(rule))["C"].max())
            found[name] = frontier(fit, budget, counting=rule)
            caveats += [note.within(f"{name}, {rule.name}") for note in found[name].notes]
        answers: dict[str, Answer] = {**found}
        if len(found) > 1 and (weight := sum(weights[name] for name in found)) > 0:
            shares = {name: weights[name] / weight for name in found}
            answers["stacked"] = stack(shares, found.__getitem__).mixture
        rows += [_row(name, rule.name, answer, r) for name, answer in answers.items()]
    missing = [
        Note("no_split", "splits no budget between N and D", name)
        for name in posteriors
        if name not in splitting
    ]
    return Exponents(rows, r, (*missing, *others, *caveats))


def _counted_as_six(asked: Subject) -> bool:
    """Whether the runs state no C, or 6 N D to one percent."""
    return asked.ratio is None or bool(np.all(np.abs(np.log(asked.ratio)) < 0.01))


def _row(name: str, rule: str, answer: Answer, r: float) -> Row:
    a, b = answer.draws["a"].ravel(), answer.draws["b"].ravel()
    ends = Interval(*quantiles_of(a, QUANTILES, axis=0).tolist())
    kaplan, chinchilla = (float(np.mean(np.abs(a - value) < r)) for value in PUBLISHED)
    C = float(answer.asked["C"][0])
    return Row(name, rule, C, ends, kaplan, chinchilla, float(np.mean(a > b + TIE)))
