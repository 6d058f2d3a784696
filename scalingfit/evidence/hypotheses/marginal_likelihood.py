"""How probable a model makes the runs."""

from __future__ import annotations

from scalingfit.inference import Evidence, Posterior, bridge, coordinates, log_density

__all__ = ["evidence"]


def evidence(posterior: Posterior, seed: int = 0) -> Evidence:
    """The log marginal likelihood of the runs under the posterior's law, noise and priors.

    Where the law has an error, the fit has found it already, since it mixes the exact law with the
    law in error by their evidences.

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
    found, model, runs = posterior.sampled.evidence, posterior.model, posterior.runs
    if found is not None:
        return found
    draws = coordinates(model, runs, posterior.sampled)
    return bridge(log_density(model, runs), draws, seed)
