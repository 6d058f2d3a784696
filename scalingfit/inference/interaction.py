"""Do N and D interact? A look at the family of `nested` from a fit of Chinchilla's law, at no cost.

At q = 1 the family ``E + [(A / N^alpha)^(1/q) + (B / D^beta)^(1/q)]^q`` is the additive law that
was fitted; tables of language models mostly lie at q between 0.2 and 0.6. Here q is profiled: about
the best value the other parameters are fitted anew at each, by Gauss and Newton's method, under the
scatter and the law's error that the fit found. The additive law's misfit is in these already, so
that what speaks for another q is understated.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from scalingfit._messages import Argument, Message
from scalingfit._text import flop, interval, quantity
from scalingfit.inference.model import Model
from scalingfit.inference.movements import with_effects
from scalingfit.inference.nested_fit import Place, Scatter, log_loss
from scalingfit.inference.programs import landmarks_of
from scalingfit.result import Interval, Note
from scalingfit.runs import Runs

__all__ = ["Interaction", "interaction"]

Floats = NDArray[np.float64]

LIKELY = 0.3
"""Where most tables have q: the best is looked for from here, too."""

CLEAR = float(np.log(20.0))
"""Log Bayes factor from which the family is clearly nearer: odds of 20 (Kass & Raftery 1995)."""

SURE = float(np.log(200.0))
"""From which it can be a doubt: odds that come up by chance in one of 200 tables at most."""

MOVED = 2.0
"""Factor in the best N that is a doubt: with alpha + beta about 0.7 it costs a sixth of the
compute."""


@dataclasses.dataclass(frozen=True)
class Interaction:
    """That the terms of N and D combine otherwise than by a sum.

    Attributes
    ----------
    q : Interval
        1 where they add up.
    log_bayes : float
        Log Bayes factor of the family, with q uniform between 0.05 and 1.5, over the additive law.
    C : float
        The largest of the runs, 6 N D.
    additive, nested : (float, float)
        N* and L* there at q = 1, and at the best q.
    """

    q: Interval
    log_bayes: float
    C: float
    additive: tuple[float, float]
    nested: tuple[float, float]

    @property
    def doubtful(self) -> bool:
        """Whether the best N of the additive law is then another, too far off to train."""
        (N, _), (other, _) = self.additive, self.nested
        return self.log_bayes > SURE and abs(np.log(other / N)) > np.log(MOVED)

    @property
    def note(self) -> Note:
        """That it is, and what it changes."""
        (N, L), (other, least) = self.additive, self.nested
        lower = 100 * (1 - least / L)
        text = Message(
            f"N and D interact: q = {interval('', *self.q)} in the law nested, where this one has "
            f"1 (log Bayes factor at least {self.log_bayes:.1f}); at {flop(self.C)} FLOP its best "
            f"N is {quantity('N', other)} instead of {quantity('N', N)}, and its loss "
            f"{abs(lower):.2g} % {'lower' if lower > 0 else 'higher'}; fit it too: ",
            Argument("law", "nested"),
        )
        return Note("interaction", text)


def interaction(model: Model, runs: Runs, draws: Mapping[str, Floats]) -> Interaction | None:
    """How the terms of N and D combine, told from a fit of the law that adds them.

    Parameters
    ----------
    model : Model
    runs : Runs
    draws : mapping of str to array
        Of the parameters of law and noise, of tau, and of omega where runs have effects.

    Returns
    -------
    Interaction or None
        None where the family is not clearly nearer, for other laws than `chinchilla`, and for
        scatter other than normal or Student's t, of one scale, on the log of the loss.
    """
    runs = runs.used()
    plain = model.noise.name in ("student_t", "normal")
    if model.law.name != "chinchilla" or not plain:
        return None
    logs = np.log([runs["N"], runs["D"]])
    centre = logs.mean(axis=1)
    x, y = logs - centre[:, None], np.log(runs["L"])
    asked = draws.keys() & {"E", "A", "B", "alpha", "beta", "sigma", "nu", "tau", "omega"}
    middle = {name: float(np.median(draws[name])) for name in asked}
    start = np.log([middle[name] for name in ("E", "A", "B", "alpha", "beta")])
    start[1:3] -= centre * [middle["alpha"], middle["beta"]]
    known = runs.columns.get("loss_se", np.zeros(len(runs))) / runs["L"]
    variance = middle["sigma"] ** 2 + known**2
    tau, omega = middle.get("tau", 0.0), middle.get("omega", 0.0)
    features = tau * landmarks_of(model, runs).factor if tau else np.empty((len(runs), 0))
    scatter = Scatter(variance, middle.get("nu"), with_effects(features, runs, omega))
    fit, additive = scatter.weighed(x, y, np.append(start, 1.0))
    starts = additive.terms, fit.at(additive.towards(LIKELY)).terms
    best = max((fit.top(start) for start in starts), key=lambda place: place.height)
    if not (log_bayes := best.log_mean - additive.height) > CLEAR:
        return None
    fit, place = scatter.weighed(x, y, best.terms)
    best = fit.top(place.terms)
    profile = fit.profile(best)
    C = float(np.max(6 * runs["N"] * runs["D"]))
    return Interaction(
        q=Interval(*profile.quantiles((0.05, 0.5, 0.95))),
        log_bayes=log_bayes,
        C=C,
        additive=_optimum(additive, centre, C),
        nested=_optimum(best, centre, C),
    )


def _optimum(place: Place, centre: Floats, C: float) -> tuple[float, float]:
    """N* and L* of a budget, 6 N D."""

    def height(log_N: float) -> float:
        return float(log_loss(place.terms, np.array([log_N, np.log(C / 6) - log_N]) - centre))

    found = minimize_scalar(
        height, bounds=(0.0, float(np.log(C / 6))), method="bounded", options={"xatol": 1e-3}
    )
    return float(np.exp(found.x)), float(np.exp(found.fun))
