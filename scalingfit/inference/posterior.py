"""A fit, and the questions that one puts to it."""

from __future__ import annotations

import dataclasses
import html
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from scalingfit.allocation import cheapest, choose, forecast, frontier
from scalingfit.inference.files import save, to_arviz
from scalingfit.inference.fitted import Fitted
from scalingfit.inference.hypothesis import hypothesis

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

__all__ = ["Posterior"]

QUANTILES = {"q5": 0.05, "q50": 0.5, "q95": 0.95}


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Posterior(Fitted):
    """What `fit` returns: ``print`` it for a table and a verdict in words.

    It holds the draws of the law and of the noise (`law`, `noise`: leaves of shape (chain, draw)),
    the `runs`, a `verdict` and its `provenance`: see `Fitted`.
    """

    def summary(self) -> dict[str, dict[str, float]]:
        """Mean, sd, quantiles, effective sample sizes and R-hat of every parameter.

        Returns
        -------
        dict
            ``{"alpha": {"mean", "sd", "q5", "q50", "q95", "ess_bulk", "ess_tail", "rhat"}, ...}``;
            a pinned parameter has no effective sample size: NaN.
        """
        diagnosis, sites = self.sampled.diagnosis, self.model.sites
        table = {}
        for name, draws in self.draws.items():
            row = {"mean": float(draws.mean()), "sd": float(draws.std(ddof=1))}
            row |= {key: float(np.quantile(draws, q)) for key, q in QUANTILES.items()}
            at = sites.index(name) if name in sites else None
            for key in ("ess_bulk", "ess_tail", "rhat"):
                row[key] = float("nan") if at is None else float(getattr(diagnosis, key)[at])
            table[name] = row
        return table

    def frontier(self, C: Any, **options: Any) -> Any:
        """Split budgets between parameters and tokens; see `scalingfit.allocation.frontier`."""
        return frontier(self, C, **options)

    def choose(self, C: Any, models: Any, **options: Any) -> Any:
        """Compare models that can be built; see `scalingfit.allocation.choose`."""
        return choose(self, C, models, **options)

    def cheapest(self, L: Any, **options: Any) -> Any:
        """Find the least cost that reaches a loss; see `scalingfit.allocation.cheapest`."""
        return cheapest(self, L, **options)

    def forecast(self, **inputs: Any) -> Any:
        """Forecast losses at chosen inputs; see `scalingfit.allocation.forecast`."""
        return forecast(self, **inputs)

    def hypothesis(self, statement: str, **options: Any) -> Any:
        """How probable a statement such as "a > 0.6" is; see `scalingfit.inference.hypothesis`."""
        return hypothesis(self, statement, **options)

    def to_arviz(self) -> xr.DataTree:
        """The fit as ArviZ's DataTree, with every group that ArviZ's functions look for."""
        return to_arviz(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fit to a NetCDF file, whole or not at all; `scalingfit.load` reads it."""
        save(self, path)

    def to_pandas(self) -> pd.DataFrame:
        """One row a draw, one column a parameter; indexed by chain and draw."""
        import pandas as pd

        chains, draws = self.sampled.energy.shape
        index = pd.MultiIndex.from_product([range(chains), range(draws)], names=["chain", "draw"])
        return pd.DataFrame(
            {name: value.ravel() for name, value in self.draws.items()}, index=index
        )

    def as_json(self) -> dict[str, Any]:
        """The fit without its draws, as the command line prints it with ``--json``."""
        verdict = self.verdict
        return {
            "law": self.model.law.name,
            "noise": self.model.noise.name,
            "runs": {"count": len(self.runs), "digest": self.runs.digest, **self.runs.provenance},
            "parameters": self.summary(),
            "verdict": {
                "ok": verdict.ok,
                "status": verdict.status,
                "messages": list(verdict.messages),
            },
            "provenance": dict(self.provenance),
        }

    def __str__(self) -> str:
        return "\n".join([self.title, *_rows(self.summary()), str(self.verdict)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """For notebooks."""
        return f"<pre>{html.escape(str(self))}</pre>"

    @property
    def title(self) -> str:
        """What was fitted to what, in one line."""
        rows = len(self.runs)
        return f"{self.model.law.name} on {rows} runs, {self.model.noise.name} noise"


def _rows(summary: Mapping[str, Mapping[str, float]]) -> list[str]:
    """The summary as lines of text."""
    width = max(len(name) for name in summary)
    moments = " ".join(f"{title:>9}" for title in ("mean", "sd", "5%", "50%", "95%"))
    lines = [f"{'':{width}} {moments} {'ESS':>6} {'tail':>6} {'R-hat':>7}"]
    for name, row in summary.items():
        numbers = " ".join(f"{row[key]:9.4g}" for key in ("mean", "sd", "q5", "q50", "q95"))
        if np.isnan(row["ess_bulk"]):
            lines.append(f"{name:{width}} {numbers}  (pinned or tied)")
        else:
            sizes = f"{row['ess_bulk']:6.0f} {row['ess_tail']:6.0f} {row['rhat']:7.4f}"
            lines.append(f"{name:{width}} {numbers} {sizes}")
    return lines
