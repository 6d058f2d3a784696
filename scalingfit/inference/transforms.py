"""From the real line, where samplers move, to the support of a parameter."""

from __future__ import annotations

import math
from typing import Any

import numpyro.distributions as dist
from numpyro.distributions import Distribution
from numpyro.distributions.transforms import (
    AffineTransform,
    ComposeTransform,
    ExpTransform,
    IdentityTransform,
    SoftplusTransform,
    biject_to,
)

from scalingfit.law import Law

__all__ = ["is_exponential", "is_linear", "transform"]


def transform(name: str, prior: Distribution, law: type[Law]) -> Any:
    """From the real line to a parameter's support.

    A loss is linear in its floor, not in the floor's logarithm: the floor is sampled through a
    softplus, linear at its usual size and logarithmic only near zero.
    """
    declared = law.parameters().get(name)
    if declared is not None and declared.floor:
        if isinstance(prior, dist.LogNormal):
            return _softplus(0.1 * math.exp(prior.loc))
        if isinstance(prior, dist.HalfNormal):
            return _softplus(0.1 * float(prior.scale))
    return biject_to(prior.support)


def _softplus(size: float) -> ComposeTransform:
    up = AffineTransform(0.0, size, domain=dist.constraints.positive)
    return ComposeTransform([AffineTransform(0.0, 1 / size), SoftplusTransform(), up])


def is_exponential(transform: Any) -> bool:
    """Whether it takes exponentials alone, so that the logarithm of a value is known."""
    if isinstance(transform, ComposeTransform):
        return len(transform.parts) == 1 and is_exponential(transform.parts[0])
    return isinstance(transform, ExpTransform)


def is_linear(transform: Any) -> bool:
    """Whether it is linear at the usual size of its parameter."""
    if isinstance(transform, ComposeTransform):
        return any(isinstance(part, SoftplusTransform) for part in transform.parts)
    return isinstance(transform, IdentityTransform)
