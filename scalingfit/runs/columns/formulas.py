"""Formulas of columns, ``steps*batch_size*seq_len``, and conditions on them, ``D/N>5``.

Python's parser reads them; what may stand in one is listed here, and nothing else is evaluated.
"""

import ast
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from scalingfit._arguments import nearest
from scalingfit._errors import InputError
from scalingfit._messages import Argument, Message
from scalingfit._text import listed
from scalingfit.runs.values import FloatArray

LONGEST = 300
"""Characters that a formula may have."""

OPERATIONS: Mapping[type[ast.operator], Callable[[FloatArray, FloatArray], FloatArray]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}

FUNCTIONS: Mapping[str, Callable[[FloatArray], FloatArray]] = {
    "log": np.log,
    "log10": np.log10,
    "log2": np.log2,
    "exp": np.exp,
    "sqrt": np.sqrt,
}

COMPARISONS: Mapping[str, Callable[[Any, Any], Any]] = MappingProxyType(
    {
        "!=": operator.ne,
        "<=": operator.le,
        ">=": operator.ge,
        "==": operator.eq,
        "=": operator.eq,
        "<": operator.lt,
        ">": operator.gt,
    }
)

_CONDITION = re.compile(r"(.+?)\s*(!=|<=|>=|==|=|<|>)\s*(.*)", re.S)


@dataclass(frozen=True)
class Formula:
    """A formula of columns.

    Attributes
    ----------
    text
        As it was written.
    names
        The columns in it, in the order of their first use.
    """

    text: str
    names: tuple[str, ...]
    _tree: ast.expr

    def __call__(self, columns: Mapping[str, FloatArray]) -> FloatArray:
        """Its value in each row; not finite where a column has none or an operation fails."""
        with np.errstate(all="ignore"):
            return np.asarray(_value(self._tree, [columns[name] for name in self.names]))


@dataclass(frozen=True)
class Condition:
    """``left sign right``, such as ``C < 1e21``: `left` is a column or a formula of columns."""

    text: str
    left: str
    sign: str
    right: str


def parse_condition(text: str) -> Condition:
    """Split a condition.

    Raises
    ------
    InputError
        There is no comparison in it.
    """
    found = _CONDITION.fullmatch(text.strip())
    if found is None:
        raise InputError(
            f"where {text!r} is not a condition",
            remedy='compare a column with a value, such as "family=gpt" or "C<1e21".',
        )
    left, sign, right = found.groups()
    return Condition(text.strip(), left, sign, right.strip())


def parse_formula(text: str, names: Iterable[str], symbol: str) -> Formula:
    """Read a formula of columns: + - * / ^, brackets, numbers, log, log10, log2, exp and sqrt.

    A column whose name could be read otherwise stands between backticks: ```eval loss```.

    Raises
    ------
    InputError
        Something else stands in it, or a column that is not there.
    """
    every = list(names)
    if len(text) > LONGEST:
        raise _no_formula(text, symbol, f"it has more than {LONGEST} characters", every)
    bare, used = _with_places(text, every)
    try:
        tree = ast.parse(bare.replace("^", "**").strip(), mode="eval").body
        _check(tree, used)
    except (SyntaxError, RecursionError, MemoryError):
        raise _no_formula(text, symbol, "it cannot be parsed", every) from None
    except _NotAllowed as error:
        raise _no_formula(text, symbol, str(error), every) from None
    return Formula(text, tuple(used), tree)


class _NotAllowed(Exception):
    """Something stands in a formula that may not."""


def _with_places(text: str, names: list[str]) -> tuple[str, list[str]]:
    """The text with ``_0``, ``_1`` ... for the columns in it, and these columns."""
    present = sorted((name for name in names if name and name in text), key=len, reverse=True)
    bare = [name for name in present if not _is_number(name)]
    patterns = [re.escape(f"`{name}`") for name in present]
    patterns += [rf"(?<![\w`]){re.escape(name)}(?![\w`])" for name in bare]
    used: list[str] = []

    def place(found: re.Match[str]) -> str:
        name = found[0].strip("`")
        if name not in used:
            used.append(name)
        return f" _{used.index(name)} "

    return (re.sub("|".join(patterns), place, text) if patterns else text), used


def _is_number(name: str) -> bool:
    try:
        float(name)
    except ValueError:
        return False
    return True


def _check(node: ast.expr, used: list[str]) -> None:
    match node:
        case ast.Constant(value=int() | float()) if not isinstance(node.value, bool):
            pass
        case ast.Name(id=name) if re.fullmatch(r"_\d+", name) and int(name[1:]) < len(used):
            pass
        case ast.Name(id=name):
            raise _NotAllowed(f"there is no column {name!r}")
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATIONS:
            _check(left, used)
            _check(right, used)
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=operand):
            _check(operand, used)
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]) if name in FUNCTIONS:
            _check(argument, used)
        case _:
            raise _NotAllowed("columns, numbers, + - * / ^, log, log10, log2, exp and sqrt may be")


def _value(node: ast.expr, columns: list[FloatArray]) -> FloatArray:
    match node:
        case ast.Constant(value=int() | float() as number):
            return np.asarray(_float(number))
        case ast.Name(id=name):
            return columns[int(name[1:])]
        case ast.BinOp(left=left, op=op, right=right):
            return OPERATIONS[type(op)](_value(left, columns), _value(right, columns))
        case ast.UnaryOp(op=op, operand=operand):
            value = _value(operand, columns)
            return -value if isinstance(op, ast.USub) else value
        case ast.Call(func=ast.Name(id=name), args=[argument]):
            return FUNCTIONS[name](_value(argument, columns))
        case _:
            raise AssertionError(ast.dump(node))  # `_check` has refused it


def _float(number: float) -> float:
    try:
        return float(number)
    except OverflowError:
        return np.inf


def _no_formula(text: str, symbol: str, why: str, names: list[str]) -> InputError:
    near = nearest(text, names) or names
    what = f"{symbol}: {text[:80]!r} is neither a column nor a formula of columns: {why}"
    where = [f"{'closest' if near is not names else 'columns'}: {listed(near)}"]
    if symbol == "where" or not near:
        return InputError(what, where, remedy="compare a column, or a formula of columns.")
    example = Argument(symbol, f"{near[0]}*1000", "column")
    remedy = Message("name a column, or write a formula of columns such as ", example, ".")
    return InputError(what, where, remedy=remedy)
