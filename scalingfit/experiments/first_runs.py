"""The first experiment, before any run: an isoFLOP grid.

Of all grids that cost the same, the one is proposed that tells the optimum at the targets best,
over several laws that may be true. It must not suppose that the law is exact: the smallest runs
would then tell the most.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import jax
import numpy as np
from numpy.typing import ArrayLike

from scalingfit._arguments import nearest, number
from scalingfit._errors import InputError
from scalingfit._messages import Argument, Message
from scalingfit._text import engineering, quantity
from scalingfit.allocation import (
    AspectRatio,
    Costs,
    Counting,
    FloatArray,
    Optimum,
    Rule,
    Spending,
    cost,
    flop,
    reach,
    terms,
)
from scalingfit.catalog import law as find_law
from scalingfit.declare import Law
from scalingfit.experiments.experiment import Experiment
from scalingfit.experiments.grids import isoflop, realised
from scalingfit.experiments.optima import DECADE, Optima, expected_overspend
from scalingfit.experiments.pool import Pool
from scalingfit.inference import build, prior_values
from scalingfit.law_error import LAW_ERROR
from scalingfit.noise import Normal
from scalingfit.result import Note

__all__ = ["plan"]

SMALL = 1e5
"""Parameters of the smallest models that default priors are meant for."""

TRUTHS = 32
"""Laws drawn from the prior that may be true."""

BUDGETS, SIZES, RATIOS, SPANS = (2, 3, 4, 5, 6), (5, 7, 9), (2.0, 3.0, 4.0), (2.0, 4.0, 8.0)
"""Grids that are compared: how many budgets and sizes, how far apart, how far from the optimum."""


def plan(
    budget: float | str,
    *,
    target: ArrayLike | str | Sequence[str],
    law: str | type[Law] = "chinchilla",
    about: str | None = None,
    sigma: float = 0.01,
    exact: bool = False,
    counting: Rule = "6ND",
    max_params: float | None = None,
    shapes: AspectRatio | None = None,
    batch_tokens: float | None = None,
    costs: Costs | None = None,
) -> Experiment:
    """Propose a first isoFLOP grid for a law of N and D, before there is any run.

    Parameters
    ----------
    budget : float or str
        What all runs may cost: FLOP, or as "5000h" and "$2M", with `costs`.
    target : float, str or a sequence of these, shape (target,)
        Budgets that the experiment is for.
    law : str or type of Law
        Of N and D.
    about : str, optional
        A published point of the law, such as "hoffmann-2022", which is taken for true; by default
        laws from its prior.
    sigma : float
        How far a run scatters, relative to its loss.
    exact : bool
        Whether the law is supposed to have no error. Otherwise every second law that may be true
        has one, of a scale that is log-normal about 2 % of the loss.
    counting, max_params
        As in `frontier`. A rule that counts serving holds at the targets alone.
    shapes : AspectRatio, optional
        Models have these shapes: widths that are multiples of 64, and whole depths.
    batch_tokens : float, optional
        Tokens in a step.
    costs : Costs, optional

    Returns
    -------
    Experiment

    Raises
    ------
    InputError
        The law is not one of N and D, or has no such published point; or the budget pays for
        models alone that are smaller than priors are meant for.
    """
    kind = find_law(law)
    if set(kind.inputs()) != {"N", "D"}:
        raise InputError(
            f"a grid over N and D needs a law of both, and {kind.name} takes "
            f"{', '.join(kind.inputs())}",
            remedy=Message("write ", Argument("law", "chinchilla"), "."),
        )
    stated, scatter = terms(counting, max_params), number("sigma", sigma)
    allowed, targets = flop("budget", budget, costs).item(), flop("target", target, costs)
    truths, prior = _truths(kind, about)
    spending = Spending(targets, stated.rule, {}, stated.max_params)
    optima = Optima.of(truths, spending)

    def centre(C: FloatArray) -> FloatArray:
        found = spending._replace(C=C, rule=stated.training).solve(truths).N
        return np.asarray(np.exp(np.median(np.log(found), axis=0)))

    def made(grid: tuple[FloatArray, FloatArray]) -> Pool:
        return realised(
            *grid,
            stated.training,
            shapes=shapes,
            batch_tokens=batch_tokens,
            max_params=stated.max_params,
        )

    options = itertools.product(BUDGETS, SIZES, RATIOS, SPANS)
    grids = [made(isoflop(option, allowed, centre)) for option in options]
    found = optima.spreads(truths, grids, prior, scatter, _errors(exact))
    # What is wasted goes as the variance, as far as one searches.
    best = min(range(len(grids)), key=lambda at: float(np.minimum(found[at][0], DECADE**2).mean()))
    runs, (log_n, a) = grids[best], found[best]
    _require_large_enough(runs, allowed, centre)
    return Experiment(
        runs=runs,
        targets=targets,
        log_sd=np.sqrt(log_n),
        exponent_sd=np.sqrt(a),
        overspend=expected_overspend(truths, spending, np.sqrt(log_n)),
        costs=costs,
        about=f"{kind.name}, {about or 'its prior'}",
        sigma=scatter,
        exact=exact,
        notes=[*_small(runs), *_beyond(runs, spending.solve(truths), stated.training)],
    )


def _require_large_enough(
    runs: Pool, budget: float, centre: Callable[[FloatArray], FloatArray]
) -> None:
    N = runs.inputs["N"]
    if N.max() >= SMALL:
        return
    times = 10.0 ** np.arange(1, 16)
    enough = times[centre(runs.cost.max() * times) >= SMALL]
    raised = f" to {quantity('C', budget * enough[0])} FLOP" if len(enough) else ""
    raise InputError(
        f"{quantity('C', budget)} FLOP pay for models of {_sizes(N)} parameters, and the default "
        f"priors are meant for {engineering(SMALL)} and more",
        remedy=f"raise the budget{raised}; or make runs of such a size, fit them with priors of "
        "your own, and design the next from there.",
    )


def _small(runs: Pool) -> list[Note]:
    N = runs.inputs["N"]
    few = N[N < SMALL]
    if len(few) == 0:
        return []
    text = (
        f"{len(few)} of {len(N)} models have {_sizes(few)} parameters, and the default priors "
        f"are meant for {engineering(SMALL)} and more"
    )
    return [Note("small_models", text)]


def _sizes(N: FloatArray) -> str:
    return " to ".join(dict.fromkeys(engineering(float(each)) for each in (N.min(), N.max())))


def _beyond(runs: Pool, optimum: Optimum, training: Counting) -> list[Note]:
    """How far the targets lie beyond the largest run, by what their models take to train."""
    N, D = (np.exp(np.median(np.log(found), axis=0)) for found in (optimum.N, optimum.D))
    found = reach("targets", {"C": cost(training, N, D)}, {"C": runs.cost})
    return [Note("beyond_plan", note.text) for note in found.notes]


def _truths(kind: type[Law], about: str | None) -> tuple[Law, FloatArray]:
    """Laws that may be true, leaves (truth,), and the prior's covariance in their coordinates."""
    drawn = prior_values(build(kind, Normal, {}))
    prior = {name: drawn[name] for name in kind.parameters()}
    covariance = np.cov(np.log(np.abs(np.stack([*prior.values()]))))
    if about is None:
        return kind(**{name: values[:TRUTHS] for name, values in prior.items()}), covariance
    if about not in kind.published:
        near = nearest(about, kind.published)
        raise InputError(
            f"the law {kind.name} has no published point {about!r}",
            [f"it has: {', '.join(kind.published) or 'none'}"],
            remedy=Message("write ", Argument("about", near[0]), ".")
            if near
            else Message("leave ", Argument("about"), " out: laws from the prior are then true."),
        )
    point = kind.published[about].values
    return kind(**{name: np.full(TRUTHS, float(v)) for name, v in point.items()}), covariance


def _errors(exact: bool) -> FloatArray:
    """Scales of the error of laws that may be true, (truth,): none for every second one."""
    if exact:
        return np.zeros(TRUTHS)
    shares = (np.arange(TRUTHS // 2) + 0.5) / (TRUTHS // 2)
    with jax.enable_x64(True):
        scales = np.asarray(LAW_ERROR.tau(on_log=True).icdf(shares))
    # Neighbours differ much, so that scales are not tied to the order of the laws.
    mixed = scales[np.argsort(np.arange(TRUTHS // 2) * 7 % (TRUTHS // 2))]
    return np.stack([np.zeros_like(mixed), mixed], axis=1).ravel()
