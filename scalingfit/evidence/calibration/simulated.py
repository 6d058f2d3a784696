"""Truths that a prior allows, the tables that they make, and where fits rank them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from scalingfit.allocation import SixND, Spending, cost, splits
from scalingfit.declare import Law
from scalingfit.inference import Draws, Model, functions, landmarks_of, replicates
from scalingfit.runs import Runs

__all__ = ["BEYOND", "KEPT", "Ranked", "Simulated"]

Floats = NDArray[np.float64]

KEPT = 99
"""Draws among which a true value is ranked: thinned so far that they are nearly independent."""

BEYOND = 10.0
"""How many times the largest budget of the design is split, and the loss foretold."""

ENDS = (4, 49, 94)
"""Order statistics, from 0, of 99 draws: the ends and the middle of their 90 % interval."""


@dataclasses.dataclass(frozen=True)
class Ranked:
    """What a fit says of the truth.

    Attributes
    ----------
    ranks : mapping of str to int
        How many of the 99 draws lie below each true value; equal ones are below by chance.
    widths : mapping of str to float
        Of the 90 % interval, relative to its median.
    """

    ranks: Mapping[str, int]
    widths: Mapping[str, float]


@dataclasses.dataclass(frozen=True)
class Simulated:
    """Tables of runs, and what made them.

    A law may overflow, or its loss fall to zero, at what its prior allows. No such table can be
    fitted, and none is here. That leaves the posteriors of the others as they are, for whether a
    table is one is to be seen from the table alone.

    Attributes
    ----------
    model : Model
    design : Runs
        Where the runs are.
    seed : int
    values : dict of array, shape (table,)
        The true parameters.
    errors : array, shape (table, landmark), or None
        The true error of the law, at the landmarks of the design.
    tables : dict of int to Runs
        By number; those that are left out have none.
    """

    model: Model
    design: Runs
    seed: int
    values: Mapping[str, Floats]
    errors: Floats | None
    tables: Mapping[int, Runs]

    @classmethod
    def of(cls, model: Model, design: Runs, count: int, seed: int) -> Simulated:
        """Draw truths from the prior, and runs at the places of the design, each of weight one."""
        design = design.without_weight()
        with jax.enable_x64(True):
            drawn = model.prior_draws(jax.random.key(seed), count)
            values = {name: np.asarray(drawn[name], np.float64) for name in model.sites}
        errors = None
        if model.error is not None:
            rng = np.random.default_rng(seed)
            values["tau"] = np.where(rng.random(count) < model.error.exact, 0.0, values["tau"])
            own = landmarks_of(model, design).own
            errors = values["tau"][:, None] * (rng.standard_normal((count, len(own))) @ own.T)
        one = _chain(values), None if errors is None else errors[None]
        losses = replicates(model, design, *one, seed)[0]
        signed = not model.noise.on_log
        sound = np.all(np.isfinite(losses) & (signed | (losses > 0)), axis=1)
        tables = {
            int(number): Runs.from_columns(
                {**design.columns, "L": losses[number]}, allow_negative_loss=signed
            )
            for number in np.flatnonzero(sound)
        }
        return cls(model, design, seed, values, errors, tables)

    def ranked(self, number: int, draws: Draws) -> Ranked:
        """Where the truth of a table lies among the draws of its fit.

        Truth and draws are asked alike, and at once: what is searched for N* depends on all.
        """
        size = draws.energy.size
        places = np.linspace(0, size - 1, KEPT).round().astype(int)

        def together(true: Floats, drawn: Floats) -> Floats:
            flat = drawn.reshape(size, *drawn.shape[2:])
            return np.concatenate([true[number][None], flat[places]])

        values = {name: together(self.values[name], draws.values[name]) for name in self.values}
        errors = None
        if self.errors is not None and draws.errors is not None:
            errors = together(self.errors, draws.errors)
        rng = np.random.default_rng([self.seed, number])
        asked = int(rng.integers(2**31))
        one = _chain(values), None if errors is None else errors[None]
        law = functions(self.model, self.tables[number], *one, asked)
        every = {**values, **beyond(law, self.design)}
        ends = {name: np.sort(value[1:])[[*ENDS]] for name, value in every.items()}
        return Ranked(
            ranks={name: _rank(value, rng) for name, value in every.items()},
            widths={name: _width(*end.tolist()) for name, end in ends.items()},
        )


def beyond(law: Law, design: Runs) -> dict[str, Floats]:
    """What every draw of a law says beyond the runs, each of shape (draw,).

    "N*", "D*", "L*" and "a*", the exponent of N*, at ten times the largest budget, the law's
    further inputs at their medians; or "L", where a law splits no budget, at ten times the largest
    of its inputs.

    Parameters
    ----------
    law : Law
        Leaves of shape (1, draw).
    design : Runs
    """
    kind = type(law)
    inputs = design.input(kind.inputs())
    if not splits(kind):
        with jax.enable_x64(True):
            far = {name: BEYOND * np.max(values) for name, values in inputs.items()}
            return {"L": np.ravel(np.asarray(_loss(law, far), np.float64))}
    others = {n: v for n, v in inputs.items() if n not in {*kind.size, "D", "S"}}
    size = np.sum([inputs[part] for part in kind.size], axis=0)
    data = inputs["D"] if "D" in inputs else inputs["S"] * inputs["batch"]
    spent = BEYOND * np.max(cost(SixND(), size, data))
    extras = {name: np.array([np.median(values)]) for name, values in others.items()}
    found = Spending(np.array([spent]), SixND(), extras, np.inf).solve(law)
    optimum = {"N*": found.N, "D*": found.D, "L*": found.L, "a*": found.a}
    return {name: np.ravel(value) for name, value in optimum.items()}


@jax.jit
def _loss(law: Law, inputs: Mapping[str, Any]) -> Array:
    return jnp.asarray(law.loss(**inputs))


def _chain(values: Mapping[str, Floats]) -> dict[str, Floats]:
    """The values as those of one chain."""
    return {name: value[None] for name, value in values.items()}


def _rank(values: Floats, rng: np.random.Generator) -> int:
    """The rank of the first among the others; NaN counts as infinite."""
    true, *drawn = np.nan_to_num(values, nan=np.inf)
    equal = int(np.sum(np.equal(drawn, true)))
    return int(np.sum(np.less(drawn, true))) + int(rng.integers(equal + 1))


def _width(low: float, middle: float, high: float) -> float:
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.divide(high - low, abs(middle)))
