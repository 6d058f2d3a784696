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
from typing import Any, NamedTuple

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
from scalingfit.inference.conditional import Conditional, Scales
from scalingfit.inference.coordinates import Coordinates, Leaf, Prior, at_inputs, resolve
from scalingfit.inference.over_runs import each_run, sum_over_places, sum_over_runs
from scalingfit.noise import At, Noise

__all__ = ["HANDLERS", "Data", "Leaf", "Model", "Prior", "mean_loss", "no_nearer", "weights"]

WEIGHTS = 1e-3, 1e3  # limits: a scatter may pull not at all, or away
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
    features : array, shape (run, feature), or None
        Where the law has an error: it is these times independent normal numbers of its scale.
    run : array of int, shape (run,), or None
        Where rows of one run share an effect: which run each row is of.
    run_rows : array, shape (run of several rows,), or None
        How many rows each such run has; zero for padding.
    """

    log_inputs: Mapping[str, Leaf]
    loss: Leaf
    weight: Leaf
    loss_se: Leaf | None
    centre: Mapping[str, Leaf]
    features: Leaf | None = None
    run: Leaf | None = None
    run_rows: Leaf | None = None

    @property
    def by_run(self) -> Data:
        """The same without what is not by run: one run is an element of every array."""
        return dataclasses.replace(self, centre={}, features=None, run=None, run_rows=None)

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Numbers of rows, of features of the error, and of runs with effects, as padded."""
        features = 0 if self.features is None else self.features.shape[-1]
        return self.weight.shape[-1], features, self.runs

    @property
    def runs(self) -> int:
        """Number of runs with effects, as padded."""
        return 0 if self.run_rows is None else int(self.run_rows.shape[-1])


@dataclasses.dataclass(frozen=True, eq=False)
class Model(Coordinates):
    """A law with its noise and priors in its coordinates, compiled once for all tables."""

    @property
    def dim(self) -> int:
        """Number of sampled parameters."""
        return len(self.sites)

    @property
    def judged(self) -> tuple[str, ...]:
        """What the diagnostics of a fit are of: the sampled parameters, and the law's error."""
        return self.sites if self.error is None else (*self.sites, "law_error")

    @property
    def free(self) -> int:
        """Number of the law's own sampled parameters, without the noise's."""
        return sum(site in self.law.parameters() for site in self.sites)

    def sample(self, data: Data | None = None, observe: bool = True) -> tuple[Law, Noise]:
        """The NumPyro model itself; without data it samples the parameters only."""
        values = _sample_parameters(self.declared, self.priors)
        law, noise = self.law_of(values), self.noise_of(values)
        if data is not None:
            about, observed = _observation(*self._shared_by_runs(law, noise, data), data.by_run)
            with numpyro.plate("run", data.loss.shape[-1]):
                numpyro.sample("L", about, obs=observed if observe else None)
        return law, noise

    def log_density(self, z: Array, data: Data, conditional: Conditional | None = None) -> Array:
        """Log posterior density at recentred unconstrained coordinates.

        Parameters
        ----------
        z : array, shape (dim,)
            Behind the parameters' coordinates come those of the error's coefficients, and of the
            effects of runs.
        data : Data
            Of one table.
        conditional : Conditional, optional
            The coordinates of the error and of the effects, where there are such.
        """
        values, log_jacobian = self.constrain(z[: self.dim], data.centre)
        # Every value is the transform of a real number, so none lies outside its support.
        with HANDLERS, validation_enabled(False):
            prior, _ = compute_log_probs(self.sample, (), {}, values)
        shared = self._shared_by_runs(self.law_of(values), self.noise_of(values), data)
        if conditional is None:
            likelihood = sum_over_runs(_log_likelihood, shared, data.by_run, data.weight)
        else:
            found = _located(shared, values, z[self.dim :], data, conditional)
            runs, weight = data.by_run, data.weight
            each = sum_over_places(_log_density, shared, found.places, runs, weight)
            likelihood = each + found.log_density
        total: Array = likelihood + sum(prior.values()) + log_jacobian
        return total

    def located(
        self, z: Array, data: Data, conditional: Conditional
    ) -> tuple[tuple[Law, Noise], Located]:
        """How the law with its error, and with the runs' effects, places the rows."""
        values, shared = self._shared_at(z, data)
        found = _located(shared, values, z[self.dim :], data, conditional)
        return shared, found

    def expected(self, z: Array, data: Data) -> tuple[tuple[Law, Noise], Array]:
        """Where the law by itself expects the losses, (run,), on the scale of the scatter."""
        shared = self._shared_at(z, data)[1]
        return shared, each_run(_place, shared, (), data.by_run)

    def scales(self, z: Array, data: Data) -> Scales:
        """The scales of scatter, error and effects."""
        values, (_, noise) = self._shared_at(z, data)
        return Scales(noise.sigma, values.get("tau"), values.get("omega"))

    def _shared_at(self, z: Array, data: Data) -> tuple[dict[str, Array], tuple[Law, Noise]]:
        values, _ = self.constrain(z[: self.dim], data.centre)
        return values, self._shared_by_runs(self.law_of(values), self.noise_of(values), data)

    def complete_arrays(
        self, values: Mapping[str, Leaf | float], centre: Mapping[str, Leaf] | None = None
    ) -> tuple[Law, Noise]:
        """The law and the noise, float64 NumPy: sampled parameters with pinned and tied ones.

        Parameters
        ----------
        values : mapping of str to array
            Of the sampled parameters.
        centre : mapping of str to scalar, optional
            Means of the log inputs of the fitted runs. Without them a noise model has its
            parameters, and its anchors are NaN.

        Of runs with effects the noise model is that of a new one.
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
        if "omega" in values:
            effect = np.broadcast_to(np.asarray(values["omega"], float), shape)
            noise = dataclasses.replace(noise, run_effect=effect)
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
        for name, declared in self.declared.items():
            given = self.priors.get(name)
            if given is None:
                lines[name] = declared.describe_prior().format(name=name)
            elif isinstance(given, Distribution):
                lines[name] = describe(given)
            else:
                lines[name] = f"tied to {given}" if isinstance(given, str) else f"pinned at {given}"
        if self.error is not None:
            lines["tau"] = f"0 with probability {self.error.exact:g}, else {lines['tau']}"
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


class Located(NamedTuple):
    """How a law with its error, and with the runs' effects, places the rows.

    Attributes
    ----------
    places : array, shape (run,)
        Where the losses are expected, on the scale of the scatter.
    coefficients : array, shape (feature,)
        Of the features in the data.
    effects : array, shape (run of several rows,), or None
    log_density : scalar
        Of the prior of both, by their coordinates.
    """

    places: Array
    coefficients: Array
    effects: Array | None
    log_density: Array


def _located(
    shared: tuple[Law, Noise],
    values: Mapping[str, Array],
    white: Array,
    data: Data,
    conditional: Conditional,
) -> Located:
    noise = shared[1]
    exact = each_run(_place, shared, (), data.by_run)
    residual = jnp.asarray(data.loss) - exact
    scales = Scales(noise.sigma, values.get("tau"), values.get("omega"))
    coefficients, effects, density = conditional.apart(residual, scales, white)
    places = exact + conditional.basis @ coefficients
    if effects is not None:
        places = places + effects[data.run]
    return Located(places, conditional.rotation @ coefficients, effects, density)


def _place(shared: tuple[Law, Noise], own: tuple[()], run: Data) -> Array:
    """Where the law puts a run, on the scale of the scatter."""
    law, noise = shared
    mean = mean_loss(law, run.log_inputs)
    return jnp.log(mean) if noise.on_log else mean


def _log_density(shared: tuple[Law, Noise], place: Array, run: Data) -> Array:
    """Log density of a loss about a place on the scale of the scatter."""
    noise, at = _at(shared, place, run)
    observed = jnp.asarray(run.loss)
    density: Array = noise.observe(at).log_prob(jnp.exp(observed) if noise.on_log else observed)
    return density


def _at(shared: tuple[Law, Noise], place: Array, run: Data) -> tuple[Noise, At]:
    """What the noise sees of a run whose loss is expected there."""
    law, noise = shared
    at = noise.at(functools.partial(mean_loss, law), run.log_inputs, run.loss_se)
    return noise, dataclasses.replace(at, mean=jnp.exp(place) if noise.on_log else place)


def weights(shared: tuple[Law, Noise], places: Array, data: Data) -> Array:
    """Precisions of runs in units of one over the noise's scale squared, (run,).

    Those of iteratively reweighted least squares, of residuals no less than the scale.
    """

    def weight(place: Array, run: Data) -> Array:
        noise, at = _at(shared, place, run)
        residual, scale = jnp.asarray(run.loss) - place, noise.scale(at)
        size = no_nearer(residual, scale)
        pull = jax.grad(_log_density, argnums=1)(shared, run.loss - size, run)
        sigma = noise.sigma
        return jnp.clip(sigma**2 * pull / size, *WEIGHTS)

    found: Array = jnp.asarray(data.weight) * jax.vmap(weight)(places, data.by_run)
    return found


def no_nearer(residual: Array, scale: Leaf | float) -> Array:
    """The residual, or the scale where that is larger: its pull over nothing would be no weight."""
    return jnp.maximum(jnp.abs(residual), scale) * jnp.where(residual < 0, -1.0, 1.0)


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
