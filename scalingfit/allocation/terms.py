"""The terms of a question about budgets: what they pay for, and the largest model allowed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from scalingfit.allocation.flops import Counting, WithInference
from scalingfit.allocation.flops import counting as counting_rule
from scalingfit.allocation.question import Subject, numbers

__all__ = ["Rule", "Terms", "terms"]

Rule = str | Counting | Callable[[Any, Any], Any]
"""How FLOP are counted: a name, a rule, or a function (N, D) -> C."""


@dataclasses.dataclass(frozen=True)
class Terms:
    """What `terms` understood.

    Attributes
    ----------
    training : Counting
        The rule for the training run alone.
    rule : Counting
        The rule for all that the budget pays for: training, and serving where that was asked.
    max_params : float
        The largest model allowed; infinite where there is no limit.
    """

    training: Counting
    rule: Counting
    max_params: float

    def record(self, asked: Subject) -> dict[str, Any]:
        """The JSON-able record of an answer to `asked` under these terms."""
        return {
            "law": type(asked.law).name,
            "counting": self.rule.describe(),
            "max_params": self.max_params if np.isfinite(self.max_params) else None,
            "posterior": dict(asked.provenance),
        }


def terms(
    counting: Rule, max_params: float | None = None, inference_tokens: float | None = None
) -> Terms:
    """Read the counting rule and the limits, as `frontier` explains them.

    Raises
    ------
    InputError
        A rule that counts nothing, or a limit that is not positive.
    """
    training = counting_rule(counting)
    rule = training
    if inference_tokens is not None:
        rule = WithInference(training, float(numbers("inference_tokens", inference_tokens)[0]))
    largest = np.inf if max_params is None else float(numbers("max_params", max_params)[0])
    return Terms(training, rule, largest)
