"""Do N and D interact? A look at the family of `nested` from a fit of Chinchilla's law, at no cost.

At q = 1 the family ``E + [(A / N^alpha)^(1/q) + (B / D^beta)^(1/q)]^q`` is the additive law that
was fitted; tables of language models mostly lie at q between 0.2 and 0.6. Here q is profiled: at
each value the other parameters are fitted anew by Gauss and Newton's method, under the scatter and
the law's error that the fit found. The additive law's misfit is in these already, so that what
speaks for another q is understated.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from scalingfit._messages import Argument, Message
from scalingfit._text import flop, interval, quantity
from scalingfit.inference.model import Model
from scalingfit.law_error import covariance
from scalingfit.result import Interval, Note
from scalingfit.runs import Runs

__all__ = ["Interaction", "interaction"]

Floats = NDArray[np.float64]

GRID = np.linspace(0.05, 1.5, 30)
"""Values of q: evenly over the prior of `nested`, 1 among them."""

ROUGH = GRID[1::3]
"""Of these, 1 among them: for a first look."""

CLEAR = float(np.log(20.0))
"""Log Bayes factor from which the family is clearly nearer: odds of 20 (Kass & Raftery 1995)."""

SURE = float(np.log(200.0))
"""From which it can be a doubt: odds that come up by chance in one of 200 tables at most."""

MOVED = 2.0
"""Factor in the best N that is a doubt: with alpha + beta about 0.7 it costs a sixth of the
compute."""

MOST_RUNS = 500
"""Beyond so many the covariance of the runs is not worth its time."""

LIKELY = np.log(0.25), 0.7
"""Prior of the logarithms of alpha and beta, as in both laws."""

STEPS, WEIGHINGS = 30, 3

ENOUGH = 1e-4
"""In log density: a step that gains less is the last."""

TINY = 1e-9
"""What a term that the runs say nothing of is held by."""

LN10 = float(np.log(10.0))


@dataclasses.dataclass(frozen=True)
class Interaction:
    """How the terms of N and D combine, beyond the law that adds them.

    Attributes
    ----------
    q : Interval
        1 where they add up.
    log_bayes : float
        Log Bayes factor of the family, with q uniform between 0 and 1.5, over the additive law.
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
    def clear(self) -> bool:
        """Whether the family is clearly nearer to the runs than the additive law."""
        return self.log_bayes > CLEAR

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
        None for other laws than `chinchilla`, for scatter that is not on the log of the loss or
        whose scale differs between runs, and for more than 500 runs.
    """
    runs = runs.used()
    plain = model.noise.name in ("student_t", "normal", "laplace")
    if model.law.name != "chinchilla" or not plain or len(runs) > MOST_RUNS:
        return None
    log_N, log_D, y = (np.log(runs[name]) for name in ("N", "D", "L"))
    centre = np.array([log_N.mean(), log_D.mean()])
    x = np.stack([log_N, log_D]) - centre[:, None]
    middle = {name: float(np.median(values)) for name, values in draws.items()}
    start = np.log([middle[name] for name in ("E", "A", "B", "alpha", "beta")])
    start[1:3] -= centre * [middle["alpha"], middle["beta"]]
    known = runs.columns.get("loss_se", np.zeros(len(runs))) / runs["L"]
    kernel = middle.get("tau", 0.0) ** 2 * covariance(x.T / LN10, x.T / LN10)
    if "omega" in middle and (numbers := runs.run_numbers) is not None:
        kernel += middle["omega"] ** 2 * (numbers[:, None] == numbers)
    scatter = _Scatter(kernel, middle["sigma"] ** 2 + known**2, middle.get("nu"))
    terms, white = scatter.whitened(start, 1.0, x, y)
    again = additive = _profile(ROUGH, terms, 1.0, x, y, white)
    best = max(additive, key=lambda q: additive[q][1])
    if _log_bayes(additive) > 0:  # else there is nothing to look at closely
        additive = _profile(GRID, terms, 1.0, x, y, white)
        best = max(additive, key=lambda q: additive[q][1])
        terms, white = scatter.whitened(additive[best][0], best, x, y)
        again = _profile(GRID, terms, best, x, y, white)
    share = np.array([height for _, height in again.values()])
    share = np.exp(share - logsumexp(share))
    share = np.cumsum(share) - share / 2
    C = float(np.max(6 * runs["N"] * runs["D"]))
    return Interaction(
        q=Interval(*(float(np.interp(at, share, [*again])) for at in (0.05, 0.5, 0.95))),
        log_bayes=_log_bayes(additive),
        C=C,
        additive=_optimum(additive[1.0][0], 1.0, centre, C),
        nested=_optimum(again[best][0], best, centre, C),
    )


@dataclasses.dataclass(frozen=True)
class _Scatter:
    """How runs scatter: the law's error, effects of runs, and each row's own, t or normal."""

    kernel: Floats
    variance: Floats
    nu: float | None

    def whitened(self, terms: Floats, q: float, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """The terms for a q, and the whitening in which each run has its weight."""
        variance = self.variance
        for _ in range(WEIGHINGS if self.nu is not None else 1):
            white = _whitening(self.kernel, variance)
            terms, _ = _fitted(terms, q, x, y, white)
            if self.nu is not None:
                missed = _white(white, y - _law(terms, q, x)[0])
                own = variance * _white(white.T, missed)
                variance = self.variance * (self.nu + own**2 / self.variance) / (self.nu + 1)
        return terms, _whitening(self.kernel, variance)


def _whitening(kernel: Floats, variance: Floats) -> Floats:
    """What makes the runs' misses independent, of scale one: (run, run), or its diagonal."""
    if not kernel.any():  # of an exact law
        return np.asarray(variance**-0.5)
    return np.asarray(np.linalg.inv(np.linalg.cholesky(kernel + np.diag(variance))))


def _white(white: Floats, rows: Floats) -> Floats:
    """Rows (..., run), whitened."""
    if white.ndim == 1:
        return np.asarray(rows * white)
    # Products this small and this many are slow where threads of a linear algebra share them.
    return np.asarray(np.einsum("ij,...j->...i", white, rows))


def _log_bayes(profile: dict[float, tuple[Floats, float]]) -> float:
    """For the family, over the additive law."""
    heights = [height for _, height in profile.values()]
    return float(logsumexp(heights) - np.log(len(heights)) - profile[1.0][1])


def _profile(
    grid: Floats, terms: Floats, at: float, x: Floats, y: Floats, white: Floats
) -> dict[float, tuple[Floats, float]]:
    """The best terms and their height for every q, outwards from the one of which terms are."""
    values = [float(round(q, 6)) for q in grid]
    place = int(np.argmin(np.abs(grid - at)))
    found = {}
    for way in (values[place:], values[:place][::-1]):
        last = terms
        for q in way:
            found[q] = _fitted(last, q, x, y, white)
            last = found[q][0]
    return {q: found[q] for q in values}


def _law(terms: Floats, q: float, x: Floats) -> tuple[Floats, Floats]:
    """Log loss at places x, (2, run), and its derivatives by the terms, (5, run).

    The terms are the logs of E, of A and B at the middle of the runs, of alpha and of beta.
    """
    E, power = np.exp(terms[0]), np.exp(terms[3:])
    parts = terms[1:3, None] - power[:, None] * x
    both = np.logaddexp(*(parts / q))
    reducible = np.exp(q * both)
    slope = reducible * np.exp(parts / q - both)  # by the log of each part
    loss = E + reducible
    by = np.stack([np.full_like(loss, E), *slope, *(-power[:, None] * x * slope)])
    return np.log(loss), by / loss


def _fitted(terms: Floats, q: float, x: Floats, y: Floats, white: Floats) -> tuple[Floats, float]:
    """The terms of greatest posterior density for a q, and the log of that density."""

    def state(terms: Floats) -> tuple[Floats, Floats, float]:
        with np.errstate(all="ignore"):  # a step too far is not taken
            mean, by = _law(terms, q, x)
        scaled = _white(white, np.stack([y - mean, *by])).T
        away = (terms[3:] - LIKELY[0]) / LIKELY[1]
        missed = np.concatenate([scaled[:, 0], away, [terms[0] / 2]])
        slopes = np.zeros((3, 5))
        slopes[[0, 1], [3, 4]] = -1 / LIKELY[1]
        slopes[2, 0] = -0.5
        return missed, np.concatenate([scaled[:, 1:], slopes]), -0.5 * float(missed @ missed)

    damping = 1e-3
    missed, slopes, height = state(terms)
    for _ in range(STEPS):
        inner = slopes.T @ slopes
        step = np.linalg.solve(inner + damping * np.diag(np.diag(inner) + TINY), slopes.T @ missed)
        tried = state(terms + step)
        if tried[2] > height:
            terms, damping, gain = terms + step, damping / 10, tried[2] - height
            missed, slopes, height = tried
            if gain < ENOUGH:
                break
        else:
            damping *= 10
    return terms, height


def _optimum(terms: Floats, q: float, centre: Floats, C: float) -> tuple[float, float]:
    """N* and L* of a budget, 6 N D, to a tenth of a percent of N."""
    log_N = np.arange(0.0, np.log(C / 6), 1e-3)
    x = np.stack([log_N, np.log(C / 6) - log_N]) - centre[:, None]
    log_L = _law(terms, q, x)[0]
    best = int(np.argmin(log_L))
    return float(np.exp(log_N[best])), float(np.exp(log_L[best]))
