"""How to sample."""

from __future__ import annotations

import dataclasses

from scalingfit.inference.diagnostics import Limits

__all__ = ["Settings"]


@dataclasses.dataclass(frozen=True)
class Settings:
    """How to sample.

    Attributes
    ----------
    chains, draws : int
        Chains, and kept draws of each.
    warmup : int
        Transitions of the first and the last adaptation window; the middle one is twice as long.
        Each sets the step size, and the first two the shape.
    acceptance : float
        Mean acceptance probability aimed at.
    method : "nuts" or "auto"
        "auto" first tries importance sampling from the Laplace fit, which is much cheaper, and
        samples by NUTS where its gates (Pareto k and effective sample size) are not passed.
    retries : int
        How often a fit that fails its diagnostics is sampled again, each time with a three times
        longer warm-up and a smaller step.
    precision : "float64" or "float32"
    seed : int
        Mixed with the content of the fit: equal content and seed give equal draws.
    limits : Limits
    """

    chains: int = 4
    draws: int = 1000
    warmup: int = 50
    acceptance: float = 0.9
    method: str = "nuts"
    retries: int = 2
    precision: str = "float64"
    seed: int = 0
    limits: Limits = dataclasses.field(default_factory=Limits)

    def harder(self, attempt: int) -> Settings:
        """The settings of a further attempt."""
        return dataclasses.replace(
            self, warmup=self.warmup * 3**attempt, acceptance=1 - (1 - self.acceptance) / 4**attempt
        )
