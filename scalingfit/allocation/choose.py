"""A choice among models that can be built: which is best, which nearest to the optimum."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, cast, final, override

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalingfit._arguments import numbers
from scalingfit._errors import InputError
from scalingfit._text import engineering, quantity
from scalingfit.allocation.answer import UNDEFINED, Answer, FloatArray, share
from scalingfit.allocation.costs import Costs, flop, priced
from scalingfit.allocation.extras import extras_of
from scalingfit.allocation.parts import require_room
from scalingfit.allocation.question import Asked, cost, subject
from scalingfit.allocation.search import budget_loss
from scalingfit.allocation.shapes import ListedShapes, Shape
from scalingfit.allocation.solver import solve
from scalingfit.allocation.terms import Rule, terms
from scalingfit.allocation.undefined import undefined, without_a_best
from scalingfit.result import Column, Note

__all__ = ["Choice", "choose"]


@final
class Choice(Answer):
    """Models compared at budgets, one row for each pair, models within budgets.

    ``asked`` has C, N and D, the tokens that C leaves to N, and of shapes also their width and
    depth, and where tokens are served the FLOP of serving them and of both (total). ``draws`` has
    the loss L; ``regret``, how far it lies above the best model of the list in
    that draw; ``penalty``, how far above the optimum over every N up to `max_params`; ``best``, 1
    where the model is the best of the list and 0 elsewhere; and ``nearest``, likewise where log N
    is nearest to that optimum's, or NaN where many sizes are as good.
    """

    title: ClassVar[str] = "Models at a budget: median [5 %, 95 %]"
    name: ClassVar[str] = "models"
    row: ClassVar[str] = "model"

    @property
    def probability(self) -> FloatArray:
        """The share of draws in which each model is the best, shape ``(row,)``."""
        return share(self.draws["best"])

    @override
    def column(self, name: str) -> Column:
        if name not in ("best", "nearest"):
            return super().column(name)
        shares = share(self.draws[name])
        shown = [UNDEFINED if np.isnan(part) else f"{100 * part:.3g} %" for part in shares]
        return Column([*map(float, shares)], shown)


def choose(
    posterior: Asked,
    C: ArrayLike | str | Sequence[str],
    models: ArrayLike | Shape | Iterable[float | Shape],
    *,
    counting: Rule | None = None,
    max_params: float | None = None,
    inference_tokens: float | None = None,
    costs: Costs | None = None,
    **extras: ArrayLike,
) -> Choice:
    """Compare models that can be built, each trained on all the tokens that the budget leaves it.

    The best of them need not be the nearest to the compute-optimal size: along a budget the loss
    rises more steeply on one side than on the other.

    Parameters
    ----------
    posterior : Posterior or Law
        What ``fit`` returned, or a law with values such as a published point.
    C : float, str or a sequence of these, shape (budget,)
        Budgets, as in `frontier`.
    models : array, Shape or iterable, shape (model,)
        Sizes N that can be built, or shapes, whose N is `Shape.parameters`.
    counting
        As in `frontier`; by default 6ND for sizes, and for shapes the exact count of each,
        ``ListedShapes.of(models)``.
    max_params
        The largest model allowed; larger ones are left out, and the answer says so.
    inference_tokens, costs, **extras
        As in `frontier`.

    Returns
    -------
    Choice
        A row for each budget and each model that it can train; the others are named.

    Raises
    ------
    InputError
        As in `frontier`; or no budget leaves a token to any model, or max_params none of them.
    """
    asked = subject(posterior)
    budgets = flop("C", C, costs)
    sizes, shapes = _buildable(models)
    known = _about(shapes)
    if counting is None:
        counting = ListedShapes.of(shapes) if shapes else "6ND"
    stated = terms(counting, max_params, inference_tokens, asked=asked)
    rule = stated.rule
    allowed = sizes <= stated.max_params
    left_out = _left_out(sizes[~allowed], stated.max_params, all_of_them=not allowed.any())
    sizes = sizes[allowed]
    others = extras_of(asked.law, extras, len(budgets))
    spent, N = (grid.ravel() for grid in np.meshgrid(budgets, sizes, indexing="ij"))
    about = {name: np.tile(values[allowed], len(budgets)) for name, values in known.items()}
    repeated = {name: np.repeat(values, len(sizes)) for name, values in others.items()}
    require_room(asked.law, repeated, "N", N)
    with jax.enable_x64(True):
        law = asked.law.expand(1)
        D = np.asarray(rule.tokens(N, spent), np.float64)
        loss = np.asarray(budget_loss(law, rule, repeated, jnp.log(N), jnp.log(spent)))
    fits = (D >= 1) & np.isfinite(loss).reshape(-1, len(N)).all(axis=0)
    left_out += _short(spent[~fits], N[~fits], none=not fits.any())
    by_budget = np.where(fits, loss, np.inf).reshape(*loss.shape[:-1], len(budgets), len(sizes))
    optimum = solve(asked.law, budgets, rule, extras=others, max_params=stated.max_params)
    distance = np.abs(np.log(sizes) - np.log(optimum.N)[..., None])
    distance = np.where(fits.reshape(len(budgets), len(sizes)), distance, np.inf)
    best, nearest = _least(by_budget), _least(distance)
    nearest[..., without_a_best(optimum), :] = np.nan
    with np.errstate(invalid="ignore"):  # at a budget for which every model is too large
        regret = by_budget - by_budget.min(axis=-1, keepdims=True)
    draws = {
        "L": by_budget,
        "regret": regret,
        "penalty": np.maximum(by_budget - optimum.L[..., None], 0.0),  # rounding aside
        "best": best,
        "nearest": nearest,
    }
    if stated.life is not None:
        serving = np.asarray(stated.life.serving(N), np.float64)
        about |= {"serving": serving, "total": cost(stated.life, N, D)}
    shown = {"C": spent, **priced(costs, spent), "N": N, **about, "D": D, **repeated}
    return Choice(
        asked={name: values[fits] for name, values in shown.items()},
        draws={name: values.reshape(loss.shape)[..., fits] for name, values in draws.items()},
        notes=(
            *left_out,
            *stated.caveats(asked, N[fits]),
            *undefined("C", budgets, optimum),
            *_disagreements(budgets, sizes, best, nearest, fits),
            *stated.reach("models", {"N": N[fits], "D": D[fits]}, asked).notes,
        ),
        provenance=stated.record(asked, extras),
    )


def _buildable(
    models: ArrayLike | Shape | Iterable[float | Shape],
) -> tuple[FloatArray, list[Shape]]:
    """The sizes, and the shapes where these were given."""
    several = np.iterable(models) and not isinstance(models, str)
    listed: list[object] = [*cast(Iterable[object], models)] if several else [models]
    shapes = [model for model in listed if isinstance(model, Shape)]
    if not shapes:
        return numbers("models", listed), []
    if len(shapes) < len(listed):
        raise InputError(
            "models has shapes and sizes side by side", remedy="give all as Shape, or all as N."
        )
    return numbers("models", [float(shape.parameters) for shape in shapes]), shapes


def _about(shapes: list[Shape]) -> dict[str, FloatArray]:
    """What the table says of shapes beside their size."""
    return {
        name: np.array([getattr(shape, name) for shape in shapes], np.float64)
        for name in ("width", "depth")
        if shapes
    }


def _left_out(N: FloatArray, max_params: float, *, all_of_them: bool) -> list[Note]:
    """Say which models are larger than allowed."""
    if len(N) == 0:
        return []
    which = f"N = {', '.join(map(engineering, N))}: larger than max_params"
    if all_of_them:
        raise InputError(
            "max_params leaves no model to choose",
            [f"{which} ({engineering(max_params)})"],
            remedy="raise it, or list a smaller model.",
        )
    return [Note("left_out", f"{which} ({engineering(max_params)}), left out")]


def _least(values: FloatArray) -> FloatArray:
    """1 at the least value along the last axis, 0 elsewhere."""
    where = np.arange(values.shape[-1]) == values.argmin(axis=-1)[..., None]
    return np.asarray(where, np.float64)


def _disagreements(
    C: FloatArray, N: FloatArray, best: FloatArray, nearest: FloatArray, fits: NDArray[np.bool_]
) -> list[Note]:
    """Say where the model that is mostly the best is not the one that is mostly the nearest."""
    shape = (-1, len(C), len(N))
    shares = [flags.reshape(shape).mean(axis=0) for flags in (best, nearest)]
    asked = fits.reshape(len(C), len(N)).any(axis=1) & ~np.isnan(shares[1]).any(axis=-1)
    return [
        Note(
            "nearest_not_best",
            f"N = {engineering(N[near])} is nearest to the optimum, but {engineering(N[first])} "
            "has the lower loss",
            f"C {quantity('C', budget)}",
        )
        for budget, first, near, tells in zip(
            C, *(each.argmax(axis=-1) for each in shares), asked, strict=True
        )
        if first != near and tells
    ]


def _short(C: FloatArray, N: FloatArray, *, none: bool) -> list[Note]:
    """Say which models a budget does not train on a single token."""
    lost = [
        f"N = {engineering(size)} at C = {quantity('C', budget)}"
        for budget, size in zip(C, N, strict=True)
    ]
    what = "a budget does not suffice to train a model on a single token"
    if none:
        raise InputError(what, lost, remedy="ask for a larger budget, or for smaller models.")
    return [Note("left_out", f"left out, for {what}", where) for where in lost]
