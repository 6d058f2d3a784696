"""Fits from files; nothing in a file is believed unchecked."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from numpy.typing import NDArray

from scalingfit._errors import InputError
from scalingfit._messages import Argument, Call, Message, OnlyIn
from scalingfit.catalog import law as find_law
from scalingfit.catalog import noise as find_noise
from scalingfit.declare import Law
from scalingfit.inference.bridge import Evidence
from scalingfit.inference.build import build
from scalingfit.inference.diagnostics import Diagnosis, Limits, diagnose, settled
from scalingfit.inference.files import FORMAT, LABEL, STATS, named_label, prior_text
from scalingfit.inference.formula import formula
from scalingfit.inference.group import Draws
from scalingfit.inference.model import Model, Prior
from scalingfit.inference.netcdf import Unsound, unpacked
from scalingfit.inference.posterior import Posterior
from scalingfit.inference.priors import parse_prior
from scalingfit.inference.programs import centre
from scalingfit.inference.verdict import Verdict
from scalingfit.law_error import LawError
from scalingfit.noise import Noise
from scalingfit.runs import Runs

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["load"]

STATUSES = ("ok", "warned", "unidentified", "not converged")
# What reading a file raises that is not what it should be, whatever it is instead.
UNREADABLE = (
    ArithmeticError, AttributeError, LookupError, MemoryError, OSError, RecursionError,
    RuntimeError, TypeError, ValueError,
)  # fmt: skip
CLASS = Call("load", (Argument("law"),))


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
        Where the file is missing, damaged or no fit of this package, or where its law or noise
        model has another formula today.
    """
    shown = repr(os.fspath(path))
    if not _is_file(path):
        raise InputError(
            f"there is no file {shown}", remedy="name a fit that 'scalingfit fit -o' wrote."
        )
    with _refusing(shown):
        tree = unpacked(Path(path).read_bytes())
        attributes = json.loads(tree.attrs["scalingfit"])
        saved = attributes["format"]
    if saved != FORMAT:
        raise InputError(
            f"{shown} has format {saved}, this version reads format {FORMAT}",
            remedy="load it with the version of scalingfit that its provenance names.",
        )
    with _refusing(shown):
        texts = {str(name): str(text) for name, text in attributes["priors"].items()}
        given = {name: _read_prior(text, name, priors) for name, text in texts.items()}
        law = law or _found(shown, attributes, "law", find_law)
        noise = noise or _found(shown, attributes, "noise", find_noise)
        error = attributes["law_error"]
        error = None if error is None else LawError(**error)
        effects = "omega" in tree.children["posterior"].data_vars
        model = build(law, noise, given, error, run_effects=effects)
        _require_formulas(shown, model, attributes)
        restored = _restore(tree, attributes, model)
        _require_sound(restored)
    return restored


def _found[Kind](
    shown: str, attributes: Mapping[str, Any], kind: str, find: Callable[[str], Kind]
) -> Kind:
    """The class of the law or the noise model by its name, or how to give it."""
    name = attributes[kind]
    try:
        return find(name)
    except InputError as error:
        module, _, cls = attributes["classes"][kind].rpartition(":")
        raise InputError(
            f"{shown} was fitted with somebody's own {kind}, {name!r}, which is not known here",
            [f"it was the class {cls} of {module}"],
            remedy=Message(
                OnlyIn("python", (f"import that class: load(..., {kind}={cls}); or ",)),
                f"install a package that offers it as an entry point of scalingfit.{kind}s.",
            ),
        ) from error


def _is_file(path: str | os.PathLike[str]) -> bool:
    """Whether there is a file that can be read to its end: no folder, pipe or device."""
    with contextlib.suppress(OSError, ValueError):
        return Path(path).is_file()
    return False


@contextlib.contextmanager
def _refusing(shown: str) -> Iterator[None]:
    """Say of a file that it is no fit, whatever it is that shows it."""
    try:
        yield
    except InputError:
        raise
    except UNREADABLE as error:
        raise InputError(
            f"{shown} is not a fit saved by scalingfit, or is damaged",
            [str(error) if isinstance(error, Unsound) else f"it ends in {type(error).__name__}"],
            remedy="name a file that 'scalingfit fit -o FIT.nc' or Posterior.save wrote; one that "
            "is damaged has to be made again.",
        ) from error


def _require_sound(posterior: Posterior) -> None:
    """Refuse what contradicts itself."""
    shape = posterior.sampled.energy.shape
    stats = (getattr(posterior.sampled, name) for name in STATS)
    arrays = [*posterior.sampled.values.values(), *stats]
    if len(shape) != 2 or {array.shape[:2] for array in arrays} != {shape}:
        raise Unsound("its draws are not one for each place in the chains")
    if posterior.runs.digest != posterior.provenance["data"]["digest"]:
        raise Unsound("its runs are not those that were fitted")
    if posterior.verdict.status not in STATUSES:
        raise Unsound(f"its verdict is {posterior.verdict.status!r}")
    limits = Limits(**posterior.provenance["limits"])
    finite = all(np.isfinite(array).all() for array in posterior.sampled.values.values())
    if posterior.verdict.ok and not (finite and posterior.sampled.diagnosis.passes(limits)):
        raise Unsound("its verdict is 'ok', and its draws do not say so")


def _require_formulas(path: str, model: Model, attributes: Mapping[str, Any]) -> None:
    """Refuse a law or a noise model that was edited since.

    Another version of JAX may write the same formula otherwise, and is believed.
    """
    if attributes["provenance"]["versions"]["jax"] != jax.__version__:
        return
    for cls in (model.law, model.noise):
        if formula(cls) not in attributes["formulas"]:
            raise InputError(
                f"{path} was fitted with another {cls.name} than today's",
                remedy=Message(
                    "fit the runs again",
                    OnlyIn("python", (", or give the class as it was: ", CLASS)),
                    ".",
                ),
            )


def _restore(tree: xr.DataTree, attributes: dict[str, Any], model: Model) -> Posterior:
    draws, kept = _arrays(tree, "posterior"), _arrays(tree, "sample_stats")
    values = {name: draws[name] for name in model.sites}
    stats: dict[str, Any] = {ours: kept[theirs] for ours, theirs in STATS.items()}
    constant = _arrays(tree, "constant_data")
    rows = constant.pop("row_number")
    landmarks = None
    if model.error is not None:
        places = [constant.pop(f"landmark_{name}") for name in model.law.inputs()]
        landmarks = np.stack(places, axis=1)
    labels = {named_label(n): constant.pop(n) for n in [*constant] if n.startswith(LABEL)}
    labels |= attributes["labels"]
    evidence = attributes["evidence"]
    runs = Runs.from_columns(
        {**constant, **_arrays(tree, "observed_data")},
        labels=labels,
        row_numbers=rows,
        provenance=attributes["runs"],
        allow_negative_loss=True,
    )
    law, noise = model.complete_arrays(values, centre(model, runs))
    return Posterior(
        law=law,
        noise=noise,
        runs=runs,
        verdict=Verdict.of(attributes["verdict"]),
        provenance=attributes["provenance"],
        model=model,
        sampled=Draws(
            values=values,
            **stats,
            step_size=kept["step_size"][:, 0],
            diagnosis=_diagnosis(model, values, stats, attributes),
            record=attributes["record"],
            errors=draws.get("law_error"),
            landmarks=landmarks,
            evidence=evidence and Evidence(**evidence),
        ),
    )


def _diagnosis(
    model: Model,
    values: Mapping[str, NDArray[Any]],
    stats: Mapping[str, Any],
    attributes: Mapping[str, Any],
) -> Diagnosis:
    if (kept := attributes["diagnosis"]) is not None:
        return Diagnosis(**{name: np.asarray(found) for name, found in kept.items()})
    record = attributes["record"]
    if record["method"] == "importance":  # draws hold repeats: only the weights knew their worth
        return Diagnosis.of_weights(record["importance_ess"], len(values), len(stats["energy"]))
    found = diagnose(np.stack(list(values.values())), stats["energy"], stats["diverging"])
    return settled(found, values, model.law.parameters())


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
            remedy=Message(
                "give it as it was given to fit: ",
                OnlyIn("python", (Call("load", (Argument(name, kind="prior"),)),)),
                OnlyIn("command line", ("only Python's load can",)),
                ".",
            ),
        ) from None
