"""The verbs: `fit` a law to runs, and look at what its priors say beforehand."""

from __future__ import annotations

import dataclasses
import functools
import importlib.metadata
import platform
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalingfit import __version__
from scalingfit._errors import InputError
from scalingfit._messages import Argument, Message
from scalingfit.catalog import law as find_law
from scalingfit.catalog import noise as find_noise
from scalingfit.catalog import noises
from scalingfit.declare import Law
from scalingfit.inference.build import build, model_of
from scalingfit.inference.diagnostics import Limits
from scalingfit.inference.fitted import Provenance
from scalingfit.inference.group import Draws
from scalingfit.inference.model import Data, Model, Prior
from scalingfit.inference.posterior import Posterior
from scalingfit.inference.programs import centre
from scalingfit.inference.sampler import sample
from scalingfit.inference.scrutiny import looked_at_again, verdict_on
from scalingfit.inference.settings import Settings, checked, default_precision
from scalingfit.law_error import LAW_ERROR, LawError
from scalingfit.noise import Noise
from scalingfit.runs import Runs

__all__ = ["check", "fit", "posterior_of", "prior_predictive"]


def fit(
    runs: Runs,
    law: str | type[Law] = "chinchilla",
    noise: str | type[Noise] | None = None,
    priors: Mapping[str, Prior] | None = None,
    *,
    law_error: LawError | None = LAW_ERROR,
    draws: int = 1000,
    chains: int = 4,
    warmup: int = 50,
    seed: int = 0,
    retries: int = 2,
    precision: str | None = None,
    limits: Limits | None = None,
) -> Posterior:
    """Sample the posterior of a law's parameters by NUTS.

    Parameters
    ----------
    runs : Runs
        What `read` returned.
    law : str or type of Law
        A name from the catalog, or the class itself.
    noise : str or type of Noise, optional
        How losses scatter; by default Student-t on log loss.
    priors : mapping, optional
        By parameter: a NumPyro distribution replaces the prior, a number pins the parameter, the
        name of a parameter declared above it ties the two.
    law_error : LawError, optional
        What is believed of the law's own error beforehand; None holds the law to be exact, and its
        intervals then leave out that it is not.
    draws, chains : int
        Kept draws of each chain, and chains.
    warmup : int
        Transitions of the first and last adaptation window; the middle one is twice as long. With
        the law's error there is one window.
    seed : int
        The same runs, model and seed give the same draws, bit for bit.
    retries : int
        Further attempts, with longer warm-up and smaller steps, where diagnostics fail.
    precision : "float64" or "float32", optional
        By default float64 on CPUs and float32 on accelerators.
    limits : Limits, optional
        What the diagnostics must reach for the verdict "ok".

    Returns
    -------
    Posterior

    Raises
    ------
    InputError
        Where the runs, the law, the noise or the priors do not fit together.
    """
    if not isinstance(runs, Runs):
        raise InputError(
            f"fit takes runs, not {type(runs).__name__}", remedy="read them first, with read."
        )
    chosen = find_law(law)
    model = build(chosen, find_noise(noise or chosen.default_noise), priors, law_error)
    settings = checked(
        Settings(
            chains=chains,
            draws=draws,
            warmup=warmup,
            retries=retries,
            precision=precision or default_precision(),
            seed=seed,
            limits=Limits() if limits is None else limits,
        )
    )
    check(model, runs)
    drawn = sample(model, [runs], settings)[0]
    found = posterior_of(model, runs, drawn, settings)
    verdict = looked_at_again(found.verdict, model, runs, drawn, found.law)
    return dataclasses.replace(found, verdict=verdict)


def prior_predictive(
    runs: Runs | Mapping[str, ArrayLike],
    law: str | type[Law] = "chinchilla",
    noise: str | type[Noise] | None = None,
    priors: Mapping[str, Prior] | None = None,
    *,
    draws: int = 1000,
    seed: int = 0,
) -> dict[str, NDArray[np.float64]]:
    """Draw parameters from the prior, and losses of runs: of the law, without its error.

    Parameters
    ----------
    runs : Runs or mapping
        Where the runs are: a table (its losses are not used), or the law's inputs by name,
        ``{"N": [1e8, 1e9], "D": 2e10}``.
    law, noise, priors
        As in `fit`.
    draws, seed : int

    Returns
    -------
    dict
        Every sampled parameter, shape (draw,), and "L", shape (draw, run).

    Raises
    ------
    InputError
        An input of the law is missing, or something else is given.
    """
    chosen = find_law(law)
    model = build(chosen, find_noise(noise or chosen.default_noise), priors)
    needed = chosen.inputs()
    given = runs.columns if isinstance(runs, Runs) else runs
    known = {*given} if isinstance(given, Mapping) else set[str]()
    if not {*needed} <= known or (given is runs and known != {*needed}):
        example = ", ".join(f'"{name}": [...]' for name in needed)
        raise InputError(
            f"prior_predictive takes runs with the inputs {', '.join(needed)} of {chosen.name}, "
            f"not {', '.join(known) or type(runs).__name__}",
            remedy=f"pass a table that has them, or {{{example}}}.",
        )
    rows = np.broadcast_arrays(*(np.atleast_1d(np.asarray(given[n], float)) for n in needed))
    with jax.enable_x64(True):
        log_inputs = {name: jnp.log(row) for name, row in zip(needed, rows, strict=True)}
        blank = jnp.zeros(rows[0].shape)
        middle = {name: jnp.mean(row) for name, row in log_inputs.items()}
        data = Data(log_inputs, blank, blank, None, middle)
        drawn = model.predictive_draws(jax.random.key(seed), draws, data)
        return {name: np.asarray(value) for name, value in drawn.items()}


def check(model: Model, runs: Runs) -> None:
    """Refuse runs that this model cannot be fitted to.

    Raises
    ------
    InputError
    """
    runs.input(model.law.inputs(), model.law.name)
    if not {*model.sites} & {*model.law.parameters(), *model.noise.parameters()}:
        raise InputError(f"every parameter of {model.law.name} and its noise is pinned: no fit")
    if not np.any(runs.weight):
        raise InputError(
            f"none of the {len(runs)} runs has weight: there is nothing to fit",
            remedy="give those that are to count a weight above zero.",
        )
    if model.noise.on_log and not np.all(runs["L"] > 0):
        twin = f"{model.noise.name}_level"
        raise InputError(
            f"{model.noise.name} noise acts on log loss, but some losses are not positive",
            remedy=Message(
                "use ", Argument("noise", twin if twin in noises() else "student_t_level"), "."
            ),
        )


def posterior_of(model: Model, runs: Runs, draws: Draws, settings: Settings) -> Posterior:
    """Wrap draws with their verdict and provenance."""
    model = model_of(model, runs)
    law, noise = model.complete_arrays(draws.values, centre(model, runs))
    return Posterior(
        law=law,
        noise=noise,
        runs=runs,
        verdict=verdict_on(model, runs, draws, law, noise, settings.limits),
        provenance=_provenance(model, runs, draws, settings),
        model=model,
        sampled=draws,
    )


def _provenance(model: Model, runs: Runs, draws: Draws, settings: Settings) -> Provenance:
    device = jax.devices()[0]
    return {
        "versions": {"scalingfit": __version__, "python": platform.python_version(), **_versions()},
        "device": f"{device.platform}: {device.device_kind}",
        "precision": settings.precision,
        "method": draws.record["method"],
        "settings": {
            name: getattr(settings, name)
            for name in ("chains", "draws", "warmup", "acceptance", "retries", "seed")
        },
        "limits": dataclasses.asdict(settings.limits),
        "sampler": {**draws.record, "leapfrogs_per_draw": float(draws.leapfrogs.mean())},
        "priors": model.describe_priors(),
        "law_error": None if model.error is None else dataclasses.asdict(model.error),
        "data": {"digest": runs.digest, "rows": len(runs)},
    }


@functools.cache
def _versions() -> dict[str, str]:
    return {name: importlib.metadata.version(name) for name in ("jax", "numpyro", "numpy")}
