"""Posteriors without a Markov chain, where they are close enough to their Laplace approximation.

Draws from a Student-t with the Laplace fit's mode and shape are weighted by importance, their
weights smoothed and judged by Pareto-k (PSIS; Vehtari, Simpson, Gelman, Yao & Gabry 2024,
arXiv 1507.02646). Where they fail, more is drawn from a mixture around some of them, which follows
skewed and curved posteriors (a kernel estimate as proposal: West 1993, J. R. Stat. Soc. B 55, 409;
population Monte Carlo: Cappe et al. 2008, arXiv 0710.4242). Weights cannot tell of a tail that no
draw has reached. So what passes once is drawn again, around what was found, and has to pass twice.
A fit that does not goes to NUTS.
"""

from __future__ import annotations

import dataclasses
import math
import operator
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from scalingfit.inference.bridge import Evidence

__all__ = [
    "BLOCK",
    "KHAT",
    "ROUNDS",
    "Proposal",
    "Weighted",
    "smooth",
    "weigh",
]

BLOCK = 2048
ROUNDS = (BLOCK, 2 * BLOCK, 4 * BLOCK, 8 * BLOCK, 8 * BLOCK)  # draws of each
# Below 0.5 the weights have a finite variance. Vehtari et al. 2024 (section 3.2.4) allow 0.7 for
# means; but there the 90 % intervals of E came out a tenth too narrow on tables of 60 runs.
KHAT = 0.5
TAIL = 7  # degrees of freedom of the proposals
CENTRES, WIDTH = 32, 0.8  # components of a mixture, and their width beside that of the posterior
KNOWN = 20.0  # effective draws from which a mixture is made
NORMAL = 0.6  # effective share of draws above which once is enough

Floats = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Weighted:
    """Importance draws of one fit.

    Attributes
    ----------
    position : array, shape (proposal, dim)
        In whitened coordinates.
    values : dict of array, shape (proposal,)
        The parameters there.
    log_density : array, shape (proposal,)
    weight : array, shape (proposal,)
        Smoothed and normalised.
    khat, ess : float
        Pareto shape of the raw weights, and one over the sum of squared weights.
    evidence : Evidence
        The log of the integral of the density over the whitened coordinates.
    sure : bool
        Whether the draws can stand for the posterior.
    """

    position: Floats
    values: dict[str, Floats]
    log_density: Floats
    weight: Floats
    khat: float
    ess: float
    evidence: Evidence
    sure: bool = False

    def passes(self, ess: float) -> bool:
        """Whether the weights are fine; a NaN never passes."""
        return self.khat <= KHAT and self.ess >= ess

    def worth(self, count: int) -> float:
        """The effective number of so many draws that are chosen by weight."""
        return 1 / (1 / self.ess + 1 / count)

    def choose(self, rng: np.random.Generator, count: int) -> NDArray[np.intp]:
        """Indices of draws in proportion to their weights, by systematic resampling."""
        # Of places 0, 1, ... a draw gets those between the sums of weights before and with it.
        before = np.ceil(np.cumsum(self.weight[:-1]) * count - rng.uniform())
        times = np.diff(np.clip(before, 0, count), prepend=0, append=count)
        return np.repeat(np.arange(len(times)), times.astype(np.intp))

    def resample(
        self, rng: np.random.Generator, shape: tuple[int, int]
    ) -> tuple[dict[str, Floats], Floats]:
        """Unweighted draws of the parameters, and their log densities, in random order."""
        chosen = rng.permutation(self.choose(rng, shape[0] * shape[1])).reshape(shape)
        values = {name: value[chosen] for name, value in self.values.items()}
        return values, self.log_density[chosen]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Proposal:
    """A mixture of multivariate Student-t of one shape.

    Attributes
    ----------
    centres : array, shape (CENTRES, dim)
        In units of the shape.
    factor : array, shape (dim, dim)
        From these to whitened coordinates.
    components : array, scalar
        How many of the centres differ, the first ones.
    """

    centres: Any
    factor: Any
    components: Any

    @classmethod
    def laplace(cls, dim: int) -> Proposal:
        """Around the mode, of the posterior's shape there."""
        return cls(np.zeros((CENTRES, dim)), np.eye(dim), np.array(1, np.int32))

    @classmethod
    def around(cls, weighted: Weighted, rng: np.random.Generator) -> Proposal:
        """Around draws chosen by weight, of a share of the weighted covariance."""
        offset = weighted.position - weighted.weight @ weighted.position
        covariance = (offset * weighted.weight[:, None]).T @ offset
        factor = WIDTH * np.linalg.cholesky(covariance + 1e-3 * np.eye(offset.shape[1]))
        chosen = weighted.position[weighted.choose(rng, CENTRES)]
        return cls(np.linalg.solve(factor, chosen.T).T, factor, np.array(CENTRES, np.int32))

    def draw(self, rng: np.random.Generator, count: int) -> Floats:
        """Places in units of the shape, (count, dim); as many around each centre."""
        normal = rng.standard_normal((count, self.centres.shape[1]))
        stretch = np.sqrt(TAIL / rng.chisquare(TAIL, count))
        centres = np.repeat(self.centres, count // CENTRES, axis=0)
        return np.asarray(centres + normal * stretch[:, None])

    @property
    def log_constant(self) -> float:
        """What `placed` leaves out of the log density."""
        dim = self.centres.shape[1]
        gammas = math.lgamma((TAIL + dim) / 2) - math.lgamma(TAIL / 2)
        spread = np.log(np.diag(self.factor)).sum() + math.log(self.components)  # triangular
        return float(gammas - 0.5 * dim * math.log(TAIL * math.pi) - spread)

    def placed(self, places: Array) -> tuple[Array, Array]:
        """What `draw` returned as whitened positions, and the log density of drawing each.

        Up to a constant; inside a traced function.
        """
        count, dim = places.shape
        along, centres = places.T, jnp.asarray(self.centres)

        def add(number: Any, sum_so_far: Array) -> Array:
            apart = jnp.sum((along - centres[number][:, None]) ** 2, axis=0)
            return sum_so_far + jax.lax.integer_pow(jax.lax.rsqrt(1 + apart / TAIL), TAIL + dim)

        # Centre by centre, the sum stays in cache and is made of vectors.
        density = jax.lax.fori_loop(0, self.components, add, jnp.zeros(count, places.dtype))
        position = jax.vmap(lambda place: jnp.sum(self.factor * place, axis=-1))(places)
        return position, jnp.log(density)


def weigh(
    evaluate: Callable[[Floats, Proposal], tuple[Floats, dict[str, Floats], Floats, Floats]],
    dim: int,
    generators: list[np.random.Generator],
    ess: float,
) -> list[Weighted]:
    """Importance draws of every fit, from the round that made sure of them, or from the last.

    Parameters
    ----------
    evaluate : callable
        Of what all fits' proposals drew, (fit, proposal, dim), and of these with a leading axis
        (fit,): whitened positions, of that shape; parameters, log densities and log weights there,
        each (fit, proposal).
    dim : int
    generators : list of Generator
        One a fit.
    ess : float
        Least effective sample size that passes.
    """
    fits = range(len(generators))
    proposals = [Proposal.laplace(dim)] * len(fits)
    made: dict[int, Weighted] = {}
    for count in ROUNDS:
        unsure = [i for i in fits if i not in made or not made[i].sure]
        if not unsure:
            break
        places = np.zeros((len(fits), count, dim))
        for i in unsure:
            places[i] = proposals[i].draw(generators[i], count)
        stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *proposals)
        made_of = evaluate(places, stacked)
        for i in unsure:
            found = _weighted(*jax.tree.map(operator.itemgetter(i), made_of))
            again = found.ess >= NORMAL * count or (i in made and made[i].passes(ess))
            made[i] = dataclasses.replace(
                found,
                evidence=found.evidence.over(-proposals[i].log_constant),
                sure=again and found.passes(ess),
            )
            if not made[i].sure and found.ess >= KNOWN:
                proposals[i] = Proposal.around(found, generators[i])
    return [made[i] for i in fits]


def _weighted(
    position: Floats, values: dict[str, Floats], log_density: Floats, log_weight: Floats
) -> Weighted:
    usable = np.isfinite(log_weight)
    if usable.mean() < 0.5:
        equal, nothing = np.full(len(log_weight), 1 / len(log_weight)), Evidence(np.nan, np.nan)
        return Weighted(position, values, log_density, equal, np.nan, np.nan, nothing)
    log_weight = np.where(usable, log_weight, -np.inf)
    weight, khat = smooth(log_weight)
    ess = float(1 / np.sum(weight**2))
    highest = log_weight.max()
    mean = float(highest + np.log(np.mean(np.exp(log_weight - highest))))
    evidence = Evidence(mean, math.sqrt(max(1 / ess - 1 / len(log_weight), 0.0)))
    return Weighted(position, values, log_density, weight, khat, ess, evidence)


def smooth(log_weight: Floats) -> tuple[Floats, float]:
    """Weights with their largest replaced by quantiles of a generalised Pareto, and its shape k.

    Vehtari et al. 2024, arXiv 1507.02646, algorithm 1. ArviZ's `psislw` gives the same in four
    times the time, which holds up the other threads of a batch.

    Parameters
    ----------
    log_weight : array, shape (proposal,)
        Up to a constant; minus infinity for a weight of zero.

    Returns
    -------
    array, shape (proposal,)
        Normalised.
    float
        NaN where the tail is flat or too short for a fit.
    """
    weight = np.exp(log_weight - np.max(log_weight))
    size = math.floor(min(0.2 * len(weight), 3 * math.sqrt(len(weight))))
    order = np.argpartition(weight, -size - 1)[-size - 1 :]
    order = order[np.argsort(weight[order])]
    tail, below = order[1:], weight[order[0]]
    excess = weight[tail] - below
    khat, scale = _pareto(excess)
    if np.isfinite(khat):
        level = (np.arange(size) + 0.5) / size
        with np.errstate(over="ignore"):  # of a k of thousands, where one draw weighs all
            quantile = scale * np.expm1(-khat * np.log1p(-level)) / khat
        weight[tail] = np.minimum(below + quantile, 1.0)
    return weight / weight.sum(), khat


def _pareto(excess: Floats) -> tuple[float, float]:
    """Shape and scale of a generalised Pareto, from sorted values above zero.

    Zhang & Stephens 2009, Technometrics 51, 316: the mean over a profile likelihood in theta, on
    their grid; the shape is drawn towards 1/2 by the weight of ten values (Vehtari et al., appendix
    C).
    """
    count = len(excess)
    grid = 30 + math.isqrt(count)
    steps = 1 - np.sqrt(grid / (np.arange(grid) + 0.5))
    quartile = excess[int(count / 4 + 0.5) - 1]
    if not quartile > excess[0]:
        return np.nan, np.nan
    with np.errstate(all="ignore"):  # where one draw weighs all, k overflows, and does not pass
        theta = 1 / excess[-1] + steps / (3 * quartile)
        shape = np.mean(np.log1p(-theta[:, None] * excess), axis=1)
        profile = count * (np.log(-theta / shape) - shape - 1)
        share = np.exp(profile - np.max(profile))
        best = np.sum(theta * share) / np.sum(share)
        found = np.mean(np.log1p(-best * excess))
        return float((count * found + 5) / (count + 10)), float(-found / best)
