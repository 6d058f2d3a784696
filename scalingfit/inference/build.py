"""From a law, a noise and priors to their model, once for all tables."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Mapping
from numbers import Real
from typing import Any

import jax
import numpy as np
import numpyro.distributions as dist
from numpyro import handlers
from numpyro.distributions import Distribution
from numpyro.distributions.transforms import biject_to

from scalingfit._errors import InputError
from scalingfit._messages import Argument, Message
from scalingfit.declare import Law, Parameter, describe
from scalingfit.inference.model import HANDLERS, Model, Prior
from scalingfit.law_error import LawError
from scalingfit.noise import Noise
from scalingfit.runs import Runs

__all__ = ["build", "model_of", "plain_model", "without_error"]


def build(
    law: type[Law],
    noise: type[Noise],
    priors: Mapping[str, Prior] | None = None,
    error: LawError | None = None,
    *,
    run_effects: bool = False,
) -> Model:
    """The model of a law, a noise, priors and the law's error; equal arguments give one object.

    Where rows of one run share an effect, `model_of` a table says so.

    Raises
    ------
    InputError
        Where a prior names no parameter, ties to an unknown one, or is no scalar distribution.
    """
    priors = {
        name: float(prior) if isinstance(prior, Real) and not isinstance(prior, bool) else prior
        for name, prior in (priors or {}).items()
    }
    _check_names(law, noise)
    _check_inputs(law, noise)
    _check_priors(law, noise, priors)
    given = tuple(_Given(name, prior) for name, prior in sorted(priors.items()))
    return _build(law, noise, given, error, run_effects)


def model_of(model: Model, runs: Runs) -> Model:
    """The same model as it is fitted to a table: of runs with effects, where it names such.

    Those are part of how a law that is not exact misses the rows; an exact law has none.
    """
    several = model.error is not None and runs.used().run_numbers is not None
    if several == model.run_effects:
        return model
    return build(model.law, model.noise, model.priors, model.error, run_effects=several)


def without_error(model: Model) -> Model:
    """The same model of an exact law; runs keep their effects."""
    return build(model.law, model.noise, model.priors, run_effects=model.run_effects)


def plain_model(model: Model) -> Model:
    """The same model of an exact law and of independent rows."""
    return build(model.law, model.noise, model.priors)


@dataclasses.dataclass(frozen=True, eq=False)
class _Given:
    """A prior as a dictionary key: distributions compare by their structure and exact numbers."""

    name: str
    prior: Prior

    def _key(self) -> tuple[Any, ...]:
        if not isinstance(self.prior, Distribution):
            return self.name, self.prior
        leaves, structure = jax.tree.flatten(self.prior)
        return self.name, str(structure), *(np.asarray(leaf, float).tobytes() for leaf in leaves)

    def __hash__(self) -> int:
        return hash(self._key())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Given) and self._key() == other._key()


@functools.lru_cache(maxsize=256)
def _build(
    law: type[Law],
    noise: type[Noise],
    given: tuple[_Given, ...],
    error: LawError | None,
    run_effects: bool,
) -> Model:
    priors = {item.name: item.prior for item in given}
    blank = Model(law, noise, priors, (), (), error, run_effects)
    trace: dict[str, Any] = {}

    def look() -> None:
        with HANDLERS:
            trace.update(handlers.trace(handlers.seed(blank.sample, 0)).get_trace())

    jax.eval_shape(look)  # the names and kinds of the sites; nothing is computed or compiled
    sites = tuple(name for name, site in trace.items() if site["type"] == "sample")
    transforms = tuple(biject_to(trace[name]["fn"].support) for name in sites)
    return Model(law, noise, priors, sites, transforms, error, run_effects)


def _check_names(law: type[Law], noise: type[Noise]) -> None:
    taken = law.parameters().keys() & {*noise.parameters(), "L", "run", "omega", "tau", "law_error"}
    if taken:
        raise InputError(
            f"{law.name} has a parameter {min(taken)!r}, a name that the model needs for itself",
            remedy="give the law's parameter another name.",
        )


def _check_inputs(law: type[Law], noise: type[Noise]) -> None:
    if not set(noise.inputs) <= set(law.inputs()):
        raise InputError(
            f"{noise.name} noise looks at {', '.join(noise.inputs)}, "
            f"while the law {law.name} has {', '.join(law.inputs())}",
            remedy=Message("use ", Argument("noise", "student_t"), "."),
        )


def _check_priors(law: type[Law], noise: type[Noise], priors: Mapping[str, Prior]) -> None:
    declared = law.parameters() | noise.parameters()
    names = list(declared)
    for name, prior in priors.items():
        if name not in names:
            raise InputError(
                f"priors: {name!r} is not a parameter of {law.name} with {noise.name} noise; "
                f"its parameters are {', '.join(names)}"
            )
        if isinstance(prior, str):
            earlier = [
                other
                for other in names[: names.index(name)]
                if not isinstance(priors.get(other), str)
            ]
            if prior not in names:
                raise InputError(
                    f"priors: {prior!r} is not a parameter that {name} could be tied to",
                    remedy="give a number or a distribution such as LogNormal(0.5, 0.2)"
                    + (f", or one of {', '.join(earlier)}." if earlier else "."),
                )
            if prior not in earlier:
                raise InputError(
                    f"priors: {name} can be tied to one of {', '.join(earlier) or 'nothing'} "
                    f"(declared above it), not to {prior!r}"
                )
        elif isinstance(prior, Distribution):
            if prior.shape() != () or prior.is_discrete:
                raise InputError(
                    f"priors: {name} needs a continuous distribution over a scalar, "
                    f"not {describe(prior)} of shape {prior.shape()}"
                )
        elif not isinstance(prior, float):
            raise InputError(
                f"priors: {name} takes a NumPyro distribution, a number that pins it, or the name "
                f"of a parameter to tie it to; got {prior!r}"
            )
        elif not (math.isfinite(prior) and _support(declared[name])(prior)):
            raise InputError(
                f"priors: {name} cannot be pinned at {prior!r}; its prior is "
                f"{declared[name].describe_prior().format(name=name)}"
            )


def _support(declared: Parameter) -> Any:
    """Where the declared prior has mass; a coefficient's is log-normal."""
    return dist.constraints.positive if declared.prior is None else declared.prior.support
