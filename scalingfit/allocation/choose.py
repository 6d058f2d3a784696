"""A choice among models that can be built: which of them is best at a budget, and how surely."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, final

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from scalingfit._errors import InputError
from scalingfit.allocation.answer import Answer, FloatArray, engineering, quantity
from scalingfit.allocation.flops import Counting
from scalingfit.allocation.flops import counting as counting_rule
from scalingfit.allocation.frontier import extras_of
from scalingfit.allocation.question import cost, numbers, reach, subject
from scalingfit.allocation.solver import budget_loss

__all__ = ["Choice", "choose"]


@final
class Choice(Answer):
    """Models compared at budgets, one row for each pair, models within budgets.

    ``asked`` has C, N and D, the tokens that C leaves to N; ``draws`` has the loss L, ``regret``,
    how far it lies above the best model of the list in that draw, and ``best``, 1 where the model
    is that best one and 0 elsewhere.
    """

    title: ClassVar[str] = "Models at a budget: median [5 %, 95 %]"
    hidden: ClassVar[frozenset[str]] = frozenset({"best"})

    @property
    def probability(self) -> FloatArray:
        """The share of draws in which each model is the best, shape ``(row,)``."""
        best = self.draws["best"]
        return np.asarray(best.reshape(-1, best.shape[-1]).mean(axis=0), np.float64)

    def summary(self, quantiles: Any = (0.05, 0.5, 0.95)) -> list[dict[str, Any]]:
        """Like the summary of any answer, with ``best`` the probability that the model is it."""
        rows = super().summary(quantiles)
        for row, probability in zip(rows, self.probability, strict=True):
            row["best"] = float(probability)
        return rows

    def cells(self) -> list[list[str]]:
        """The table as text, with the probability that each model is the best."""
        head, *body = super().cells()
        shares = [f"{100 * probability:.3g} %" for probability in self.probability]
        return [[*head, "best"], *([*row, share] for row, share in zip(body, shares, strict=True))]


def choose(
    posterior: Any,
    C: ArrayLike,
    models: ArrayLike,
    *,
    counting: str | Counting | Callable[[Any, Any], Any] = "6ND",
    **extras: ArrayLike,
) -> Choice:
    """Compare models of given sizes, each trained on all the tokens that the budget leaves it.

    Parameters
    ----------
    posterior : Posterior or Law
        What ``fit`` returned, or a law with values such as a published point.
    C : float or array, shape (budget,)
        Budgets in FLOP, as `counting` counts them.
    models : array, shape (model,)
        Sizes N that can be built.
    counting, **extras
        As in `frontier`.

    Returns
    -------
    Choice
        ``budget * model`` rows.

    Raises
    ------
    InputError
        As in `frontier`; or a budget leaves no token to one of the models.
    """
    asked = subject(posterior)
    budgets, sizes = numbers("C", C), numbers("models", models)
    others = extras_of(asked.law, extras, len(budgets))
    rule = counting_rule(counting)
    spent, N = (grid.ravel() for grid in np.meshgrid(budgets, sizes, indexing="ij"))
    repeated = {name: np.repeat(values, len(sizes)) for name, values in others.items()}
    with jax.enable_x64(True):
        law = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), asked.law).expand(1)
        D = np.asarray(rule.tokens(N, spent), np.float64)
        loss = np.asarray(budget_loss(law, rule, repeated, jnp.log(N), jnp.log(spent)))
    _require_trainable(loss, spent, N, D)
    by_budget = loss.reshape(*loss.shape[:-1], len(budgets), len(sizes))
    least = by_budget.min(axis=-1, keepdims=True)
    best = by_budget.argmin(axis=-1)[..., None] == np.arange(len(sizes))
    regret = (by_budget - least).reshape(loss.shape)
    return Choice(
        asked={"C": spent, "N": N, "D": D, **repeated},
        draws={"L": loss, "regret": regret, "best": best.reshape(loss.shape).astype(np.float64)},
        messages=reach("models", {"C": cost(rule, N, D), "N": N, "D": D}, asked.counted(rule)),
        provenance={
            "law": type(asked.law).name,
            "counting": rule.describe(),
            "posterior": dict(asked.provenance),
        },
    )


def _require_trainable(loss: FloatArray, C: FloatArray, N: FloatArray, D: FloatArray) -> None:
    finite = np.isfinite(loss).reshape(-1, len(C)).all(axis=0)
    lost = np.flatnonzero(~(D >= 1) | ~finite)
    if len(lost):
        raise InputError(
            "a budget does not suffice to train a model on a single token",
            [f"N = {engineering(N[row])} at C = {quantity('C', C[row])}" for row in lost],
            remedy="ask for a larger budget or leave the model out.",
        )
