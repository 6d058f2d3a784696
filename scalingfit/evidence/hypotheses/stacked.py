"""The probability of a statement under each of several laws, and averaged over them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from scalingfit._errors import InputError
from scalingfit._messages import Message, Text
from scalingfit.allocation import Rule, splits
from scalingfit.inference import OPTIMA, Hypothesis, Posterior, Statement
from scalingfit.result import Column, Note, Result, Table

__all__ = ["StackedHypothesis", "stacked_hypothesis"]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class StackedHypothesis(Result):
    """What several laws say of a statement: ``print`` it for a line for each.

    Attributes
    ----------
    statement : str
    each : mapping of str to Hypothesis
        The answer of every law that can answer.
    weights : mapping of str to float
        Their stacking weights, made to add up to one.
    refused : mapping of str to str or Message
        Why the other laws cannot answer.
    share : float
        Of all stacking weight, what the laws hold that answer.
    """

    statement: str
    each: Mapping[str, Hypothesis]
    weights: Mapping[str, float]
    refused: Mapping[str, Text]
    share: float

    @property
    def probability(self) -> float:
        """The laws' probabilities, averaged by weight."""
        return sum(self.weights[name] * found.probability for name, found in self.each.items())

    @property
    def error(self) -> float:
        """Monte-Carlo standard error of that; the weights are taken as known."""
        parts = [self.weights[name] * found.error for name, found in self.each.items()]
        return float(np.linalg.norm(parts))

    @property
    def tables(self) -> Sequence[Table]:
        """One row a law."""
        weights = Column.of([self.weights[name] for name in self.each], ".3g")
        by_law = Hypothesis.table(self.each)
        columns = {"candidate": Column([*self.each], heading=""), **by_law.columns}
        title = f"P({self.statement}) by law"
        return (
            dataclasses.replace(
                by_law, columns=columns | {"weight": weights}, title=title, labels=1, limit=None
            ),
        )

    @property
    def notes(self) -> Sequence[Note]:
        """Which laws cannot answer, and why; the weight of the others; what theirs rest on."""
        missing = [
            Note("no_answer", Message("does not answer: ", why), name)
            for name, why in self.refused.items()
        ]
        if missing:
            text = f"the laws that answer hold {self.share:.2g} of the stacking weight"
            missing.append(Note("stacking_weight", text))
        return (
            *missing,
            *(note.within(name) for name, found in self.each.items() for note in found.notes),
        )

    @property
    def conclusion(self) -> str:
        """The average."""
        shares = ", ".join(f"{name} {weight:.3g}" for name, weight in self.weights.items())
        return (
            f"P({self.statement}) = {self.probability:.3g} ± {self.error:.1g}, "
            f"averaged by weight ({shares})"
        )

    @property
    def details(self) -> Mapping[str, object]:
        """The statement and its probability over the laws."""
        return {
            "statement": self.statement,
            "probability": self.probability,
            "error": self.error,
            "weights": self.weights,
        }


def stacked_hypothesis(
    posteriors: Mapping[str, Posterior],
    weights: Mapping[str, float],
    statement: str,
    *,
    C: float | None = None,
    counting: Rule = "6ND",
    **extras: ArrayLike | None,
) -> StackedHypothesis:
    """Ask every posterior for the probability of a statement, and average by weight.

    Parameters
    ----------
    posteriors, weights : mapping
        By name.
    statement : str
    C, counting, **extras
        As `scalingfit.inference.hypothesis` takes them; the input of a law goes to the laws that
        have it.

    Raises
    ------
    InputError
        The statement is not understood, or no law of any weight can answer.
    """
    read = Statement(statement)
    each: dict[str, Hypothesis] = {}
    refused: dict[str, Text] = {}
    splitting = {name for name, fit in posteriors.items() if splits(type(fit.law))}
    # A law without a split may have a parameter of such a name, which is another quantity.
    of_the_split = bool(splitting) and not read.names.isdisjoint(OPTIMA)
    for name, posterior in posteriors.items():
        if of_the_split and name not in splitting:
            refused[name] = "it splits no budget"
            continue
        try:
            own = _own(extras, posterior, posteriors)
            each[name] = posterior.hypothesis(statement, C=C, counting=counting, **own)
        except InputError as error:
            refused[name] = error.what
    share = sum(weights[name] for name in each)
    if share <= 0:
        raise InputError(
            f"no law that has any weight can say whether {read.text!r}",
            [Message(f"{name}: ", why) for name, why in refused.items()],
            remedy="ask about what these laws have in common, or one posterior by itself.",
        )
    shares = {name: weights[name] / share for name in each}
    return StackedHypothesis(read.text, each, shares, refused, share)


def _own(
    extras: Mapping[str, ArrayLike | None],
    posterior: Posterior,
    posteriors: Mapping[str, Posterior],
) -> dict[str, ArrayLike | None]:
    """What is given without the inputs that only other laws have."""
    inputs = {name for fit in posteriors.values() for name in type(fit.law).inputs()}
    others = inputs - set(type(posterior.law).inputs())
    return {name: value for name, value in extras.items() if name not in others}
