"""Statements: what is understood, what is refused, and where they hold."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scalingfit._errors import InputError
from scalingfit.inference.statement import Statement

VALUES = {"a": np.array([0.2, 0.5, 0.8]), "b": np.array([0.8, 0.5, 0.2])}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a > 0.4", [False, True, True]),
        ("a >= b", [False, True, True]),
        ("0.4 < a <= 0.5", [False, True, False]),
        ("abs(a - 0.5) < 0.1 or b < 0.3", [False, True, True]),
        ("not a > b and 2 * a ** 2 < 1", [True, True, False]),
        ("max(a, b) - min(a, b) > 0.5", [True, False, True]),
        ("log(exp(a)) < +b / 1 - -0", [True, False, False]),
    ],
)
def test_statements_hold_where_they_are_true(text: str, expected: list[bool]) -> None:
    assert Statement(text).holds(VALUES).tolist() == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a + b",
        "a > ",
        "a > b; import os",
        "__import__('os').system('true') > 0",
        "a.__class__ > 0",
        "a[0] > 0",
        "(lambda: 1)() > 0",
        "[x for x in a] > 0",
        "(a := 3) > 0",
        "open('x') > 0",
        "eval('1') > 0",
        "f'{a}' > 0",
        "'a' > 0",
        "True > a",
        "True",
        "a if b else a > 0",
        "a > None",
        "a > 1j",
        "a is b",
        "a in b",
        "a == b",
        "a > b > (b > a)",
        "(a > b) + 1 > 0",
        "a > (not b)",
        "log(a, b) > 0",
        "max(a) > 0",
        "abs(x=a) > 0",
        "abs(*a) > 0",
        "a // b > 0",
        "a << 3 > 0",
        "a @ b > 0",
        "await a > 0",
        "(yield) > 0",
        "(" * 400 + "a" + ")" * 400,
        "a > 0" + " " * 600,
        "a > 0\x00",
        "a > " + "9" * 400,
        "a > 1e999",
    ],
)
def test_everything_else_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        Statement(text)


@settings(deadline=None)
@given(st.text(max_size=60))
def test_no_text_does_anything_but_hold_or_be_refused(text: str) -> None:
    try:
        statement = Statement(text)
        statement.require(VALUES)
        assert statement.holds(VALUES).dtype == bool
    except InputError:
        return


def test_an_astronomic_power_costs_nothing() -> None:
    with pytest.raises(InputError, match="not a finite number in 100 % of the draws"):
        Statement("9 ** 9 ** 9 ** 9 > a").holds(VALUES)


@pytest.mark.parametrize(
    ("text", "part", "percent"),
    [
        ("1 / (a - a) > 0", "1 / (a - a)", 100),
        ("log(-a) > 0", "log(-a)", 100),
        ("not log(b - 0.3) > 0 or a > 0", "log(b - 0.3)", 33.3),
    ],
)
def test_what_is_undefined_is_neither_true_nor_false(text: str, part: str, percent: float) -> None:
    with pytest.raises(InputError) as refusal:
        Statement(text).holds(VALUES)
    assert f"{part!r} is not a finite number in {percent} % of the draws" in str(refusal.value)
