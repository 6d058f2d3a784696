"""Functions of numbers as JavaScript: whatever JAX traces, so that a stranger's law works too.

A page evaluates a law by the same operations that a fit did. A formula that loops, or that uses an
operation without a counterpart in JavaScript, is refused by name.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import numpy as np
from jax.extend.core import Jaxpr, Literal

from scalingfit._errors import InputError

__all__ = ["javascript"]

OPERATIONS = {
    "abs": "Math.abs({0})",
    "acosh": "Math.acosh({0})",
    "add": "({0} + {1})",
    "add_any": "({0} + {1})",
    "and": "({0} && {1})",
    "asinh": "Math.asinh({0})",
    "atanh": "Math.atanh({0})",
    "cbrt": "Math.cbrt({0})",
    "ceil": "Math.ceil({0})",
    "clamp": "Math.min(Math.max({1}, {0}), {2})",
    "cos": "Math.cos({0})",
    "cosh": "Math.cosh({0})",
    "div": "({0} / {1})",
    "eq": "({0} === {1})",
    "exp": "Math.exp({0})",
    "exp2": "Math.pow(2, {0})",
    "expm1": "Math.expm1({0})",
    "floor": "Math.floor({0})",
    "ge": "({0} >= {1})",
    "gt": "({0} > {1})",
    "is_finite": "Number.isFinite({0})",
    "le": "({0} <= {1})",
    "log": "Math.log({0})",
    "log1p": "Math.log1p({0})",
    "logistic": "(1 / (1 + Math.exp(-{0})))",
    "lt": "({0} < {1})",
    "max": "Math.max({0}, {1})",
    "min": "Math.min({0}, {1})",
    "mul": "({0} * {1})",
    "ne": "({0} !== {1})",
    "neg": "(-{0})",
    "not": "(!{0})",
    "or": "({0} || {1})",
    "pow": "Math.pow({0}, {1})",
    "rsqrt": "(1 / Math.sqrt({0}))",
    "sign": "Math.sign({0})",
    "sin": "Math.sin({0})",
    "sinh": "Math.sinh({0})",
    "sqrt": "Math.sqrt({0})",
    "square": "({0} * {0})",
    "sub": "({0} - {1})",
    "tan": "Math.tan({0})",
    "tanh": "Math.tanh({0})",
}
UNCHANGED = {"broadcast_in_dim", "copy", "copy_p", "reshape", "squeeze", "stop_gradient"}
"""Of a single number they change nothing."""

CALLS = {"checkpoint", "closed_call", "custom_jvp_call", "custom_vjp_call", "jit", "remat2"}
"""Functions within the function; rules for their derivatives do not matter here."""


def javascript(function: Callable[..., Any], example: Sequence[Any]) -> str:
    """A function of numbers as the source of a function in JavaScript.

    Parameters
    ----------
    function : callable
        Of pytrees of numbers, traceable by JAX; it gives a number, or several.
    example : sequence of pytrees
        Arguments like those it will be given, of which only the structure matters.

    Returns
    -------
    str
        ``(x) => {...}``, where ``x`` is an array of the leaves of all arguments, in their order;
        several numbers come as an array.

    Raises
    ------
    InputError
        It uses an operation that JavaScript has no counterpart of.
    """
    number = jax.ShapeDtypeStruct((), np.float64)
    with jax.enable_x64(True):
        traced = jax.make_jaxpr(function)(*jax.tree.map(lambda _: number, tuple(example)))
    names, lines = map("v{}".format, itertools.count()), list[str]()
    arguments = [f"x[{place}]" for place in range(len(traced.jaxpr.invars))]
    results = _body(traced.jaxpr, traced.consts, arguments, names, lines)
    given = results[0] if len(results) == 1 else f"[{', '.join(results)}]"
    return "\n".join(
        ["(x) => {", *(f"  const {line};" for line in lines), f"  return {given};", "}"]
    )


def _body(
    jaxpr: Jaxpr,
    constants: Sequence[Any],
    arguments: Sequence[str],
    names: Iterator[str],
    lines: list[str],
) -> list[str]:
    """Append a line for each equation; the expressions of what comes out."""
    known = dict(zip(jaxpr.constvars, map(_number, constants), strict=True))
    known |= dict(zip(jaxpr.invars, arguments, strict=True))

    def read(atom: Any) -> str:
        return _number(atom.val) if isinstance(atom, Literal) else known[atom]

    for equation in jaxpr.eqns:
        operands, kind = [*map(read, equation.invars)], equation.primitive.name
        if kind in CALLS:
            inner: Any = equation.params.get("call_jaxpr", equation.params.get("jaxpr"))
            closed = getattr(inner, "jaxpr", inner)
            found = _body(closed, getattr(inner, "consts", ()), operands, names, lines)
            known |= dict(zip(equation.outvars, found, strict=True))
            continue
        name = next(names)
        lines.append(f"{name} = {_written(kind, operands, equation)}")
        known[equation.outvars[0]] = name
    return [read(atom) for atom in jaxpr.outvars]


def _written(kind: str, operands: Sequence[str], equation: Any) -> str:
    """One operation."""
    if any(variable.aval.shape for variable in (*equation.invars, *equation.outvars)):
        raise _unwritable(f"{kind} of arrays")
    match kind:
        case _ if kind in OPERATIONS:
            return OPERATIONS[kind].format(*operands)
        case _ if kind in UNCHANGED:
            return operands[0]
        case "integer_pow":
            return f"Math.pow({operands[0]}, {equation.params['y']})"
        case "convert_element_type" if np.issubdtype(equation.params["new_dtype"], np.floating):
            return f"Number({operands[0]})"
        case "select_n" if len(operands) == 3:
            which, no, yes = operands
            return f"({which} ? {yes} : {no})"
    raise _unwritable(kind)


def _unwritable(kind: str) -> InputError:
    return InputError(
        f"the formula cannot be written in JavaScript: it uses {kind}",
        remedy="write it with operators and functions of single numbers, such as jnp.exp.",
    )


def _number(value: Any) -> str:
    if np.ndim(value):
        raise _unwritable("an array of constants")
    if np.asarray(value).dtype == bool:
        return "true" if value else "false"
    number = float(value)
    if np.isfinite(number):
        return f"({number!r})"
    return "NaN" if np.isnan(number) else "Infinity" if number > 0 else "(-Infinity)"
