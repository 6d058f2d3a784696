"""Fit several laws to the same runs, and see which of them predicts the runs best."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalingfit._errors import InputError
from scalingfit._messages import Argument, Message
from scalingfit.evidence.candidates import (
    SEVERAL,
    Laws,
    Noises,
    Priors,
    candidates,
    doubts,
    fit_each,
    unweighted,
)
from scalingfit.evidence.comparison.candidate import Candidate
from scalingfit.evidence.comparison.leave_out import LeaveOut, groups_of, leave_each
from scalingfit.evidence.comparison.result import Comparison
from scalingfit.evidence.forecasts import (
    Horizon,
    ScoredForecasts,
    Task,
    forecast_held_out,
    horizons,
    moved,
    several_runs,
)
from scalingfit.evidence.hypotheses import evidence
from scalingfit.inference import Sampling, settings_of
from scalingfit.law_error import LAW_ERROR, LawError
from scalingfit.result import Note
from scalingfit.runs import Runs

__all__ = ["compare", "rank"]

FEW = 10
"""Groups; with fewer, errors that rest on the scatter between them are much too small in practice
(Cameron, Gelbach & Miller 2008, Review of Economics and Statistics 90, 414)."""


def compare(
    runs: Runs,
    laws: Laws = ("chinchilla", "kaplan"),
    noises: Noises = None,
    *,
    leave_out: str | None = None,
    budgets: ArrayLike | None = None,
    cuts: ArrayLike | None = None,
    future: bool = True,
    refit: bool = True,
    priors: Priors = None,
    law_error: LawError | None = LAW_ERROR,
    **sampling: Unpack[Sampling],
) -> Comparison:
    """Fit several laws and noise models to the same runs and see how well each predicts them.

    Parameters
    ----------
    runs : Runs
    laws : sequence of str or type of Law
    noises : sequence of str or type of Noise, optional
        Every law is fitted with each; by default with its own. Densities are of the loss itself,
        so noise on log loss and on the loss compare.
    leave_out : str, optional
        A label or column whose runs of one value are left out together, where they are not
        independent: "seed", "family"; "budget" groups runs of nearly the same compute, unless the
        table has a column of that name. By default whole runs, where a label names runs of
        several rows, such as checkpoints, and else each row.
    budgets : array, optional
        FLOP, for leave_out="budget", which they imply: runs within 10 % of one are left out
        together, each other run by itself.
    cuts : array, optional
        Budgets in FLOP: fit the runs below, forecast those above; a cut that would part a budget
        moves to its end. By default up to four of them, and none where the table has no place for
        them.
    future : bool
        Whether to do that at all.
    refit : bool
        Whether to fit again without the runs that importance sampling cannot leave out.
    priors : mapping, optional
        By the law's name, what `fit` takes as priors.
    law_error : LawError, optional
        As in `fit`, of every law; None compares laws that are taken to be exact.
    **sampling
        As in `fit`; see `scalingfit.inference.Sampling`.

    Returns
    -------
    Comparison

    Raises
    ------
    InputError
        There is nothing to compare; a law, column, budget or keyword is not known; or a named cut
        leaves too few runs on either side.
    """
    runs, settings = unweighted(runs), settings_of(sampling)
    models = candidates(laws, noises, priors, law_error)
    if len(models) < 2:
        raise InputError(
            "there is nothing to compare: one law with one noise model",
            remedy=Message(
                "name two, such as ", SEVERAL, " or ", Argument("noises", ["normal", "student_t"]),
                ".",
            ),
        )  # fmt: skip
    unit = leave_out or ("budget" if budgets is not None else several_runs(runs))
    groups = groups_of(runs, unit, budgets)
    least = 2 + max(model.free for model in models.values())
    horizons, notes = _cuts(runs, least, cuts, budgets) if future else ([], [])
    posteriors = fit_each(models, runs, settings)
    left = {
        name: leave_each(fit, groups, settings, refit=refit) for name, fit in posteriors.items()
    }
    tasks = Task.each(None, 0, runs, horizons)
    beyond = {
        name: forecast_held_out(model, tasks, settings) for name, model in models.items() if tasks
    }
    ranked = rank(left)
    best = left[next(iter(ranked))]
    found = {
        name: Candidate(
            posterior=posteriors[name],
            loo=left[name],
            future=ScoredForecasts.of(beyond[name][0], settings.seed) if tasks else None,
            evidence=evidence(posteriors[name]),
            weight=row["weight"],
            difference=row["elpd_diff"],
            difference_se=row["dse"],
            behind=best.elpd_i - left[name].elpd_i,
        )
        for name, row in ranked.items()
    }
    failed = {name: failed for name, (_, failed) in beyond.items()}
    return Comparison(
        runs=runs,
        candidates=found,
        cuts=horizons,
        unit=unit or "run",
        groups=groups,
        caveats=(
            *_uneven(groups, unit),
            *notes,
            *doubts({name: each.posterior for name, each in found.items()}),
            *_unreliable(found, failed, "runs" if unit is None else "groups"),
        ),
        settings=settings,
    )


def rank(left: Mapping[str, LeaveOut]) -> dict[str, dict[str, float]]:
    """ArviZ's stacking weights and differences, the best first.

    Every group's densities are shifted by one number for all candidates, which changes no weight
    and no difference, but keeps exponentials in range where a group has many runs.
    """
    import arviz_stats

    top = np.max([item.elpd_i for item in left.values()], axis=0)
    shifted = {
        name: dataclasses.replace(
            item.arviz,
            elpd_i=item.arviz.elpd_i.copy(data=item.elpd_i - top),
            elpd=float(np.sum(item.elpd_i - top)),
        )
        for name, item in left.items()
    }
    stats: Any = arviz_stats
    table = stats.compare(shifted, round_to="none")
    rows = table[["weight", "elpd_diff", "dse"]].astype(float).to_dict(orient="index")
    return {str(name): row for name, row in rows.items()}


def _cuts(
    runs: Runs, least: int, cuts: ArrayLike | None, budgets: ArrayLike | None
) -> tuple[list[Horizon], list[Note]]:
    """The cuts, and what to say of them; where none was asked for, none need be found."""
    try:
        found = horizons(runs, least, cuts, budgets=budgets)
    except InputError as error:
        if cuts is not None:
            raise
        return [], [Note("no_cuts", Message("no larger runs to forecast: ", error.what))]
    return found, moved(found)


def _uneven(groups: NDArray[np.int64], unit: str | None) -> list[Note]:
    """What stands against leaving out such groups, if anything does."""
    sizes, found = np.bincount(groups), []
    if unit is not None and len(sizes) < FEW:
        found.append(
            Note(
                "few_groups",
                f"only {len(sizes)} groups are left out, one for each {unit}: a standard error "
                "from so few says little, and so does a choice that rests on it; leave out "
                "smaller groups, or each run",
            )
        )
    if sizes.max() > len(groups) / 2:
        found.append(
            Note(
                "uneven_groups",
                f"one {unit} holds {sizes.max()} of {len(groups)} runs, and the others together "
                "say little of it; leave out smaller groups, or each run",
            )
        )
    return found


def _unreliable(
    candidates: Mapping[str, Candidate], failed: Mapping[str, int], units: str
) -> list[Note]:
    """What stands against relying on elpd, in terms of the units that were left out."""
    notes = []
    for name, candidate in candidates.items():
        lost = candidate.loo.failed + failed.get(name, 0)
        if lost:
            text = f"{lost} of the fits without some runs did not converge"
            notes.append(Note("refits_failed", text, name))
        trusted = candidate.loo.k <= candidate.loo.limit
        untrusted = np.flatnonzero(~trusted).size - len(candidate.loo.refitted)
        if untrusted:
            text = (
                f"{untrusted} {units} have Pareto k above {candidate.loo.limit:.2f}, and were not "
                "left out by fits of their own, so elpd cannot be relied on"
            )
            notes.append(Note("high_k", Message(text, "; use ", Argument("refit", True)), name))
    return notes
