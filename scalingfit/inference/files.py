"""Fits as files: ArviZ's DataTree in NetCDF, with all that is needed to go on working."""

from __future__ import annotations

import dataclasses
import json
import os
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from numpyro.distributions import Distribution

from scalingfit._files import replacing
from scalingfit.declare import describe
from scalingfit.inference.fitted import Fitted
from scalingfit.inference.formula import formula
from scalingfit.inference.model import Prior
from scalingfit.inference.programs import prior_values

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["FORMAT", "STATS", "prior_text", "save", "to_arviz"]

FORMAT = 3
STATS = {  # our names and ArviZ's
    "log_density": "lp",
    "energy": "energy",
    "acceptance": "acceptance_rate",
    "leapfrogs": "n_steps",
    "diverging": "diverging",
}


def to_arviz(posterior: Fitted) -> xr.DataTree:
    """The fit as a DataTree; see `Posterior.to_arviz`."""
    import arviz_base

    model, runs, sampled = posterior.model, posterior.runs, posterior.sampled
    inputs = {name: np.asarray(values) for name, values in runs.columns.items() if name != "L"}
    labels = {f"label_{name}": _storable(values) for name, values in runs.labels.items()}
    stats = {theirs: getattr(sampled, ours) for ours, theirs in STATS.items()}
    steps = np.broadcast_to(sampled.step_size[:, None], sampled.energy.shape)
    per_run = {"L": posterior.log_likelihood()}
    errors: dict[str, Any] = {}
    if sampled.errors is not None and sampled.landmarks is not None:
        errors["law_error"] = sampled.errors
        places = zip(model.law.inputs(), sampled.landmarks.T, strict=True)
        inputs |= {f"landmark_{name}": values for name, values in places}
    along = {name: ["landmark" if name.startswith("landmark_") else "run"] for name in inputs}
    tree = arviz_base.from_dict(
        {
            "posterior": posterior.draws | errors,
            "prior": {name: value[None] for name, value in prior_values(model).items()},
            "posterior_predictive": {"L": posterior.predictive()},
            "log_likelihood": per_run,
            "sample_stats": {**stats, "step_size": np.array(steps)},
            "observed_data": {"L": np.asarray(runs["L"])},
            "constant_data": {**inputs, **labels, "row_number": np.asarray(runs.row_numbers)},
        },
        dims={name: ["run"] for name in ("L", "row_number", *labels)}
        | along
        | {"law_error": ["landmark"]},
        attrs={"/": _attributes(posterior)},
    )
    return tree


def save(posterior: Fitted, path: str | os.PathLike[str]) -> None:
    """Write a fit to a NetCDF file, whole or not at all.

    Raises
    ------
    InputError
        Where the file cannot be written.
    """
    with replacing(path) as part:
        to_arviz(posterior).to_netcdf(part, engine="h5netcdf")


def _attributes(posterior: Fitted) -> dict[str, str]:
    model, evidence = posterior.model, posterior.sampled.evidence
    priors = {name: prior_text(prior) for name, prior in model.priors.items()}
    record = {
        "format": FORMAT,
        "law": model.law.name,
        "noise": model.noise.name,
        "formulas": [formula(model.law), formula(model.noise)],
        "priors": priors,
        "law_error": None if model.error is None else dataclasses.asdict(model.error),
        "runs": posterior.runs.provenance,
        "labels": {
            name: values.tolist()
            for name, values in posterior.runs.labels.items()
            if _storable(values) is not values
        },
        "verdict": dataclasses.asdict(posterior.verdict),
        "record": posterior.sampled.record,
        "diagnosis": {
            name: np.asarray(values).tolist()
            for name, values in dataclasses.asdict(posterior.sampled.diagnosis).items()
        },
        "evidence": evidence and dataclasses.asdict(evidence),
        "provenance": dict(posterior.provenance),
    }
    return {"scalingfit": json.dumps(record, default=str)}


def _storable(values: NDArray[Any]) -> NDArray[Any]:
    """Labels as NetCDF can hold them: numbers stay, all else, missing values too, becomes text."""
    return values if values.dtype.kind in "ifb" else values.astype(str).astype(object)


def prior_text(prior: Prior) -> str:
    """A prior as text that states its numbers exactly."""
    return describe(prior, repr) if isinstance(prior, Distribution) else str(prior)
