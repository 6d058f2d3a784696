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

from scalingfit.inference import Posterior, coordinates, ess, log_density

__all__ = ["Evidence", "bridge", "evidence"]

Floats = NDArray[np.float64]

ROUNDS, TOLERANCE = 1000, 1e-10


@dataclasses.dataclass(frozen=True)
class Evidence:
    """A log marginal likelihood with its Monte-Carlo standard error."""

    log: float
    error: float


def evidence(posterior: Posterior, seed: int = 0) -> Evidence:
    """The log marginal likelihood of the runs under the posterior's law, noise and priors.

    Parameters
    ----------
    posterior : Posterior
    seed : int
        Of the proposal's draws.

    Returns
    -------
    Evidence
        The runs' losses as they are (not their logarithms) are what is given a density, so that
        laws and noise models compare.
    """
    model, runs = posterior.model, posterior.runs
    draws = coordinates(model, runs, posterior.sampled)
    return bridge(log_density(model, runs), draws, seed)


def bridge(density: Callable[[Floats], Floats], draws: Floats, seed: int = 0) -> Evidence:
    """The log of the integral of a density of which there are draws.

    Parameters
    ----------
    density : callable
        Log density without its constant, ``(point, dim) -> (point,)``, over all of R^dim.
    draws : array, shape (chain, draw, dim)
        One half shapes the proposal, the other half is compared with it: draws that had shaped it
        would look too likely under it.
    seed : int
    """
    fitted, compared = draws[:, ::2], draws[:, 1::2]
    dim = draws.shape[-1]
    flat = fitted.reshape(-1, dim)
    centre = flat.mean(axis=0)
    factor = np.linalg.cholesky(np.atleast_2d(np.cov(flat, rowvar=False)))
    kept = compared.reshape(-1, dim)
    white = np.random.default_rng(seed).standard_normal((len(kept), dim))
    proposed = centre + white @ factor.T

    def log_ratio(points: Floats) -> Floats:
        offset = np.linalg.solve(factor, (points - centre).T)
        log_proposal = -0.5 * np.sum(offset**2, axis=0) - 0.5 * dim * np.log(2 * np.pi)
        log_proposal -= np.sum(np.log(np.diag(factor)))
        found = density(points) - log_proposal
        return np.where(np.isnan(found), -np.inf, found)

    at_draws, at_proposal = log_ratio(kept), log_ratio(proposed)
    log_constant = _fixed_point(at_draws, at_proposal)
    return Evidence(
        log=float(log_constant),
        error=_error(at_draws - log_constant, at_proposal - log_constant, compared.shape[:2]),
    )


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
