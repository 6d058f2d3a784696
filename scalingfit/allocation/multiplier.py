"""What one recipe is worth in compute of another: the effective compute multiplier."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import final, override

import numpy as np
from numpy.typing import ArrayLike

from scalingfit._text import quantity
from scalingfit.allocation.answer import FloatArray, intervals, share
from scalingfit.allocation.costs import Costs, flop
from scalingfit.allocation.extras import extras_of
from scalingfit.allocation.question import Asked, Subject, subject
from scalingfit.allocation.terms import Rule, terms
from scalingfit.allocation.window import ends_of_window
from scalingfit.allocation.worth import Spending, equal_budget, require_finite
from scalingfit.declare import Law
from scalingfit.result import Axes, Column, Note, Result, Table

__all__ = ["Multiplier", "multiplier"]


@final
@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Multiplier(Result):
    """How many times the compute the reference needs for the same loss: ``print`` it.

    Attributes
    ----------
    C : array, shape (budget,)
        Budgets in FLOP.
    L, reference : array, shape (draw, budget)
        The least loss of the recipe and of the reference. Of two single points all shapes are
        (budget,).
    factor : array, like L
        m with L*(C) = L*_reference(m C): infinite where a million times the compute does not take
        the reference there, and 0 where a millionth does.
    floors : mapping of str to tuple
        The irreducible loss of "recipe" and "reference": whether it was given, and its draws.
    remarks : sequence of Note
    provenance : mapping
    """

    C: FloatArray
    L: FloatArray
    reference: FloatArray
    factor: FloatArray
    floors: Mapping[str, tuple[bool, FloatArray]]
    remarks: Sequence[Note]
    provenance: Mapping[str, object]

    @property
    def missing(self) -> FloatArray:
        """The share of draws in which no compute takes the reference there, shape (budget,)."""
        return share(np.isinf(self.factor))

    @property
    @override
    def tables(self) -> Sequence[Table]:
        columns = {
            "C": Column([*map(float, self.C)], [quantity("C", C) for C in self.C]),
            "L": Column(intervals(self.L)),
            "reference": Column(intervals(self.reference), heading="L of the reference"),
            "multiplier": Column(intervals(self.factor)),
            "missing": Column(
                [*map(float, self.missing)],
                [f"{100 * part:.3g} %" for part in self.missing],
                heading="never reached",
            ),
        }
        title = "Effective compute multiplier: median [5 %, 95 %]"
        return (Table("budgets", "budget", columns, title),)

    @property
    @override
    def notes(self) -> Sequence[Note]:
        lost = [
            Note(
                "unreached",
                f"in {100 * part:.3g} % of the draws no compute takes the reference to the loss; "
                "they count as infinite",
                f"{quantity('C', C)} FLOP",
            )
            for C, part in zip(self.C, self.missing, strict=True)
            if part > 0
        ]
        return [*lost, *self._floors(), *self.remarks]

    @property
    @override
    def details(self) -> Mapping[str, object]:
        floors = {
            name: {"given": given, "E": intervals(values[..., None])[0]}
            for name, (given, values) in self.floors.items()
        }
        return {"floors": floors, "provenance": self.provenance}

    @property
    @override
    def arrays(self) -> Mapping[str, Axes]:
        names = ("draw", "budget") if self.L.ndim == 2 else ("budget",)
        return {name: Axes(names, getattr(self, name)) for name in ("L", "reference", "factor")}

    def _floors(self) -> list[Note]:
        """A multiplier far out is as good as the floors: say which they are."""
        said = [
            f"{'given as' if given else 'inferred,'} {intervals(values[..., None])[0].median:.4g}"
            for given, values in self.floors.values()
        ]
        if len(said) < 2:
            return []
        text = (
            f"the irreducible loss is {said[0]} for the recipe and {said[1]} for the reference; "
            "where both were measured on one evaluation set, give both fits the same"
        )
        same = len({float(np.median(values)) for _, values in self.floors.values()}) == 1
        return [] if same else [Note("floors", text)]


def multiplier(
    posterior: Asked,
    reference: Asked,
    C: ArrayLike | str | Sequence[str],
    *,
    counting: Rule = "6ND",
    max_params: float | None = None,
    costs: Costs | None = None,
    **extras: ArrayLike,
) -> Multiplier:
    """Say how much compute a reference recipe needs for the loss that this one reaches.

    The multiplier m solves L*(C) = L*_reference(m C), both at their best split. For L = E +
    A/(rho_N N)^alpha + B/(rho_D D)^beta with shared E, alpha and beta it is rho_N rho_D at every
    budget (Volkova et al. 2026, arXiv 2602.07712). A fit with ``priors={"E": 1.6}`` pins its
    irreducible loss, which a comparison on one evaluation set shares.

    Parameters
    ----------
    posterior, reference : Posterior or Law
        The two recipes; their draws are independent, and are paired in order.
    C : float, str or a sequence of these, shape (budget,)
        Budgets of `posterior`, as in `decide`.
    counting, max_params, costs, **extras
        As in `decide`, for both.

    Returns
    -------
    Multiplier

    Raises
    ------
    InputError
        As in `frontier`.
    """
    recipe, other = subject(posterior), subject(reference)
    stated = terms(counting, max_params, asked=recipe)
    budget = flop("C", C, costs)
    laws = _paired(recipe.law, other.law)
    terms_of = [
        Spending(budget, stated.rule, extras_of(law, extras, len(budget)), stated.max_params)
        for law in laws
    ]
    found = [budgets.solve(law) for law, budgets in zip(laws, terms_of, strict=True)]
    for optimum, budgets in zip(found, terms_of, strict=True):
        require_finite(optimum, budgets)
    L, least = np.broadcast_arrays(found[0].L, found[1].L)
    at = np.arange(len(budget))
    sides = [equal_budget(laws[1], L, terms_of[1], at, more=more) for more in (False, True)]
    log_c = np.where(least > L, sides[1], sides[0])
    recipes = {"recipe": recipe, "reference": other}
    return Multiplier(
        C=budget,
        L=L,
        reference=least,
        factor=np.exp(log_c - np.log(budget)),
        floors=_floors(recipes),
        remarks=[
            note.within(name)
            for (name, one), optimum in zip(recipes.items(), found, strict=True)
            for note in (
                *ends_of_window("C", budget, optimum.beyond),
                *stated.reach("budgets", optimum.middle, one).notes,
            )
        ],
        provenance={name: stated.record(one, extras) for name, one in recipes.items()},
    )


def _paired(*laws: Law) -> list[Law]:
    """The draws of each law in one axis, as many as the fewest; single points are repeated."""
    counts = [math.prod(law.shape) for law in laws if law.shape]
    if not counts:
        return list(laws)
    fewest = min(counts)
    places = (np.resize(np.arange(min(math.prod(law.shape), fewest)), fewest) for law in laws)
    return [law.take(at) for law, at in zip(laws, places, strict=True)]


def _floors(recipes: Mapping[str, Subject]) -> dict[str, tuple[bool, FloatArray]]:
    """The irreducible losses: whether each was given, and its draws."""
    found = {}
    for name, recipe in recipes.items():
        for parameter, declared in type(recipe.law).parameters().items():
            if declared.floor:
                values = np.asarray(getattr(recipe.law, parameter), np.float64)
                found[name] = (bool(np.ptp(values) == 0), values.ravel())
    return found
