"""What a scaling law is: parameters with priors, and one method, ``loss``.

A law is declared like this (the whole of it; see ``models/chinchilla.py``)::

    class Chinchilla(Law):
        '''Loss falls with parameters and with tokens.'''

        E: Array = floor(dist.LogNormal(0.4, 0.7), "irreducible loss")
        alpha: Array = parameter(dist.LogNormal(-1.0, 0.5), "exponent of N")
        A: Array = coefficient(of="N", power="alpha", at=1e9, median=0.35, log_sd=1.5, about="...")

        def loss(self, N, D): ...

Its leaves are its parameters, so a published point, a posterior (leaves ``(chain, draw)``) and a
batch of posteriors (leaves ``(fit, chain, draw)``) are one class.
"""

from __future__ import annotations

import abc
import dataclasses
import functools
import inspect
import math
import re
import types
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, ClassVar, Self, SupportsFloat, dataclass_transform

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jax import Array
from jax.typing import ArrayLike
from numpy.typing import NDArray
from numpyro.distributions import Distribution
from numpyro.distributions.constraints import Constraint
from numpyro.distributions.transforms import AffineTransform, ExpTransform

from scalingfit._positive import Positive

__all__ = [
    "Array",
    "Law",
    "Parameter",
    "Published",
    "above",
    "coefficient",
    "describe",
    "dist",
    "expanded",
    "floor",
    "jnp",
    "log",
    "loss_of_logs",
    "parameter",
    "scale",
]


POSITIVE = dist.constraints.positive

SYMBOLS: Mapping[str, str] = {
    "N": "parameters",
    "D": "training tokens",
    "C": "training compute in FLOP",
    "U": "unique tokens among D",
    "S": "optimiser steps",
    "batch": "tokens in a step",
    "X": "any one quantity that is scaled: examples, steps, tokens, parameters, FLOP",
    "experts": "experts in each routed layer; 1 for a dense model",
    "D_F": "size of the fine-tuning set",
    "N_nv": "parameters outside the vocabulary",
    "N_v": "parameters of the vocabulary: its size times the width of an embedding",
}
"""What an input means, unless a law says otherwise."""


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


@dataclasses.dataclass(frozen=True)
class Published:
    """A published point of a law.

    Attributes
    ----------
    source : str
        Paper, equation or table, arXiv number.
    conventions : str
        Which N is meant, which D, and the unit of the loss.
    values : mapping
        Parameter values by name.
    total : bool or None
        Whether N counts the embeddings; None where there is no N or the source does not say.
    of : type of Law or None
        The law, filled in by the class that declares the point.
    """

    source: str
    conventions: str
    values: Mapping[str, float]
    total: bool | None = None
    of: type[Law] | None = None

    @functools.cached_property
    def law(self) -> Law:
        """The same values as an instance of the law, by which a question knows the point."""
        assert self.of is not None  # the class that declares the point fills it in
        return self.of(**self.values)


def _formula(law: Law, *inputs: Array) -> Array:
    """The formula. Each law names its inputs: ``def loss(self, N, D)``."""
    raise NotImplementedError


@dataclass_transform(
    frozen_default=True,
    kw_only_default=True,
    field_specifiers=(parameter, floor, coefficient, scale),
)
class Law(abc.ABC):
    """Base of all scaling laws: a frozen dataclass that is also a JAX pytree.

    A subclass declares its parameters with `parameter`, `floor`, `coefficient` and `scale`, and one
    method, ``loss``, whose arguments name the inputs it needs of the runs. Nothing is validated on
    construction, so tracers pass through.

    Attributes
    ----------
    name : str
        The name in the catalog; by default the class's name in snake case.
    default_noise : str
        The noise model used where none is asked for.
    size : tuple of str
        The inputs, one or two, that a budget pays for together: their sum is the N of its count.
    may_rise : tuple of str
        The inputs of which more may hurt, at parameters that the prior allows.
    symbols : mapping of str to str
        Meanings of inputs, where they are not those of `SYMBOLS`.
    ranges : mapping of str to (float, float)
        From where to where an input lies that is the law's own: there the law is tested.
    published : mapping of str to Published
        Points from the literature.
    """

    name: ClassVar[str]
    default_noise: ClassVar[str] = "student_t"
    size: ClassVar[tuple[str, ...]] = ("N",)
    may_rise: ClassVar[tuple[str, ...]] = ()
    symbols: ClassVar[Mapping[str, str]] = types.MappingProxyType({})
    ranges: ClassVar[Mapping[str, tuple[float, float]]] = types.MappingProxyType({})
    published: ClassVar[Mapping[str, Published]] = types.MappingProxyType({})

    # Not a `def`, whose arguments a type checker would demand of every law.
    loss: ClassVar[Callable[..., Array]] = abc.abstractmethod(_formula)

    if TYPE_CHECKING:
        # Of a law that is found by name no checker knows the parameters.
        def __init__(self, **parameters: ArrayLike | Positive) -> None: ...
        def __getattr__(self, parameter: str) -> Array: ...

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        if inspect.isabstract(cls):
            return
        if "name" not in cls.__dict__:
            cls.name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).lower()
        dataclasses.dataclass(frozen=True, kw_only=True)(cls)
        names = [field.name for field in dataclasses.fields(cls)]  # type: ignore[arg-type]
        jax.tree_util.register_dataclass(cls, data_fields=names, meta_fields=[])
        _check_declaration(cls)
        cls.published = types.MappingProxyType(
            {
                key: dataclasses.replace(point, of=cls)
                for key, point in cls.__dict__.get("published", {}).items()
            }
        )

    @classmethod
    @functools.cache
    def inputs(cls) -> tuple[str, ...]:
        """The names of the inputs, read off the signature of ``loss``."""
        return tuple(inspect.signature(cls.loss).parameters)[1:]

    @classmethod
    def meanings(cls) -> dict[str, str]:
        """What each input means; nothing where neither the law nor `SYMBOLS` says it."""
        return {name: cls.symbols.get(name, SYMBOLS.get(name, "")) for name in cls.inputs()}

    @classmethod
    def parameters(cls) -> dict[str, Parameter]:
        """The declared parameters by name, in the order of declaration."""
        return {
            field.name: field.metadata["parameter"]
            for field in dataclasses.fields(cls)  # type: ignore[arg-type]
            if not field.metadata.get("carried")
        }

    @property
    def exact(self) -> Law:
        """The law without its error: the law itself, where it is taken to be exact."""
        return self

    @property
    def shape(self) -> tuple[int, ...]:
        """The common shape of its parameters: (chain, draw), or () for a published point."""
        return np.broadcast_shapes(*(np.shape(value) for value in self.values().values()))

    def values(self) -> dict[str, Array]:
        """The parameter values by name."""
        return {name: getattr(self, name) for name in self.parameters()}

    def expand(self, axes: int) -> Self:
        """Append `axes` axes of length one to every leaf, to broadcast draws against inputs."""
        return expanded(self, axes)

    def take(self, places: NDArray[np.intp]) -> Self:
        """Some of the draws, by their places among all of them, in one axis."""
        taken: Self = jax.tree.map(lambda leaf: np.ravel(leaf)[places], self)
        return taken


def expanded[Tree](tree: Tree, axes: int) -> Tree:
    """A law or a noise model with `axes` axes of length one appended to every leaf."""
    grown: Tree = jax.tree.map(
        lambda leaf: jnp.reshape(leaf, (*jnp.shape(leaf), *[1] * axes)), tree
    )
    return grown


def loss_of_logs(law: Law, log_inputs: Mapping[str, ArrayLike]) -> Array:
    """The loss of a law on plain arrays, at inputs that are given by their logarithms."""
    return law.loss(**{name: jnp.exp(value) for name, value in log_inputs.items()})


def _check_declaration(cls: type[Law]) -> None:
    """Refuse a law that the engine could not sample, naming the line to change."""
    for attribute in ("size", "may_rise", "symbols", "ranges"):
        strangers = set(cls.__dict__.get(attribute, ())) - set(cls.inputs())
        if strangers:
            raise TypeError(
                f"{cls.__name__}.{attribute}: {', '.join(sorted(strangers))} is not an argument of "
                f"loss({', '.join(cls.inputs())})"
            )
    seen: list[str] = []
    for field in dataclasses.fields(cls):  # type: ignore[arg-type]
        if field.metadata.get("carried"):
            continue
        declared = field.metadata.get("parameter")
        if declared is None:
            raise TypeError(
                f"{cls.__name__}.{field.name}: declare it with parameter(prior, about), "
                "floor(prior, about), coefficient(...) or scale(...)"
            )
        if declared.power is not None and declared.power not in seen:
            raise TypeError(
                f"{cls.__name__}.{field.name}: its exponent {declared.power!r} must be a parameter "
                f"declared above it (declared so far: {', '.join(seen) or 'none'})"
            )
        if declared.of is not None and declared.of not in cls.inputs():
            raise TypeError(
                f"{cls.__name__}.{field.name}: its input {declared.of!r} is not an argument of "
                f"loss({', '.join(cls.inputs())})"
            )
        if declared.through is not None:
            method = getattr(cls, declared.through, None)
            if (
                not callable(method)
                or tuple(inspect.signature(method).parameters)[1:] != cls.inputs()
            ):
                raise TypeError(
                    f"{cls.__name__}.{field.name}: there is no method "
                    f"{declared.through}({', '.join(cls.inputs())}) to sample it through"
                )
        seen.append(field.name)
    floors = [name for name, each in cls.parameters().items() if each.floor]
    if len(floors) > 1:
        raise TypeError(
            f"{cls.__name__}: {' and '.join(floors)} are both floors, which no runs can tell "
            "apart; declare one, and the others with parameter(prior, about)"
        )
