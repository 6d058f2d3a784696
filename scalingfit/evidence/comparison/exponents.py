"""The exponent a of N* ~ C^a under every law and every counting rule."""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scalingfit._errors import InputError
from scalingfit._text import laid_out, quantity
from scalingfit.allocation import (
    QUANTILES,
    Answer,
    Frontier,
    Rule,
    counting,
    frontier,
    quantiles_of,
    subject,
)
from scalingfit.evidence.comparison.stacked import stack
from scalingfit.inference import Posterior

__all__ = ["RULES", "Exponents", "exponents_by_law"]

PLAIN = {"N", "D"}
"""Inputs of a law that splits a budget without further ones."""
RULES = ("6ND", "6ND-non-embedding", "6ND-with-embedding")
PUBLISHED = (0.73, 0.50)
"""Kaplan et al. 2020, arXiv 2001.08361; Hoffmann et al. 2022, arXiv 2203.15556."""
TIE = 1e-9
"""Exponents closer than this are equal: what makes them differ is rounding."""
HEAD = ["", "counted", "C", "a", "P(|a - .73| < r)", "P(|a - .50| < r)", "P(a > b)"]


@dataclasses.dataclass(frozen=True)
class Row:
    """The local exponent of one law, or of all of them stacked, at one budget.

    Attributes
    ----------
    law, counting : str
    C : float
        The largest of the runs, as the rule counts them.
    a : tuple of float
        Its 5, 50 and 95 % quantiles.
    near_kaplan, near_chinchilla : float
        Probability that it is within r of 0.73, and of 0.50.
    larger : float
        Probability that a > b: that size should grow faster than data.
    """

    law: str
    counting: str
    C: float
    a: tuple[float, float, float]
    near_kaplan: float
    near_chinchilla: float
    larger: float


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Exponents:
    """What `exponents_by_law` returns: ``print`` it for a table.

    Attributes
    ----------
    rows : sequence of Row
    r : float
        What counts as near.
    messages : tuple of str
    """

    rows: Sequence[Row]
    r: float
    messages: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """A dictionary ready for JSON."""
        return {
            "r": self.r,
            "rows": [dataclasses.asdict(row) for row in self.rows],
            "messages": list(self.messages),
        }

    def __str__(self) -> str:
        cells = [HEAD]
        for row in self.rows:
            low, middle, high = row.a
            chances = (row.near_kaplan, row.near_chinchilla, row.larger)
            cells.append(
                [
                    row.law,
                    row.counting,
                    quantity("C", row.C),
                    f"{middle:.3f} [{low:.3f}, {high:.3f}]",
                    *(f"{chance:.3g}" for chance in chances),
                ]
            )
        lines = laid_out(cells)
        head = f"a in N* ~ C^a at the largest budget of the runs, by law and count; r = {self.r:g}"
        return "\n".join([head, *lines, *(f"! {message}" for message in self.messages)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"


def exponents_by_law(
    posteriors: Mapping[str, Posterior],
    weights: Mapping[str, float],
    *,
    rules: Sequence[Rule] = RULES,
    r: float = 0.05,
) -> Exponents:
    """Find the exponent under every law, every counting rule, and all laws averaged by weight.

    Parameters
    ----------
    posteriors, weights : mapping
        By the law's name.
    rules : sequence of str, Counting or callable
        What a run costs; see `scalingfit.allocation.frontier`. The exponent is that of the N which
        a rule counts. One for an N that counts the embeddings, where that of the fit does not, or
        the other way round, is left out, and named.
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
    others: list[str] = []
    messages: list[str] = []
    splitting = {name: fit for name, fit in posteriors.items() if set(fit.law.inputs()) == PLAIN}
    if not splitting:
        raise InputError(
            "no law splits a budget between N and D alone, so none has such an exponent",
            remedy="ask laws of N and D.",
        )
    for rule in map(counting, rules):
        found: dict[str, Frontier] = {}
        for name, fit in splitting.items():
            asked = subject(fit)
            if None not in (asked.total, rule.total) and asked.total != rule.total:
                others.append(f"{rule.name} is for another N than that of {name}")
                continue
            budget = float(asked.counted(rule)["C"].max())
            found[name] = frontier(fit, budget, counting=rule)
            messages += [f"{name}, {rule.name}: {message}" for message in found[name].messages]
        answers: dict[str, Answer] = {**found}
        if len(found) > 1 and (weight := sum(weights[name] for name in found)) > 0:
            shares = {name: weights[name] / weight for name in found}
            answers["stacked"] = stack(shares, found.__getitem__).mixture
        rows += [_row(name, rule.name, answer, r) for name, answer in answers.items()]
    missing = [f"{name} splits no budget between N and D" for name in posteriors.keys() - splitting]
    return Exponents(rows, r, (*sorted(missing), *others, *messages))


def _row(name: str, rule: str, answer: Answer, r: float) -> Row:
    a, b = answer.draws["a"].ravel(), answer.draws["b"].ravel()
    low, middle, high = quantiles_of(a, QUANTILES, axis=0).tolist()
    kaplan, chinchilla = (float(np.mean(np.abs(a - value) < r)) for value in PUBLISHED)
    C = float(answer.asked["C"][0])
    return Row(name, rule, C, (low, middle, high), kaplan, chinchilla, float(np.mean(a > b + TIE)))
