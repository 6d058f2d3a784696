"""Fits as files: ArviZ's DataTree in NetCDF, with all that is needed to go on working.

A file holds the draws to the last bit, what the sampler recorded of each, the runs and the priors.
What follows from these, the log density and a replicate of every run by every draw, is made again.
The digest of the whole is checked before anything is read.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray
from numpyro.distributions import Distribution

from scalingfit._files import write
from scalingfit.declare import Law, describe
from scalingfit.inference.fitted import Fitted
from scalingfit.inference.formula import formula
from scalingfit.inference.model import Prior
from scalingfit.inference.netcdf import packed
from scalingfit.inference.programs import prior_values
from scalingfit.noise import Noise

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["FORMAT", "LABEL", "STATS", "named_label", "prior_text", "save", "to_arviz"]

FORMAT = 4
LABEL = "label_"
STATS = {  # our names and ArviZ's
    "log_density": "lp",
    "energy": "energy",
    "acceptance": "acceptance_rate",
    "leapfrogs": "n_steps",
    "diverging": "diverging",
}


def to_arviz(posterior: Fitted) -> xr.DataTree:
    """The fit as a DataTree; see `Posterior.to_arviz`."""
    prior = {name: value[None] for name, value in prior_values(posterior.model).items()}
    return _tree(
        posterior,
        prior=prior,
        posterior_predictive={"L": posterior.predictive()},
        log_likelihood={"L": posterior.log_likelihood()},
    )


def save(posterior: Fitted, path: str | os.PathLike[str]) -> None:
    """Write a fit to a NetCDF file, whole or not at all.

    Raises
    ------
    InputError
        Where the file cannot be written.
    """
    write(path, packed(_tree(posterior)))


def _tree(posterior: Fitted, **derived: Mapping[str, NDArray[Any]]) -> xr.DataTree:
    """What a fit is, and groups of what follows from it."""
    import arviz_base

    runs, sampled = posterior.runs, posterior.sampled
    inputs = {name: np.asarray(values) for name, values in runs.columns.items() if name != "L"}
    labels = {_label_name(name): _storable(values) for name, values in runs.labels.items()}
    stats = {theirs: getattr(sampled, ours) for ours, theirs in STATS.items()}
    steps = np.broadcast_to(sampled.step_size[:, None], sampled.energy.shape)
    errors, places = {}, {}
    if sampled.errors is not None and sampled.landmarks is not None:
        errors["law_error"] = sampled.errors
        names = posterior.model.law.inputs()
        places = {f"landmark_{n}": x for n, x in zip(names, sampled.landmarks.T, strict=True)}
    return arviz_base.from_dict(
        {
            "posterior": posterior.draws | errors,
            "sample_stats": {**stats, "step_size": np.array(steps)},
            "observed_data": {"L": np.asarray(runs["L"])},
            "constant_data": {
                **inputs,
                **labels,
                **places,
                "row_number": np.asarray(runs.row_numbers),
            },
            **derived,
        },
        dims={name: ["run"] for name in ("L", "row_number", *inputs, *labels)}
        | {name: ["landmark"] for name in ("law_error", *places)},
        attrs={"/": _attributes(posterior)},
    )


def _attributes(posterior: Fitted) -> dict[str, str]:
    model, evidence = posterior.model, posterior.sampled.evidence
    priors = {name: prior_text(prior) for name, prior in model.priors.items()}
    record = {
        "format": FORMAT,
        "law": model.law.name,
        "noise": model.noise.name,
        "formulas": [formula(model.law), formula(model.noise)],
        "classes": {"law": _written(model.law), "noise": _written(model.noise)},
        "priors": priors,
        "law_error": None if model.error is None else dataclasses.asdict(model.error),
        "runs": posterior.runs.provenance,
        "labels": {
            name: values.tolist()
            for name, values in posterior.runs.labels.items()
            if _storable(values) is not values
        },
        "verdict": posterior.verdict.record,
        "record": posterior.sampled.record,
        # Draws of a mixture do not tell how its parts were sampled.
        "diagnosis": None if model.error is None else posterior.sampled.diagnosis.as_lists(),
        "evidence": evidence and dataclasses.asdict(evidence),
        "provenance": dict(posterior.provenance),
    }
    return {"scalingfit": json.dumps(record, default=str)}


def _written(cls: type[Law] | type[Noise]) -> str:
    """Where a class is written, as an entry point states it."""
    return f"{cls.__module__}:{cls.__qualname__}"


def _label_name(name: str) -> str:
    """What a label's array is called in a file, where a slash would part groups."""
    return LABEL + name.replace("%", "%25").replace("/", "%2F")


def named_label(stored: str) -> str:
    """The name of a label, from what its array is called."""
    return unquote(stored.removeprefix(LABEL))


def _storable(values: NDArray[Any]) -> NDArray[Any]:
    """Labels as NetCDF can hold them: numbers stay, all else, missing values too, becomes text."""
    return values if values.dtype.kind in "ifb" else values.astype(str).astype(object)


def prior_text(prior: Prior) -> str:
    """A prior as text that states its numbers exactly."""
    return describe(prior, repr) if isinstance(prior, Distribution) else str(prior)
