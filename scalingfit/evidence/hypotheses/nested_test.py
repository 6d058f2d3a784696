"""Kaplan or Chinchilla: one family holds both, so the question is one about its parameters.

``L = E + [(A / N^alpha)^(1/q) + (B / D^beta)^(1/q)]^q`` is Chinchilla's law at q = 1, and Kaplan's
(2020, arXiv 2001.08361, equation 1.5) at E = 0 and q = beta. Three models share the family's
priors: the whole family, and either corner. Their marginal likelihoods give Bayes factors, and the
posterior of (E, q) in the whole family shows where the runs lie: see `NestedFamily`.

The question has two readings: which law is exactly the truth, if one is, and which is nearer to it.
With laws that have errors the second is asked, and what the errors can take up tells nothing; the
first is answered beside it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Unpack

import numpy as np
import numpyro.distributions as dist

from scalingfit.catalog import law as find_law
from scalingfit.catalog import noise as find_noise
from scalingfit.evidence.candidates import doubts, fit_each, unweighted
from scalingfit.evidence.hypotheses.marginal_likelihood import evidence
from scalingfit.evidence.hypotheses.nested import NestedFamily
from scalingfit.inference import Evidence, Posterior, Prior, Sampling, build, settings_of
from scalingfit.law_error import LAW_ERROR, LawError
from scalingfit.noise import Noise
from scalingfit.result import Axes, Column, Note, Result, Table
from scalingfit.runs import Runs

__all__ = ["NestedTest", "nested_test"]

MODELS = {
    "family": "family",
    "chinchilla": "Chinchilla's corner (q = 1)",
    "kaplan": "Kaplan's corner (E = 0, q = beta)",
}
STRONG = 3.0  # 20 to 1, "strong" in Kass & Raftery 1995, J. Am. Stat. Assoc. 90, 773


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class NestedTest(Result):
    """The family and its two corners, compared.

    Attributes
    ----------
    posteriors : mapping of str to Posterior
        "family", "chinchilla" (q = 1) and "kaplan" (E = 0 and q = beta).
    evidence : mapping of str to Evidence
        Log marginal likelihoods of the three.
    exact : NestedTest or None
        The same of laws that are held to be exact, where those above have errors.
    """

    posteriors: Mapping[str, Posterior]
    evidence: Mapping[str, Evidence]
    exact: NestedTest | None = None

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
    def tables(self) -> Sequence[Table]:
        """Those of the family, and the models with their evidence and probability."""
        columns = {
            "model": Column([*self.evidence], [MODELS[name] for name in self.evidence], ""),
            **self._columns("", ""),
            **({} if self.exact is None else self.exact._columns("exact_", "exact: ")),
            "verdict": Column(
                [fit.verdict.status for fit in self.posteriors.values()], hidden=True
            ),
        }
        title = "The family and its corners, under the priors of the family and at even odds"
        return (*self.family.tables, Table("models", "model", columns, title, labels=1))

    @property
    def notes(self) -> Sequence[Note]:
        """What stands against the fits."""
        exact = [] if self.exact is None else self.exact.notes
        return (*doubts(self.posteriors), *(note.within("exact") for note in exact))

    @property
    def conclusion(self) -> str:
        """What follows from where the runs lie, and from the Bayes factor."""
        factor = self.log_bayes_factor
        said = (
            f"{self.family.conclusion} {self.odds} The log Bayes factor of Chinchilla's corner "
            f"over Kaplan's is {factor.log:.1f} ± {factor.error:.2f}."
        )
        if self.exact is None:
            return said
        odds = self.exact.odds
        return f"{said} Of laws that are held to be exact: {odds[0].lower()}{odds[1:]}"

    @property
    def details(self) -> Mapping[str, object]:
        """The Bayes factor, and all parameters of the family's fit."""
        factor = dataclasses.asdict(self.log_bayes_factor)
        return {**self.family.details, "log_bayes_factor_chinchilla_kaplan": factor}

    @property
    def arrays(self) -> Mapping[str, Axes]:
        """Draws of E and q in the family."""
        return self.family.arrays

    @property
    def odds(self) -> str:
        """What follows from the Bayes factor, in a sentence or two."""
        log = self.log_bayes_factor.log
        one, other = self.evidence["chinchilla"], self.evidence["kaplan"]
        better, worse = ("Chinchilla", "Kaplan") if log > 0 else ("Kaplan", "Chinchilla")
        ratio = abs(log)
        odds = f"{better}'s corner is {_times(ratio)} times as probable as {worse}'s"
        said = f"Given these runs and even odds beforehand, {odds}."
        if ratio < STRONG:
            said = f"These runs cannot distinguish the corners: from even odds, {odds}."
        between = self.evidence["family"].log - max(one.log, other.log)
        if between >= STRONG:
            said += (
                f" But the whole family is {_times(between)} times as probable as that corner: "
                "the law that these runs follow is neither."
            )
        return said

    def _columns(self, name: str, heading: str) -> dict[str, Column]:
        """Evidence with its error, and probabilities."""
        logs = [found.log for found in self.evidence.values()]
        errors = [found.error for found in self.evidence.values()]
        shown = [f"{log:.2f} ± {error:.2f}" for log, error in zip(logs, errors, strict=True)]
        return {
            f"{name}log_evidence": Column(logs, shown, f"{heading}log evidence"),
            f"{name}log_evidence_error": Column(errors, hidden=True),
            f"{name}probability": Column.of(
                self.probabilities.values(), ".3g", f"{heading}probability"
            ),
        }


def _times(log: float) -> str:
    """A ratio from its logarithm."""
    return f"{np.exp(log):.3g}" if log < 10 else f"10^{log / np.log(10):.0f}"


def nested_test(
    runs: Runs,
    noise: str | type[Noise] = "student_t",
    *,
    priors: Mapping[str, Prior] | None = None,
    law_error: LawError | None = LAW_ERROR,
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
    law_error : LawError, optional
        As in `fit`, of the family and of its corners.
    fitted : iterable of Posterior
        Fits to the same runs, at the same settings, that need not be made again.
    **sampling
        As in `fit`; see `scalingfit.inference.Sampling`.

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
    models = {
        name: build(family, scatter, own, law_error) for name, own in _priors(priors or {}).items()
    }
    made = {fit.model: fit for fit in fitted}
    missing = {name: model for name, model in models.items() if model not in made}
    found = fit_each(missing, runs, chosen) | {
        name: made[model] for name, model in models.items() if model in made
    }
    posteriors = {name: found[name] for name in models}
    exact = (
        nested_test(runs, noise, priors=priors, law_error=None, **sampling) if law_error else None
    )
    return NestedTest(posteriors, {name: evidence(fit) for name, fit in posteriors.items()}, exact)


def _priors(given: Mapping[str, Prior]) -> dict[str, dict[str, Prior]]:
    """Of the family and its corners; E is zero but for the logarithm."""
    slope = given.get("beta", dist.LogNormal(np.log(0.25), 0.7))
    return {
        "family": {**given},
        "chinchilla": {**given, "q": 1.0},
        "kaplan": {**given, "E": 1e-9, "q": slope, "beta": "q"},
    }
