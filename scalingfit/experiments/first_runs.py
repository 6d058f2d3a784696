"""The first experiment, before any run: an isoFLOP grid, and what it is expected to tell.

Around a law that may be true, the runs' losses are nearly linear in its parameters, and log N* in
these and in the law's error, a smooth random function (`scalingfit.law_error`). Parameters, error,
runs and optimum are then jointly normal. Of all grids that cost the same, the one is proposed that
tells the optimum at the targets best, over several laws that may be true. It must not suppose that
the law is exact: the smallest runs would then tell the most.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, final, override

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import ArrayLike

from scalingfit._arguments import nearest, number
from scalingfit._errors import InputError
from scalingfit._files import replacing
from scalingfit._messages import Argument, Message
from scalingfit._text import engineering, quantity
from scalingfit.allocation import (
    AspectRatio,
    Costs,
    FloatArray,
    Rule,
    Spending,
    flop,
    percent,
    spent,
    terms,
    worth,
)
from scalingfit.catalog import law as find_law
from scalingfit.declare import Law
from scalingfit.experiments.pool import Pool, isoflop, realised
from scalingfit.inference import build, prior_values
from scalingfit.law_error import LAW_ERROR, covariance
from scalingfit.noise import Normal
from scalingfit.result import Column, Interval, Result, Table

__all__ = ["Experiment", "plan"]

TRUTHS = 32
"""Laws drawn from the prior that may be true."""

BUDGETS, SIZES, RATIOS, SPANS = (2, 3, 4, 5, 6), (5, 7, 9), (2.0, 3.0, 4.0), (2.0, 4.0, 8.0)
"""Grids that are compared: how many budgets and sizes, how far apart, how far from the optimum."""

STEP = 1e-3
"""In each coordinate of the law, and in log N, for derivatives."""

DECADE = np.log(10.0)
"""Of log N: how far from the runs or the optimum one searches."""

NEAR = 0.1
"""In log C, to both sides of a target, for the exponent there."""


@final
@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Experiment(Result):
    """An isoFLOP grid to begin with: ``print`` it, and `save` it for a launcher.

    Attributes
    ----------
    runs : Pool
    targets : array, shape (target,)
        Budgets in FLOP that the experiment is for.
    log_sd : array, shape (truth, target)
        The standard deviation that log N* is expected to have, for each law that may be true. From
        a factor of ten on the runs do not determine it.
    exponent_sd : array, shape (truth, target)
        Likewise of the exponent a; from one on the runs do not determine it.
    overspend : array, shape (truth, target)
        What the best plan is then expected to overspend, as a share of the target.
    costs : Costs or None
    about : str
        Which laws may be true.
    sigma : float
        Scatter of a run, relative to its loss.
    exact : bool
        Whether the law is supposed to have no error.
    """

    runs: Pool
    targets: FloatArray
    log_sd: FloatArray
    exponent_sd: FloatArray
    overspend: FloatArray
    costs: Costs | None
    about: str
    sigma: float
    exact: bool

    @property
    def cost(self) -> float:
        """Of all runs, FLOP."""
        return float(self.runs.cost.sum())

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the runs as CSV, one row each; `read` takes it back with a column of losses."""
        with replacing(path) as part:
            self.runs.to_pandas().to_csv(part, index=False)

    @property
    @override
    def tables(self) -> Sequence[Table]:
        runs = self.runs
        columns = {
            "N": Column([*map(float, runs.inputs["N"])], [*map(engineering, runs.inputs["N"])]),
            "D": Column([*map(float, runs.inputs["D"])], [*map(engineering, runs.inputs["D"])]),
            **{
                name: Column([*map(float, values)], [quantity(name, one) for one in values])
                for name, values in runs.labels.items()
                if name != "C"
            },
            **spent(runs.cost, self.costs, "cost"),
        }
        wide = 1.645
        factor = _over_truths(np.exp(np.minimum(wide * self.log_sd, DECADE)))
        slope = _over_truths(np.minimum(wide * self.exponent_sd, 1.0))
        lost = _over_truths(self.overspend)
        rows = {
            "target": Column([*map(float, self.targets)], [quantity("C", C) for C in self.targets]),
            "N_factor": Column(factor, heading="N* within a factor of"),
            "a_half_width": Column(slope, heading="a within"),
            "overspend": Column(lost, [_percents(one) for one in lost], "best plan overspends [%]"),
        }
        title = "What it is expected to tell at 90 %: median [5 %, 95 %] over laws that may be true"
        return (
            Table("runs", "run", columns, "A first experiment"),
            Table("expected", "target", rows, title),
        )

    @property
    @override
    def conclusion(self) -> str:
        money = ""
        if self.costs is not None and self.costs.price is not None:
            money = f" (${engineering(self.costs.money(np.array([self.cost])).item())})"
        return (
            f"{len(self.runs)} runs for {quantity('C', self.cost)} FLOP{money}; laws that may be "
            f"true: {self.about}; scatter of a run: {percent(self.sigma)} %"
            f"{'; the law is supposed to be exact' if self.exact else ''}."
        )

    @property
    @override
    def details(self) -> Mapping[str, object]:
        return {
            "cost": self.cost,
            "about": self.about,
            "sigma": self.sigma,
            "exact": self.exact,
        }


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
        As in `frontier`.
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
        The law is not one of N and D, or has no such published point.
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
    aims = _Aims.of(truths, spending)

    def centre(C: FloatArray) -> FloatArray:
        found = spending._replace(C=C).solve(truths).N
        return np.asarray(np.exp(np.median(np.log(found), axis=0)))

    def made(grid: tuple[FloatArray, FloatArray]) -> Pool:
        return realised(
            *grid,
            stated.rule,
            shapes=shapes,
            batch_tokens=batch_tokens,
            max_params=stated.max_params,
        )

    options = itertools.product(BUDGETS, SIZES, RATIOS, SPANS)
    grids = [made(isoflop(option, allowed, centre)) for option in options]
    found = aims.spreads(truths, grids, prior, scatter, _errors(exact))
    # What is wasted goes as the variance, as far as one searches.
    best = min(range(len(grids)), key=lambda at: float(np.minimum(found[at][0], DECADE**2).mean()))
    log_n, a = found[best]
    return Experiment(
        runs=grids[best],
        targets=targets,
        log_sd=np.sqrt(log_n),
        exponent_sd=np.sqrt(a),
        overspend=_expected_overspend(truths, spending, np.sqrt(log_n)),
        costs=costs,
        about=f"{kind.name}, {about or 'its prior'}",
        sigma=scatter,
        exact=exact,
    )


class _Aims(NamedTuple):
    """log N* at budgets, as a linear function of the law's coordinates and of its error.

    At each target and a little to both sides of it, of laws that may be true. An error delta moves
    log N* by minus its slope along the budget over the second derivative of the log loss there.

    Attributes
    ----------
    place, along : array, shape (truth, 3 target, 2)
        Decimal logarithms of N* and D*, and their change with log N along the budget.
    slope : array, shape (truth, 3 target, parameter)
        Of log N* in the law's coordinates.
    stiffness : array, shape (truth, 3 target)
        Second derivative of the log loss in log N along the budget.
    """

    place: FloatArray
    along: FloatArray
    slope: FloatArray
    stiffness: FloatArray

    @classmethod
    def of(cls, truths: Law, spending: Spending) -> _Aims:
        """Those of laws with leaves (truth,)."""
        C = np.concatenate([spending.C * np.exp(side * NEAR) for side in (0.0, -1.0, 1.0)])
        every = spending._replace(C=C)
        best = every.solve(truths)
        count = len(truths.values())
        shifts = STEP * np.concatenate([np.eye(count), -np.eye(count)])
        moved = np.log(every.solve(_moved(truths, shifts[:, None, :])).N)
        slope = np.moveaxis(moved[:count] - moved[count:], 0, -1) / (2 * STEP)
        with jax.enable_x64(True):
            tokens = [np.asarray(every.rule.tokens(best.N * np.exp(x), C)) for x in (-STEP, STEP)]
        fall = np.log(tokens[1] / tokens[0]) / (2 * STEP)
        along = np.stack([np.ones_like(fall), fall], axis=-1) / DECADE
        place = np.log10(np.stack([best.N, best.D], axis=-1))
        stiffness = -_curvature(truths, every) * best.slope / best.L
        return cls(place, along, slope, stiffness)

    def spreads(
        self, truths: Law, grids: Sequence[Pool], prior: FloatArray, sigma: float, error: FloatArray
    ) -> list[tuple[FloatArray, FloatArray]]:
        """Variances of log N* and of a that the runs of each grid leave, each (truth, target)."""
        inputs = {name: np.concatenate([g.inputs[name] for g in grids]) for name in ("N", "D")}
        with jax.enable_x64(True):
            jacobian = np.asarray(_jacobian(truths, inputs))
        runs = np.log10(np.stack([inputs["N"], inputs["D"]], axis=-1))
        ends = np.cumsum([len(grid) for grid in grids])[:-1]
        pairs = zip(np.split(jacobian, ends, axis=1), np.split(runs, ends), strict=True)
        return [self._left(own, places, prior, sigma, error) for own, places in pairs]

    def _left(
        self,
        jacobian: FloatArray,
        runs: FloatArray,
        prior: FloatArray,
        sigma: float,
        error: FloatArray,
    ) -> tuple[FloatArray, FloatArray]:
        """The same of one grid: the joint normal distribution, conditioned on its runs."""
        scale = error[:, None, None]
        push = error[:, None] / self.stiffness
        sides = [self.place + side * STEP * self.along for side in (1.0, -1.0)]
        slopes = (covariance(sides[0], runs) - covariance(sides[1], runs)) / (2 * STEP)
        bends = (
            sum(
                one * two * covariance(sides[i], sides[j])
                for (i, one), (j, two) in itertools.product(((0, 1.0), (1, -1.0)), repeat=2)
            )
            / (2 * STEP) ** 2
        )
        known = jacobian @ prior @ np.swapaxes(jacobian, 1, 2)
        known = known + scale**2 * covariance(runs, runs) + sigma**2 * np.eye(len(runs))
        cross = self.slope @ prior @ np.swapaxes(jacobian, 1, 2) - scale * push[..., None] * slopes
        own = self.slope @ prior @ np.swapaxes(self.slope, 1, 2)
        own = own + push[:, :, None] * push[:, None, :] * bends
        left = own - cross @ np.linalg.solve(known, np.swapaxes(cross, 1, 2))
        count = left.shape[-1] // 3
        ones = np.eye(count)
        size = np.concatenate([ones, 0 * ones, 0 * ones], axis=1)
        exponent = np.concatenate([0 * ones, -ones, ones], axis=1) / (2 * NEAR)
        by_size, by_exponent = (
            np.einsum("ci,tij,cj->tc", one, left, one) for one in (size, exponent)
        )
        return by_size, by_exponent


def _moved(law: Law, shift: Any) -> Law:
    """The law with each parameter times the exponential of its shift, (..., parameter)."""
    values = law.values().items()
    return type(law)(
        **{name: value * jnp.exp(shift[..., at]) for at, (name, value) in enumerate(values)}
    )


def _curvature(truths: Law, spending: Spending) -> FloatArray:
    """The second derivative of the overspend in log N at the optimum, (truth, target)."""
    z = np.array([-0.1, 0.1])
    apart = np.broadcast_to(z, (*spending.solve(truths).N.shape, 2))
    return np.asarray(2.0 * (_overspend(truths, spending, apart) - 1.0).mean(axis=-1) / z[0] ** 2)


def _overspend(truths: Law, spending: Spending, z: FloatArray) -> FloatArray:
    """Of plans at log N* + z, with a z, (truth, target, plan), for each law that may be true."""
    optimum = spending.solve(truths)
    found = np.empty_like(z)
    for place in range(len(spending.C)):
        one = spending.at(np.array([place]))
        N = (optimum.N[:, place, None] * np.exp(z[:, place])).ravel()
        judged = worth(truths, N, one, np.zeros(len(N), int), one.solve(truths))
        every = judged.overspend.reshape(len(z), *z[:, place].shape)
        found[:, place] = every[np.arange(len(z)), np.arange(len(z))]
    return found


def _expected_overspend(truths: Law, spending: Spending, sd: FloatArray) -> FloatArray:
    """The mean over a normal log N*, within a decade of which one searches, (truth, target)."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(7)
    z = np.clip(sd[..., None] * nodes, -DECADE, DECADE)
    return np.asarray((_overspend(truths, spending, z) - 1.0) @ weights / weights.sum())


@jax.jit
def _jacobian(law: Law, inputs: Any) -> Array:
    """Derivatives of the log loss in the coordinates of the law, (truth, run, parameter)."""
    count = len(law.values())

    def log_loss(shift: Array) -> Array:
        return jnp.log(_moved(law, shift).expand(1).loss(**inputs))

    found: Array = jax.jacfwd(log_loss)(jnp.zeros(count))
    return found


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


def _over_truths(values: FloatArray) -> list[Interval]:
    low, middle, high = np.quantile(values, (0.05, 0.5, 0.95), axis=0)
    return [Interval(*map(float, ends)) for ends in zip(low, middle, high, strict=True)]


def _percents(share: Interval) -> str:
    low, middle, high = map(percent, share)
    return middle if low == high else f"{middle} [{low}, {high}]"
