"""A fit, and the questions that one puts to it."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, override

import numpy as np
from numpy.typing import ArrayLike

from scalingfit._late import room
from scalingfit._messages import PYTHON, Face
from scalingfit.allocation import (
    Cheapest,
    Choice,
    Costs,
    Decision,
    Forecast,
    Frontier,
    Plans,
    Risk,
    Rule,
    Shape,
    cheapest,
    choose,
    decide,
    forecast,
    frontier,
)
from scalingfit.inference.diagnostics import Limits
from scalingfit.inference.files import save, to_arviz
from scalingfit.inference.fitted import Fitted
from scalingfit.inference.hypothesis import Hypothesis, hypothesis
from scalingfit.result import Axes, Column, Labels, Note, Result, Table

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Posterior"]

QUANTILES = {"q5": 0.05, "q50": 0.5, "q95": 0.95}
HEADINGS = {"q5": "5 %", "q50": "50 %", "q95": "95 %"}
DIAGNOSTICS = (("ess_bulk", "ESS", ".0f"), ("ess_tail", "tail", ".0f"), ("rhat", "R-hat", ".4f"))


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Posterior(Fitted, Result):
    """What `fit` returns: ``print`` it for a table and a verdict in words.

    Its attributes are those of `Fitted`. `to_pandas` has one row a parameter, and `to_xarray` the
    draws.
    """

    def summary(self) -> dict[str, dict[str, float]]:
        """Mean, sd, quantiles, effective sample sizes and R-hat of every parameter.

        Returns
        -------
        dict
            ``{"alpha": {"mean", "sd", "q5", "q50", "q95", "ess_bulk", "ess_tail", "rhat"}, ...}``;
            a pinned parameter has no effective sample size: NaN.
        """
        diagnosis, sites = self.sampled.diagnosis, self.model.judged
        table = {}
        for name, draws in self.draws.items():
            row = {"mean": float(draws.mean()), "sd": float(draws.std(ddof=1))}
            row |= {key: float(np.quantile(draws, q)) for key, q in QUANTILES.items()}
            at = sites.index(name) if name in sites else None
            for key in ("ess_bulk", "ess_tail", "rhat"):
                row[key] = float("nan") if at is None else float(getattr(diagnosis, key)[at])
            table[name] = row
        return table

    @property
    def title(self) -> str:
        """What was fitted to what, in one line."""
        law, noise = self.model.law.name, self.model.noise.name
        return f"{law} on {self._counted}, {noise} noise; {self._exact}"

    @property
    def _counted(self) -> str:
        """How many runs there are; of how many rows, where a label names runs of several."""
        rows, runs = len(self.runs), self.runs.run_count
        if runs == rows:
            return f"{rows} runs"
        counted = f"{rows} rows of {runs} run{'s' * (runs > 1)}"
        if (worth := self.effective_runs) is None:
            return counted
        return f"{counted}, worth {worth:.0f} independent rows"

    @property
    def _exact(self) -> str:
        """Whether the law is taken to be exact, or how probably it is."""
        if self.model.error is None:
            return "the law is taken to be exact"
        return f"P(law exact) = {self.sampled.record['exact']:.2g}"

    @property
    @override
    def tables(self) -> Sequence[Table]:
        summary = self.summary()
        columns = {"parameter": Column([*summary], [*map(self._label, summary)], "")}
        for name in ("mean", "sd", *QUANTILES):
            moments = [row[name] for row in summary.values()]
            columns[name] = Column.of(moments, ".4g", HEADINGS.get(name))
        reached = self.sampled.diagnosis.reached(Limits(**self.provenance["limits"]))
        for name, heading, spec in DIAGNOSTICS:
            good = dict(zip(self.model.judged, reached[name], strict=True))
            values = [row[name] if at in good else None for at, row in summary.items()]
            doubtful = [not good.get(at, True) for at in summary]
            columns[name] = Column.of(values, spec, heading, doubtful)
        return (Table("parameters", "parameter", columns, self.title, labels=1),)

    @property
    @override
    def notes(self) -> Sequence[Note]:
        return self.verdict.notes

    @property
    @override
    def conclusion(self) -> str:
        return self.verdict.conclusion

    @property
    @override
    def details(self) -> Mapping[str, object]:
        return {
            "law": self.model.law.name,
            "noise": self.model.noise.name,
            "runs": {
                "count": len(self.runs),
                "effective": self.effective_runs,
                "digest": self.runs.digest,
                **self.runs.provenance,
            },
            "verdict": self.verdict.details,
            "law_exact": self.sampled.record.get("exact", 1.0),
            "provenance": self.provenance,
        }

    @property
    @override
    def arrays(self) -> Mapping[str, Axes]:
        return {name: Axes(("chain", "draw"), values) for name, values in self.draws.items()}

    @property
    @override
    def coordinates(self) -> Mapping[str, Labels]:
        return {}

    def _label(self, name: str) -> str:
        """A parameter, and why it was not sampled."""
        match self.model.priors.get(name):
            case float():
                return f"{name} (pinned)"
            case str(other):
                return f"{name} (= {other})"
            case _:
                return name

    def frontier(
        self,
        C: ArrayLike | str | Sequence[str],
        *,
        counting: Rule = "6ND",
        max_params: float | None = None,
        inference_tokens: float | None = None,
        costs: Costs | None = None,
        **extras: ArrayLike,
    ) -> Frontier:
        """Split budgets between parameters and tokens; see `scalingfit.allocation.frontier`."""
        return frontier(
            self,
            C,
            counting=counting,
            max_params=max_params,
            inference_tokens=inference_tokens,
            costs=costs,
            **extras,
        )

    def choose(
        self,
        C: ArrayLike | str | Sequence[str],
        models: ArrayLike | Shape | Iterable[float | Shape],
        *,
        counting: Rule | None = None,
        max_params: float | None = None,
        inference_tokens: float | None = None,
        costs: Costs | None = None,
        **extras: ArrayLike,
    ) -> Choice:
        """Compare models that can be built; see `scalingfit.allocation.choose`."""
        return choose(
            self,
            C,
            models,
            counting=counting,
            max_params=max_params,
            inference_tokens=inference_tokens,
            costs=costs,
            **extras,
        )

    def decide(
        self,
        C: ArrayLike | str | Sequence[str],
        plans: Plans = (),
        *,
        risk: Risk = "mean",
        level: float = 0.9,
        counting: Rule = "6ND",
        max_params: float | None = None,
        inference_tokens: float | None = None,
        costs: Costs | None = None,
        **extras: ArrayLike,
    ) -> Decision:
        """Compare plans by what being wrong costs; see `scalingfit.allocation.decide`."""
        return decide(
            self,
            C,
            plans,
            risk=risk,
            level=level,
            counting=counting,
            max_params=max_params,
            inference_tokens=inference_tokens,
            costs=costs,
            **extras,
        )

    def cheapest(
        self,
        L: ArrayLike,
        *,
        counting: Rule = "6ND",
        max_params: float | None = None,
        inference_tokens: float | None = None,
        costs: Costs | None = None,
        **extras: ArrayLike,
    ) -> Cheapest:
        """Find the least cost that reaches a loss; see `scalingfit.allocation.cheapest`."""
        return cheapest(
            self,
            L,
            counting=counting,
            max_params=max_params,
            inference_tokens=inference_tokens,
            costs=costs,
            **extras,
        )

    def forecast(
        self,
        *,
        counting: Rule = "6ND",
        seed: int = 0,
        costs: Costs | None = None,
        **inputs: ArrayLike,
    ) -> Forecast:
        """Forecast losses at chosen inputs; see `scalingfit.allocation.forecast`."""
        return forecast(self, counting=counting, seed=seed, costs=costs, **inputs)

    def hypothesis(
        self,
        statement: str,
        *,
        C: float | None = None,
        counting: Rule = "6ND",
        **extras: ArrayLike | None,
    ) -> Hypothesis:
        """How probable a statement such as "a > 0.6" is; see `scalingfit.inference.hypothesis`."""
        return hypothesis(self, statement, C=C, counting=counting, **extras)

    def report(
        self,
        path: str | os.PathLike[str],
        C: ArrayLike | str | Sequence[str] | None = None,
        *more: Result | str | os.PathLike[str],
        counting: Rule = "6ND",
        max_params: float | None = None,
        costs: Costs | None = None,
        face: Face = PYTHON,
        **extras: ArrayLike,
    ) -> None:
        """Write a page that can be handed on; see `scalingfit.report.report`."""
        room("report").report(
            self,
            path,
            C,
            *more,
            counting=counting,
            max_params=max_params,
            costs=costs,
            face=face,
            **extras,
        )

    def to_arviz(self) -> xr.DataTree:
        """The fit as ArviZ's DataTree, with every group that ArviZ's functions look for."""
        return to_arviz(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fit to a NetCDF file, whole or not at all; `scalingfit.load` reads it."""
        save(self, path)
