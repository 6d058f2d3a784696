"""Statements about parameters, such as ``"0.4 < a and alpha > beta"``, read without ``eval``."""

from __future__ import annotations

import ast
import functools
import operator
import sys
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalingfit._arguments import nearest
from scalingfit._errors import InputError
from scalingfit._text import listed

__all__ = ["Statement"]

LONGEST = 500
HOW = 'write a comparison, such as "a > 0.6", "abs(a - 0.5) < 0.03 and alpha > beta".'

ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: np.divide,
    ast.Pow: np.power,
}
SIGNS: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}
COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: np.less,
    ast.LtE: np.less_equal,
    ast.Gt: np.greater,
    ast.GtE: np.greater_equal,
}
FUNCTIONS: dict[str, tuple[Callable[..., Any], int]] = {  # with the number of arguments
    "abs": (np.abs, 1),
    "log": (np.log, 1),
    "exp": (np.exp, 1),
    "min": (np.minimum, 2),
    "max": (np.maximum, 2),
}


class Statement:
    """A statement that is true or false of every draw.

    Parameters
    ----------
    text : str
        Names, numbers, ``+ - * / **``, ``< <= > >=`` (chains too), ``and or not``, and the
        functions abs, log, exp, min and max. Nothing else is understood, and nothing is executed.

    Attributes
    ----------
    names : frozenset of str
        The quantities it speaks of.

    Raises
    ------
    InputError
        The text is not such a statement; the message shows the part that is not understood.
    """

    def __init__(self, text: str) -> None:
        if not isinstance(text, str) or len(text) > LONGEST:
            raise InputError(f"a hypothesis is a text of at most {LONGEST} characters", remedy=HOW)
        try:
            self._tree = ast.parse(text.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise InputError(f"the hypothesis {text!r} cannot be read", remedy=HOW) from None
        self.text = text.strip()
        self.names = frozenset(_check(self._tree, self.text, truth=True))

    def require(self, known: Collection[str]) -> None:
        """Refuse names that are not among the known ones.

        Raises
        ------
        InputError
        """
        for name in sorted(self.names - set(known)):
            near = nearest(name, known, limit=2)
            raise InputError(
                f"the hypothesis {self.text!r} speaks of {name!r}, which there is not",
                [f"there are: {listed(known)}"],
                remedy=f"did you mean {' or '.join(near)}?" if near else "use one of these.",
            )

    def holds(self, values: Mapping[str, NDArray[np.float64]]) -> NDArray[np.bool_]:
        """Whether it is true, elementwise.

        Raises
        ------
        InputError
            A compared side is NaN or infinite somewhere: neither true nor false can be said there.
        """
        with np.errstate(all="ignore"):
            return np.asarray(_value(self._tree, values), bool)


def _check(node: ast.expr, text: str, *, truth: bool) -> set[str]:
    """The names in an expression that must be a truth value, or a number, or it is refused."""
    check = functools.partial(_check, text=text)
    match node:
        case ast.BoolOp(values=values) if truth:
            return set().union(*(check(value, truth=True) for value in values))
        case ast.UnaryOp(op=ast.Not(), operand=operand) if truth:
            return check(operand, truth=True)
        case ast.Compare(left=left, ops=ops, comparators=others) if truth and all(
            type(op) in COMPARISONS for op in ops
        ):
            return set().union(*(check(side, truth=False) for side in (left, *others)))
        case _ if truth:
            raise _refused(node, text, "is not a comparison")
        case ast.Name(id=name):
            return {name}
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            # Compared, not converted: an integer may be too long for a float.
            if value <= sys.float_info.max:
                return set()
            raise _refused(node, text, "is too large a number")
        case ast.UnaryOp(op=op, operand=operand) if type(op) in SIGNS:
            return check(operand, truth=False)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in ARITHMETIC:
            return check(left, truth=False) | check(right, truth=False)
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if (
            name in FUNCTIONS and len(args) == FUNCTIONS[name][1]
        ):
            return set().union(*(check(argument, truth=False) for argument in args))
    raise _refused(node, text, "is not understood")


def _refused(node: ast.expr, text: str, why: str) -> InputError:
    part = ast.get_source_segment(text, node) or text
    functions = ", ".join(f"{name} of {count}" for name, (_, count) in FUNCTIONS.items())
    return InputError(
        f"the hypothesis {text!r}: {part!r} {why}",
        [f"functions: {functions}", "operators: + - * / ** < <= > >= and or not"],
        remedy=HOW,
    )


def _value(node: ast.expr, values: Mapping[str, NDArray[np.float64]]) -> Any:
    """Evaluate what `_check` has let through."""
    value = functools.partial(_value, values=values)
    match node:
        case ast.Name(id=name):
            return values[name]
        case ast.Constant(value=number):
            return np.float64(number)  # type: ignore[arg-type]  # checked to be a number
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return np.logical_not(value(operand))
        case ast.UnaryOp(op=op, operand=operand):
            return SIGNS[type(op)](value(operand))
        case ast.BinOp(left=left, op=op, right=right):
            return ARITHMETIC[type(op)](value(left), value(right))
        case ast.Call(func=ast.Name(id=name), args=args):
            return FUNCTIONS[name][0](*map(value, args))
        case ast.BoolOp(op=op, values=parts):
            join = np.logical_and if isinstance(op, ast.And) else np.logical_or
            return functools.reduce(join, map(value, parts))
        case ast.Compare(left=left, ops=ops, comparators=others):
            sides = [_defined(value(side), side) for side in (left, *others)]
            pairs = zip(ops, sides, sides[1:], strict=False)
            return functools.reduce(
                np.logical_and, [COMPARISONS[type(op)](low, high) for op, low, high in pairs]
            )
    raise AssertionError(f"unchecked expression {ast.dump(node)}")


def _defined(found: Any, node: ast.expr) -> Any:
    """The values of a compared side, or a refusal where some are NaN or infinite."""
    share = np.mean(~np.isfinite(found))
    if share > 0:
        raise InputError(
            f"{ast.unparse(node)!r} is not a finite number in {100 * share:.3g} % of the draws",
            remedy="divide by nothing that can be zero, and take logarithms and powers of what is "
            "positive.",
        )
    return found
