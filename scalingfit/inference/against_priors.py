"""A posterior against its prior: what the runs pull to where the prior, or a bound, has no mass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from scalingfit._messages import Argument, Message, OnlyIn
from scalingfit._text import listed
from scalingfit.inference.model import Model
from scalingfit.inference.programs import prior_values
from scalingfit.result import Note

__all__ = ["FAR_OUT", "about_priors", "far_in_prior"]

FAR_OUT = 0.01
"""Of a prior's mass. A parameter beyond it on either side contradicts the prior, as a predictive
check of the prior would say (Box 1980, J. R. Stat. Soc. A 143, 383)."""

WIDE = 0.05
"""Relative scatter. Runs that differ by their seed alone scatter by .1 to 1 %; at 5 % a loss says
little that a budget is decided by."""

HEAVY = 1.3
"""Degrees of freedom. Below it scatter has hardly a mean, and most rows pass for outliers."""

NO_FLOOR = 0.02
"""Of the least loss: a floor whose median lies below it is none."""

type Draws = Mapping[str, NDArray[np.float64]]


def far_in_prior(model: Model, draws: Draws) -> list[str]:
    """The law's parameters that the runs pull to where the prior has next to no mass.

    Parameters
    ----------
    model : Model
    draws : mapping of str to array, shape (chain, draw)
        Of the sampled parameters.
    """
    prior = prior_values(model)
    below = {
        site: float(np.mean(prior[site] < np.median(draws[site])))
        for site in model.sites
        if site in model.law.parameters()
    }
    return [site for site, share in below.items() if min(share, 1 - share) < FAR_OUT]


def about_priors(model: Model, draws: Draws, least: float) -> Iterator[Note]:
    """What the posterior of a fit says against its priors and its noise.

    Parameters
    ----------
    model : Model
    draws : mapping of str to array, shape (chain, draw)
        Of the sampled parameters.
    least : float
        The least loss.
    """
    floors = [name for name, declared in model.law.parameters().items() if declared.floor]
    piled = [
        name
        for name in floors
        if name in draws and least > 0 and 0 <= np.median(draws[name]) < NO_FLOOR * least
    ]
    if piled:
        yield Note(
            "floor_at_zero",
            Message(
                f"{listed(piled)} piles up at zero, as if the loss had no floor or one below zero: "
                "check what L is, and where that can be, allow it, such as ",
                OnlyIn("python", (f"priors={{{piled[0]!r}: dist.Normal(0, 5)}}",)),
                OnlyIn("command line", (Argument(piled[0], "Normal(0, 5)", "prior"),)),
            ),
        )
    if far := [name for name in far_in_prior(model, draws) if name not in piled]:
        yield Note(
            "prior_conflict",
            Message(
                f"the runs pull {listed(far)} to where the prior has less than {FAR_OUT:.0%} of "
                "its mass: check the units of the inputs and the loss, or state a prior that is "
                "meant for these runs, ",
                Argument(far[0], ..., "prior"),
            ),
        )
    yield from _noise(model, draws)


def _noise(model: Model, draws: Draws) -> Iterator[Note]:
    if model.noise.on_log and "sigma" in draws and np.median(draws["sigma"]) > WIDE:
        yield Note(
            "wide_scatter",
            f"the runs scatter about the law by {np.median(draws['sigma']):.2g} in log loss, "
            f"where runs that differ by their seed scatter by less than {WIDE:.0%} of it: "
            "something that the law does not know moves the loss; look for it, or compare laws",
        )
    if "nu" in draws and np.median(draws["nu"]) < HEAVY:
        yield Note(
            "heavy_tails",
            f"nu is at its bound ({np.median(draws['nu']):.2g}), so many rows pass for outliers: "
            "look at the runs that the law misses most; they may be of another kind",
        )
