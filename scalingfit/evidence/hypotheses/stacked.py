"""The probability of a statement under each of several laws, and averaged over them."""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Mapping
from typing import Any

import numpy as np

from scalingfit._errors import InputError
from scalingfit.allocation import splits
from scalingfit.inference import OPTIMA, Hypothesis, Posterior, Statement

__all__ = ["StackedHypothesis", "stacked_hypothesis"]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class StackedHypothesis:
    """What several laws say of a statement: ``print`` it for a line for each.

    Attributes
    ----------
    statement : str
    each : mapping of str to Hypothesis
        The answer of every law that can answer.
    weights : mapping of str to float
        Their stacking weights, made to add up to one.
    refused : mapping of str to str
        Why the other laws cannot answer.
    share : float
        Of all stacking weight, what the laws hold that answer.
    """

    statement: str
    each: Mapping[str, Hypothesis]
    weights: Mapping[str, float]
    refused: Mapping[str, str]
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
    def messages(self) -> tuple[str, ...]:
        """Which laws cannot answer, and why; what weight the others hold; what theirs rest on."""
        missing = [f"{name} does not answer: {why}" for name, why in self.refused.items()]
        if missing:
            missing.append(f"the laws that answer hold {self.share:.2g} of the stacking weight")
        said = [f"{name}: {text}" for name, found in self.each.items() for text in found.messages]
        return (*missing, *said)

    def as_json(self) -> dict[str, Any]:
        """A dictionary ready for JSON."""
        return {
            "statement": self.statement,
            "probability": self.probability,
            "error": self.error,
            "weights": dict(self.weights),
            "each": {name: found.as_json() for name, found in self.each.items()},
            "messages": list(self.messages),
        }

    def __str__(self) -> str:
        width = max(map(len, [*self.each, "stacked"]))
        lines = [
            f"{name:<{width}}  {dataclasses.replace(found, messages=())}"
            for name, found in self.each.items()
        ]
        shares = ", ".join(f"{name} {weight:.3g}" for name, weight in self.weights.items())
        lines.append(
            f"{'stacked':<{width}}  P({self.statement}) = {self.probability:.3g} "
            f"± {self.error:.1g} ({shares})"
        )
        return "\n".join([*lines, *(f"! {message}" for message in self.messages)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"


def stacked_hypothesis(
    posteriors: Mapping[str, Posterior],
    weights: Mapping[str, float],
    statement: str,
    **options: Any,
) -> StackedHypothesis:
    """Ask every posterior for the probability of a statement, and average by weight.

    Parameters
    ----------
    posteriors, weights : mapping
        By name.
    statement : str
    **options
        As `scalingfit.inference.hypothesis` takes them; the input of a law goes to the laws that
        have it.

    Raises
    ------
    InputError
        The statement is not understood, or no law of any weight can answer.
    """
    read = Statement(statement)
    each: dict[str, Hypothesis] = {}
    refused: dict[str, str] = {}
    splitting = {name for name, fit in posteriors.items() if splits(type(fit.law))}
    # A law without a split may have a parameter of such a name, which is another quantity.
    of_the_split = bool(splitting) and not read.names.isdisjoint(OPTIMA)
    for name, posterior in posteriors.items():
        if of_the_split and name not in splitting:
            refused[name] = "it splits no budget"
            continue
        try:
            each[name] = posterior.hypothesis(statement, **_own(options, posterior, posteriors))
        except InputError as error:
            refused[name] = str(error).splitlines()[0]
    share = sum(weights[name] for name in each)
    if share <= 0:
        raise InputError(
            f"no law that has any weight can say whether {read.text!r}",
            [f"{name}: {why}" for name, why in refused.items()],
            remedy="ask about what these laws have in common, or one posterior by itself.",
        )
    shares = {name: weights[name] / share for name in each}
    return StackedHypothesis(read.text, each, shares, refused, share)


def _own(
    options: Mapping[str, Any], posterior: Posterior, posteriors: Mapping[str, Posterior]
) -> dict[str, Any]:
    """Options without the inputs that only other laws have."""
    inputs = {name for fit in posteriors.values() for name in type(fit.law).inputs()}
    others = inputs - set(type(posterior.law).inputs())
    return {name: value for name, value in options.items() if name not in others}
