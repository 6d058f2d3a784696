"""V-optimal choice of runs one by one, a baseline of Li et al. 2026 (arXiv 2604.22753).

The law is fitted by least squares of the loss. Its parameters, in the coordinates that ours are
sampled in, then have the covariance ``(J'J / s^2 + P)^-1`` with the Jacobian J of the losses of the
runs made and the precision P of the prior; s^2 is the mean of an inverse-gamma distribution of
shape 2 about the variance of all losses. The next run is the one that takes the most off the summed
variances of the targets over its cost to the power 0.4. Written from that description.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray
from scipy.optimize import least_squares

import scalingfit as sf
from scalingfit.declare import Law
from scalingfit.inference.build import build
from scalingfit.inference.model import Model, mean_loss
from scalingfit.inference.programs import centre, prior_values
from scalingfit.noise import Normal
from scalingfit.runs import Runs

__all__ = ["OneByOne"]

POWER, SHAPE = 0.4, 2.0
NUDGE = 1e-9  # that starts lie inside the box
BOX = 4.0
"""Standard deviations of the prior to either side that estimates are sought in."""

STARTS, RESTARTS = 32, 2
"""From the prior, for the first fit and the last, and beside the last estimate for each between."""

Floats = NDArray[np.float64]


class OneByOne:
    """A pool of runs, some of which are targets, under a law.

    Parameters
    ----------
    law : str
    runs : Runs
    cost : array, shape (run,)
    targets : array of int
    """

    def __init__(self, law: str, runs: Runs, cost: Floats, targets: NDArray[np.int64]) -> None:
        self.model: Model = build(sf.law(law), Normal, {"sigma": 1.0})
        self.runs, self.cost, self.targets = runs, cost, targets
        self.centre = centre(self.model, runs)
        with jax.enable_x64(True):
            pool = {name: jnp.asarray(each) for name, each in prior_values(self.model).items()}
            places = jax.vmap(lambda values: self.model.unconstrain(values, self.centre))(pool)
        self.prior = np.asarray(places)
        self.middle, self.sd = self.prior.mean(axis=0), self.prior.std(axis=0)

    @functools.cached_property
    def _losses(self) -> Callable[[Floats], tuple[Array, Array]]:
        """Of all runs, and their Jacobian by the coordinates."""
        inputs = self.runs.input(self.model.law.inputs())
        logs = {name: np.log(values) for name, values in inputs.items()}

        def losses(place: Array) -> Array:
            values = self.model.constrain(place, self.centre)[0]
            return mean_loss(self.model.in_logs(self.model.law_of(values)), logs)

        return jax.jit(lambda place: (losses(place), jax.jacfwd(losses)(place)))

    def losses(self, place: Floats) -> tuple[Floats, Floats]:
        """The law's losses of all runs, and their Jacobian; large where they are not finite."""
        with jax.enable_x64(True):
            return tuple(  # type: ignore[return-value]
                np.nan_to_num(each, nan=1e6, posinf=1e6, neginf=-1e6)
                for each in self._losses(place)
            )

    def law(self, place: Floats) -> Law:
        """The law of an estimate."""
        with jax.enable_x64(True):
            values = self.model.constrain(jnp.asarray(place), self.centre)[0]
            return self.model.complete_arrays({k: np.asarray(v) for k, v in values.items()})[0]

    def fit(self, chosen: Sequence[int], starts: Sequence[Floats]) -> tuple[Floats, float]:
        """The estimate, and the sum of its squared residuals."""
        observed, at = self.runs.L[list(chosen)], list(chosen)

        def residuals(place: Floats) -> Floats:
            return self.losses(place)[0][at] - observed

        def slopes(place: Floats) -> Floats:
            return self.losses(place)[1][at]

        box = (self.middle - BOX * self.sd, self.middle + BOX * self.sd)
        best: tuple[Floats, float] = (self.middle, np.inf)
        for start in starts:
            found = least_squares(
                residuals,
                np.clip(start, box[0] + NUDGE * self.sd, box[1] - NUDGE * self.sd),
                slopes,
                bounds=box,
                x_scale=self.sd,
            )
            if 2 * found.cost < best[1]:
                best = (found.x, float(2 * found.cost))
        return best

    def gain(self, place: Floats, left: float, chosen: Sequence[int], variance: float) -> Floats:
        """What each run would take off the summed variances of the targets, shape (run,)."""
        scatter = (SHAPE * variance + left / 2) / (SHAPE + len(chosen) / 2 - 1)
        slopes = self.losses(place)[1]
        made = slopes[list(chosen)]
        covariance = np.linalg.inv(made.T @ made / scatter + np.diag(1 / self.sd**2))
        shared = slopes[self.targets] @ covariance @ slopes.T
        own = np.einsum("rp,pq,rq->r", slopes, covariance, slopes)
        return np.asarray((shared**2).sum(axis=0) / (scatter + own))

    def choose(
        self, seen: NDArray[np.int64], first: Sequence[int], allowed: float, seed: int
    ) -> tuple[list[int], Floats]:
        """Runs for so much compute, beginning with the first, and the estimate from them all."""
        random, chosen = np.random.default_rng(seed), list(first)

        def starts(count: int) -> list[Floats]:
            return [*self.prior[random.choice(len(self.prior), count, replace=False)]]

        variance = float(np.var(self.runs.L[seen]))
        price = (self.cost / self.cost.sum()) ** POWER
        place, left = self.fit(chosen, starts(STARTS))
        while True:
            spent = self.cost[chosen].sum()
            open_ = [at for at in seen if at not in chosen and spent + self.cost[at] <= allowed]
            if not open_:
                return chosen, self.fit(chosen, [place, *starts(STARTS)])[0]
            worth = (self.gain(place, left, chosen, variance) / price)[open_]
            chosen.append(int(open_[int(np.argmax(worth))]))
            place, left = self.fit(chosen, [place, *starts(RESTARTS)])
