"""An independent sampler of a law with its error, for one law of one input.

Student-t scatter is normal with a precision of each run's own, which has a gamma distribution.
Given these precisions the error is integrated out with its exact covariance, so that few parameters
are left, which Metropolis steps between many chains move (differential evolution: ter Braak 2006,
Stat. Comput. 16, 239). Nothing here is the package's: neither coordinates, nor landmarks.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["NAMES", "sample_power"]

type Floats = NDArray[np.float64]

NAMES = ("E", "c", "beta", "sigma", "tau", "nu")
CHAINS, STEPS = 100, 4
MEDIANS = np.log([0.5, 0.3, 1.0, 0.01, 0.02])  # of E, c, the term at X = 1e6, sigma, tau
SPREADS = np.array([1.5, 0.7, 4.0, 1.0, 0.7])
START = np.log([0.5, 0.3, 0.3, 0.005, 0.02])


def sample_power(X: Floats, L: Floats, sweeps: int, seed: int = 0) -> dict[str, Floats]:
    """Draws of the parameters of the law `power`, each (chain, draw); a third is left out."""
    rng = np.random.default_rng(seed)
    x, y = np.log10(X), np.log(L)
    apart = (x[:, None] - x) ** 2
    K = sum(length**2 * np.exp(-apart / (2 * length**2)) for length in (0.5, 1.0, 2.0, 4.0))
    values, vectors = np.linalg.eigh(K)
    root = vectors * np.sqrt(np.maximum(values, 0.0))

    def law(u: Floats) -> Floats:
        falling = u[:, 2, None] - np.exp(u[:, 1, None]) * np.log(X / 1e6)
        return np.asarray(np.logaddexp(u[:, 0, None], falling))

    def covariance(u: Floats, precision: Floats) -> Floats:
        scatter = np.exp(2 * u[:, 3, None]) / precision
        return np.asarray(
            np.exp(2 * u[:, 4])[:, None, None] * K + scatter[:, :, None] * np.eye(len(x))
        )

    def log_density(u: Floats, precision: Floats) -> Floats:
        factor = np.linalg.cholesky(covariance(u, precision))
        white = np.linalg.solve(factor, (y - law(u))[..., None])[..., 0]
        volume = np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(axis=1)
        prior = -0.5 * (((u - MEDIANS) / SPREADS) ** 2).sum(axis=1)
        return np.asarray(prior - 0.5 * (white**2).sum(axis=1) - volume)

    def log_scatter(excess: Floats, squared: Floats) -> Floats:
        """Of log(nu - 1), given standardised residuals; see Student's density."""
        from scipy.special import gammaln

        nu = 1 + np.exp(excess)[:, None]
        each = gammaln((nu + 1) / 2) - gammaln(nu / 2) - 0.5 * np.log(nu)
        each = each - 0.5 * (nu + 1) * np.log1p(squared / nu)
        return np.asarray(each.sum(axis=1) - 0.5 * (excess - np.log(10)) ** 2)

    u = START + 0.1 * rng.standard_normal((CHAINS, 5))
    excess, precision = np.full(CHAINS, np.log(10.0)), np.ones((CHAINS, len(x)))
    kept = []
    for sweep in range(sweeps):
        for _ in range(STEPS):
            halves = np.split(rng.permutation(CHAINS), 2)
            for moved, others in (halves, halves[::-1]):
                first, second = u[rng.choice(others, (2, len(moved)))]
                reach = 1.0 if rng.random() < 0.1 else 2.38 / np.sqrt(10)
                noise = 1e-4 * rng.standard_normal((len(moved), 5))
                proposed = u[moved] + reach * (first - second) + noise
                rise = log_density(proposed, precision[moved]) - log_density(
                    u[moved], precision[moved]
                )
                taken = np.log(rng.random(len(moved))) < rise
                u[moved[taken]] = proposed[taken]
        # A draw of the error: one of the prior, moved by what it and its scatter miss.
        tau, sigma = np.exp(u[:, 4, None]), np.exp(u[:, 3, None])
        drawn = tau * (rng.standard_normal((CHAINS, len(x))) @ root.T)
        scatter = sigma * rng.standard_normal(drawn.shape) / np.sqrt(precision)
        residual = y - law(u)
        missed = (residual - drawn - scatter)[..., None]
        error = drawn + tau**2 * (np.linalg.solve(covariance(u, precision), missed)[..., 0] @ K)
        squared = ((residual - error) / sigma) ** 2
        for _ in range(STEPS):
            step = excess + rng.standard_normal(CHAINS)
            rise = log_scatter(step, squared) - log_scatter(excess, squared)
            excess = np.where(np.log(rng.random(CHAINS)) < rise, step, excess)
        nu = 1 + np.exp(excess)[:, None]
        precision = rng.gamma((nu + 1) / 2, 2 / (nu + squared))
        if sweep >= sweeps // 3:
            kept.append(np.column_stack([u, excess]))
    drawn = np.stack(kept, axis=1)
    E, c, term, sigma, tau, excess = np.moveaxis(drawn, -1, 0)
    beta = np.exp(term + np.exp(c) * np.log(1e6))
    found = (np.exp(E), np.exp(c), beta, np.exp(sigma), np.exp(tau), 1 + np.exp(excess))
    return dict(zip(NAMES, found, strict=True))
