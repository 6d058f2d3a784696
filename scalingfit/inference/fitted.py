"""What a fit found: draws of the law and the noise, and what they say of the runs."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any, TypedDict

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray
from numpyro.distributions import Distribution

from scalingfit.declare import Law, loss_of_logs
from scalingfit.inference.effects import effective_rows
from scalingfit.inference.group import Draws, Record
from scalingfit.inference.model import Data, Model
from scalingfit.inference.programs import bucket, centre, landmarks_of, pack, places_of
from scalingfit.inference.verdict import Verdict
from scalingfit.law_error import ErrorDraws, law_with_error
from scalingfit.noise import Noise
from scalingfit.runs import Runs

__all__ = ["Fitted", "Provenance", "functions", "replicates", "with_error"]

Floats = NDArray[np.float64]


class SamplerRecord(Record, total=False):
    """How a fit was made, and what its draws took."""

    leapfrogs_per_draw: float


class Provenance(TypedDict):
    """The record of a fit: versions, device, settings, priors, data; JSON-able."""

    versions: dict[str, str]
    device: str
    precision: str
    method: str
    settings: dict[str, str | float]
    limits: dict[str, Any]  # of `Limits`
    sampler: SamplerRecord
    priors: dict[str, str]
    law_error: dict[str, float] | None
    data: dict[str, str | int]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Fitted:
    """The numbers of a fit; `Posterior` adds the questions that one puts to them.

    Attributes
    ----------
    law : Law
        The law's draws, without its error: leaves of shape (chain, draw), float64.
    noise : Noise
        The noise's draws, likewise.
    runs : Runs
        The table that was fitted.
    verdict : Verdict
        Whether the draws can be trusted and what the runs cannot tell.
    provenance : Provenance
    """

    law: Law
    noise: Noise
    runs: Runs
    verdict: Verdict
    provenance: Provenance
    model: Model
    sampled: Draws

    @property
    def draws(self) -> dict[str, Floats]:
        """Draws of every parameter, pinned and tied ones included, each (chain, draw)."""
        noise = {name: getattr(self.noise, name) for name in self.model.noise.parameters()}
        values = self.sampled.values
        scales = {site: values[site] for site in self.model.sites if site in ("omega", "tau")}
        every: dict[str, Any] = {**self.law.values(), **noise, **scales}
        return every

    @property
    def effective_runs(self) -> float | None:
        """How many independent rows those of runs with effects are worth; None where none have."""
        return effective_rows(self.runs, self.noise)

    @functools.cached_property
    def law_with_error(self) -> Law:
        """The law's draws, each with its error: functions of the inputs."""
        return with_error(self.law, self.model, self.runs, self.sampled)

    def log_likelihood(self) -> Floats:
        """Log density of every observed loss, shape (chain, draw, run).

        Each by itself, as of a new run: those of rows that share an effect do not add up.
        """
        return self._per_run(_log_likelihood)

    def predictive(self, seed: int = 0) -> Floats:
        """Losses of replicated runs at the same inputs, shape (chain, draw, run)."""
        return _replicates(self.model, self.runs, self.law_with_error, self.noise, seed)

    def residuals(self) -> Floats:
        """Log of observed over expected loss (or the difference, for noise on the loss), (run,)."""
        mean = np.asarray(self._per_run(_mean)).mean(axis=(0, 1))
        observed = self.runs["L"]
        return np.log(observed / mean) if self.model.noise.on_log else observed - mean

    def _per_run(self, function: Callable[[Law, Noise, Data], Array]) -> Floats:
        """A quantity of every draw and run, computed in float64.

        Of a padded table, so that tables of nearly one length share a compiled program.
        """
        return _at_runs(function, self.model, self.runs, self.law_with_error, self.noise)


def functions(
    model: Model,
    runs: Runs,
    values: Mapping[str, Floats],
    errors: Floats | None = None,
    seed: int = 0,
) -> Law:
    """Draws of a law as functions of its inputs, each with its error.

    Parameters
    ----------
    model : Model
    runs : Runs
        Those that the draws are of.
    values : mapping of str to array, shape (chain, draw)
        The sampled parameters.
    errors : array, shape (chain, draw, landmark), or None
        Of the law, at the landmarks of the runs.
    seed : int
        Of how the errors go on beyond these.
    """
    law, _ = model.complete_arrays(values)
    if errors is None:
        return law
    known = landmarks_of(model, runs.used()).places
    return _with_error(model, runs, law, known, errors, values["tau"], seed)


def replicates(
    model: Model, runs: Runs, values: Mapping[str, Floats], errors: Floats | None, seed: int
) -> Floats:
    """Losses of new runs at the same places, (chain, draw, run); arguments as of `functions`."""
    law = functions(model, runs, values, errors, seed)
    _, noise = model.complete_arrays(values, centre(model, runs))
    return _replicates(model, runs, law, noise, seed)


def _replicates(model: Model, runs: Runs, law: Law, noise: Noise, seed: int) -> Floats:
    """New losses, (chain, draw, run): rows of one run share a new effect, where they share one."""
    if noise.run_effect is None:
        return _at_runs(functools.partial(_replicate, seed=seed), model, runs, law, noise)
    scatter = dataclasses.replace(noise, run_effect=None)
    drawn = _at_runs(functools.partial(_replicate, seed=seed), model, runs, law, scatter)
    rows = runs.run_of
    normal = np.random.default_rng(seed).standard_normal((*drawn.shape[:2], rows.max() + 1))
    effect = (np.asarray(noise.run_effect)[..., None] * normal)[..., rows]
    return drawn * np.exp(effect) if model.noise.on_log else drawn + effect


def _with_error(
    model: Model,
    runs: Runs,
    law: Law,
    landmarks: Floats,
    errors: Floats,
    tau: Floats,
    seed: int = 0,
) -> Law:
    places, additive = places_of(model.law, runs.used()), not model.noise.on_log
    error = ErrorDraws.given(landmarks, errors, tau, places, additive=additive, seed=seed)
    return law_with_error(law, error)


def _at_runs(
    function: Callable[[Law, Noise, Data], Array], model: Model, runs: Runs, law: Law, noise: Noise
) -> Floats:
    """What a function gives of every draw and run, (chain, draw, run)."""
    rows = len(runs)
    with jax.enable_x64(True):
        data = pack(model, runs, bucket(rows), "float64")
        law, noise = jax.tree.map(jnp.asarray, (law.expand(1), noise.expand(1)))
        return np.asarray(function(law, noise, data))[..., :rows]


def with_error(law: Law, model: Model, runs: Runs, sampled: Draws) -> Law:
    """Draws of a law, each with the error that the fit found beside it; the same where it is exact.

    Parameters
    ----------
    law : Law
        Leaves of shape (chain, draw), or (draw,), one chain after the other.
    model : Model
    runs : Runs
        The table that was fitted.
    sampled : Draws
        Of that fit.
    """
    if sampled.errors is None or sampled.landmarks is None:
        return law
    shape = np.shape(jax.tree.leaves(law)[0])
    errors, tau = sampled.errors.reshape(*shape, -1), sampled.values["tau"].reshape(shape)
    return _with_error(model, runs, law, sampled.landmarks, errors, tau)


@jax.jit
def _mean(law: Law, noise: Noise, data: Data) -> Array:
    return loss_of_logs(law, data.log_inputs)


@jax.jit
def _log_likelihood(law: Law, noise: Noise, data: Data) -> Array:
    observed = jnp.exp(data.loss) if noise.on_log else data.loss
    density: Array = _about(law, noise, data).log_prob(observed)
    return density


@functools.partial(jax.jit, static_argnames="seed")
def _replicate(law: Law, noise: Noise, data: Data, seed: int) -> Array:
    drawn: Array = _about(law, noise, data).sample(jax.random.key(seed))
    return drawn


def _about(law: Law, noise: Noise, data: Data) -> Distribution:
    # Slopes, where a noise model looks at them, are those of the law without its error.
    at = noise.at(functools.partial(loss_of_logs, law.exact), data.log_inputs, data.loss_se)
    return noise.observe(dataclasses.replace(at, mean=_mean(law, noise, data)))
