"""The one NumPyro model: any law, any noise, any priors.

`Model` turns (law, noise, priors) into what the samplers need: a log density over a flat vector of
recentred, unconstrained coordinates, and the way back to parameters. It holds no data, so one model
serves every table, and everything compiled for it is reused.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import threading
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
from jax import Array
from numpy.typing import NDArray
from numpyro import handlers
from numpyro.distributions import Distribution
from numpyro.distributions.distribution import validation_enabled
from numpyro.infer.util import compute_log_probs

from scalingfit._positive import Positive, plain
from scalingfit.inference.over_runs import sum_over_runs
from scalingfit.inference.transforms import is_exponential, is_linear
from scalingfit.law import Law, Parameter, describe
from scalingfit.noise import Noise

__all__ = ["HANDLERS", "Data", "Leaf", "Model", "Prior", "mean_loss"]

HANDLERS = threading.RLock()  # NumPyro keeps one stack of effect handlers for all threads

type Prior = Distribution | float | str
type Leaf = Array | NDArray[Any]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Data:
    """What a density needs of one table, as arrays (or of many tables, with a leading axis).

    Inputs and losses are stored as logarithms: the model exponentiates them in the graph, where
    the compiler folds ``exp(log N) ** -alpha`` into a single exponential, so that laws can be
    written as in the papers.

    Attributes
    ----------
    log_inputs : dict of array, shape (run,)
        Logarithms of the law's inputs.
    loss : array, shape (run,)
        Log loss where the noise is on log loss, the loss itself otherwise.
    weight : array, shape (run,)
        Multiplicity of each run; zero for padding.
    loss_se : array, shape (run,), or None
        Known standard errors of the losses.
    centre : dict of array, scalar
        Log of the geometric mean of each input, about which coefficients are recentred.
    """

    log_inputs: Mapping[str, Leaf]
    loss: Leaf
    weight: Leaf
    loss_se: Leaf | None
    centre: Mapping[str, Leaf]

    @property
    def by_run(self) -> Data:
        """The same without its centre: one run is an element of every array."""
        return dataclasses.replace(self, centre={})


@dataclasses.dataclass(frozen=True, eq=False)
class Model:
    """A law with its noise and priors, compiled once for all tables.

    Attributes
    ----------
    law, noise : type
        The classes whose parameters are sampled.
    priors : dict
        The user's replacements: a distribution, a number that pins, or the name of a parameter
        that this one is tied to.
    sites : tuple of str
        The sampled parameters, in the order of the flat vector; law first, then noise.
    """

    law: type[Law]
    noise: type[Noise]
    priors: Mapping[str, Prior]
    sites: tuple[str, ...]
    transforms: tuple[Any, ...]

    @property
    def dim(self) -> int:
        """Number of sampled parameters."""
        return len(self.sites)

    @property
    def free(self) -> int:
        """Number of the law's own sampled parameters, without the noise's."""
        return sum(site in self.law.parameters() for site in self.sites)

    def sample(self, data: Data | None = None, observe: bool = True) -> tuple[Law, Noise]:
        """The NumPyro model itself; without data it samples the parameters only."""
        values = _sample_parameters(self.law.parameters() | self.noise.parameters(), self.priors)
        law, noise = self.law_of(values), self._noise_of(values)
        if data is not None:
            about, observed = _observation(self.in_logs(law), noise, data.by_run)
            with numpyro.plate("run", data.loss.shape[-1]):
                numpyro.sample("L", about, obs=observed if observe else None)
        return law, noise

    def log_density(self, z: Array, data: Data) -> Array:
        """Log posterior density, up to a constant, at recentred unconstrained coordinates.

        Parameters
        ----------
        z : array, shape (dim,)
        data : Data
            Of one table.
        """
        values, log_jacobian = self.constrain(z, data.centre)
        # Every value is the transform of a real number, so none lies outside its support.
        with HANDLERS, validation_enabled(False):
            prior, _ = compute_log_probs(self.sample, (), {}, values)
        shared = self.in_logs(self.law_of(values)), self._noise_of(values)
        likelihood = sum_over_runs(_log_likelihood, shared, data.by_run, data.weight)
        density: Array = likelihood + sum(prior.values()) + log_jacobian
        return density

    def constrain(self, z: Array, centre: Mapping[str, Leaf]) -> tuple[dict[str, Array], Array]:
        """Sampled parameters at `z`, and the log determinant of the Jacobian.

        Coefficients are sampled as their term at the centre of the runs: ``A`` through
        ``z = log A - alpha log N_0``, ``N_c`` through ``z = alpha (log N_c - log N_0)``. A floor is
        sampled, all else given, through the loss there.
        """
        values: dict[str, Array] = {}
        log_jacobian = jnp.zeros((), z.dtype)
        for at in self._order:
            site, transform = self.sites[at], self.transforms[at]
            unconstrained = z[at]
            if (recentring := self._recentring(site, values, centre)) is not None:
                shift, stretch = recentring
                unconstrained = shift + unconstrained * stretch
                log_jacobian += jnp.log(jnp.abs(stretch))
            values[site] = transform(unconstrained)
            log_jacobian += transform.log_abs_det_jacobian(unconstrained, values[site])
        return values, log_jacobian

    def unconstrain(self, values: Mapping[str, Any], centre: Mapping[str, Leaf]) -> Array:
        """The coordinates of sampled parameters; the inverse of `constrain`."""
        coordinates = []
        for site, transform in zip(self.sites, self.transforms, strict=True):
            shift, stretch = self._recentring(site, values, centre) or (0.0, 1.0)
            coordinates.append((transform.inv(jnp.asarray(values[site])) - shift) / stretch)
        return jnp.stack(coordinates)

    def law_of(self, values: Mapping[str, Any]) -> Law:
        """The law at sampled parameters, inside a traced function."""
        return self.law(**{n: _resolve(n, self.priors, values) for n in self.law.parameters()})

    def _noise_of(self, values: Mapping[str, Any]) -> Noise:
        return self.noise(**{n: _resolve(n, self.priors, values) for n in self.noise.parameters()})

    def complete_arrays(self, values: Mapping[str, Any]) -> tuple[Law, Noise]:
        """The law and the noise, float64 NumPy: sampled parameters with pinned and tied ones."""
        shape = np.shape(next(iter(values.values())))

        def fill(cls: Any) -> Any:
            return cls(
                **{
                    name: np.broadcast_to(
                        np.asarray(_resolve(name, self.priors, values), float), shape
                    )
                    for name in cls.parameters()
                }
            )

        return fill(self.law), fill(self.noise)

    def prior_draws(self, key: Array, draws: int) -> dict[str, Array]:
        """Draws of the sampled parameters from the prior, each of shape (draws,)."""

        def one(key: Array) -> dict[str, Array]:
            with HANDLERS:
                trace = handlers.trace(handlers.seed(self.sample, key)).get_trace()
            return {site: trace[site]["value"] for site in self.sites}

        return jax.vmap(one)(jax.random.split(key, draws))

    def predictive_draws(self, key: Array, draws: int, data: Data) -> dict[str, Array]:
        """Draws of the parameters, (draw,), and of losses at the inputs in `data`, (draw, run)."""

        def one(key: Array) -> dict[str, Array]:
            model = handlers.seed(functools.partial(self.sample, data, observe=False), key)
            with HANDLERS:
                trace = handlers.trace(model).get_trace()
            return {name: trace[name]["value"] for name in (*self.sites, "L")}

        return jax.vmap(one)(jax.random.split(key, draws))

    def describe_priors(self) -> dict[str, str]:
        """The prior of every parameter in one line each, pinned and tied ones included."""
        return dict(self._prior_lines)

    @functools.cached_property
    def _prior_lines(self) -> dict[str, str]:
        lines = {}
        for name, declared in (self.law.parameters() | self.noise.parameters()).items():
            given = self.priors.get(name)
            if given is None:
                lines[name] = declared.describe_prior().format(name=name)
            elif isinstance(given, Distribution):
                lines[name] = describe(given)
            else:
                lines[name] = f"tied to {given}" if isinstance(given, str) else f"pinned at {given}"
        return lines

    @property
    def _order(self) -> list[int]:
        """Indices of the sites; last those whose coordinates depend on others, then floors."""

        def late(at: int) -> tuple[bool, bool]:
            declared = self._declared(self.sites[at])
            return declared.floor, declared.through is not None

        return sorted(range(self.dim), key=late)

    def _declared(self, site: str) -> Parameter:
        return (self.law.parameters() | self.noise.parameters())[site]

    def _recentring(
        self, site: str, values: Mapping[str, Any], centre: Mapping[str, Leaf]
    ) -> tuple[Any, Any] | None:
        """Shift and stretch, if any, from the sampled coordinate to the unconstrained parameter."""
        declared, transform = self._declared(site), self.transforms[self.sites.index(site)]
        if declared.floor and is_linear(transform):
            return -self._at_centre("loss", {**values, site: 0.0}, centre), 1.0
        if declared.through is not None and is_exponential(transform):
            return -jnp.log(self._at_centre(declared.through, {**values, site: 1.0}, centre)), 1.0
        if declared.power is None or not is_exponential(transform):
            return None
        middle, exponent = centre[declared.of], _resolve(declared.power, self.priors, values)  # type: ignore[index]  # declared together with the exponent
        return (middle, 1.0 / exponent) if declared.inverse else (exponent * middle, 1.0)

    def _at_centre(
        self, method: str, values: Mapping[str, Any], centre: Mapping[str, Leaf]
    ) -> Array:
        """What a method of the law gives there; of parameters that are not known yet it has NaN."""
        known = dict.fromkeys(self.sites, math.nan) | {**values}
        return _called(method, self.in_logs(self.law_of(known)), centre)

    def in_logs(self, law: Law) -> Law:
        """The law with its positive parameters held as their logarithms."""
        supports = zip(self.sites, self.transforms, strict=True)
        positive = {name for name, transform in supports if is_exponential(transform)}
        return self.law(
            **{
                name: Positive(jnp.log(value)) if name in positive else value
                for name, value in law.values().items()
            }
        )


def mean_loss(law: Law, log_inputs: Mapping[str, Leaf]) -> Array:
    """The law's loss at inputs given by their logarithms."""
    return _called("loss", law, log_inputs)


def _called(method: str, law: Law, log_inputs: Mapping[str, Leaf]) -> Array:
    inputs = {name: Positive(value) for name, value in log_inputs.items()}
    found: Array = plain(getattr(law, method)(**inputs))
    return found


def _observation(law: Law, noise: Noise, runs: Data) -> tuple[Distribution, Array]:
    """How the losses of runs are distributed, and what they are."""
    about = noise.observe(mean_loss(law, runs.log_inputs), runs.loss_se)
    return about, jnp.exp(runs.loss) if noise.on_log else jnp.asarray(runs.loss)


def _log_likelihood(shared: tuple[Law, Noise], run: Data) -> Array:
    about, observed = _observation(*shared, run)
    density: Array = about.log_prob(observed)
    return density


def _sample_parameters(
    declared: Mapping[str, Parameter], priors: Mapping[str, Prior]
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, parameter in declared.items():
        given = priors.get(name)
        if given is None:
            values[name] = numpyro.sample(name, parameter.prior_given(values))
        elif isinstance(given, Distribution):
            values[name] = numpyro.sample(name, given)
        else:
            values[name] = _resolve(name, priors, values)
    return values


def _resolve(name: str, priors: Mapping[str, Prior], values: Mapping[str, Any]) -> Any:
    """A parameter's value: its own draw, the number it is pinned at, or the one it is tied to."""
    given = priors.get(name)
    if isinstance(given, str):
        return _resolve(given, priors, values)
    if given is None or isinstance(given, Distribution):
        return values[name]
    return float(given)
