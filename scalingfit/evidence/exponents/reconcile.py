"""Why published exponents differ: the same question asked of every stage, in three ways.

Kaplan et al. 2020 (arXiv 2001.08361) report N* ~ C^0.73, Hoffmann et al. 2022 (arXiv 2203.15556)
C^0.50. Pearce & Song 2024 (arXiv 2406.12907) trace it to parameters counted without embeddings,
Porian et al. 2024 (arXiv 2406.19146) to the head's FLOP, warmup, decay and tuning, one stage after
the other. Here every stage has an exponent with its interval from a law's posterior, from isoFLOP
profiles and from the lower envelope, beside what was published.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Unpack

import numpy as np
from numpy.typing import ArrayLike

from scalingfit._errors import InputError
from scalingfit._messages import Argument, Message, OnlyIn
from scalingfit._text import listed, quantity
from scalingfit.allocation import CHINCHILLA_OMEGA, NonEmbedding, frontier
from scalingfit.catalog import law as find_law
from scalingfit.catalog import noise as find_noise
from scalingfit.declare import Law
from scalingfit.evidence.candidates import doubts, unweighted
from scalingfit.evidence.exponents.isoflop import Exponent, envelope, isoflop
from scalingfit.evidence.exponents.profiles import profiles
from scalingfit.evidence.exponents.result import METHODS, Reconciliation, Stage
from scalingfit.evidence.exponents.without_embeddings import (
    exponent_without_embeddings,
    without_embeddings,
)
from scalingfit.inference import (
    Posterior,
    Prior,
    Sampling,
    build,
    check,
    posterior_of,
    sample,
    settings_of,
)
from scalingfit.noise import Noise
from scalingfit.result import Column, Note
from scalingfit.runs import Runs, clusters, require_budgets

__all__ = ["reconcile"]

KAPLAN = 0.73
"""Kaplan et al. 2020, equation 1.7 and below: N ~ C^0.73, embeddings left out."""

SURE = 0.025
"""Below this probability that one exponent is above another, or above its rest, they differ."""


def reconcile(
    stages: Mapping[str, Runs],
    law: str | type[Law] = "chinchilla",
    noise: str | type[Noise] | None = None,
    *,
    published: Mapping[str, float | Sequence[float]] | None = None,
    budgets: ArrayLike | None = None,
    recounted: bool = False,
    omega: float | None = None,
    priors: Mapping[str, Prior] | None = None,
    **sampling: Unpack[Sampling],
) -> Reconciliation:
    """Ask every stage for the exponent a in N* ~ C^a, in three ways.

    Parameters
    ----------
    stages : mapping of str to Runs
        By name, in the order to be shown; ``runs.split("stage")`` gives one. Each has N, D, C, L.
    law, noise, priors
        The parametric fit, as `fit` takes them. Its exponent is the slope of log N* between the
        lowest and the highest budget of the stage.
    published : mapping of str to float or several, optional
        Exponents to show beside, by stage.
    budgets : array, optional
        FLOP; see `Budgets.numbered`.
    recounted : bool
        Also ask each stage counted without embeddings (see `without_embeddings`), and its law over
        the sizes of Kaplan et al.'s runs, counted so: "NAME, without embeddings", and "NAME, over
        Kaplan's sizes" beside their 0.73.
    omega : float, optional
        Of the relation by which they are recounted, as in `without_embeddings`; by default that of
        Chinchilla's models.
    **sampling
        As in `fit`; see `scalingfit.inference.Sampling`.

    Returns
    -------
    Reconciliation

    Raises
    ------
    InputError
        There are no stages, or one lacks N, D, C or L, or has too few runs; no stage has runs of a
        budget that is named; `published` names none of the stages; an omega with nothing to
        recount, or one that leaves less than one parameter of a run.
    """
    if not isinstance(stages, Mapping) or not stages:
        raise InputError("reconcile takes stages by name", remedy='pass runs.split("stage").')
    settings = settings_of(sampling)
    tables = {name: unweighted(runs) for name, runs in stages.items()}
    for runs in tables.values():
        runs.input(["N", "D", "C"])
    if budgets is not None:
        require_budgets(budgets, *(runs.budgets for runs in tables.values()))
    size = CHINCHILLA_OMEGA if omega is None else omega
    caveats: dict[str, list[Note]] = {}
    if recounted:
        for name, runs in list(tables.items()):
            other = f"{name}, without embeddings"
            tables[other] = without_embeddings(runs, size, budgets=budgets)
            caveats[other] = [Note("omega", text) for text in NonEmbedding(size).caveats(runs["N"])]
    elif omega is not None:
        raise InputError(
            "omega is of the recount, and none is asked for",
            remedy=Message(
                "ask for it too: ", Argument("recounted", True), ", or leave omega out."
            ),
        )
    known = {f"{name}, over Kaplan's sizes": (KAPLAN,) for name in stages if recounted}
    for name, values in (published or {}).items():
        if name not in {**tables, **known}:
            raise InputError(
                f"{name!r} is published but is none of the stages",
                [f"stages: {listed(map(repr, dict.fromkeys([*tables, *known])))}"],
                remedy="name one of these.",
            )
        known[name] = tuple(np.atleast_1d(np.asarray(values, float)).tolist())
    chosen = find_law(law)
    model = build(chosen, find_noise(noise or chosen.default_noise), priors)
    for name, runs in tables.items():
        try:
            check(model, runs)
        except InputError as error:
            if len(stages) == 1:
                raise
            raise InputError(
                Message(f"stage {name!r} cannot be fitted: ", error.what),
                remedy=Message(
                    "leave it out of the stages",
                    OnlyIn(
                        "command line",
                        (": ", Argument("stages", [other for other in stages if other != name])),
                    ),
                    ".",
                ),
            ) from None
    fits = sample(model, list(tables.values()), settings)
    found = {}
    for (name, runs), draws in zip(tables.items(), fits, strict=True):
        posterior = posterior_of(model, runs, draws, settings)
        named = budgets if name in stages else None  # the recounted ones carry theirs as a label
        found[name] = _stage(
            posterior, named, known.get(name, ()), caveats.get(name, []), settings.seed
        )
    for name in stages if recounted else ():
        place = f"{name}, over Kaplan's sizes"
        found[place] = _over_kaplans_sizes(found[name].posterior, known[place], size)
    return Reconciliation(found)


def law_exponent(posterior: Posterior) -> Exponent:
    """Slope of log N* between the lowest and the highest budget of the runs, draw by draw.

    Raises
    ------
    InputError
        All runs are of one budget.
    """
    C = posterior.runs["C"]
    if not clusters(C).any():
        raise InputError(
            f"all runs are of one budget, {quantity('C', float(C.max()))}, and one budget leaves "
            "no slope",
            remedy="add runs of other budgets.",
        )
    ends = np.array([C.min(), C.max()])
    log_N = np.log(frontier(posterior, ends).N.reshape(-1, 2))
    a = np.diff(log_N, axis=1)[:, 0] / np.diff(np.log(ends))
    return Exponent(a, log_N[:, 0] - a * np.log(ends[0]), 0)


def _stage(
    posterior: Posterior,
    budgets: ArrayLike | None,
    published: tuple[float, ...],
    caveats: Sequence[Note],
    seed: int,
) -> Stage:
    runs, notes = posterior.runs, [*caveats, *doubts({"law": posterior})]

    def found_or_why[Found](what: str, find: Callable[[], Found]) -> Found | None:
        try:
            return find()
        except InputError as error:
            notes.append(Note("no_exponent", Message(f"no {what}: ", error.what)))
            return None

    slope = found_or_why("exponent of the law", lambda: law_exponent(posterior))
    curves = found_or_why("isoFLOP profiles", lambda: profiles(runs, budgets=budgets, seed=seed))
    exponents = {
        "law": slope,
        "isoflop": None
        if curves is None
        else found_or_why("isoFLOP exponent", lambda: isoflop(curves, seed=seed)),
        "envelope": found_or_why("envelope", lambda: envelope(runs, budgets=budgets, seed=seed)),
    }
    notes += _disagreement(exponents["law"], exponents["isoflop"])
    notes += _beside_published(exponents, published)
    notes += [
        note.within(method)
        for method, found in {**exponents, "isoflop": exponents["isoflop"] or curves}.items()
        for note in (found.notes if found else ())
    ]
    return Stage(posterior, exponents, curves, published, tuple(notes))


def _disagreement(law: Exponent | None, isoflop: Exponent | None) -> list[Note]:
    """Say where the two ways that have error bars of their own find different exponents."""
    if law is None or isoflop is None or SURE < law.above(isoflop) < 1 - SURE:
        return []
    one, other = Column.of([law.interval, isoflop.interval], ".3f").texts()
    text = (
        f"law and isoflop disagree, {one} and {other}: over these runs the law's form does not "
        "hold, or the best sizes follow no power law; trust the profiles inside their budgets, and "
        "neither far beyond"
    )
    return [Note("ways_disagree", text)]


def _beside_published(
    exponents: Mapping[str, Exponent | None], published: tuple[float, ...]
) -> list[Note]:
    """Say which published exponents lie outside the intervals of which ways."""
    notes = []
    for value in published:
        outside = []
        for method, found in exponents.items():
            if found is not None and not found.interval.low <= value <= found.interval.high:
                outside.append(method)
        if outside:
            ways = " and ".join(outside)
            text = f"the published {value:.3f} lies outside the 90 % interval of {ways}"
            notes.append(Note("published_outside", text))
    return notes


def _over_kaplans_sizes(posterior: Posterior, published: tuple[float, ...], omega: float) -> Stage:
    """No run lies there: the law alone has an exponent."""
    exponents: dict[str, Exponent | None] = dict.fromkeys(METHODS)
    try:
        found = exponents["law"] = exponent_without_embeddings(posterior, omega=omega)
        notes = (*found.notes, *_beside_published(exponents, published))
    except InputError as error:
        notes = (Note("no_exponent", Message("no exponent: ", error.what)),)
    return Stage(posterior, exponents, None, published, notes, law_alone=True)
