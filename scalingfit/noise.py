"""How observed losses scatter about a law.

Each noise model is a frozen dataclass and a pytree, like a law: its leaves are its parameters with
priors, and its one method says how a loss is distributed given the law's mean.

On log loss, ``sigma`` is a relative error: 0.01 is one percent of the loss. Replicated training
runs of language models differ by a few tenths of a percent to a percent, and figures digitised
from papers by about one percent, so the prior has its median at one percent and reaches from
0.1 % to 10 %. It vanishes at zero, and the tail of the Student-t never becomes heavier than
Cauchy's: with as few as eight runs and five parameters the likelihood would otherwise diverge
where the law passes exactly through some of the runs and ignores the others.
"""

from __future__ import annotations

import abc
import dataclasses
import math
from typing import Any, ClassVar, Self, dataclass_transform, override

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from jax import Array
from numpyro.distributions import Distribution
from numpyro.distributions.transforms import ExpTransform

from scalingfit._arguments import nearest
from scalingfit._errors import InputError
from scalingfit.declare import Parameter, above, expanded, parameter

__all__ = ["NOISES", "Laplace", "Noise", "Normal", "StudentT", "noise"]

RELATIVE = dist.LogNormal(math.log(0.01), 1.0)
ABSOLUTE = dist.LogNormal(math.log(0.03), 1.5)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(parameter,))
class Noise(abc.ABC):
    """Base of the noise models; see the module for the reasons behind the priors.

    Attributes
    ----------
    name : str
        The name that ``fit(noise=...)`` and ``--noise`` take.
    on_log : bool
        Whether the scatter is additive on log loss (True) or on the loss itself.
    """

    name: ClassVar[str]
    on_log: ClassVar[bool]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "name" not in cls.__dict__:
            return
        dataclasses.dataclass(frozen=True, kw_only=True)(cls)
        names = [field.name for field in dataclasses.fields(cls)]  # type: ignore[arg-type]
        jax.tree_util.register_dataclass(cls, data_fields=names, meta_fields=[])

    @classmethod
    def parameters(cls) -> dict[str, Parameter]:
        """The declared parameters by name."""
        return {
            field.name: field.metadata["parameter"]
            for field in dataclasses.fields(cls)  # type: ignore[arg-type]
        }

    def expand(self, axes: int) -> Self:
        """Append `axes` axes of length one to every leaf, to broadcast draws against runs."""
        return expanded(self, axes)

    @abc.abstractmethod
    def about(self, centre: Any, spread: Any) -> Distribution:
        """The distribution about `centre` with scale `spread`, on the scale of the scatter."""

    def observe(self, mean: Any, loss_se: Any = None) -> Distribution:
        """The distribution of an observed loss.

        It does not check that losses are positive, which the runs promise: the check would keep
        the compiler from summing log densities as it computes them, four times faster.

        Parameters
        ----------
        mean : array
            The law's loss.
        loss_se : array, optional
            Known standard error of each observed loss, in units of the loss; it is added to the
            model's own scatter in quadrature (to first order where the scatter is on log loss).

        Returns
        -------
        Distribution
            Over the loss itself, so that log densities compare between all noise models.
        """
        sigma = self.sigma  # type: ignore[attr-defined]
        if not self.on_log:
            spread = sigma if loss_se is None else jnp.sqrt(sigma**2 + loss_se**2)
            return self.about(mean, spread)
        spread = sigma if loss_se is None else jnp.sqrt(sigma**2 + (loss_se / mean) ** 2)
        about = self.about(jnp.log(mean), spread)
        return dist.TransformedDistribution(about, ExpTransform(), validate_args=False)


def _sigma(prior: Distribution, unit: str) -> Any:
    return parameter(prior, f"scale of the scatter, {unit}")


def _tail() -> Any:
    return parameter(
        above(1.0, dist.LogNormal(math.log(10.0), 1.0)),
        "degrees of freedom: 90 % of the prior from 3, heavy tails, to 53, nearly normal",
    )


def _log_gamma_ratio(x: Any) -> Array:
    """Log Gamma(x + 1/2) - log Gamma(x) for x from 1/2 on, to rounding.

    The difference of both would lose as many digits as x has. This is its asymptotic series
    (Tricomi & Erdelyi 1951, Pacific J. Math. 1, 133) at x + 8, and the recurrence back.
    """
    above = below = 1.0
    for step in range(8):
        above, below = above * (x + step), below * (x + step + 0.5)
    y = x + 8
    inverse, series = 1 / y, 0.0
    for number in SERIES:
        series = number + series * inverse**2
    ratio: Array = 0.5 * jnp.log(y) + series * inverse + jnp.log(above / below)
    return ratio


SERIES = (-31 / 18432, 17 / 14336, -1 / 640, 1 / 192, -1 / 8)


class _StudentT(dist.StudentT):  # type: ignore[misc]  # NumPyro is untyped
    """Student's t that is cheap to evaluate and to draw from.

    The density takes one logarithm a run and no division; draws come from Bailey's polar method
    (1994, Math. Comp. 62, 779), exact and free of rejection loops, which take seconds to compile.

    From ``eps**-0.5`` degrees of freedom on it is the normal, which it is there to rounding. More
    would not be told from rounding: the tail, ``df * log(1 + t**2 / df)``, would vanish.
    """

    def log_prob(self, value: Any, intermediates: Any = None) -> Array:
        df = jnp.minimum(self.df, jnp.finfo(jnp.result_type(float)).eps ** -0.5)
        squared = ((value - self.loc) * (1 / self.scale)) ** 2
        constant = _log_gamma_ratio(0.5 * df) - 0.5 * jnp.log(jnp.pi * df)
        tail = jnp.log(1 + squared * (1 / df))
        density: Array = constant - jnp.log(self.scale) - 0.5 * (df + 1) * tail
        return density

    def sample(self, key: Array, sample_shape: tuple[int, ...] = ()) -> Array:
        shape, real = sample_shape + self.batch_shape, jnp.result_type(float)
        radius, angle = jax.random.uniform(key, (2, *shape), real, minval=jnp.finfo(real).tiny)
        unit = jnp.sqrt(self.df * jnp.expm1(-2 / self.df * jnp.log(radius)))
        drawn: Array = self.loc + self.scale * unit * jnp.cos(2 * jnp.pi * angle)
        return drawn


class StudentT(Noise):
    """Student-t scatter on log loss: a few bad runs do not move the law."""

    name: ClassVar[str] = "student_t"
    on_log: ClassVar[bool] = True
    sigma: Array = _sigma(RELATIVE, "relative to the loss")
    nu: Array = _tail()

    @override
    def about(self, centre: Any, spread: Any) -> Distribution:
        return _StudentT(self.nu, centre, spread, validate_args=False)


class Normal(Noise):
    """Normal scatter on log loss."""

    name: ClassVar[str] = "normal"
    on_log: ClassVar[bool] = True
    sigma: Array = _sigma(RELATIVE, "relative to the loss")

    @override
    def about(self, centre: Any, spread: Any) -> Distribution:
        return dist.Normal(centre, spread, validate_args=False)


class Laplace(Noise):
    """Laplace scatter on log loss: the mode minimises absolute errors, as log-Huber nearly does."""

    name: ClassVar[str] = "laplace"
    on_log: ClassVar[bool] = True
    sigma: Array = _sigma(RELATIVE, "relative to the loss")

    @override
    def about(self, centre: Any, spread: Any) -> Distribution:
        return dist.Laplace(centre, spread, validate_args=False)


class StudentTLevel(StudentT):
    """Student-t scatter on the loss itself."""

    name: ClassVar[str] = "student_t_level"
    on_log: ClassVar[bool] = False
    sigma: Array = _sigma(ABSOLUTE, "in units of the loss")
    nu: Array = _tail()


class NormalLevel(Normal):
    """Normal scatter on the loss itself."""

    name: ClassVar[str] = "normal_level"
    on_log: ClassVar[bool] = False
    sigma: Array = _sigma(ABSOLUTE, "in units of the loss")


class LaplaceLevel(Laplace):
    """Laplace scatter on the loss itself."""

    name: ClassVar[str] = "laplace_level"
    on_log: ClassVar[bool] = False
    sigma: Array = _sigma(ABSOLUTE, "in units of the loss")


NOISES: dict[str, type[Noise]] = {
    cls.name: cls for cls in (StudentT, Normal, Laplace, StudentTLevel, NormalLevel, LaplaceLevel)
}


def noise(name: str | type[Noise]) -> type[Noise]:
    """Look a noise model up by name.

    Raises
    ------
    InputError
        Where there is none of that name; the message names the nearest.
    """
    if isinstance(name, type) and issubclass(name, Noise):
        return name
    if name not in NOISES:
        near = nearest(name, NOISES) or list(NOISES)
        raise InputError(f"unknown noise model {name!r}; did you mean {', '.join(near)}?")
    return NOISES[name]
