"""Answers averaged over laws, with the spread between the laws beside the spread within."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalingfit._text import quantity
from scalingfit.allocation import Answer

__all__ = ["NEGLIGIBLE", "Stacked", "stack"]

COUNTED = ("counting", "a_of")  # how FLOP are counted: one rule for all laws
NEGLIGIBLE = 0.005
"""Laws with less weight than this take no part."""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Stacked:
    """A mixture of several laws' draws.

    Attributes
    ----------
    mixture : Answer
        A `Frontier` or a `Forecast` whose draws, shape (1, draw, row), are a mixture of all laws'.
    each : mapping of str to Answer
        The answer of every law that takes part.
    weights : mapping of str to float
        Their shares in the mixture.
    """

    mixture: Answer
    each: Mapping[str, Answer]
    weights: Mapping[str, float]

    def spread(self) -> list[dict[str, Any]]:
        """Standard deviations of the logarithms, within the laws and between them.

        Returns
        -------
        list of dict
            One a row: what was asked, and for every answer ``{"within": ..., "between": ...}``.
            0.1 is about ten percent.
        """
        share = np.array(list(self.weights.values()))[:, None]
        rows: list[dict[str, Any]] = [
            {name: float(values[row]) for name, values in self.mixture.asked.items()}
            for row in range(len(self.mixture))
        ]
        for name in self.mixture.draws:
            with np.errstate(invalid="ignore", divide="ignore"):
                logs = [np.log(answer.draws[name]) for answer in self.each.values()]
                means = np.array([values.mean(axis=(0, 1)) for values in logs])
                inner = np.array([values.var(axis=(0, 1)) for values in logs])
            within = np.sqrt(np.sum(share * inner, axis=0))
            between = np.sqrt(np.sum(share * (means - np.sum(share * means, axis=0)) ** 2, axis=0))
            for row, inside, outside in zip(rows, within, between, strict=True):
                row[name] = {"within": float(inside), "between": float(outside)}
        return rows

    def as_json(self) -> dict[str, Any]:
        """A dictionary ready for JSON."""
        return {
            "weights": dict(self.weights),
            "mixture": self.mixture.summary(),
            "each": {name: answer.summary() for name, answer in self.each.items()},
            "spread": self.spread(),
            "messages": list(self.mixture.messages),
        }

    def __str__(self) -> str:
        shares = ", ".join(f"{name} {share:.3g}" for name, share in self.weights.items())
        return "\n".join(
            [
                f"Stacked: {shares}",
                str(self.mixture),
                "Standard deviation of the logarithm, within / between laws",
                *self._spread_lines(),
            ]
        )

    def _spread_lines(self) -> list[str]:
        names = [name for name in self.mixture.draws if name not in self.mixture.hidden]
        rows = [[*self.mixture.asked, *names]]
        for row in self.spread():
            asked = [quantity(name, row[name]) for name in self.mixture.asked]
            rows.append(asked + ["{within:.2g} / {between:.2g}".format(**row[n]) for n in names])
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return ["  ".join(map(str.rjust, row, widths)) for row in rows]

    __repr__ = __str__


def stack(
    weights: Mapping[str, float],
    ask: Callable[[str], Answer],
    seed: int = 0,
) -> Stacked:
    """Ask several laws the same and mix their draws by weight.

    Parameters
    ----------
    weights : mapping of str to float
        By name; laws of negligible weight are not asked.
    ask : callable
        ``name -> Answer``.
    seed : int
        Of the choice of draws.
    """
    asked = {name: weight for name, weight in weights.items() if weight > NEGLIGIBLE}
    shares = {name: weight / sum(asked.values()) for name, weight in asked.items()}
    each = {name: ask(name) for name in asked}
    left_out = [
        f"{name} takes no part: its weight is {weight:.2g}"
        for name, weight in weights.items()
        if name not in asked
    ]
    first = next(iter(each.values()))
    common = [name for name in first.draws if all(name in other.draws for other in each.values())]
    chosen = _choose(each, shares, np.random.default_rng(seed))
    mixed = {
        name: np.concatenate(
            [
                answer.draws[name].reshape(-1, len(first))[chosen[law]]
                for law, answer in each.items()
            ]
        )[None]
        for name in common
    }
    mixture = type(first)(
        asked=first.asked,
        draws=mixed,
        messages=(
            *left_out,
            *(f"{name}: {m}" for name, answer in each.items() for m in answer.messages),
        ),
        provenance={
            **{key: first.provenance[key] for key in COUNTED if key in first.provenance},
            "stacked": {n: dict(a.provenance) for n, a in each.items()},
            "weights": shares,
        },
    )
    return Stacked(mixture, each, shares)


def _choose(
    each: Mapping[str, Answer], shares: Mapping[str, float], random: np.random.Generator
) -> dict[str, NDArray[np.int64]]:
    """Positions of the draws that each law gives to the mixture, in proportion to its share."""
    sizes = {name: next(iter(a.draws.values()))[..., 0].size for name, a in each.items()}
    # No law can give more draws than it has, and each draw is given at most once.
    total = min(sizes[name] / share for name, share in shares.items())
    return {
        name: random.permutation(sizes[name])[: max(1, round(total * share))]
        for name, share in shares.items()
    }
