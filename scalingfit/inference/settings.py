"""How to sample: the settings, what they may be, and what is usual."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal, TypedDict, cast

import jax

from scalingfit._arguments import whole
from scalingfit._errors import InputError
from scalingfit._text import listed
from scalingfit.inference.diagnostics import Limits

__all__ = ["SAMPLING", "Sampling", "Settings", "checked", "default_precision", "settings_of"]


class Sampling(TypedDict, total=False):
    """What a caller may set of the sampler: the keywords of every verb that samples.

    See `Settings`; what is left out, or None, is as usual.
    """

    draws: int | None
    chains: int | None
    warmup: int | None
    seed: int | None
    retries: int | None
    precision: Literal["float64", "float32"] | None
    limits: Limits | None
    method: Literal["nuts", "auto"] | None


SAMPLING = tuple(Sampling.__annotations__)
"""Their names."""

BOUNDS: dict[str, tuple[int | None, int]] = {
    "chains": (2, 1000),
    "draws": (100, 1_000_000),
    "warmup": (20, 100_000),
    "retries": (0, 10),
    "seed": (None, 2**63 - 1),
}
"""The least and the most that each whole number may be; None where any may."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """How to sample.

    Attributes
    ----------
    chains, draws : int
        Chains, and kept draws of each.
    warmup : int
        Transitions of the first and the last adaptation window; the middle one is twice as long.
        Each sets the step size, and the first two the shape. With a law's error, whose shape is
        kept, there is one window.
    acceptance : float
        Mean acceptance probability aimed at.
    method : "nuts" or "auto"
        "auto" first tries importance sampling from the Laplace fit, which is much cheaper, and
        samples by NUTS where its gates (Pareto k and effective sample size) are not passed. With
        a law's error that is so of the exact law, one part of the mixture; the other is sampled by
        NUTS always.
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

    @property
    def sampling(self) -> Sampling:
        """What a caller may set of them, as keywords."""
        return cast(Sampling, {name: getattr(self, name) for name in SAMPLING})

    def harder(self, attempt: int) -> Settings:
        """The settings of a further attempt."""
        return dataclasses.replace(
            self, warmup=self.warmup * 3**attempt, acceptance=1 - (1 - self.acceptance) / 4**attempt
        )


def checked(settings: Settings) -> Settings:
    """The settings with plain numbers, where one can sample with them.

    Raises
    ------
    InputError
    """
    for name, choices in (("precision", ("float64", "float32")), ("method", ("auto", "nuts"))):
        if getattr(settings, name) not in choices:
            first, second = choices
            raise InputError(
                f"{name} {getattr(settings, name)!r} is neither {first!r} nor {second!r}"
            )
    if not isinstance(settings.limits, Limits):
        raise InputError(
            f"limits must be Limits, not {type(settings.limits).__name__}",
            remedy="make them with Limits.",
        )
    numbers: dict[str, Any] = {
        name: whole(name, getattr(settings, name), *bounds) for name, bounds in BOUNDS.items()
    }
    return dataclasses.replace(settings, **numbers)


def settings_of(sampling: Sampling, usual: Sampling | None = None) -> Settings:
    """The sampler's settings from keywords, as `fit` takes them.

    Many fits are for predictions alone, so importance sampling comes first where it will do, and
    one that fails twice is not tried a third time: that is the longest of all, it rarely helps
    where few runs do not identify a law, and the failure is reported.

    Parameters
    ----------
    sampling : mapping
        What the caller sets.
    usual : mapping, optional
        What a verb sets where the caller does not.

    Raises
    ------
    InputError
        A keyword is not known, or its value is none to sample with.
    """
    unknown = sorted(sampling.keys() - set(SAMPLING))
    if unknown:
        raise InputError(
            f"unknown argument {listed(unknown)}",
            remedy=f"the sampler takes {listed(SAMPLING)}.",
        )
    default = {"precision": default_precision(), "method": "auto", "retries": 1}
    given: dict[str, Any] = {name: value for name, value in sampling.items() if value is not None}
    return checked(Settings(**{**default, **(usual or {}), **given}))


def default_precision() -> str:
    """float64 on CPUs; float32 on accelerators, where float64 is slow or missing."""
    return "float64" if jax.default_backend() == "cpu" else "float32"
