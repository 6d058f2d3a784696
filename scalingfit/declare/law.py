"""What a law is: the base class, and published points."""

from __future__ import annotations

import abc
import dataclasses
import functools
import inspect
import re
import types
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, ClassVar, Self, dataclass_transform

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike
from numpy.typing import NDArray
from numpyro.distributions import Distribution

from scalingfit._positive import Positive
from scalingfit.declare.parameters import Parameter, coefficient, floor, parameter, scale

__all__ = ["Law", "Published", "expanded", "loss_of_logs"]

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
    informed : mapping of str to Distribution
        Priors under which the law is tested, of parameters whose own priors mostly put what they
        stand for where no run is.
    published : mapping of str to Published
        Points from the literature.
    """

    name: ClassVar[str]
    default_noise: ClassVar[str] = "student_t"
    size: ClassVar[tuple[str, ...]] = ("N",)
    may_rise: ClassVar[tuple[str, ...]] = ()
    symbols: ClassVar[Mapping[str, str]] = types.MappingProxyType({})
    ranges: ClassVar[Mapping[str, tuple[float, float]]] = types.MappingProxyType({})
    informed: ClassVar[Mapping[str, Distribution]] = types.MappingProxyType({})
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
    if strangers := cls.__dict__.get("informed", {}).keys() - set(seen):
        raise TypeError(
            f"{cls.__name__}.informed: {', '.join(sorted(strangers))} is not a parameter (there "
            f"are: {', '.join(seen)})"
        )
    floors = [name for name, each in cls.parameters().items() if each.floor]
    if len(floors) > 1:
        raise TypeError(
            f"{cls.__name__}: {' and '.join(floors)} are both floors, which no runs can tell "
            "apart; declare one, and the others with parameter(prior, about)"
        )
