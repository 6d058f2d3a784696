"""Between Kaplan's law and Chinchilla's: the posterior of E and q in the family that holds both.

``L = E + [(A / N^alpha)^(1/q) + (B / D^beta)^(1/q)]^q`` is Chinchilla's law at q = 1 and Kaplan's
(2020, arXiv 2001.08361, equation 1.5) at E = 0 and q = beta.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalingfit.inference import Posterior, prior_values

__all__ = ["NestedFamily"]

Floats = NDArray[np.float64]

SIDES = {
    "chinchilla": "P(q nearer to 1 than to beta), as in Chinchilla's law",
    "kaplan": "P(q nearer to beta, E below half a nat), as nearly in Kaplan's law",
    "neither": "P(q nearer to beta, E above half a nat), as in neither",
}
SMALL = 0.5  # nats: an irreducible loss below it is on Kaplan's side
SURE = 0.95


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class NestedFamily:
    """Where in the family that holds both laws the runs want to be.

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

    def _prior(self) -> Mapping[str, Floats]:
        """Draws of every parameter from the prior, (draw,)."""
        model = self.posterior.model
        law, _ = model.complete_arrays(prior_values(model))
        return {name: np.asarray(values) for name, values in law.values().items()}

    def intervals(self) -> dict[str, dict[str, dict[str, float]]]:
        """Median, 5 and 95 % quantiles of E and q, after and before the runs were seen.

        Returns
        -------
        dict
            ``{"E": {"posterior": {"q5", "q50", "q95"}, "prior": {...}}, "q": {...}}``
        """
        before = self._prior()
        return {
            name: {"posterior": _quantiles(after), "prior": _quantiles(before[name])}
            for name, after in (("E", self.E), ("q", self.q))
        }

    def sides(self) -> dict[str, dict[str, float]]:
        """Posterior and prior probabilities of either side of the family.

        "chinchilla": q is nearer to 1 than to beta. "kaplan": q is nearer to beta, and E is below
        half a nat. "neither" is the rest: terms that combine as Kaplan's do, above a floor.
        """
        before = _sides(self._prior())
        return {
            name: {"posterior": after, "prior": before[name]}
            for name, after in _sides(self.posterior.draws).items()
        }

    @property
    def conclusion(self) -> str:
        """What follows from where the runs want to be, in a sentence."""
        sides = self.sides()
        best = max(sides, key=lambda name: sides[name]["posterior"])
        after, before = sides[best]["posterior"], sides[best]["prior"]
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

    def as_json(self) -> dict[str, Any]:
        """A dictionary ready for JSON."""
        return {
            "intervals": self.intervals(),
            "sides": self.sides(),
            "family": self.posterior.summary(),
            "conclusion": self.conclusion,
        }

    def lines(self) -> list[str]:
        """E, q and the sides as text, each beside its prior."""
        shown = ["E + [(A/N^alpha)^(1/q) + (B/D^beta)^(1/q)]^q: median [5 %, 95 %]"]
        for name, row in self.intervals().items():
            after, before = (
                "{q50:.3f} [{q5:.3f}, {q95:.3f}]".format(**row[when])
                for when in ("posterior", "prior")
            )
            shown.append(f"  {name} {after} (prior {before})")
        return shown + [
            f"  {SIDES[name]}: {row['posterior']:.3g} (prior {row['prior']:.2g})"
            for name, row in self.sides().items()
        ]

    def __str__(self) -> str:
        return "\n".join([*self.lines(), self.conclusion])

    __repr__ = __str__


def _quantiles(draws: Any) -> dict[str, float]:
    return {
        key: float(np.quantile(draws, share))
        for key, share in (("q5", 0.05), ("q50", 0.5), ("q95", 0.95))
    }


def _sides(draws: Mapping[str, Any]) -> dict[str, float]:
    E, q, beta = (np.asarray(draws[name]) for name in ("E", "q", "beta"))
    additive = np.abs(q - 1) < np.abs(q - beta)
    floorless = ~additive & (E < SMALL)
    return {
        "chinchilla": float(additive.mean()),
        "kaplan": float(floorless.mean()),
        "neither": float(1 - additive.mean() - floorless.mean()),
    }
