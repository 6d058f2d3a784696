"""The probability of a statement about a fit: ``post.hypothesis("a > 0.6")``."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scalingfit._arguments import number, unknown_inputs
from scalingfit._errors import InputError
from scalingfit._messages import Argument, Message
from scalingfit._text import listed, quantity
from scalingfit.allocation import Counting, Frontier, Rule, frontier, splits, subject
from scalingfit.allocation import counting as counting_rule
from scalingfit.declare import Law
from scalingfit.inference.diagnostics import ess
from scalingfit.inference.fitted import Fitted
from scalingfit.inference.programs import prior_values
from scalingfit.inference.statement import Statement
from scalingfit.result import Column, Note, Result, Table

__all__ = ["Hypothesis", "hypothesis"]

Floats = NDArray[np.float64]

OPTIMA = ("a", "b", "N", "D", "tokens_per_param", "L")
"""What a statement may say of the compute-optimal split, besides parameters.

These names mean the split in every law that has one, also where a parameter has the same name.
"""


@dataclasses.dataclass(frozen=True, repr=False)
class Hypothesis(Result):
    """The probability of a statement, before and after seeing the runs.

    Attributes
    ----------
    statement : str
    probability, error : float
        Share of the posterior draws of which it is true, and its Monte-Carlo standard error.
    prior : float or None
        Share of prior draws; None where the prior leaves a quantity of the statement undefined.
    C : float or None
        The budget, in FLOP, at which the optimum was taken; None where none was needed.
    law : str
    counting : str or None
        Name of the rule that counted the budget; None where none was needed.
    given : mapping
        Further inputs and limits at which the optimum was taken; empty where none was needed.
    notes : sequence of Note
        What the frontier says of that optimum, such as how far it lies beyond the runs.
    """

    statement: str
    probability: float
    error: float
    prior: float | None
    C: float | None
    law: str
    counting: str | None
    given: Mapping[str, float | str]
    notes: Sequence[Note] = ()

    @property
    def place(self) -> str:
        """Where the optimum was taken, in words."""
        if self.C is None:
            return ""
        counted = "" if self.counting in (None, "6ND") else f", counted {self.counting}"
        given = "".join(
            f", {name} = {value if isinstance(value, str) else quantity(name, value)}"
            for name, value in self.given.items()
        )
        return f"C = {quantity('C', self.C)}{counted}{given}"

    @staticmethod
    def table(each: Mapping[str, Hypothesis]) -> Table:
        """One statement under several laws, by name; for machines."""
        found = [*each.values()]
        shown = [f"{one.probability:.3g} ± {one.error:.1g}" for one in found]
        columns = {
            "law": Column([one.law for one in found], hidden=True),
            "probability": Column([one.probability for one in found], shown),
            "error": Column([one.error for one in found], hidden=True),
            "prior": Column.of([one.prior for one in found], ".3g"),
            "C": Column([one.C for one in found], [one.place or "-" for one in found], "at"),
            "counting": Column([one.counting for one in found], hidden=True),
            "given": Column([one.given for one in found], hidden=True),
        }
        return Table("hypothesis", "candidate", columns, limit=0)

    @property
    def tables(self) -> Sequence[Table]:
        """The one row that machines get; people get the conclusion."""
        return (self.table({self.law: self}),)

    @property
    def conclusion(self) -> str:
        """The probability, and where it is of."""
        before = "" if self.prior is None else f"; prior: {self.prior:.3g}"
        at = f" at {self.place}" if self.place else ""
        return (
            f"P({self.statement}) = {self.probability:.3g} ± {self.error:.1g}{before} "
            f"({self.law}{at})"
        )

    @property
    def details(self) -> Mapping[str, object]:
        """The statement and its probability."""
        return {
            "statement": self.statement,
            "probability": self.probability,
            "error": self.error,
        }


def hypothesis(
    posterior: Fitted,
    statement: str,
    *,
    C: float | None = None,
    counting: Rule = "6ND",
    **extras: ArrayLike | None,
) -> Hypothesis:
    """The posterior probability of a statement, with its prior probability beside it.

    Parameters
    ----------
    posterior : Posterior
    statement : str
        About the parameters of law and noise, and about the compute-optimal split: ``a`` and ``b``
        (exponents of N* and D* in C), ``N``, ``D``, ``tokens_per_param`` and ``L`` (at the
        optimum). "abs(a - 0.73) < 0.05", "alpha > beta", "tokens_per_param < 20". These six mean
        the split also where a parameter of the law has such a name, as in `over_training`: ask
        of that one by its draws, ``(post.draws["a"] > 0.6).mean()``.
    C : float, optional
        Budget in FLOP for the optimum; by default the largest of the runs, as `counting` counts.
    counting : str, Counting or callable
        What a run costs; see `scalingfit.allocation.frontier`. The exponent ``a`` is that of the
        N that it counts: "6ND-non-embedding" asks Kaplan's question of a fit on all parameters.
    **extras
        The law's other inputs, and the limits that `scalingfit.allocation.frontier` takes.

    Raises
    ------
    InputError
        The statement is not understood, speaks of what is not there, or compares what is NaN or
        infinite in some posterior draws; C is not one positive
        number; a counting rule or a keyword is not known.
    """
    read = Statement(statement)
    read.require(dict.fromkeys([*posterior.draws, *OPTIMA]))
    rule = subject(posterior).own(counting_rule(counting))
    _require_known(extras, type(posterior.law))
    optimum = _of_the_split(read, posterior)
    budget = _budget(posterior, C, rule) if optimum or C is not None else None
    options = {"counting": rule, **extras}
    found = frontier(posterior, budget, **options) if optimum else None  # type: ignore[arg-type]  # a budget is given where the split is asked of
    given = {**posterior.draws, **_at_optimum(found, optimum)}
    true = np.broadcast_to(read.holds(given), posterior.sampled.energy.shape)
    return Hypothesis(
        statement=read.text,
        probability=float(true.mean()),
        error=_error(true),
        prior=_prior(posterior, read, optimum, budget, options),
        C=budget if optimum else None,
        law=posterior.model.law.name,
        counting=rule.name if optimum else None,
        given=_recorded(extras) if optimum else {},
        notes=found.notes if found else (),
    )


def _recorded(extras: Mapping[str, Any]) -> dict[str, float | str]:
    """What was given beside the budget, ready for JSON: one number each, or a word."""
    return {
        name: value if isinstance(value, str) else float(np.asarray(value).item())
        for name, value in extras.items()
        if value is not None
    }


def _require_known(extras: Iterable[str], law: type[Law]) -> None:
    """Refuse keywords that no statement about the law can need."""
    inputs = law.inputs()
    steps = ("batch",) if "S" in inputs else ()
    takes = f"{law.name} takes {listed(inputs)}"
    unknown_inputs(extras, [*inputs, *steps, "max_params", "inference_tokens"], takes)


def _of_the_split(statement: Statement, posterior: Fitted) -> list[str]:
    """What the statement says of the optimum; a law without one keeps its parameters' names."""
    names = statement.names & set(OPTIMA)
    return sorted(names if splits(type(posterior.law)) else names - set(posterior.draws))


def _at_optimum(found: Frontier | None, names: list[str]) -> dict[str, Floats]:
    return {name: found.draws[name][..., 0] for name in names} if found else {}


def _budget(posterior: Fitted, C: float | None, rule: Counting) -> float:
    """The budget that is asked for, or the largest of the runs."""
    if C is None:
        columns = subject(posterior).counted(rule)
        if not {"N", "D"} <= set(columns):
            raise InputError(
                "these runs have no N and D to take a budget from",
                remedy=Message("name one: ", Argument("C"), "."),
            )
        return float(np.max(columns["C"]))
    return number("C", C)


def _prior(
    posterior: Fitted,
    statement: Statement,
    optimum: list[str],
    C: float | None,
    options: Mapping[str, Any],
) -> float | None:
    model = posterior.model
    drawn = prior_values(model)
    law, noise = model.complete_arrays(drawn)
    values = {**law.values(), **{name: getattr(noise, name) for name in noise.parameters()}}
    try:
        if optimum:
            values |= _at_optimum(frontier(law, C, **options), optimum)  # type: ignore[arg-type]  # a budget is given where the split is asked of
        return float(np.mean(statement.holds(values)))
    except InputError:  # some draws of the prior have no finite optimum, or another side
        return None


def _error(true: NDArray[np.bool_]) -> float:
    """Standard error of the share; never zero, for what was not seen may still be there."""
    count = true.size
    share = (true.sum() + 0.5) / (count + 1)
    half = true.shape[-1] // 2
    halves = np.concatenate([true[:, :half], true[:, -half:]]).astype(float)
    size = float(ess(halves)) if 0 < true.sum() < count else float(count)
    return float(np.sqrt(share * (1 - share) / size))
