"""Many fits of one model as one posterior, and how they differ."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Mapping, Sequence

import jax
import numpy as np
from numpy.typing import NDArray

from scalingfit.declare import Law
from scalingfit.inference import QUANTILES, Posterior
from scalingfit.noise import Noise, alike
from scalingfit.result import Interval
from scalingfit.runs import Runs

__all__ = ["Pooled", "draws_of", "spread_of"]

type Draws = Mapping[str, NDArray[np.float64]]


@dataclasses.dataclass(frozen=True, eq=False)
class Pooled:
    """Many fits of one model as what is asked; leaves of shape (fit, chain, draw)."""

    law: Law
    noise: Noise
    runs: Runs
    provenance: Mapping[str, object]
    fits: Mapping[Hashable, Posterior]

    @classmethod
    def of(cls, fits: Mapping[Hashable, Posterior]) -> Pooled:
        """All fits as one posterior, for the solvers; only each by itself has runs."""
        every = [*fits.values()]
        noise = _stacked(alike([fit.noise for fit in every]))
        return cls(
            law=_stacked([fit.law for fit in every]),
            noise=noise,
            runs=every[0].runs,  # for what its columns are called
            provenance={"fits": len(fits), "noise": type(noise).name},
            fits=fits,
        )


def draws_of(fits: Sequence[Posterior]) -> dict[str, NDArray[np.float64]]:
    """Draws of every parameter of law and noise, each (fit, chain, draw)."""
    draws = [fit.draws for fit in fits]
    names = dict.fromkeys(name for each in draws for name in each)
    none = np.zeros_like(next(iter(draws[0].values())))  # of runs that have no effects
    return {name: np.stack([each.get(name, none) for each in draws]) for name in names}


def spread_of(draws: Draws) -> dict[str, dict[str, Interval]]:
    """How much each parameter differs across fits, and within a fit."""
    table = {}
    for name, values in draws.items():
        own = np.quantile(values, [*QUANTILES.values()], axis=(1, 2))  # (quantile, fit)
        across = np.quantile(np.median(values, axis=(1, 2)), [*QUANTILES.values()])
        table[name] = {
            "across": Interval(*across.tolist()),
            "within": Interval(*np.median(own, axis=1).tolist()),
        }
    return table


def _stacked[Tree](items: Sequence[Tree]) -> Tree:
    stacked: Tree = jax.tree.map(lambda *leaves: np.stack(leaves), *items)
    return stacked
