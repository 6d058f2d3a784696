"""What is compared: laws with noise models, by name, and how they are sampled."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from scalingfit._errors import InputError
from scalingfit._messages import Argument, Message, OnlyIn
from scalingfit._text import listed
from scalingfit.catalog import law as find_law
from scalingfit.catalog import noise as find_noise
from scalingfit.declare import Law
from scalingfit.inference import (
    Model,
    Posterior,
    Prior,
    Settings,
    build,
    check,
    posterior_of,
    sample,
)
from scalingfit.law_error import LAW_ERROR, LawError
from scalingfit.noise import Noise
from scalingfit.result import Note
from scalingfit.runs import Runs

__all__ = [
    "SEVERAL",
    "Laws",
    "Noises",
    "Priors",
    "candidates",
    "doubts",
    "fit_each",
    "unweighted",
]

type Laws = str | type[Law] | Sequence[str | type[Law]]
type Noises = str | type[Noise] | Sequence[str | type[Noise]] | None
type Priors = Mapping[str, Mapping[str, Prior]] | None

SEVERAL = Argument("laws", ["chinchilla", "kaplan"])
"""What to write where several laws are needed."""


def candidates(
    laws: Laws,
    noises: Noises = None,
    priors: Priors = None,
    law_error: LawError | None = LAW_ERROR,
) -> dict[str, Model]:
    """Every law with every noise model, by name: "chinchilla", or "chinchilla, normal".

    Parameters
    ----------
    laws : str, type of Law, or a sequence of them
    noises : str, type of Noise, or a sequence of them, optional
        By default each law's own.
    priors : mapping, optional
        The user's priors by the law's name, as `fit` takes them.
    law_error : LawError, optional
        As in `fit`, of every law.

    Raises
    ------
    InputError
    """
    chosen = [find_law(law) for law in _several(laws)]
    scatters = [None] if noises is None else [find_noise(noise) for noise in _several(noises)]
    given = dict(priors or {})
    for name in sorted(given.keys() - {law.name for law in chosen}):
        raise InputError(
            f"priors are given for {name!r}, which is not among the laws",
            [f"laws: {listed(law.name for law in chosen)}"],
            remedy=Message(
                "name one of these: ", Argument("E", 1.7, kind="prior", law=chosen[0].name), "."
            ),
        )
    found: dict[str, Model] = {}
    for law in chosen:
        for scatter in scatters:
            noise = scatter or find_noise(law.default_noise)
            name = law.name if len(scatters) == 1 else f"{law.name}, {noise.name}"
            if name in found:
                raise InputError(f"{name!r} is listed twice", remedy="name each of them once.")
            found[name] = build(law, noise, given.get(law.name), law_error)
    return found


def unweighted(runs: Runs) -> Runs:
    """The runs, or a refusal where they are none or carry weights.

    Raises
    ------
    InputError
    """
    if not isinstance(runs, Runs):
        raise InputError(
            f"runs are needed, not {type(runs).__name__}",
            remedy=Message("give a table of runs", OnlyIn("python", (" as read makes it",)), "."),
        )
    if np.any(runs.columns.get("weight", np.ones(1)) != 1):
        raise InputError(
            "runs with weights cannot be scored one by one",
            remedy=Message(
                "read them without a weight column, and leave runs out",
                OnlyIn("python", (" with runs.take(...)",)),
                OnlyIn("command line", (" with --where",)),
                ".",
            ),
        )
    return runs


def fit_each(models: Mapping[str, Model], runs: Runs, settings: Settings) -> dict[str, Posterior]:
    """One posterior a candidate, of the same runs, by NUTS."""
    for model in models.values():
        check(model, runs)
    settings = dataclasses.replace(settings, method="nuts")
    return {
        name: posterior_of(model, runs, sample(model, [runs], settings)[0], settings)
        for name, model in models.items()
    }


def doubts(fits: Mapping[str, Posterior]) -> list[Note]:
    """A note for every fit whose verdict is not ok."""
    return [
        Note(
            fit.verdict.status.replace(" ", "_"),
            Message(f"{fit.verdict.status}; ", fit.verdict.notes[0].sentence),
            name,
        )
        for name, fit in fits.items()
        if not fit.verdict.ok
    ]


def _several[Named](
    given: str | type[Named] | Sequence[str | type[Named]],
) -> list[str | type[Named]]:
    several: list[str | type[Named]] = [given] if isinstance(given, str | type) else [*given]
    if not several:
        raise InputError(
            "no law or noise model is named", remedy=Message("name some, such as ", SEVERAL, ".")
        )
    return several
