"""Statements about fits: what is understood, what is refused, and their probabilities."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalingfit._errors import InputError
from scalingfit.evidence.expression import Statement
from scalingfit.inference import Posterior
from scalingfit.inference.programs import prior_values

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
        ("1 / (a - a) > 0", [True, True, True]),
        ("log(a - 1) < 0", [False, False, False]),
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
    ],
)
def test_everything_else_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        Statement(text)


@given(st.text(max_size=60))
def test_no_text_does_anything_but_hold_or_be_refused(text: str) -> None:
    try:
        statement = Statement(text)
        statement.require(VALUES)
    except InputError:
        return
    assert statement.holds(VALUES).dtype == bool


def test_an_astronomic_power_costs_nothing() -> None:
    assert Statement("9 ** 9 ** 9 ** 9 > a").holds(VALUES).all()


def test_unknown_names_are_refused_with_the_nearest(posterior: Posterior) -> None:
    with pytest.raises(InputError, match=r"'alhpa'(?s:.*)did you mean alpha"):
        posterior.hypothesis("alhpa > 0.3")


def test_the_probability_is_the_share_of_draws(posterior: Posterior) -> None:
    found = posterior.hypothesis("alpha > beta")
    share = np.mean(posterior.draws["alpha"] > posterior.draws["beta"])
    prior = prior_values(posterior.model)
    assert found.probability == share
    assert found.prior == np.mean(prior["alpha"] > prior["beta"])
    assert found.C is None
    independent = np.sqrt(share * (1 - share) / posterior.sampled.energy.size)
    assert 0.5 * independent < found.error < 4 * independent


def test_the_exponent_of_chinchillas_law_is_the_closed_form(posterior: Posterior) -> None:
    """Hoffmann et al. 2022, equation 4: a = beta / (alpha + beta) at every budget."""
    exponent = posterior.draws["beta"] / (posterior.draws["alpha"] + posterior.draws["beta"])
    limit = float(np.median(exponent)) + 1e-9
    assert posterior.hypothesis(f"a < {limit}").probability == pytest.approx(0.5, abs=1e-3)
    assert posterior.hypothesis("abs(a + b - 1) < 1e-6").probability == 1.0
    far = posterior.hypothesis("N * D * 6 / 1e26 > 0.999", C=1e26)
    assert far.probability == 1.0
    assert far.C == 1e26


def test_what_was_never_seen_still_has_an_error(posterior: Posterior) -> None:
    found = posterior.hypothesis("a > 0.75")
    assert found.probability == 0.0
    assert 0 < found.error < 0.01
    assert 0 < found.prior < 0.2
    assert str(found).startswith("P(a > 0.75) = 0 ±")
