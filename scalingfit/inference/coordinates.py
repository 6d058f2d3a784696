"""The coordinates that samplers move in: parameters, recentred on what runs tell well.

A law's parameters are strongly and crookedly correlated. What runs tell well is the loss at their
centre (the geometric mean of each input) and its slopes there, so the coordinates are made of these
as far as a law's declaration allows; what is left of the correlations is nearly linear, and goes
with the whitening at the mode. The posterior is the same in any coordinates.

- A coefficient is sampled as its term at the centre: ``A`` through ``log A - alpha log N_0``,
  ``N_c`` through ``alpha (log N_c - log N_0)``.
- Where a law has a floor, the floor is sampled as its share s of the loss at the centre, and the
  first coefficient through that loss; the others as their terms' ratios to the first's. What the
  runs do not know is then the share alone.
- The smaller the rest above the floor, the steeper it falls for the slopes that the runs show:
  exponents are sampled times 1 - s. All else is linear in log(1 - s), and so is the coordinate of
  the share, but for shares near zero, which it takes to minus infinity.
- A floor that may have any sign is sampled as the loss at the centre.
- What is declared ``through`` a method is sampled as what that method gives at the centre.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from numpy.typing import NDArray
from numpyro.distributions import Distribution
from numpyro.distributions.transforms import (
    ComposeTransform,
    ExpTransform,
    IdentityTransform,
    Transform,
)

from scalingfit._arrays import Number
from scalingfit._positive import Positive, plain
from scalingfit.declare import Law, Parameter, log
from scalingfit.law_error import LawError, run_effect
from scalingfit.noise import Noise

__all__ = ["Coordinates", "Leaf", "Prior", "at_inputs", "resolve"]

SHARP = 0.3  # the -log(1 - s) below which the coordinate of a floor's share s bends

type Prior = Distribution | float | str
type Leaf = Array | NDArray[Any]


@dataclasses.dataclass(frozen=True, eq=False)
class Coordinates:
    """The sampled parameters of a law and a noise model, and the coordinates they are sampled in.

    Attributes
    ----------
    law, noise : type
        The classes whose parameters are sampled.
    priors : dict
        The user's replacements: a distribution, a number that pins, or the name of a parameter
        that this one is tied to.
    sites : tuple of str
        The sampled parameters, in the order of the flat vector: law, noise, effects, error.
    transforms : tuple
        From the real line to the support of each.
    error : LawError or None
        Whether the law has an error, and what is believed of it.
    run_effects : bool
        Whether rows of one run share an effect.
    """

    law: type[Law]
    noise: type[Noise]
    priors: Mapping[str, Prior]
    sites: tuple[str, ...]
    transforms: tuple[Transform, ...]
    error: LawError | None = None
    run_effects: bool = False

    def constrain(self, z: Array, centre: Mapping[str, Number]) -> tuple[dict[str, Array], Array]:
        """Sampled parameters at `z`, and the log determinant of the Jacobian.

        Parameters
        ----------
        z : array, shape (dim,)
        centre : dict of array, scalar
            Log of the geometric mean of each input.
        """
        at = dict(zip(self.sites, z, strict=True))
        floor, lead = self._shared
        # With a floor of share s, -log(1 - s).
        steepness = SHARP * jax.nn.softplus(at[floor] / SHARP) if floor else 0.0
        values: dict[str, Array] = {}
        log_jacobian = jnp.zeros((), z.dtype)
        for site in self._order:
            shift, stretch = self._recentring(site, values, centre, steepness)
            own = 0.0 if site == lead else at[site]
            unconstrained = shift + own * stretch
            values[site] = self._transform(site)(unconstrained)
            log_jacobian += self._transform(site).log_abs_det_jacobian(unconstrained, values[site])
            log_jacobian += jnp.log(jnp.abs(stretch))
        if floor:
            rest = self._at_centre("loss", {**values, floor: 0.0}, centre)
            size = at[lead] - steepness - log(rest)
            log_jacobian += self._scale(values, size)
            values[floor] = -jnp.exp(at[lead]) * jnp.expm1(-steepness)
            log_jacobian += at[lead] + jax.nn.log_sigmoid(at[floor] / SHARP)
        return values, log_jacobian

    def unconstrain(self, values: Mapping[str, Number], centre: Mapping[str, Number]) -> Array:
        """The coordinates of sampled parameters; the inverse of `constrain`."""
        known = {site: jnp.asarray(values[site]) for site in self.sites}
        at: dict[str, Array] = {}
        floor, lead = self._shared
        steepness: Any = 0.0
        if floor:
            shift, stretch = self._recentring(lead, known, centre, steepness)
            size = (self._transform(lead).inv(known[lead]) - shift) / stretch
            self._scale(known, -size)
            size += log(self._at_centre("loss", {**known, floor: 0.0}, centre))
            steepness = jax.nn.softplus(jnp.log(known[floor]) - size)
            at[lead] = size + steepness
            at[floor] = steepness + SHARP * jnp.log(-jnp.expm1(-steepness / SHARP))
        for site in self._order:
            if site != lead:
                shift, stretch = self._recentring(site, known, centre, steepness)
                at[site] = (self._transform(site).inv(known[site]) - shift) / stretch
        return jnp.stack([at[site] for site in self.sites])

    def law_of(self, values: Mapping[str, Number]) -> Law:
        """The law at sampled parameters, inside a traced function."""
        return self.law(**{n: resolve(n, self.priors, values) for n in self.law.parameters()})

    def noise_of(self, values: Mapping[str, Number]) -> Noise:
        """The noise model at sampled parameters, inside a traced function."""
        return self.noise(**{n: resolve(n, self.priors, values) for n in self.noise.parameters()})

    def in_logs(self, law: Law) -> Law:
        """The law with its positive parameters held as their logarithms."""
        positive = {site for site in self.sites if _is_exponential(self._transform(site))}
        return self.law(
            **{
                name: Positive(jnp.log(value)) if name in positive else value
                for name, value in law.values().items()
            }
        )

    @functools.cached_property
    def declared(self) -> dict[str, Parameter]:
        """The parameters by name: of the law, the noise, the runs' effects and the law's error."""
        own, on_log = self.law.parameters() | self.noise.parameters(), self.noise.on_log
        effects = {"omega": run_effect(on_log)} if self.run_effects else {}
        return own | effects | (self.error.parameters(on_log) if self.error else {})

    @functools.cached_property
    def _coefficients(self) -> tuple[str, ...]:
        """The sampled coefficients, whose terms the rest above a floor is made of."""
        return tuple(
            site
            for site in self.sites
            if self.declared[site].power is not None and _is_exponential(self._transform(site))
        )

    @functools.cached_property
    def _shared(self) -> tuple[str, str]:
        """The floor sampled as a share of the loss, the coefficient sampled through it; or none."""
        floors = [
            site
            for site in self.sites
            if self.declared[site].floor and _is_exponential(self._transform(site))
        ]
        leads = [site for site in self._coefficients if not self.declared[site].through]
        return (floors[0], leads[0]) if floors and leads else ("", "")

    @functools.cached_property
    def _exponents(self) -> set[str]:
        """The parameters that are the larger, the smaller the rest above the floor."""
        if not self._shared[0]:
            return set()
        powers = {self.declared[site].power for site in self._coefficients}
        return {
            site
            for site in self.sites
            if (site in powers or self.declared[site].exponent)
            and not _is_identity(self._transform(site))
        }

    @functools.cached_property
    def _order(self) -> list[str]:
        """The sites one after the other, each behind those that its coordinate depends on."""

        def late(site: str) -> tuple[bool, bool, bool]:
            declared = self.declared[site]
            return declared.floor, declared.through is not None, declared.power is not None

        return sorted((site for site in self.sites if site != self._shared[0]), key=late)

    def _transform(self, site: str) -> Any:
        return self.transforms[self.sites.index(site)]

    def _recentring(
        self, site: str, values: Mapping[str, Any], centre: Mapping[str, Number], steepness: Any
    ) -> tuple[Any, Any]:
        """Shift and stretch from the sampled coordinate to the unconstrained parameter."""
        declared, transform = self.declared[site], self._transform(site)
        if site in self._exponents:
            return steepness, 1.0
        if declared.floor and _is_identity(transform):
            without, beside = (
                plain(self._at_centre("loss", {**values, site: value}, centre))
                for value in (0.0, 1.0)
            )
            sign = jnp.sign(beside - without)  # a floor is added to the rest, or taken from it
            return -sign * without, sign
        if not _is_exponential(transform):
            return 0.0, 1.0
        if declared.through is not None:
            at_one, at_e = (
                log(self._at_centre(declared.through, {**values, site: value}, centre))
                for value in (1.0, math.e)
            )
            return -at_one / (at_e - at_one), 1.0 / (at_e - at_one)
        if declared.power is not None:
            middle = centre[declared.of]  # type: ignore[index]  # declared together with the power
            exponent = resolve(declared.power, self.priors, values)
            return (middle, 1.0 / exponent) if declared.inverse else (exponent * middle, 1.0)
        return 0.0, 1.0

    def _scale(self, values: dict[str, Array], size: Array) -> Array:
        """Multiply all terms by the exponential of `size`; returns by how much in all, in logs."""
        total = jnp.zeros_like(size)
        for site in self._coefficients:
            declared = self.declared[site]
            exponent = resolve(declared.power, self.priors, values) if declared.inverse else 1.0  # type: ignore[arg-type]  # a coefficient has one
            values[site] *= jnp.exp(size / exponent)
            total += size / exponent
        return total

    def _at_centre(
        self, method: str, values: Mapping[str, Any], centre: Mapping[str, Number]
    ) -> Array | Positive:
        """What a method of the law gives there; of parameters that are not known yet it has NaN."""
        known = dict.fromkeys(self.sites, math.nan) | {**values}
        return at_inputs(method, self.in_logs(self.law_of(known)), centre)


def at_inputs(method: str, law: Law, log_inputs: Mapping[str, Number]) -> Array | Positive:
    """What a method of the law gives at inputs that are given by their logarithms."""
    inputs = {name: Positive(value) for name, value in log_inputs.items()}
    found: Array | Positive = getattr(law, method)(**inputs)
    return found


def resolve(name: str, priors: Mapping[str, Prior], values: Mapping[str, Any]) -> Any:
    """A parameter's value: its own draw, the number it is pinned at, or the one it is tied to."""
    given = priors.get(name)
    if isinstance(given, str):
        return resolve(given, priors, values)
    if given is None or isinstance(given, Distribution):
        return values[name]
    return float(given)


def _is_exponential(transform: Any) -> bool:
    """Whether it takes exponentials alone, so that the logarithm of a value is known."""
    if isinstance(transform, ComposeTransform):
        return len(transform.parts) == 1 and _is_exponential(transform.parts[0])
    return isinstance(transform, ExpTransform)


def _is_identity(transform: Any) -> bool:
    return isinstance(transform, IdentityTransform)
