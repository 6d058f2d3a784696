"""Answers averaged over laws, with the spread between the laws beside the spread within."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from scalingfit.allocation import Answer, FloatArray
from scalingfit.result import Axes, Column, Labels, Note, Result, Table

__all__ = ["NEGLIGIBLE", "Stacked", "stack"]

EXPONENTS = frozenset({"a"})
"""Answers that are slopes of logarithms already."""
COUNTED = ("counting", "a_of")  # how FLOP are counted: one rule for all laws
NEGLIGIBLE = 0.005
"""Laws with less weight than this take no part."""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Stacked(Result):
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

    @property
    def tables(self) -> Sequence[Table]:
        """The mixture, and its spread within and between the laws."""
        shares = ", ".join(f"{name} {share:.3g}" for name, share in self.weights.items())
        mixture = self.mixture.tables[0]
        title = f"Stacked: {shares}\n{mixture.title}"
        return (dataclasses.replace(mixture, title=title), self._spread_table(mixture))

    @property
    def notes(self) -> Sequence[Note]:
        """What to know of the laws' answers, and which laws take no part."""
        return self.mixture.notes

    @property
    def details(self) -> Mapping[str, object]:
        """The laws' shares, and the answer of each."""
        return {
            "weights": self.weights,
            "each": {name: answer.tables[0].records() for name, answer in self.each.items()},
        }

    @property
    def arrays(self) -> Mapping[str, Axes]:
        """Draws of the mixture."""
        return self.mixture.arrays

    @property
    def coordinates(self) -> Mapping[str, Labels]:
        """Those of the mixture."""
        return self.mixture.coordinates

    def spread(self, name: str) -> tuple[FloatArray, FloatArray]:
        """Standard deviations of the logarithm of one answer, within the laws and between them.

        0.1 is about ten percent; each of shape (row,). Of an exponent, which may be negative, they
        are those of the exponent itself.
        """
        share = np.array(list(self.weights.values()))[:, None]
        with np.errstate(invalid="ignore", divide="ignore"):
            drawn = [answer.draws[name] for answer in self.each.values()]
            logs = drawn if name in EXPONENTS else [np.log(values) for values in drawn]
            means = np.array([values.mean(axis=(0, 1)) for values in logs])
            inner = np.array([values.var(axis=(0, 1)) for values in logs])
        within = np.sqrt(np.sum(share * inner, axis=0))
        between = np.sqrt(np.sum(share * (means - np.sum(share * means, axis=0)) ** 2, axis=0))
        return within, between

    def _spread_table(self, mixture: Table) -> Table:
        columns = {name: mixture.columns[name] for name in self.mixture.asked}
        for name in self.mixture.draws:
            pairs = list(zip(*(part.tolist() for part in self.spread(name)), strict=True))
            columns[name] = Column(
                [{"within": within, "between": between} for within, between in pairs],
                [f"{within:.2g} / {between:.2g}" for within, between in pairs],
                hidden=name in self.mixture.hidden,
            )
        itself = " (of a itself)" if EXPONENTS & self.mixture.draws.keys() else ""
        title = f"Standard deviation of the logarithm{itself}, within / between laws"
        return Table("spread", mixture.row, columns, title)


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
        Note("no_part", f"takes no part, at a weight of {weight:.2g}", name)
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
        notes=(
            *left_out,
            *(note.within(name) for name, answer in each.items() for note in answer.notes),
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
