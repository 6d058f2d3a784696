"""Between Kaplan's law and Chinchilla's: the posterior of E and q in the family that holds both.

``L = E + [(A / N^alpha)^(1/q) + (B / D^beta)^(1/q)]^q`` is Chinchilla's law at q = 1 and Kaplan's
(2020, arXiv 2001.08361, equation 1.5) at E = 0 and q = beta.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from scalingfit.evidence.candidates import doubts
from scalingfit.inference import Posterior, prior_values
from scalingfit.result import Axes, Column, Interval, Note, Result, Table

__all__ = ["NestedFamily"]

Floats = NDArray[np.float64]

FORMULA = "E + [(A/N^alpha)^(1/q) + (B/D^beta)^(1/q)]^q"
SIDES = {
    "chinchilla": "P(q nearer to 1 than to beta), as in Chinchilla's law",
    "kaplan": "P(q nearer to beta, E below half a nat), as nearly in Kaplan's law",
    "neither": "P(q nearer to beta, E above half a nat), as in neither",
}
SMALL = 0.5  # nats: an irreducible loss below it is on Kaplan's side
SURE = 0.95


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class NestedFamily(Result):
    """Where in the family that holds both laws the runs lie.

    Attributes
    ----------
    posterior : Posterior
        Of the law `nested`.
    """

    posterior: Posterior

    @property
    def E(self) -> Floats:
        """Posterior draws of the irreducible loss, (chain, draw)."""
        return self.posterior.draws["E"]

    @property
    def q(self) -> Floats:
        """Posterior draws of how the terms combine, (chain, draw)."""
        return self.posterior.draws["q"]

    @functools.cached_property
    def _prior(self) -> Mapping[str, Floats]:
        """Draws of every parameter from the prior, (draw,)."""
        model = self.posterior.model
        law, _ = model.complete_arrays(prior_values(model))
        return {name: np.asarray(values) for name, values in law.values().items()}

    def sides(self, draws: Mapping[str, Floats] | None = None) -> dict[str, float]:
        """Probabilities of either side of the family, from the posterior or from other draws.

        "chinchilla": q is nearer to 1 than to beta. "kaplan": q is nearer to beta, and E is below
        half a nat. "neither" is the rest: terms that combine as Kaplan's do, above a floor.
        """
        drawn = self.posterior.draws if draws is None else draws
        E, q, beta = (np.asarray(drawn[name]) for name in ("E", "q", "beta"))
        additive = np.abs(q - 1) < np.abs(q - beta)
        floorless = ~additive & (E < SMALL)
        return {
            "chinchilla": float(additive.mean()),
            "kaplan": float(floorless.mean()),
            "neither": float(1 - additive.mean() - floorless.mean()),
        }

    @property
    def tables(self) -> Sequence[Table]:
        """E and q, and the sides of the family, after and before the runs were seen."""
        after, before = self.sides(), self.sides(self._prior)
        parameters = {
            "parameter": Column(["E", "q"], heading=""),
            "posterior": Column.of([_interval(self.E), _interval(self.q)], ".3f"),
            "prior": Column.of([_interval(self._prior[name]) for name in ("E", "q")], ".3f"),
        }
        sides = {
            "side": Column([*SIDES], [*SIDES.values()], ""),
            "posterior": Column.of(after.values(), ".3g"),
            "prior": Column.of(before.values(), ".2g"),
        }
        title = f"{FORMULA}: median [5 %, 95 %]"
        return (
            Table("parameters", "parameter", parameters, title, labels=1),
            Table("sides", "side", sides, labels=1),
        )

    @property
    def notes(self) -> Sequence[Note]:
        """What stands against the fit."""
        return doubts({"family": self.posterior})

    @property
    def conclusion(self) -> str:
        """What follows from where the runs lie, in a sentence."""
        sides = self.sides()
        best = max(sides, key=sides.__getitem__)
        after, before = sides[best], self.sides(self._prior)[best]
        where = {
            "chinchilla": "combine as in Chinchilla's law (q nearer to 1 than to beta)",
            "kaplan": "combine as in Kaplan's law (q nearer to beta), above a floor of less than "
            "half a nat",
            "neither": "combine as in Kaplan's law (q nearer to beta), but above a floor of more "
            "than half a nat, which his law has not",
        }[best]
        place = f"{where}, with probability {after:.3g} ({before:.2g} beforehand)"
        if after >= SURE:
            return f"In the family of both laws the terms of N and D {place}."
        return f"In the family of both laws it is open how the terms combine: mostly they {place}."

    @property
    def details(self) -> Mapping[str, object]:
        """All parameters of the family's fit."""
        return {"family": self.posterior.summary()}

    @property
    def arrays(self) -> Mapping[str, Axes]:
        """Draws of E and q."""
        return {name: Axes(("chain", "draw"), getattr(self, name)) for name in ("E", "q")}


def _interval(draws: Floats) -> Interval:
    return Interval(*np.quantile(draws, [0.05, 0.5, 0.95]).tolist())
