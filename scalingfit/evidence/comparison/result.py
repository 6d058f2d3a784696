"""The outcome of a comparison: a table, what may be concluded, and stacked answers."""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalingfit.allocation import Answer, cost, subject, terms
from scalingfit.evidence.comparison.candidate import Candidate
from scalingfit.evidence.comparison.exponents import Exponents, exponents_by_law
from scalingfit.evidence.comparison.stacked import Stacked, stack
from scalingfit.evidence.comparison.words import conclude, far_runs, over_confident, table
from scalingfit.evidence.forecasts import Horizon, distance_of
from scalingfit.evidence.hypotheses import (
    NestedFamily,
    NestedTest,
    StackedHypothesis,
    nested_test,
    stacked_hypothesis,
)
from scalingfit.inference import Posterior, Settings
from scalingfit.runs import Runs

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Comparison"]

Floats = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Comparison:
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
    messages : tuple of str
        What to know before relying on it.
    settings : Settings
    """

    runs: Runs
    candidates: Mapping[str, Candidate]
    cuts: Sequence[Horizon]
    unit: str
    groups: NDArray[np.int64]
    messages: tuple[str, ...]
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
        """Whether the runs tell the best candidate from all others."""
        others = list(self.candidates.values())[1:]
        return not any(each.indistinct for each in others)

    @property
    def conclusion(self) -> str:
        """What may be concluded, in a sentence or two."""
        return " ".join(conclude(self.candidates))

    @property
    def over_confident(self) -> dict[str, float]:
        """Laws that forecast larger runs too surely, and how many their 90 % intervals held.

        Of those that matter to the stack, and of the one that forecasts best.
        """
        return over_confident(self.candidates)

    def forecast(self, **inputs: Any) -> Stacked:
        """Forecast losses, averaged over the laws; see `scalingfit.allocation.forecast`.

        Those of a law in `over_confident` are widened by the discrepancy that its own forecasts of
        larger runs suggest.
        """

        def distance(fit: Posterior, found: Answer) -> Floats | None:
            return distance_of(found.asked, fit.runs)

        return self._stacked(lambda fit: fit.forecast(**inputs), distance)

    def frontier(self, C: ArrayLike, **options: Any) -> Stacked:
        """Split budgets, averaged over the laws; see `scalingfit.allocation.frontier`.

        Losses are widened as in `forecast`; where the optimum lies is not, since an error of the
        loss does not tell.
        """
        rule = terms(options.get("counting", "6ND")).training

        def distance(fit: Posterior, found: Answer) -> Floats | None:
            # What the optimum's training costs; the budget may also pay for serving.
            spent = subject(fit).counted(rule).get("C")
            N, D = (found.draws[name] for name in ("N", "D"))
            return None if spent is None else cost(rule, N, D) / spent.max()

        return self._stacked(lambda fit: fit.frontier(C, **options), distance)

    def hypothesis(self, statement: str, **options: Any) -> StackedHypothesis:
        """Weigh a statement under each law and averaged over them, such as "a > 0.6".

        See `scalingfit.inference.hypothesis`. Laws that cannot answer are named with the reason.
        """
        return stacked_hypothesis(self.posteriors, self.weights, statement, **options)

    def exponents(self, **options: Any) -> Exponents:
        """The exponent a of N* ~ C^a under each law and each counting rule.

        See `scalingfit.evidence.exponents_by_law`.
        """
        return exponents_by_law(self.posteriors, self.weights, **options)

    @property
    def family(self) -> NestedFamily | None:
        """Where in the family of both laws the runs want to be; None where `nested` is not here."""
        nested = self._nested()
        return None if nested is None else NestedFamily(nested)

    def nested_test(self) -> NestedTest:
        """Kaplan's law and Chinchilla's as corners of one family: two fits more, or three.

        Under the noise and the priors of `nested` where it is among the laws, else under the noise
        of the best and the family's own priors.
        """
        nested = self._nested()
        noise = (self.posteriors[self.best] if nested is None else nested).model.noise
        priors = None if nested is None else nested.model.priors
        fits = self.posteriors.values()
        return nested_test(self.runs, noise, priors=priors, fitted=fits, **self.settings.options())

    def _stacked(
        self,
        ask: Callable[[Posterior], Answer],
        distance: Callable[[Posterior, Answer], Floats | None],
    ) -> Stacked:
        """Answers of all laws, with more error where their forecasts of larger runs had too little.

        Beside them stands which laws that are, and what was done about it.
        """
        narrow, messages = self.over_confident, []

        def wide(name: str) -> Answer:
            fit, future = self.posteriors[name], self.candidates[name].future
            found = ask(fit)
            if name not in narrow or future is None:
                return found
            far = distance(fit, found)
            if far is not None and (future.discrepancy.rate == 0 or np.all(far <= 1)):
                far = None
            beside = "" if "N" not in found.draws else "; where the optimum lies is not widened"
            messages.append(
                f"{name} has weight {self.weights[name]:.2f}, and its 90 % intervals held "
                f"{narrow[name]:.0%} of larger runs foretold from smaller ones: "
                + (
                    f"its losses are widened by what it missed there{beside}"
                    if far is not None
                    else "beyond the runs expect more error than this"
                )
            )
            return found if far is None else future.discrepancy.widen(found, far)

        found = stack(self.weights, wide)
        notes = (*found.mixture.messages, *messages)
        mixture = dataclasses.replace(found.mixture, messages=notes)
        return dataclasses.replace(found, mixture=mixture)

    def _nested(self) -> Posterior | None:
        """The best fit of the family that holds both laws."""
        fits = (fit for fit in self.posteriors.values() if fit.model.law.name == "nested")
        return next(fits, None)

    def summary(self) -> list[dict[str, Any]]:
        """One dictionary a candidate, ready for JSON, the best first."""
        return [
            {
                "name": name,
                "elpd": each.loo.elpd,
                "elpd_se": each.loo.se,
                "difference": each.difference,
                "difference_se": each.difference_se,
                "p": each.loo.p,
                "weight": each.weight,
                "k_max": float(np.max(each.loo.k)),
                "refitted": len(each.loo.refitted),
                "future": each.by_cut().tolist(),
                "log_evidence": each.evidence.log,
                "log_evidence_error": each.evidence.error,
                "verdict": each.posterior.verdict.status,
            }
            for name, each in self.candidates.items()
        ]

    def high_k(self) -> list[dict[str, Any]]:
        """The groups whose importance weights could not be trusted, by candidate, with their k."""
        return [
            {
                "name": name,
                "group": int(group),
                "rows": self.runs.row_numbers[self.groups == group].tolist(),
                "k": float(each.loo.k[group]),
                "refitted": int(group) in each.loo.refitted,
            }
            for name, each in self.candidates.items()
            for group in np.flatnonzero(~(each.loo.k <= each.loo.limit))
        ]

    def to_pandas(self) -> pd.DataFrame:
        """The summary as a frame, one row a candidate."""
        import pandas as pd

        rows = self.summary()
        for row in rows:
            future = row.pop("future")
            row |= {f"future_{cut.limit:.3g}": v for cut, v in zip(self.cuts, future, strict=True)}
        return pd.DataFrame(rows).set_index("name")

    def as_json(self) -> dict[str, Any]:
        """A dictionary ready for JSON."""
        return {
            "runs": {"count": len(self.runs), "digest": self.runs.digest},
            "left_out": self.unit,
            "candidates": self.summary(),
            "cuts": [
                {"limit": cut.limit, "fitted": int(cut.train.sum()), "beyond": int(cut.test.sum())}
                for cut in self.cuts
            ],
            "high_k": self.high_k(),
            "pointwise": {
                name: {"elpd": item.loo.elpd_i.tolist(), "k": item.loo.k.tolist()}
                for name, item in self.candidates.items()
            },
            "best": self.best,
            "decided": self.decided,
            "conclusion": self.conclusion,
            "over_confident": self.over_confident,
            "messages": list(self.messages),
            "provenance": {name: fit.provenance for name, fit in self.posteriors.items()},
        }

    def __str__(self) -> str:
        notes = [f"! {message}" for message in self.messages]
        head = f"{len(self.runs)} runs, leaving out each {self.unit}"
        lines = [head, *table(self.candidates), *far_runs(self.high_k())]
        return "\n".join([*lines, *notes, self.conclusion])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"
