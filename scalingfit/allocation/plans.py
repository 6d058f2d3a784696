"""Plans to judge: a size, tokens per parameter, somebody's published rule, or a run.

A plan says, for a budget, what to train. Most spend the budget whole; a plan that names its tokens
too costs what it costs, and is judged at that.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Callable, Iterable

import jax
import jax.numpy as jnp
import numpy as np

from scalingfit._arguments import nearest, number, suffixed
from scalingfit._errors import InputError
from scalingfit._text import engineering
from scalingfit.allocation.answer import FloatArray
from scalingfit.allocation.flops import Counting
from scalingfit.allocation.roots import last_true
from scalingfit.allocation.search import largest_log_n
from scalingfit.allocation.shapes import Shape
from scalingfit.allocation.solver import solve
from scalingfit.catalog import laws
from scalingfit.declare import Law
from scalingfit.runs import Runs

__all__ = ["Plan", "Plans", "plans_of"]

type Written = float | str | Shape | tuple[float, float]
type Plans = Written | Iterable[Written | Plan]
"""Plans as they are written; see `plans_of`."""

Rule = Callable[[FloatArray, Counting], FloatArray]
"""The size of a model for budgets, (budget,), under a counting rule."""

PF_DAY = 1e15 * 86400.0

PER_PARAMETER = re.compile(r"(.+?)\s*(?:tpp|tokens per parameter)", re.IGNORECASE)
RUN = re.compile(r"run\s*[:=#]?\s*(\d+)", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class Plan:
    """What to train with a budget.

    Attributes
    ----------
    name : str
    size : callable
        From budgets, (budget,), and the counting rule to N, (budget,).
    tokens : float or None
        Tokens D, where the plan says so itself; otherwise they are what the budget leaves.
    total : bool or None
        Whether its N counts the embeddings, where that is known.
    """

    name: str
    size: Rule
    tokens: float | None = None
    total: bool | None = None


def plans_of(given: Plans, runs: Runs | None = None) -> list[Plan]:
    """Read one plan or several.

    Parameters
    ----------
    given : float, str, Shape, (N, D) or an iterable of these
        A size N that gets all the tokens that a budget leaves it, such as 70e9 or "70B"; "20tpp",
        tokens per parameter; the name of a published point of a law of N and D, such as
        "hoffmann-2022", whose optimum is meant, or "kaplan-2020", for N = 1.3e9 (C / PF-day)^0.73
        (Kaplan et al. 2020, arXiv 2001.08361, figure 14); a pair (N, D) or "70B:1.4T"; or
        "run 17", a run of the fit by its row.
    runs : Runs, optional
        For plans that name a run.

    Raises
    ------
    InputError
        A plan that is none of these.
    """
    pair = isinstance(given, tuple) and len(given) == 2 and not isinstance(given[0], str)
    single = pair or isinstance(given, str | Shape) or not isinstance(given, Iterable)
    listed: Iterable[object] = [given] if single else given  # type: ignore[assignment]
    found: dict[str, Plan] = {}
    for one in listed:
        plan = _plan(one, runs)
        found.setdefault(plan.name, plan)
    return list(found.values())


def _plan(given: object, runs: Runs | None) -> Plan:
    if isinstance(given, Plan):
        return given
    if isinstance(given, Shape):
        return _sized(float(given.parameters), total=True)
    if isinstance(given, tuple):
        return _pair(*(_signed(part) for part in given))
    if not isinstance(given, str):
        return _sized(_signed(given))
    text = given.strip()
    if text in PUBLISHED_RULES:
        return Plan(text, PUBLISHED_RULES[text], total=False)
    if text in (points := _points()):
        law, total = points[text]
        return Plan(text, functools.partial(_optimum, law), total=total)
    if found := PER_PARAMETER.fullmatch(text):
        ratio = suffixed("plan", found[1])
        none = None if ratio > 0 else 0.0
        return Plan(f"{ratio:g}tpp", functools.partial(_per_parameter, ratio), tokens=none)
    if found := RUN.fullmatch(text):
        return _run(int(found[1]), runs)
    size, colon, tokens = text.partition(":")
    try:
        if colon:
            return _pair(suffixed("plan", size), suffixed("plan", tokens))
        return _sized(suffixed("plan", size))
    except InputError:
        known = [*PUBLISHED_RULES, *points]
        near = nearest(text, known)
        raise InputError(
            f"{given!r} is not a plan",
            [f"by name: {', '.join(known)}"],
            remedy=f"did you mean {' or '.join(near)}?"
            if near
            else "write a size (70B), a size and its tokens (70B:1.4T), tokens per parameter "
            "(20tpp), a row of the table (run 17) or one of these names.",
        ) from None


def _signed(given: object) -> float:
    """A number of any sign: a plan that trains nothing is left out, and the others are judged."""
    return number("plans", given, signed=True)


def _sized(N: float, *, total: bool | None = None) -> Plan:
    return Plan(engineering(N), lambda C, rule: np.full(C.shape, N), total=total)


def _pair(N: float, D: float) -> Plan:
    return dataclasses.replace(_sized(N), name=f"{engineering(N)}:{engineering(D)}", tokens=D)


def _run(row: int, runs: Runs | None) -> Plan:
    """A run of the table by its row."""
    if runs is None or row not in runs.row_numbers:
        some = "" if runs is None else f": rows {min(runs.row_numbers)} to {max(runs.row_numbers)}"
        raise InputError(
            f"there is no run {row} in the table of the fit{some}",
            remedy="name a run by its row there, or write its size and tokens, such as 70B:1.4T.",
        )
    at = int(np.flatnonzero(runs.row_numbers == row)[0])
    N, D = (float(runs[symbol][at]) for symbol in ("N", "D"))
    return dataclasses.replace(_pair(N, D), name=f"run {row}")


def _kaplan(C: FloatArray, rule: Counting) -> FloatArray:
    return 1.3e9 * (C / PF_DAY) ** 0.73


PUBLISHED_RULES: dict[str, Rule] = {"kaplan-2020": _kaplan}
"""Rules of papers that are no law's optimum."""


@functools.cache
def _points() -> dict[str, tuple[Law, bool | None]]:
    """The published points whose optimum is a plan, by name."""
    found: dict[str, tuple[Law, bool | None]] = {}
    for law in laws().values():
        if set(law.inputs()) == {"N", "D"}:
            for name, point in law.published.items():
                found.setdefault(name, (point.law, point.total))
    return found


def _optimum(law: Law, C: FloatArray, rule: Counting) -> FloatArray:
    return np.asarray(solve(jax.tree.map(np.float64, law), C, rule).N)


def _per_parameter(ratio: float, C: FloatArray, rule: Counting) -> FloatArray:
    """The N that leaves `ratio` tokens to each of its parameters."""
    with jax.enable_x64(True):
        log_c = jnp.log(jnp.asarray(C))

        def affords(x: jax.Array) -> jax.Array:
            return jnp.asarray(rule.tokens(jnp.exp(x), jnp.asarray(C)) >= ratio * jnp.exp(x))

        top = largest_log_n(rule, log_c, jnp.inf)
        return np.asarray(jnp.exp(last_true(affords, jnp.zeros_like(log_c), top)), np.float64)
