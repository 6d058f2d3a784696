"""What a noise model is: parameters with priors, and the distribution of a loss."""

from __future__ import annotations

import abc
import dataclasses
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast, dataclass_transform

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from jax import Array
from jax.typing import ArrayLike
from numpyro.distributions import Distribution
from numpyro.distributions.transforms import ExpTransform

from scalingfit._arrays import Number, Numbers
from scalingfit.declare import Parameter, expanded, parameter

__all__ = ["At", "Noise", "alike", "anchor", "level", "scatter"]

type Direction = Mapping[str, float]

RELATIVE = dist.LogNormal(math.log(0.01), 1.0)
ABSOLUTE = dist.LogNormal(math.log(0.03), 1.5)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class At:
    """Where losses are observed: what a noise model may look at.

    Attributes
    ----------
    mean : array, shape (..., run)
        The law's loss.
    log_inputs : mapping of str to array, shape (run,)
        Logarithms of the law's inputs.
    slopes : mapping of str to array, shape (..., run)
        How the law's loss rises along each direction of `Noise.along`, per unit of log input.
    loss_se : array, shape (run,), or None
        Known standard errors of the observed losses, in units of the loss.
    """

    mean: Numbers
    log_inputs: Mapping[str, Number] = dataclasses.field(default_factory=dict)
    slopes: Mapping[str, Number] = dataclasses.field(default_factory=dict)
    loss_se: Number | None = None


def scatter(of: str) -> Array:
    """Declare the scale of a scatter: relative to the loss, or in its units in the twin of `level`.

    Parameters
    ----------
    of : str
        What scatters, such as "the scatter".
    """
    declared = Parameter(f"scale of {of}, relative to the loss", RELATIVE)
    on_level = Parameter(f"scale of {of}, in units of the loss", ABSOLUTE)
    field: Array = dataclasses.field(metadata={"parameter": declared, "on_level": on_level})
    return field


def anchor(read: Callable[[At], Number]) -> Array:
    """Declare what is read off the middle of the fitted runs, for parameters that are meant there.

    Parameters
    ----------
    read : callable
        Of the law's loss and the log inputs at the runs' geometric mean; gives a scalar.
    """
    return cast("Array", dataclasses.field(default=math.nan, metadata={"anchor": read}))


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(parameter,))
@dataclasses.dataclass(frozen=True, kw_only=True)
class Noise(abc.ABC):
    """Base of the noise models; see the package for the reasons behind the priors.

    A model declares its parameters with `parameter` and `scatter`, and its distribution with
    `about`. One whose scale differs between runs overrides `scale`.

    Attributes
    ----------
    name : str
        The name that ``fit(noise=...)`` and ``--noise`` take.
    on_log : bool
        Whether the scatter is additive on log loss (True) or on the loss itself.
    inputs : tuple of str
        The inputs that a law must have.
    along : mapping of str to mapping of str to float
        Directions in log inputs along which the slope of the loss is needed, by name.
    run_effect : array or None
        Standard deviation of a normal effect of the run that a loss is of, on the scale of the
        scatter; None where there is none.
    """

    name: ClassVar[str]
    on_log: ClassVar[bool] = True
    inputs: ClassVar[tuple[str, ...]] = ()
    along: ClassVar[Mapping[str, Direction]] = MappingProxyType({})
    run_effect: Array | None = None

    if TYPE_CHECKING:
        # Of a model that is found by name no checker knows the parameters.
        def __init__(self, **parameters: ArrayLike) -> None: ...
        def __getattr__(self, parameter: str) -> Array: ...

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        if inspect.isabstract(cls):
            return
        dataclasses.dataclass(frozen=True, kw_only=True)(cls)
        names = [field.name for field in dataclasses.fields(cls)]
        jax.tree_util.register_dataclass(cls, data_fields=names, meta_fields=[])

    @classmethod
    def parameters(cls) -> dict[str, Parameter]:
        """The declared parameters by name."""
        return _declared(cls, "parameter")

    @classmethod
    def anchors(cls) -> dict[str, Callable[[At], Number]]:
        """What is read off the middle of the fitted runs, by name."""
        return _declared(cls, "anchor")

    @classmethod
    def at(
        cls,
        loss: Callable[[Mapping[str, Number]], Array],
        log_inputs: Mapping[str, Number],
        loss_se: Number | None = None,
    ) -> At:
        """What this model sees where losses are observed.

        Parameters
        ----------
        loss : callable
            The law's loss of log inputs, elementwise.
        log_inputs : mapping of str to array, shape (run,)
        loss_se : array, shape (run,), optional
        """

        def slope(direction: Direction) -> Array:
            step = {n: jnp.full_like(x, direction.get(n, 0.0)) for n, x in log_inputs.items()}
            rise: Array = jax.jvp(loss, (dict(log_inputs),), (step,))[1]
            return rise

        slopes = {name: slope(direction) for name, direction in cls.along.items()}
        return At(loss(log_inputs), log_inputs, slopes, loss_se)

    def anchored(
        self, loss: Callable[[Mapping[str, Number]], Array], centre: Mapping[str, Number]
    ) -> Self:
        """The same model with its anchors read off the middle of the fitted runs.

        Parameters
        ----------
        loss : callable
            The law's loss of log inputs.
        centre : mapping of str to scalar
            Means of the log inputs of these runs.
        """
        anchors = self.anchors()
        if not anchors:
            return self
        middle = At(loss(centre), centre)
        read_off: dict[str, Any] = {name: read(middle) for name, read in anchors.items()}
        return dataclasses.replace(self, **read_off)

    def expand(self, axes: int) -> Self:
        """Append `axes` axes of length one to every leaf, to broadcast draws against runs."""
        return expanded(self, axes)

    def observe(self, at: At) -> Distribution:
        """The distribution of an observed loss, of a run of which nothing else is known.

        Known errors of losses count to first order where the scatter is on log loss. It is not
        checked that losses are positive, which the runs promise: the check would keep the compiler
        from summing log densities as it computes them, four times faster.

        Parameters
        ----------
        at : At

        Returns
        -------
        Distribution
            Over the loss itself, so that log densities compare between all noise models.
        """
        variance = None if at.loss_se is None else (at.loss_se / self.unit(at)) ** 2
        if self.run_effect is not None:
            variance = self.run_effect**2 + (0.0 if variance is None else variance)
        if not self.on_log:
            return self.about(at.mean, self.scale(at), variance)
        about = self.about(jnp.log(at.mean), self.scale(at), variance)
        return dist.TransformedDistribution(about, ExpTransform(), validate_args=False)

    @abc.abstractmethod
    def about(self, centre: Number, scale: Number, variance: Number | None) -> Distribution:
        """The distribution of the scatter, together with a normal error.

        Parameters
        ----------
        centre, scale : array
            On the scale of the scatter: log loss or loss.
        variance : array or None
            Of the normal error; None where there is none.
        """

    def scale(self, at: At) -> Number:
        """The scale of this model's own scatter; `sigma`, unless it differs between runs."""
        return self.sigma

    def unit(self, at: At) -> Number:
        """What one on the scale of the scatter is in units of the loss, to first order."""
        return at.mean if self.on_log else 1.0


def alike(several: Sequence[Noise]) -> list[Noise]:
    """The same models, with effects of runs, which may be zero, in all where one has such.

    Parameters
    ----------
    several : sequence of Noise
        Draws, each with leaves of one shape.
    """
    if all(noise.run_effect is None for noise in several):
        return [*several]
    effects = (
        jnp.zeros_like(noise.sigma) if noise.run_effect is None else noise.run_effect
        for noise in several
    )
    return [
        dataclasses.replace(noise, run_effect=effect)
        for noise, effect in zip(several, effects, strict=True)
    ]


def level[Kind: Noise](noise: type[Kind]) -> type[Kind]:
    """The twin of a model on log loss whose scatter is on the loss itself.

    Its name is that of the model with ``_level`` appended.
    """
    scales = {
        field.name: dataclasses.field(metadata={"parameter": field.metadata["on_level"]})
        for field in dataclasses.fields(noise)
        if "on_level" in field.metadata
    }
    body = {
        "__annotations__": dict.fromkeys(scales, Array),
        "__doc__": inspect.cleandoc(noise.__doc__ or "").replace("log loss", "the loss itself", 1),
        "__module__": noise.__module__,
        "name": f"{noise.name}_level",
        "on_log": False,
        **scales,
    }
    return type(f"{noise.__name__}Level", (noise,), body)


def _declared(noise: type[Noise], kind: str) -> dict[str, Any]:
    return {
        field.name: field.metadata[kind]
        for field in dataclasses.fields(noise)
        if kind in field.metadata
    }
