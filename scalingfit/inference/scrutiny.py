"""All that is asked of a fit before it is called ok."""

from __future__ import annotations

import functools
import math

import numpy as np

from scalingfit.declare import Law
from scalingfit.inference.against_priors import about_priors
from scalingfit.inference.diagnostics import Limits
from scalingfit.inference.effects import CODE, about_effects
from scalingfit.inference.group import ELSEWHERE, Draws
from scalingfit.inference.interaction import interaction
from scalingfit.inference.misfit import about_residuals
from scalingfit.inference.model import Model
from scalingfit.inference.programs import prior_values
from scalingfit.inference.residuals import Residuals
from scalingfit.inference.verdict import Verdict, judge
from scalingfit.noise import Noise
from scalingfit.result import Note
from scalingfit.runs import Runs

__all__ = ["looked_at_again", "verdict_on"]

TESTED = frozenset({"groups"})
"""Findings that residuals decide: groups that do not differ may be pooled."""

ANSWERED = {"repeated_data": "U", "negative_loss": "N_v"}
"""Findings that a law with this input answers."""

DIGITS = 1e-5
"""Relative scatter from which runs are said to follow the law to so many digits."""


def verdict_on(
    model: Model, runs: Runs, draws: Draws, law: Law, noise: Noise, limits: Limits
) -> Verdict:
    """The verdict on one fit.

    Parameters
    ----------
    model : Model
    runs : Runs
    draws : Draws
    law, noise
        The same draws as law and noise, leaves of shape (chain, draw).
    limits : Limits
    """
    values, diagnosis = draws.values, draws.diagnosis
    if not np.all(diagnosis.stuck == 0):
        return judge(diagnosis, model.judged, limits, {}, _about_runs(model, runs))
    with np.errstate(invalid="ignore", divide="ignore"):
        widths = {
            name: float(np.log(values[name]).std() / width)
            for name, width in _prior_widths(model).items()
        }
    doubts = [*_modes(draws), *_about_runs(model, runs)]
    remarks = _digits(model, draws)
    said = about_effects(runs, noise)
    if not remarks:
        found = Residuals.of(model, runs, draws, law, noise)
        said += about_residuals(found, on_log=model.noise.on_log)
    for note, doubtful in said:
        (doubts if doubtful else remarks).append(note)
    doubts += about_priors(model, values, float(runs.used()["L"].min()))
    return judge(diagnosis, model.judged, limits, widths, doubts, remarks)


def looked_at_again(verdict: Verdict, model: Model, runs: Runs, draws: Draws, law: Law) -> Verdict:
    """The verdict, with what takes too long to be asked of thousands of fits.

    Parameters
    ----------
    verdict : Verdict
        Of `verdict_on`.
    model, runs, draws, law
        As there.
    """
    if not np.all(draws.diagnosis.stuck == 0) or _digits(model, draws):
        return verdict
    pinned = {name: np.asarray(drawn) for name, drawn in law.values().items()}
    combined = interaction(model, runs, pinned | dict(draws.values))
    if combined is None:
        return verdict
    status = "warned" if combined.doubtful and verdict.ok else verdict.status
    return Verdict(status, (*verdict.notes, combined.note))


def _modes(draws: Draws) -> list[Note]:
    """That two explanations of the runs are both probable, where they are."""
    share = draws.record.get("elsewhere", 0.0)
    if not share > ELSEWHERE:
        return []
    return [
        Note(
            "modes",
            f"about {share:.0%} of the posterior lies at a second mode, apart from the first, so "
            "the runs leave two explanations open, whose weights the chains do not tell: state a "
            "prior that rules one out, or add runs that do",
        )
    ]


def _about_runs(model: Model, runs: Runs) -> list[Note]:
    """What the table itself says against a fit."""
    inputs = set(model.law.inputs())
    answered = {code for code, name in ANSWERED.items() if name in inputs}
    if model.run_effects:
        answered.add(CODE)
    found = [
        Note(finding.code, finding.sentence)
        for finding in runs.used().findings
        if finding.code not in TESTED | answered
    ]
    design = runs.design_warnings() if {"N", "D"} <= inputs else []
    return [*found, *(Note("design", text) for text in design), *_thin(model, runs)]


def _thin(model: Model, runs: Runs) -> list[Note]:
    """Say where the runs are hardly more than the law's parameters, so that the priors speak too.

    Two runs more tell something of the scatter.
    """
    rows, free = int(np.count_nonzero(runs.weight)), model.free
    if rows >= free + 2:
        return []
    return [
        Note(
            "few_runs",
            f"{rows} run{'s' if rows > 1 else ''} for the {free} free parameters of "
            f"{model.law.name}: the intervals are as wide as the priors leave them, and depend on "
            f"these; add runs (at least {free + 2}), or state as priors what is known",
        )
    ]


def _digits(model: Model, draws: Draws) -> list[Note]:
    """That runs follow the law nearly without scatter, where they do."""
    scatter = draws.values.get("sigma")
    if scatter is None or not model.noise.on_log or not np.median(scatter) < DIGITS:
        return []
    digits = math.floor(-math.log10(max(float(np.median(scatter)), 1e-16)))
    text = f"the runs follow the law to {min(digits, 15)} digits, as if computed from one"
    return [Note("digits", text)]


@functools.lru_cache(maxsize=256)
def _prior_widths(model: Model) -> dict[str, np.float64]:
    """Standard deviations of the logarithms of exponents, by their priors."""
    exponents = {declared.power for declared in model.law.parameters().values()}
    drawn = {name: prior_values(model)[name] for name in model.sites if name in exponents}
    return {
        name: np.float64(np.log(values).std())
        for name, values in drawn.items()
        if np.all(values > 0)
    }
