"""Columns that are made of columns."""

import numpy as np
import pytest

from scalingfit._errors import InputError
from scalingfit.runs import read
from scalingfit.runs.columns.formulas import LONGEST, parse_formula
from tests.runs.three import L


def test_formulas_of_columns() -> None:
    table = {
        "steps": ["1k", "2k", "4k"],
        "batch size": [64, 64, 128],
        "seq_len": [512, 1024, 1024],
        "PF-days": [0.1, 0.2, 0.3],
        "eval/loss": L,
    }
    runs = read(table, D="steps*batch size*seq_len", C="PF-days*8.64e19", derive=None)
    assert runs.D.tolist() == [1e3 * 64 * 512, 2e3 * 64 * 1024, 4e3 * 128 * 1024]
    np.testing.assert_allclose(runs.C, [8.64e18, 1.728e19, 2.592e19])
    powers = read(table, X="2^(10*PF-days)")["X"]
    np.testing.assert_allclose(powers, [2, 4, 8])
    assert read(table, X="`batch size`-1")["X"].tolist() == [63, 63, 127]


@pytest.mark.parametrize(
    "text",
    [
        "steps*__import__('os')",
        "steps.real",
        "steps if steps else 1",
        "[steps][0]",
        "steps*tokns",
        "eval(steps)",
        "lambda: steps",
        "steps**" * 200 + "2",
        "(" * 250 + "steps" + ")" * 250,
        "-" * 290 + "steps*",
        "steps*'a'",
        "steps+True",
    ],
)
def test_nothing_but_arithmetic_stands_in_a_formula(text: str) -> None:
    with pytest.raises(InputError, match="neither a column nor a formula"):
        parse_formula(text, ["steps", "tokens"], "D")
    assert LONGEST == 300


def test_a_column_of_any_name_goes_before_a_formula() -> None:
    table = {"a*b": [1.0, 2.0], "a": [5.0, 6.0], "loss in nats": [3.0, 2.0]}
    runs = read(table, X="a*b", L="loss in nats")
    assert runs["X"].tolist() == [1, 2]
