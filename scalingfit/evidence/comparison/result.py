"""The outcome of a comparison: a table, what may be concluded, and stacked answers."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalingfit.allocation import Answer, Costs, Rule
from scalingfit.evidence.comparison.answers import Answers, answers
from scalingfit.evidence.comparison.candidate import Candidate
from scalingfit.evidence.comparison.conclusion import conclude, far_from_priors, over_confident
from scalingfit.evidence.comparison.exponents import PLAIN, Exponents, exponents_by_law
from scalingfit.evidence.comparison.stacked import Stacked, stack
from scalingfit.evidence.comparison.tables import by_cut, high_k, scores
from scalingfit.evidence.forecasts import Horizon
from scalingfit.evidence.hypotheses import (
    NestedFamily,
    NestedTest,
    StackedHypothesis,
    nested_test,
    stacked_hypothesis,
)
from scalingfit.inference import Posterior, Settings
from scalingfit.result import Axes, Labels, Note, Result, Table
from scalingfit.runs import Runs

__all__ = ["Comparison"]

Floats = NDArray[np.float64]

AHEAD = 10.0
"""Times the largest budget of the runs, where it is seen whether a choice of law matters."""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Comparison(Result):
    """What `compare` returns: ``print`` it for a table and what may be concluded.

    Attributes
    ----------
    runs : Runs
    candidates : mapping of str to Candidate
        By name, the best first.
    cuts : sequence of Horizon
        The cuts of the forecasts of larger runs from smaller ones.
    unit : str
        What was left out: "run", or the column of the groups.
    groups : array of int, shape (run,)
    caveats : tuple of Note
        What `compare` noticed of the runs and the fits.
    settings : Settings
    """

    runs: Runs
    candidates: Mapping[str, Candidate]
    cuts: Sequence[Horizon]
    unit: str
    groups: NDArray[np.int64]
    caveats: tuple[Note, ...]
    settings: Settings

    @property
    def weights(self) -> dict[str, float]:
        """Stacking weights by name (Yao et al. 2018, arXiv 1704.02030)."""
        return {name: each.weight for name, each in self.candidates.items()}

    @property
    def best(self) -> str:
        """The candidate with the highest elpd; see `conclusion` for whether that means anything."""
        return next(iter(self.candidates))

    @property
    def posteriors(self) -> dict[str, Posterior]:
        """The fits by name."""
        return {name: each.posterior for name, each in self.candidates.items()}

    @property
    def decided(self) -> bool:
        """Whether the best candidate is clearly better than all others."""
        others = list(self.candidates.values())[1:]
        return not any(each.indistinct for each in others)

    @property
    def over_confident(self) -> dict[str, float]:
        """Laws that forecast larger runs too narrowly, and the coverage of their 90 % intervals.

        Of those that matter to the stack, and of the one that forecasts best.
        """
        return over_confident(self.candidates)

    @property
    def conclusion(self) -> str:
        """Which law is nearer, how it forecasts, and whether that matters for the optimum."""
        return " ".join([conclude(self.candidates), *self._consequence])

    @functools.cached_property
    def _consequence(self) -> list[str]:
        """Whether the choice between the first two laws that split a budget matters."""
        splitting = {
            name: fit
            for name, fit in self.posteriors.items()
            if set(fit.model.law.inputs()) == PLAIN
        }
        if len(splitting) < 2 or not self.runs.budgets.in_flop:
            return []
        first = dict(list(splitting.items())[:2])
        return [answers(first, self.weights, AHEAD * self.runs.budgets.largest).conclusion]

    @property
    def notes(self) -> Sequence[Note]:
        """What stands against relying on it: fits, runs, priors, and too narrow forecasts."""
        narrow = [
            Note(
                "over_confident",
                f"90 % intervals covered {share:.0%} of larger runs forecast from smaller ones: "
                "over-confident beyond the runs",
                name,
            )
            for name, share in self.over_confident.items()
        ]
        return (*self.caveats, *narrow, *far_from_priors(self.candidates))

    @property
    def tables(self) -> Sequence[Table]:
        """The candidates, the runs that weigh most (by Pareto k), and the cuts."""
        title = f"{len(self.runs)} runs, leaving out each {self.unit}"
        return (
            scores(self.candidates, title),
            high_k(self.candidates, self.runs, self.groups),
            by_cut(self.candidates, self.cuts),
        )

    @property
    def details(self) -> Mapping[str, object]:
        """The runs, every group's elpd and k, and the provenance of the fits."""
        return {
            "runs": {"count": len(self.runs), "digest": self.runs.digest},
            "left_out": self.unit,
            "pointwise": {
                name: {"elpd": item.loo.elpd_i, "k": item.loo.k}
                for name, item in self.candidates.items()
            },
            "best": self.best,
            "decided": self.decided,
            "over_confident": self.over_confident,
            "provenance": {name: fit.provenance for name, fit in self.posteriors.items()},
        }

    @property
    def arrays(self) -> Mapping[str, Axes]:
        """Numbers of each candidate; elpd and k of each group; log scores beyond each cut."""
        each, found = self.candidates.values(), dict(self.tables[0].arrays())
        if (left_out := "run" if self.unit == "run" else "group") == "group":
            found["group_of"] = Axes(("run",), self.groups)
        found["elpd_i"] = Axes(("candidate", left_out), np.array([one.loo.elpd_i for one in each]))
        found["pareto_k"] = Axes(("candidate", left_out), np.array([one.loo.k for one in each]))
        if self.cuts:
            beyond = np.array([one.by_cut() for one in each])
            found["log_score"] = Axes(("candidate", "cut"), beyond)
        return found

    @property
    def coordinates(self) -> Mapping[str, Labels]:
        """Names of the candidates, rows of the runs, and limits of the cuts."""
        return {
            "candidate": Labels("candidate", [*self.candidates]),
            "run": Labels("run", self.runs.row_numbers.tolist()),
            "cut": Labels("cut", [cut.limit for cut in self.cuts]),
        }

    def forecast(
        self,
        *,
        counting: Rule = "6ND",
        seed: int = 0,
        costs: Costs | None = None,
        **inputs: ArrayLike,
    ) -> Stacked:
        """Forecast losses, averaged over the laws; see `scalingfit.allocation.forecast`."""
        return self._stacked(
            lambda fit: fit.forecast(counting=counting, seed=seed, costs=costs, **inputs)
        )

    def frontier(
        self,
        C: ArrayLike,
        *,
        counting: Rule = "6ND",
        max_params: float | None = None,
        inference_tokens: float | None = None,
        costs: Costs | None = None,
        **extras: ArrayLike,
    ) -> Stacked:
        """Split budgets, averaged over the laws; see `scalingfit.allocation.frontier`."""
        return self._stacked(
            lambda fit: fit.frontier(
                C,
                counting=counting,
                max_params=max_params,
                inference_tokens=inference_tokens,
                costs=costs,
                **extras,
            )
        )

    def hypothesis(
        self,
        statement: str,
        *,
        C: float | None = None,
        counting: Rule = "6ND",
        **extras: ArrayLike,
    ) -> StackedHypothesis:
        """Probability of a statement, by law and averaged over the laws, such as "a > 0.6".

        See `scalingfit.inference.hypothesis`. Laws that cannot answer are named with the reason.
        """
        return stacked_hypothesis(
            self.posteriors, self.weights, statement, C=C, counting=counting, **extras
        )

    def answers(self, C: ArrayLike, *, counting: Rule = "6ND") -> Answers:
        """The optimum at budgets under each candidate by itself: what the choice changes.

        See `scalingfit.evidence.comparison.answers`.
        """
        return answers(self.posteriors, self.weights, C, counting)

    def exponents(self, *, rules: Sequence[Rule] | None = None, r: float = 0.05) -> Exponents:
        """The exponent a of N* ~ C^a under each law and each counting rule.

        See `scalingfit.evidence.exponents_by_law`.
        """
        return exponents_by_law(self.posteriors, self.weights, rules=rules, r=r)

    @property
    def family(self) -> NestedFamily | None:
        """Where in the family of both laws the runs lie; None where `nested` is not compared."""
        nested = self._nested()
        return None if nested is None else NestedFamily(nested)

    def nested_test(self) -> NestedTest:
        """Kaplan's law and Chinchilla's as corners of one family: two fits more, or three.

        Under the noise and the priors of `nested` where it is among the laws, else under the noise
        of the best and the family's own priors.
        """
        nested = self._nested()
        model = (self.posteriors[self.best] if nested is None else nested).model
        priors = None if nested is None else model.priors
        fits = self.posteriors.values()
        sampling = self.settings.sampling
        return nested_test(
            self.runs, model.noise, priors=priors, law_error=model.error, fitted=fits, **sampling
        )

    def _stacked(self, ask: Callable[[Posterior], Answer]) -> Stacked:
        """Answers of all laws together, and which of these forecast larger runs too narrowly."""
        found = stack(self.weights, lambda name: ask(self.posteriors[name]))
        notes = [
            Note(
                "over_confident",
                f"weight {self.weights[name]:.2f}, and its 90 % intervals covered {share:.0%} of "
                "larger runs forecast from smaller ones: beyond the runs expect more error than "
                "this",
                name,
            )
            for name, share in self.over_confident.items()
            if name in found.each
        ]
        mixture = dataclasses.replace(found.mixture, notes=(*found.mixture.notes, *notes))
        return dataclasses.replace(found, mixture=mixture)

    def _nested(self) -> Posterior | None:
        """The best fit of the family that holds both laws."""
        fits = (fit for fit in self.posteriors.values() if fit.model.law.name == "nested")
        return next(fits, None)
