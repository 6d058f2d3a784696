"""The terms of a question about budgets: what they pay for, and the largest model allowed.

What callers write is read and checked here; the rules themselves, in `flops` and `shapes`, are not.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from numpy.typing import ArrayLike

from scalingfit._arguments import number
from scalingfit._arrays import Number
from scalingfit._errors import InputError
from scalingfit._messages import Argument, Message, OnlyIn, Text
from scalingfit._text import engineering
from scalingfit.allocation.answer import FloatArray, Reach
from scalingfit.allocation.flops import Counting, Custom, WithInference
from scalingfit.allocation.question import Subject, cost, reach
from scalingfit.catalog import Catalog
from scalingfit.result import Note

__all__ = ["Rule", "Terms", "counting", "counting_rules", "terms"]

Rule = str | Counting | Callable[[Number, Number], Number]
"""How FLOP are counted: a name, a rule, or a function (N, D) -> C."""


@dataclasses.dataclass(frozen=True)
class Terms:
    """What `terms` understood.

    Attributes
    ----------
    training : Counting
        The rule for the training run alone.
    rule : Counting
        The rule for all that the budget pays for: training, or, where that was counted so, training
        and serving.
    life : WithInference or None
        The rule for training and serving, where the tokens to serve are known.
    max_params : float
        The largest model allowed; infinite where there is no limit.
    """

    training: Counting
    rule: Counting
    life: WithInference | None
    max_params: float

    @property
    def binding(self) -> str:
        """What is said of optima at the largest model allowed."""
        return f"max_params ({engineering(self.max_params)}) binds"

    def caveats(self, asked: Subject, N: FloatArray) -> tuple[Note, ...]:
        """Where the rule does not go with the fit, or with models of N parameters, (row,)."""
        return tuple(Note("counting", text) for text in self._caveats(asked, N))

    def _caveats(self, asked: Subject, N: FloatArray) -> tuple[Text, ...]:
        wanted = self.rule.total
        if wanted is not None and len(type(asked.law).size) > 1:
            return (
                Message(
                    f"{self.rule.name} assumes a size of the embeddings, while the law "
                    f"{type(asked.law).name} has its own ({', '.join(type(asked.law).size)}): the "
                    "compute is wrong by the difference; use ",
                    Argument("counting", "6ND"),
                ),
            )
        if None not in (asked.total, wanted) and asked.total != wanted:
            has, needs = ("counts" if total else "leaves out" for total in (asked.total, wanted))
            return (
                f"the N of {type(asked.law).name} {has} the embeddings, and the counting rule is "
                f"for an N that {needs} them: the compute is wrong by their share",
            )
        return self.rule.caveats(N)

    def reach(self, rows: str, places: Mapping[str, FloatArray], asked: Subject) -> Reach:
        """Say how far models of N parameters and D tokens lie beyond the runs.

        Parameters
        ----------
        rows : str
            What they are, in the plural.
        places : mapping of str to array, shape (row,)
            N, D and what else the runs may have.
        asked : Subject
        """
        runs, N, D = asked.counted(self.training), places["N"], places["D"]
        # Of a budget that pays for more than training, that part is not what was asked for.
        trained = "C" if self.rule is self.training else "training C"
        if "C" in runs:
            runs[trained] = runs["C"]
        with np.errstate(invalid="ignore"):  # where no budget reaches a loss
            known = {trained: cost(self.training, N, D), **places, "D/N": D / N}
        if {"N", "D"} <= set(runs):
            runs["D/N"] = runs["D"] / runs["N"]
        return reach(rows, known, runs)

    def record(self, asked: Subject, extras: Mapping[str, ArrayLike]) -> dict[str, object]:
        """The JSON-able record of an answer to `asked` under these terms."""
        words = {name: given for name, given in extras.items() if isinstance(given, str)}
        return {
            **words,
            "law": type(asked.law).name,
            "counting": self.rule.describe(),
            "loss_unit": asked.loss_unit,
            "max_params": self.max_params if np.isfinite(self.max_params) else None,
            "inference_tokens": None if self.life is None else self.life.served,
            "posterior": dict(asked.provenance),
        }


def terms(
    rule: Rule,
    max_params: float | None = None,
    inference_tokens: float | None = None,
    *,
    asked: Subject | None = None,
) -> Terms:
    """Read the counting rule and the limits, as `frontier` explains them.

    `asked` is whose budgets they are: a rule may be made from its runs.

    Raises
    ------
    InputError
        A rule that counts nothing, a limit that is not one positive number, or serving that is
        stated twice.
    """
    paid = counting(rule) if asked is None else asked.own(counting(rule))
    training = _of_training(paid)
    life = paid if isinstance(paid, WithInference) else None
    if inference_tokens is not None:
        if life is not None:
            raise InputError(
                "the counting rule and inference_tokens both state the tokens to serve",
                [f"counted as {paid.describe()}", f"inference_tokens: {inference_tokens}"],
                remedy="leave inference_tokens out, or count by the rule within WithInference.",
            )
        life = WithInference(training, number("inference_tokens", inference_tokens))
    largest = np.inf if max_params is None else number("max_params", max_params)
    return Terms(training, paid, life, largest)


RULES = Catalog(
    Counting,  # type: ignore[type-abstract]
    "counting rule",
    "scalingfit.allocation.rules",
    "scalingfit.counting_rules",
    "rules",
)


def counting_rules() -> dict[str, type[Counting]]:
    """All counting rules by name, sorted: ours, and entry points of ``scalingfit.counting_rules``.

    Raises
    ------
    InputError
        One of them cannot be built without arguments.
    """
    for name, rule in RULES.classes.items():
        needed = [each for each in _fields(rule) if each.default is dataclasses.MISSING]
        if needed:
            raise InputError(
                f"the counting rule {name!r} cannot be asked for by name: it needs "
                f"{', '.join(each.name for each in needed)}",
                remedy="give each of them a default.",
            )
    return RULES.classes


def counting(rule: Rule, *, omega: float | None = None) -> Counting:
    """The counting rule of a name, a rule (passes through) or a function (N, D) -> C.

    Parameters
    ----------
    rule : str, Counting or callable
        A name, of `counting_rules`; a rule; or a function of N and D, elementwise and traceable
        by JAX, that gives the FLOP of a run.
    omega : float, optional
        Size of the embeddings, for the rules by name that take one; see `NonEmbedding`.

    Returns
    -------
    Counting

    Raises
    ------
    InputError
        Unknown name; a rule with numbers that are not positive and finite; or a function that JAX
        cannot trace, or that does not rise with N and D.
    """
    if omega is not None:
        return counting(_with_omega(rule, omega))
    if isinstance(rule, Counting):
        _require_positive(rule)
        own = _of_training(rule)
        if isinstance(own, Custom):
            _require_cost(own.function)
        return rule
    if callable(rule):
        _require_cost(rule)
        return Custom(rule)
    known = counting_rules()
    if isinstance(rule, str) and rule in known:
        return known[rule]()
    names = {name.lower(): name for name in known}
    near = difflib.get_close_matches(str(rule).lower(), names, n=2, cutoff=0.4)
    hint = f"use {' or '.join(names[each] for each in near)}" if near else "use one of these"
    built = OnlyIn("python", ("to be built: AspectRatio, ListedShapes, WithInference",))
    raise InputError(
        f"unknown counting rule {rule!r}",
        [f"by name: {', '.join(known)}", Message(built)],
        remedy=Message(hint, OnlyIn("python", (", or give a function (N, D) -> FLOP",)), "."),
    )


def _of_training(rule: Counting) -> Counting:
    """The rule for the training run within a rule that may count serving too."""
    while isinstance(rule, WithInference):
        rule = rule.training
    return rule


def _with_omega(rule: Any, omega: float) -> Counting:
    kinds = {
        name: cls
        for name, cls in counting_rules().items()
        if "omega" in [each.name for each in _fields(cls)]
    }
    if not isinstance(rule, str) or rule not in kinds:
        name = rule.name if isinstance(rule, Counting) else rule
        raise InputError(
            f"the counting rule {name} takes no omega",
            remedy=f"leave omega out, or count {' or '.join(kinds)}.",
        )
    return kinds[rule](omega=number("omega", omega))  # type: ignore[call-arg]  # it has one


def _fields(rule: type[Counting]) -> tuple[dataclasses.Field[Any], ...]:
    return dataclasses.fields(rule) if dataclasses.is_dataclass(rule) else ()


def _require_positive(rule: Counting) -> None:
    for path, leaf in jax.tree_util.tree_leaves_with_path(rule):
        values = np.asarray(leaf)
        numeric = values.dtype.kind in "iuf"
        wrong = values[~(np.isfinite(values) & (values > 0))] if numeric else values
        if wrong.size:
            name = jax.tree_util.keystr(path).removeprefix(".")
            found = f"{wrong.flat[0]:g}" if numeric else repr(leaf)
            raise InputError(
                f"the counting rule {rule.name} has {name} = {found}",
                remedy=f"give it a {name} that is positive and finite.",
            )


def _require_cost(function: Callable[[Number, Number], Number]) -> None:
    middle = np.full(4, 1e9)
    along = {"N": np.array([1e8, 1e9, 1e10, 1e12]), "D": np.array([1e3, 1e9, 1e12, 1e15])}
    places = {"N": (along["N"], middle), "D": (middle, along["D"])}
    try:
        with jax.enable_x64(True):
            costs = {name: np.asarray(jax.jit(function)(*at)) for name, at in places.items()}
    except Exception as error:
        raise InputError(
            f"the counting function failed at N 1e9 and D 1e9 with {type(error).__name__}",
            remedy="write it with operators and jax.numpy, elementwise over arrays N and D.",
        ) from error
    for name, found in costs.items():
        if found.shape != middle.shape or not (np.all(found > 0) and np.all(np.diff(found) > 0)):
            other = "D" if name == "N" else "N"
            where = ", ".join(f"{value:g}" for value in along[name])
            raise InputError(
                f"the counting function must be positive and rise with {name}",
                [f"at {other}=1e9, {name}={where} it gives {found.tolist()}"],
                remedy="return the FLOP of training N parameters on D tokens.",
            )
