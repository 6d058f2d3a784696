"""Kaplan or Chinchilla: one family holds both, so the question is one about its parameters.

``L = E + [(A / N^alpha)^(1/q) + (B / D^beta)^(1/q)]^q`` is Chinchilla's law at q = 1, and Kaplan's
(2020, arXiv 2001.08361, equation 1.5) at E = 0 and q = beta. Three models share the family's
priors: the whole family, and either corner. Their marginal likelihoods give Bayes factors, and the
posterior of (E, q) in the whole family shows where the runs want to be.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpyro.distributions as dist
from numpy.typing import NDArray

from scalingfit.catalog import law as find_law
from scalingfit.evidence.bridge import Evidence, evidence
from scalingfit.evidence.candidates import fit_each, settings_of, unweighted
from scalingfit.inference.model import Prior, build
from scalingfit.inference.posterior import Posterior
from scalingfit.inference.programs import prior_values
from scalingfit.inference.sampler import Settings
from scalingfit.noise import Noise
from scalingfit.noise import noise as find_noise
from scalingfit.runs import Runs

__all__ = ["Corners", "corners"]

Floats = NDArray[np.float64]

# In Kaplan's corner q takes the prior of beta, which it equals; E is zero but for the logarithm.
PINNED: dict[str, dict[str, Prior]] = {
    "family": {},
    "chinchilla": {"q": 1.0},
    "kaplan": {"E": 1e-9, "q": dist.LogNormal(np.log(0.25), 0.7), "beta": "q"},
}
SIDES = {
    "chinchilla": "P(q nearer to 1 than to beta), Chinchilla's side",
    "kaplan": "P(q nearer to beta, E below half a nat), Kaplan's side",
    "neither": "P(q nearer to beta, E above half a nat), neither",
}
SMALL = 0.5  # nats: an irreducible loss below it is on Kaplan's side


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Corners:
    """Where in the family that holds both laws the runs want to be.

    Attributes
    ----------
    posteriors : mapping of str to Posterior
        "family", "chinchilla" (q = 1) and "kaplan" (E = 0 and q = beta).
    evidence : mapping of str to Evidence
        Log marginal likelihoods of the three.
    """

    posteriors: Mapping[str, Posterior]
    evidence: Mapping[str, Evidence]

    @property
    def E(self) -> Floats:
        """Posterior draws of the irreducible loss in the family, (chain, draw)."""
        return self.posteriors["family"].draws["E"]

    @property
    def q(self) -> Floats:
        """Posterior draws of how the terms combine, (chain, draw)."""
        return self.posteriors["family"].draws["q"]

    @property
    def probabilities(self) -> dict[str, float]:
        """Of the three models, where each is given a third beforehand."""
        logs = np.array([found.log for found in self.evidence.values()])
        odds = np.exp(logs - logs.max())
        return dict(zip(self.evidence, (odds / odds.sum()).tolist(), strict=True))

    @property
    def log_bayes_factor(self) -> Evidence:
        """Log Bayes factor of Chinchilla's corner against Kaplan's, with its error."""
        one, other = self.evidence["chinchilla"], self.evidence["kaplan"]
        return Evidence(one.log - other.log, float(np.hypot(one.error, other.error)))

    def sides(self) -> dict[str, dict[str, float]]:
        """Posterior and prior probabilities of either side of the family.

        "chinchilla": q is nearer to 1 than to beta. "kaplan": q is nearer to beta, and E is below
        half a nat. "neither" is the rest: terms that combine as Kaplan's do, above a floor.
        """
        family = self.posteriors["family"]
        return {
            name: {"posterior": after, "prior": before}
            for (name, after), before in zip(
                _sides(family.draws).items(),
                _sides(prior_values(family.model)).values(),
                strict=True,
            )
        }

    def as_json(self) -> dict[str, Any]:
        """A dictionary ready for JSON."""
        return {
            "probabilities": self.probabilities,
            "log_evidence": {name: dataclasses.asdict(e) for name, e in self.evidence.items()},
            "log_bayes_factor_chinchilla_kaplan": dataclasses.asdict(self.log_bayes_factor),
            "sides": self.sides(),
            "family": self.posteriors["family"].summary(),
            "verdicts": {name: fit.verdict.status for name, fit in self.posteriors.items()},
        }

    def __str__(self) -> str:
        factor = self.log_bayes_factor
        lines = ["E + [(A/N^alpha)^(1/q) + (B/D^beta)^(1/q)]^q: median [5 %, 95 %]"]
        for name in ("E", "q"):
            low, middle, high = np.quantile(getattr(self, name), [0.05, 0.5, 0.95])
            lines.append(f"  {name} {middle:.3f} [{low:.3f}, {high:.3f}]")
        lines += [
            f"  {SIDES[name]}: {row['posterior']:.3g} (prior {row['prior']:.2g})"
            for name, row in self.sides().items()
        ]
        lines += [
            f"log Bayes factor, Chinchilla's corner (q = 1) over Kaplan's (E = 0, q = beta): "
            f"{factor.log:.1f} ± {factor.error:.2f}",
            "probabilities from equal odds: "
            + ", ".join(f"{name} {value:.3g}" for name, value in self.probabilities.items()),
        ]
        lines += [
            f"! {name}: {fit.verdict.status}; {fit.verdict.messages[0]}"
            for name, fit in self.posteriors.items()
            if not fit.verdict.ok
        ]
        return "\n".join(lines)

    __repr__ = __str__


def corners(
    runs: Runs,
    noise: str | type[Noise] = "student_t",
    *,
    settings: Settings | None = None,
    fitted: Iterable[Posterior] = (),
    **sampling: Any,
) -> Corners:
    """Weigh Chinchilla's law against Kaplan's within the family that holds both.

    Parameters
    ----------
    runs : Runs
    noise : str or type of Noise
    settings : Settings, optional
        Or keywords of the sampler, as `fit` takes them.
    fitted : iterable of Posterior
        Fits to the same runs, at the same settings, that need not be made again.
    """
    runs, chosen = unweighted(runs), settings or settings_of(sampling)
    family, scatter = find_law("nested"), find_noise(noise)
    models = {name: build(family, scatter, priors) for name, priors in PINNED.items()}
    made = {fit.model: fit for fit in fitted}
    missing = {name: model for name, model in models.items() if model not in made}
    found = fit_each(missing, runs, chosen) | {
        name: made[model] for name, model in models.items() if model in made
    }
    posteriors = {name: found[name] for name in models}
    return Corners(posteriors, {name: evidence(fit) for name, fit in posteriors.items()})


def _sides(draws: Mapping[str, Any]) -> dict[str, float]:
    E, q, beta = (np.asarray(draws[name]) for name in ("E", "q", "beta"))
    additive = np.abs(q - 1) < np.abs(q - beta)
    floorless = ~additive & (E < SMALL)
    return {
        "chinchilla": float(additive.mean()),
        "kaplan": float(floorless.mean()),
        "neither": float(1 - additive.mean() - floorless.mean()),
    }
