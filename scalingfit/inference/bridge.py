"""Marginal likelihoods by bridge sampling.

Meng & Wong 1996, "Simulating ratios of normalizing constants via a simple identity", Statistica
Sinica 6, 831, with the optimal bridge and a normal proposal; the error is that of
Fruehwirth-Schnatter 2004 as given by Gronau et al. 2017, "A tutorial on bridge sampling",
arXiv 1703.05984, equation 16 and appendix A.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from scalingfit.inference.diagnostics import ess

__all__ = ["Bridge", "Evidence", "bridge"]

Floats = NDArray[np.float64]

ROUNDS, TOLERANCE = 1000, 1e-10


@dataclasses.dataclass(frozen=True)
class Evidence:
    """A log marginal likelihood with its Monte-Carlo standard error."""

    log: float
    error: float

    def over(self, log_volume: float) -> Evidence:
        """That of a density over coordinates of which a unit has this volume of these."""
        return Evidence(self.log + log_volume, self.error)


@dataclasses.dataclass(frozen=True)
class Bridge:
    """Draws of a density, and places proposed by a normal distribution that half of them shape.

    The other half is compared against the proposal: draws that had shaped it would look too likely
    under it.

    Attributes
    ----------
    compared : array, shape (chain, draw, dim)
        The other half.
    proposed : array, shape (chain * draw, dim)
    """

    compared: Floats
    proposed: Floats
    centre: Floats
    factor: Floats

    @classmethod
    def between(cls, draws: Floats, rng: np.random.Generator, joint: int | None = None) -> Bridge:
        """From draws, (chain, draw, dim), to a proposal of their mean and covariance.

        Parameters
        ----------
        draws : array, shape (chain, draw, dim)
        rng : Generator
        joint : int, optional
            The dimensions behind so many are proposed independently of each other and of these.
        """
        fitted, compared = np.split(draws, [draws.shape[1] // 2], axis=1)
        dim = draws.shape[-1]
        flat = fitted.reshape(-1, dim)
        centre = flat.mean(axis=0)
        offset = flat - centre
        # By einsum, which is slower than BLAS alone, but does not wait for threads of busy cores.
        covariance = np.einsum("ni,nj->ij", offset, offset) / (len(flat) - 1)
        try:
            if joint is not None:
                together = np.arange(dim) < joint
                covariance *= np.outer(together, together) | np.eye(dim, dtype=bool)
            factor = np.linalg.cholesky(covariance)
        except np.linalg.LinAlgError:  # draws of a fit that failed, such as of chains that stand
            factor = np.full((dim, dim), np.nan)
        white = rng.standard_normal((compared[..., 0].size, dim))
        return cls(compared, centre + np.einsum("ni,ji->nj", white, factor), centre, factor)

    def evidence(self, at_compared: Floats, at_proposed: Floats) -> Evidence:
        """The log of the integral of the density; NaN where the draws are those of no density.

        Parameters
        ----------
        at_compared, at_proposed : array, shape (chain * draw,)
            Log density there, without its constant.
        """
        dim = self.compared.shape[-1]
        ratios = (
            self._log_ratio(self.compared.reshape(-1, dim), at_compared),
            self._log_ratio(self.proposed, at_proposed),
        )
        constant = _fixed_point(*ratios)
        if not np.isfinite(constant):
            return Evidence(log=np.nan, error=np.nan)
        at_draws, at_proposal = (ratio - constant for ratio in ratios)
        error = _error(at_draws, at_proposal, self.compared.shape[:2])
        return Evidence(log=float(constant), error=error)

    def _log_ratio(self, points: Floats, density: Floats) -> Floats:
        offset = np.linalg.solve(self.factor, (points - self.centre).T)
        proposal = -0.5 * np.sum(offset**2, axis=0) - 0.5 * len(self.centre) * np.log(2 * np.pi)
        found = density - (proposal - np.sum(np.log(np.diag(self.factor))))
        return np.where(np.isnan(found), -np.inf, found)


def bridge(density: Callable[[Floats], Floats], draws: Floats, seed: int = 0) -> Evidence:
    """The log of the integral of a density of which there are draws.

    Parameters
    ----------
    density : callable
        Log density without its constant, ``(point, dim) -> (point,)``, over all of R^dim.
    draws : array, shape (chain, draw, dim)
    seed : int
    """
    between = Bridge.between(draws, np.random.default_rng(seed))
    compared = between.compared.reshape(-1, draws.shape[-1])
    return between.evidence(density(compared), density(between.proposed))


def _fixed_point(at_draws: Floats, at_proposal: Floats) -> float:
    """Iterate Meng and Wong's equation 4.1 in logarithms; both samples have the same size."""
    current = float(np.median(at_draws))
    if not np.isfinite(current):  # draws of a fit that failed
        return np.nan
    for _ in range(ROUNDS):
        upper = logsumexp(at_proposal - np.logaddexp(at_proposal, current))
        lower = logsumexp(-np.logaddexp(at_draws, current))
        previous, current = current, float(upper - lower)
        if abs(current - previous) < TOLERANCE * max(1.0, abs(current)):
            break
    return current


def _error(at_draws: Floats, at_proposal: Floats, shape: tuple[int, ...]) -> float:
    """Relative error of the constant, which is the absolute one of its logarithm."""
    from_proposal = np.exp(at_proposal - np.logaddexp(at_proposal, 0.0))
    from_draws = np.exp(-np.logaddexp(at_draws, 0.0))
    size = float(ess(_halves(from_draws.reshape(shape))))
    squared = np.var(from_proposal) / np.mean(from_proposal) ** 2 / len(from_proposal)
    squared += np.var(from_draws) / np.mean(from_draws) ** 2 / size
    return float(np.sqrt(squared))


def _halves(draws: Floats) -> Floats:
    half = draws.shape[-1] // 2
    return np.concatenate([draws[..., :half], draws[..., -half:]], axis=-2)
