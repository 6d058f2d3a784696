"""A fit: draws of the law and the noise, the verdict on them, and where they come from."""

from __future__ import annotations

import dataclasses
import functools
import html
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from scalingfit.inference.diagnostics import Verdict
from scalingfit.inference.group import Draws
from scalingfit.inference.model import Data, Model
from scalingfit.inference.programs import bucket, pack
from scalingfit.law import Law
from scalingfit.noise import Noise
from scalingfit.runs import Runs

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

__all__ = ["Posterior"]

Floats = NDArray[np.float64]
QUANTILES = {"q5": 0.05, "q50": 0.5, "q95": 0.95}


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Posterior:
    """What `fit` returns. ``print`` it for a table and a verdict in words.

    Attributes
    ----------
    law : Law
        The law's draws: leaves of shape (chain, draw), float64.
    noise : Noise
        The noise's draws, likewise.
    runs : Runs
        The table that was fitted.
    verdict : Verdict
        Whether the draws can be trusted and what the runs cannot tell.
    provenance : mapping
        JSON-able record: versions, device, precision, seed, settings, priors, data.
    """

    law: Law
    noise: Noise
    runs: Runs
    verdict: Verdict
    provenance: Mapping[str, Any]
    model: Model
    sampled: Draws

    @property
    def draws(self) -> dict[str, Floats]:
        """Draws of every parameter, pinned and tied ones included, each (chain, draw)."""
        noise = {name: getattr(self.noise, name) for name in self.model.noise.parameters()}
        return {**self.law.values(), **noise}

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

    def log_likelihood(self) -> Floats:
        """Log density of every observed loss, shape (chain, draw, run)."""
        return self._per_run(_log_likelihood)

    def predictive(self, seed: int = 0) -> Floats:
        """Losses of replicated runs at the same inputs, shape (chain, draw, run)."""
        return self._per_run(functools.partial(_replicate, seed=seed))

    def residuals(self) -> Floats:
        """Log of observed over expected loss (or the difference, for noise on the loss), (run,)."""
        mean = np.asarray(self._per_run(_mean)).mean(axis=(0, 1))
        observed = self.runs["L"]
        return np.log(observed / mean) if self.model.noise.on_log else observed - mean

    def frontier(self, C: Any, **options: Any) -> Any:
        """Split budgets between parameters and tokens; see `scalingfit.allocation.frontier`."""
        from scalingfit.allocation import frontier

        return frontier(self, C, **options)

    def choose(self, C: Any, models: Any, **options: Any) -> Any:
        """Compare models that can be built; see `scalingfit.allocation.choose`."""
        from scalingfit.allocation import choose

        return choose(self, C, models, **options)

    def cheapest(self, L: Any, **options: Any) -> Any:
        """Find the least cost that reaches a loss; see `scalingfit.allocation.cheapest`."""
        from scalingfit.allocation import cheapest

        return cheapest(self, L, **options)

    def forecast(self, **inputs: Any) -> Any:
        """Forecast losses at chosen inputs; see `scalingfit.allocation.forecast`."""
        from scalingfit.allocation import forecast

        return forecast(self, **inputs)

    def hypothesis(self, statement: str, **options: Any) -> Any:
        """Weigh a statement such as "a > 0.6"; see `scalingfit.evidence.hypothesis`."""
        from scalingfit.evidence.hypothesis import hypothesis

        return hypothesis(self, statement, **options)

    def to_arviz(self) -> xr.DataTree:
        """The fit as ArviZ's DataTree, with every group that ArviZ's functions look for."""
        from scalingfit.inference.files import to_arviz

        return to_arviz(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fit to a NetCDF file, whole or not at all; `scalingfit.load` reads it."""
        from scalingfit.inference.files import save

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

    def _per_run(self, function: Any) -> Floats:
        """A quantity of every draw and run, computed in float64.

        Of a padded table, so that tables of nearly one length share a compiled program.
        """
        rows = len(self.runs)
        with jax.enable_x64(True):
            data = pack(self.model, self.runs, bucket(rows), "float64")
            law, noise = jax.tree.map(jnp.asarray, (self.law.expand(1), self.noise.expand(1)))
            return np.asarray(function(law, noise, data))[..., :rows]


@jax.jit
def _mean(law: Law, noise: Noise, data: Data) -> Array:
    mean: Array = law.loss(**{name: jnp.exp(value) for name, value in data.log_inputs.items()})
    return mean


@jax.jit
def _log_likelihood(law: Law, noise: Noise, data: Data) -> Array:
    observed = jnp.exp(data.loss) if noise.on_log else data.loss
    density: Array = noise.observe(_mean(law, noise, data), data.loss_se).log_prob(observed)
    return density


@functools.partial(jax.jit, static_argnames="seed")
def _replicate(law: Law, noise: Noise, data: Data, seed: int) -> Array:
    mean = _mean(law, noise, data)
    drawn: Array = noise.observe(mean, data.loss_se).sample(jax.random.key(seed))
    return drawn


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
