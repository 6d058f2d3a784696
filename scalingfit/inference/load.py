"""Fits from files."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from numpy.typing import NDArray

from scalingfit._errors import InputError
from scalingfit.catalog import law as find_law
from scalingfit.declare import Law
from scalingfit.inference.bridge import Evidence
from scalingfit.inference.build import build
from scalingfit.inference.diagnostics import Diagnosis, Verdict
from scalingfit.inference.files import FORMAT, STATS, prior_text
from scalingfit.inference.formula import formula
from scalingfit.inference.group import Draws
from scalingfit.inference.model import Model, Prior
from scalingfit.inference.posterior import Posterior
from scalingfit.inference.priors import parse_prior
from scalingfit.law_error import LawError
from scalingfit.noise import Noise
from scalingfit.noise import noise as find_noise
from scalingfit.runs import Runs

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["load"]


def load(
    path: str | os.PathLike[str],
    law: type[Law] | None = None,
    priors: Mapping[str, Prior] | None = None,
    noise: type[Noise] | None = None,
) -> Posterior:
    """Read a fit that `Posterior.save` wrote.

    Parameters
    ----------
    path : path
    law : type of Law, optional
        The law's class, where it is not in the catalog.
    priors : mapping, optional
        The priors that were given to `fit`, where they are mixtures or transformed distributions,
        which the file names but does not hold.
    noise : type of Noise, optional
        The noise model's class, where it is not one of this package's.

    Raises
    ------
    InputError
        Where the file is missing or is no fit of this package, or where its law or noise model has
        another formula today.
    """
    import xarray as xr

    if not Path(path).is_file():
        raise InputError(
            f"there is no file {os.fspath(path)!r}",
            remedy="name a fit that 'scalingfit fit -o' wrote.",
        )
    try:
        with xr.open_datatree(path, engine="h5netcdf") as opened:
            tree = opened.load()
        attributes = json.loads(tree.attrs["scalingfit"])
        saved = attributes["format"]
    except (KeyError, OSError, TypeError, ValueError):
        raise InputError(
            f"{os.fspath(path)!r} is not a fit saved by scalingfit",
            remedy="name a file that 'scalingfit fit -o FIT.nc' or Posterior.save wrote.",
        ) from None
    if saved != FORMAT:
        raise InputError(
            f"{os.fspath(path)!r} has format {saved}, this version reads format {FORMAT}",
            remedy="load it with the version of scalingfit that its provenance names.",
        )
    given = {name: _read_prior(text, name, priors) for name, text in attributes["priors"].items()}
    chosen = law or find_law(attributes["law"]), noise or find_noise(attributes["noise"])
    error = attributes["law_error"]
    model = build(*chosen, given, None if error is None else LawError(**error))
    _require_formulas(os.fspath(path), model, attributes)
    return _restore(tree, attributes, model)


def _require_formulas(path: str, model: Model, attributes: Mapping[str, Any]) -> None:
    """Refuse a law or a noise model that was edited since.

    Another version of JAX may write the same formula otherwise, and is believed.
    """
    if attributes["provenance"]["versions"]["jax"] != jax.__version__:
        return
    for cls in (model.law, model.noise):
        if formula(cls) not in attributes["formulas"]:
            raise InputError(
                f"{path!r} was fitted with another {cls.name} than today's",
                remedy="fit the runs again, or give the class as it was: load(..., law=...).",
            )


def _restore(tree: xr.DataTree, attributes: dict[str, Any], model: Model) -> Posterior:
    draws, kept = _arrays(tree, "posterior"), _arrays(tree, "sample_stats")
    values = {name: draws[name] for name in model.sites}
    stats: dict[str, Any] = {ours: kept[theirs] for ours, theirs in STATS.items()}
    completed = model.complete_arrays(values)
    constant = _arrays(tree, "constant_data")
    rows = constant.pop("row_number")
    landmarks = None
    if model.error is not None:
        places = [constant.pop(f"landmark_{name}") for name in model.law.inputs()]
        landmarks = np.stack(places, axis=1)
    labels = {
        n.removeprefix("label_"): constant.pop(n) for n in list(constant) if n.startswith("label_")
    }
    labels |= attributes["labels"]
    evidence = attributes["evidence"]
    runs = Runs.from_columns(
        {**constant, **_arrays(tree, "observed_data")},
        labels=labels,
        row_numbers=rows,
        provenance=attributes["runs"],
        allow_negative_loss=True,
    )
    return Posterior(
        law=completed[0],
        noise=completed[1],
        runs=runs,
        verdict=Verdict(attributes["verdict"]["status"], tuple(attributes["verdict"]["messages"])),
        provenance=attributes["provenance"],
        model=model,
        sampled=Draws(
            values=values,
            **stats,
            step_size=kept["step_size"][:, 0],
            diagnosis=Diagnosis(**{n: np.asarray(v) for n, v in attributes["diagnosis"].items()}),
            record=attributes["record"],
            errors=draws.get("law_error"),
            landmarks=landmarks,
            evidence=evidence and Evidence(**evidence),
        ),
    )


def _arrays(tree: xr.DataTree, group: str) -> dict[str, NDArray[Any]]:
    return {str(name): array.values for name, array in tree.children[group].data_vars.items()}


def _read_prior(text: str, name: str, given: Mapping[str, Prior] | None) -> Prior:
    """The prior that a file states, or the caller's where a file cannot hold it."""
    if given and name in given:
        if prior_text(given[name]) != text:
            raise InputError(f"the prior of {name} was {text}, not {prior_text(given[name])}")
        return given[name]
    try:
        return parse_prior(text)
    except InputError:
        raise InputError(
            f"the file cannot hold the prior of {name}, {text}",
            remedy=f"give it as it was given to fit: load(..., priors={{{name!r}: ...}}).",
        ) from None
