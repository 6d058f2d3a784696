"""Kaplan or Chinchilla: one family holds both, so the question is one about its parameters.

``L = E + [(A / N^alpha)^(1/q) + (B / D^beta)^(1/q)]^q`` is Chinchilla's law at q = 1, and Kaplan's
(2020, arXiv 2001.08361, equation 1.5) at E = 0 and q = beta. Three models share the family's
priors: the whole family, and either corner. Their marginal likelihoods give Bayes factors, and the
posterior of (E, q) in the whole family shows where the runs want to be: see `NestedFamily`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, Unpack

import numpy as np
import numpyro.distributions as dist

from scalingfit.catalog import law as find_law
from scalingfit.evidence.candidates import fit_each, unweighted
from scalingfit.evidence.hypotheses.bridge import Evidence, evidence
from scalingfit.evidence.hypotheses.nested import NestedFamily
from scalingfit.inference import Posterior, Prior, Sampling, build, settings_of
from scalingfit.noise import Noise
from scalingfit.noise import noise as find_noise
from scalingfit.runs import Runs

__all__ = ["NestedTest", "nested_test"]

STRONG = 3.0  # 20 to 1, "strong" in Kass & Raftery 1995, J. Am. Stat. Assoc. 90, 773


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class NestedTest:
    """The family and its two corners, compared.

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
    def family(self) -> NestedFamily:
        """The posterior of (E, q) in the whole family."""
        return NestedFamily(self.posteriors["family"])

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

    @property
    def conclusion(self) -> str:
        """What follows from the Bayes factor, in a sentence."""
        log = self.log_bayes_factor.log
        one, other = self.evidence["chinchilla"], self.evidence["kaplan"]
        better, worse = ("Chinchilla", "Kaplan") if log > 0 else ("Kaplan", "Chinchilla")
        ratio = abs(log)
        odds = f"{better}'s corner is {_times(ratio)} times as probable as {worse}'s"
        said = f"Given these runs and even odds beforehand, {odds}."
        if ratio < STRONG:
            said = f"Given these runs, the corners cannot be told apart: from even odds, {odds}."
        between = self.evidence["family"].log - max(one.log, other.log)
        if between >= STRONG:
            said += (
                f" But the whole family is {_times(between)} times as probable as that corner: "
                "the law that these runs follow is neither."
            )
        return said

    def as_json(self) -> dict[str, Any]:
        """A dictionary ready for JSON."""
        family = self.family.as_json()
        return family | {
            "probabilities": self.probabilities,
            "log_evidence": {name: dataclasses.asdict(e) for name, e in self.evidence.items()},
            "log_bayes_factor_chinchilla_kaplan": dataclasses.asdict(self.log_bayes_factor),
            "verdicts": {name: fit.verdict.status for name, fit in self.posteriors.items()},
            "conclusion": f"{family['conclusion']} {self.conclusion}",
        }

    def __str__(self) -> str:
        factor = self.log_bayes_factor
        lines = [
            *self.family.lines(),
            f"log Bayes factor, Chinchilla's corner (q = 1) over Kaplan's (E = 0, q = beta): "
            f"{factor.log:.1f} ± {factor.error:.2f}",
            "under the priors of the family (above, each law's evidence is under its own):",
            *(
                f"  {name}: log evidence {self.evidence[name].log:.2f} "
                f"± {self.evidence[name].error:.2f}, probability from equal odds {value:.3g}"
                for name, value in self.probabilities.items()
            ),
        ]
        lines += [
            f"! {name}: {fit.verdict.status}; {fit.verdict.messages[0]}"
            for name, fit in self.posteriors.items()
            if not fit.verdict.ok
        ]
        return "\n".join([*lines, self.family.conclusion, self.conclusion])

    __repr__ = __str__


def _times(log: float) -> str:
    """A ratio from its logarithm."""
    return f"{np.exp(log):.3g}" if log < 10 else f"10^{log / np.log(10):.0f}"


def nested_test(
    runs: Runs,
    noise: str | type[Noise] = "student_t",
    *,
    priors: Mapping[str, Prior] | None = None,
    fitted: Iterable[Posterior] = (),
    **sampling: Unpack[Sampling],
) -> NestedTest:
    """Compare Chinchilla's law with Kaplan's within the family that holds both.

    Parameters
    ----------
    runs : Runs
    noise : str or type of Noise
    priors : mapping, optional
        Of the family, law `nested`, as `fit` takes them. What makes a corner takes their place
        there: q = 1, or E = 0 and q = beta, which both have the prior of beta.
    fitted : iterable of Posterior
        Fits to the same runs, at the same settings, that need not be made again.
    **sampling
        draws, chains, warmup, seed, retries, precision, limits: as in `fit`.

    Returns
    -------
    NestedTest

    Raises
    ------
    InputError
        The runs carry weights, or a noise model, prior or keyword is not known.
    """
    runs, chosen = unweighted(runs), settings_of(sampling)
    family, scatter = find_law("nested"), find_noise(noise)
    models = {name: build(family, scatter, own) for name, own in _priors(priors or {}).items()}
    made = {fit.model: fit for fit in fitted}
    missing = {name: model for name, model in models.items() if model not in made}
    found = fit_each(missing, runs, chosen) | {
        name: made[model] for name, model in models.items() if model in made
    }
    posteriors = {name: found[name] for name in models}
    return NestedTest(posteriors, {name: evidence(fit) for name, fit in posteriors.items()})


def _priors(given: Mapping[str, Prior]) -> dict[str, dict[str, Prior]]:
    """Of the family and its corners; E is zero but for the logarithm."""
    slope = given.get("beta", dist.LogNormal(np.log(0.25), 0.7))
    return {
        "family": {**given},
        "chinchilla": {**given, "q": 1.0},
        "kaplan": {**given, "E": 1e-9, "q": slope, "beta": "q"},
    }
