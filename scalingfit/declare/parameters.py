"""Parameters of a law: how each is declared, with its prior and its meaning."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping
from typing import SupportsFloat

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jax import Array
from jax.typing import ArrayLike
from numpyro.distributions import Distribution
from numpyro.distributions.constraints import Constraint
from numpyro.distributions.transforms import AffineTransform, ExpTransform

from scalingfit._positive import Positive

__all__ = [
    "Parameter",
    "above",
    "coefficient",
    "describe",
    "floor",
    "log",
    "parameter",
    "scale",
]

POSITIVE = dist.constraints.positive


@dataclasses.dataclass(frozen=True)
class Parameter:
    """The declaration of one scalar parameter: what it means and what is believed of it beforehand.

    Attributes
    ----------
    about : str
        Meaning, unit, and one line of reason for the prior.
    prior : Distribution or None
        Prior of the parameter itself; None where the prior is stated on the term below.
    of, power : str or None
        The input and the exponent whose term this parameter scales. The engine samples such a
        parameter through its term at the runs' geometric mean, where it is nearly independent of
        the exponent; the posterior is unchanged.
    at, median, log_sd : float
        The prior of that term: log-normal at the reference value ``at`` of the input.
    inverse : bool
        False for ``A / N**alpha`` (the term is ``A * N**-alpha``), True for ``(N_c / N)**alpha``.
    floor : bool
        Whether the law is this parameter, or its opposite, plus something that does not depend on
        it. The engine samples it as its share of the loss at the centre of the runs, or, where it
        may have any sign, as that loss.
    through : str or None
        A method of the law, such as ``loss``, that takes the inputs of the loss and is proportional
        to a power of this parameter. The engine samples the parameter through it, at the centre of
        the runs.
    exponent : bool
        Whether it is, like an exponent, the larger, the smaller the rest of the loss above the
        floor: the engine samples its product with that rest. Exponents of coefficients need not say
        so.
    """

    about: str
    prior: Distribution | None = None
    of: str | None = None
    power: str | None = None
    at: float = math.nan
    median: float = math.nan
    log_sd: float = math.nan
    inverse: bool = False
    floor: bool = False
    through: str | None = None
    exponent: bool = False

    def prior_given(self, values: Mapping[str, Array]) -> Distribution:
        """The prior, given the values of the parameters that it depends on."""
        if self.prior is not None:
            return self.prior
        assert self.power is not None  # only coefficient() and scale() leave `prior` open
        exponent = values[self.power]
        if self.inverse:
            centre = math.log(self.at) + math.log(self.median) / exponent
            return dist.LogNormal(centre, self.log_sd / exponent)
        return dist.LogNormal(math.log(self.median) + exponent * math.log(self.at), self.log_sd)

    def describe_prior(self) -> str:
        """The prior in one line, as the documentation and the provenance print it."""
        if self.prior is not None:
            return describe(self.prior)
        term = (
            f"({{name}}/{self.of})^{self.power}"
            if self.inverse
            else f"{{name}}/{self.of}^{self.power}"
        )
        return f"{term} at {self.of}={self.at:g} ~ LogNormal(log {self.median:g}, {self.log_sd:g})"


def describe(prior: Distribution, number: Callable[[float], str] = "{:g}".format) -> str:
    """A distribution as text that states its family and its numbers, written by `number`."""
    if type(prior) is dist.TransformedDistribution:
        if isinstance(prior.transforms[-1], _From):
            (bound,) = _numbers([prior.transforms[-1].loc], number)
            return f"{bound} + {describe(_before_last(prior), number)}"
        steps = [
            f"{type(step).__name__}({', '.join(_numbers(jax.tree.leaves(step), number))})"
            for step in prior.transforms
        ]
        return f"{describe(prior.base_dist, number)} through {', '.join(steps)}"
    if type(prior).__name__.endswith("TruncatedDistribution"):
        family, layers = f"Truncated{type(prior.base_dist).__name__}", [prior.base_dist, prior]
    else:
        family, layers = type(prior).__name__, [prior]
    stated = {
        name: value
        for layer in layers
        for name in layer.arg_constraints
        if hasattr(layer, name) and np.ndim(value := getattr(layer, name)) == 0
    }
    texts = _numbers(stated.values(), number)
    return f"{family}({', '.join(map('='.join, zip(stated, texts, strict=True)))})"


def _before_last(prior: Distribution) -> Distribution:
    """The distribution that the last transform was applied to; NumPyro keeps all steps as one."""
    base, steps = prior.base_dist, prior.transforms[:-1]
    if isinstance(base, dist.Normal) and [type(step) for step in steps] == [ExpTransform]:
        return dist.LogNormal(base.loc, base.scale)
    return dist.TransformedDistribution(base, steps) if steps else base


def _numbers(values: Iterable[SupportsFloat], number: Callable[[float], str]) -> list[str]:
    return [number(float(value)) for value in values]


def parameter(
    prior: Distribution, about: str, *, through: str | None = None, exponent: bool = False
) -> Array:
    """Declare a parameter with its own prior.

    Parameters
    ----------
    prior : Distribution
        A NumPyro distribution over a scalar.
    about : str
        Meaning, unit, reason for the prior.
    through : str, optional
        A method of the law, such as ``loss``, that takes the inputs of the loss and is proportional
        to a power of this parameter: runs tell its value at their centre far better than the
        parameter.
    exponent : bool
        Whether the slope or the curvature that runs show is its product with the rest of the loss
        above the floor, as with the exponent of a coefficient, which need not say so.
    """
    return _declared(Parameter(about, prior, through=through, exponent=exponent))


class _From(AffineTransform):  # type: ignore[misc]  # NumPyro is untyped
    """From the positive numbers to those above a bound.

    NumPyro would compute that bound with JAX, which looks for devices as soon as it computes: too
    early, where a module is imported, for whoever chooses devices or joins several hosts later.
    """

    def __init__(self, loc: float, scale: float = 1.0, domain: Constraint = POSITIVE) -> None:
        super().__init__(loc, scale, domain)

    @property
    def codomain(self) -> Constraint:
        """The numbers above the bound."""
        return dist.constraints.greater_than(self.loc)


def above(bound: float, excess: Distribution) -> Distribution:
    """The distribution of a parameter that exceeds a bound.

    Parameters
    ----------
    bound : float
    excess : Distribution
        Of parameter minus bound, over the positive numbers.
    """
    return dist.TransformedDistribution(excess, _From(bound))


def floor(prior: Distribution, about: str) -> Array:
    """Declare a parameter added to the rest of the loss, or taken from it: the irreducible loss.

    Arguments as in `parameter`.
    """
    return _declared(Parameter(about, prior, floor=True))


def coefficient(
    *,
    of: str,
    power: str,
    at: float,
    median: float,
    log_sd: float,
    about: str,
    through: str | None = None,
) -> Array:
    """Declare the coefficient ``A`` of a term ``A / of**power``.

    A coefficient alone has no meaning one could hold a belief about: its size follows from the
    exponent. The prior is therefore stated on the whole term at a reference value of the input:
    ``A / at**power ~ LogNormal(log(median), log_sd)``.

    Parameters
    ----------
    of, power : str
        Names of the input and of the exponent (a parameter declared before this one).
    at : float
        Reference value, in the unit of the input.
    median, log_sd : float
        Prior median of the term there, and the standard deviation of its logarithm.
    about : str
        Meaning, unit, reason for the prior.
    through : str, optional
        As in `parameter`, where the term is no plain power: `models/power_m3.py`.
    """
    return _declared(Parameter(about, None, of, power, at, median, log_sd, through=through))


def scale(*, of: str, power: str, at: float, median: float, log_sd: float, about: str) -> Array:
    """Declare the scale ``N_c`` of a term ``(N_c / of)**power``; arguments as in `coefficient`.

    The prior is stated on the term: ``(N_c / at)**power ~ LogNormal(log(median), log_sd)``.
    """
    return _declared(Parameter(about, None, of, power, at, median, log_sd, inverse=True))


def log(value: ArrayLike | Positive) -> Array:
    """Natural logarithm of an input or of a positive parameter.

    Laws take it from here: the engine holds both as their logarithms already (see `Positive`).
    """
    return value.log if isinstance(value, Positive) else jnp.log(value)


def _declared(parameter: Parameter) -> Array:
    """The field of a parameter; a type checker takes it for the values that it will hold."""
    field: Array = dataclasses.field(metadata={"parameter": parameter})
    return field
