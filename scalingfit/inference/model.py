"""The one NumPyro model: any law, any noise, any priors.

`Model` turns (law, noise, priors) into what the samplers need: a log density over a flat vector of
recentred, unconstrained coordinates, and the way back to parameters. It holds no data, so one model
serves every table, and everything compiled for it is reused.
"""

from __future__ import annotations

import dataclasses
import functools
import threading
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
from jax import Array
from numpyro import handlers
from numpyro.distributions import Distribution
from numpyro.distributions.distribution import validation_enabled
from numpyro.infer.util import compute_log_probs

from scalingfit._positive import plain
from scalingfit.declare import Law, Parameter, describe, loss_of_logs
from scalingfit.inference.coordinates import Coordinates, Leaf, Prior, at_inputs, resolve
from scalingfit.inference.over_runs import sum_over_runs
from scalingfit.noise import Noise

__all__ = ["HANDLERS", "Data", "Leaf", "Model", "Prior", "mean_loss"]

HANDLERS = threading.RLock()  # NumPyro keeps one stack of effect handlers for all threads


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
class Model(Coordinates):
    """A law with its noise and priors in its coordinates, compiled once for all tables."""

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
        law, noise = self.law_of(values), self.noise_of(values)
        if data is not None:
            about, observed = _observation(*self._shared_by_runs(law, noise, data), data.by_run)
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
        shared = self._shared_by_runs(self.law_of(values), self.noise_of(values), data)
        likelihood = sum_over_runs(_log_likelihood, shared, data.by_run, data.weight)
        density: Array = likelihood + sum(prior.values()) + log_jacobian
        return density

    def complete_arrays(
        self, values: Mapping[str, Any], centre: Mapping[str, Leaf] | None = None
    ) -> tuple[Law, Noise]:
        """The law and the noise, float64 NumPy: sampled parameters with pinned and tied ones.

        Parameters
        ----------
        values : mapping of str to array
            Of the sampled parameters.
        centre : mapping of str to scalar, optional
            Means of the log inputs of the fitted runs. Without them a noise model has its
            parameters, and its anchors are NaN.
        """
        shape = np.shape(next(iter(values.values())))

        def fill(cls: Any) -> Any:
            return cls(
                **{
                    name: np.broadcast_to(
                        np.asarray(resolve(name, self.priors, values), float), shape
                    )
                    for name in cls.parameters()
                }
            )

        law, noise = fill(self.law), fill(self.noise)
        if centre is None:
            return law, noise
        with jax.enable_x64(True):
            anchored = noise.anchored(functools.partial(loss_of_logs, law), centre)
        return law, jax.tree.map(lambda leaf: np.broadcast_to(np.asarray(leaf), shape), anchored)

    def _shared_by_runs(self, law: Law, noise: Noise, data: Data) -> tuple[Law, Noise]:
        """What the density of every run needs besides the run."""
        law = self.in_logs(law)
        return law, noise.anchored(functools.partial(mean_loss, law), data.centre)

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


def mean_loss(law: Law, log_inputs: Mapping[str, Leaf]) -> Array:
    """The law's loss at inputs given by their logarithms."""
    found: Array = plain(at_inputs("loss", law, log_inputs))
    return found


def _observation(law: Law, noise: Noise, runs: Data) -> tuple[Distribution, Array]:
    """How the losses of runs are distributed, and what they are."""
    at = noise.at(functools.partial(mean_loss, law), runs.log_inputs, runs.loss_se)
    about = noise.observe(at)
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
            values[name] = resolve(name, priors, values)
    return values
