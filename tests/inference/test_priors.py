"""Priors as text."""

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalingfit._errors import InputError
from scalingfit.declare import describe, dist
from scalingfit.inference import parse_priors
from scalingfit.inference.priors import FAMILIES, parse_prior

EXAMPLES: dict[str, tuple[Any, ...]] = {
    "Beta": (2.0, 3.0),
    "Cauchy": (0.5, 0.1),
    "Exponential": (2.0,),
    "Gamma": (2.0, 3.0),
    "Gumbel": (0.5, 0.1),
    "HalfCauchy": (0.3,),
    "HalfNormal": (0.3,),
    "InverseGamma": (2.0, 3.0),
    "Kumaraswamy": (2.0, 3.0),
    "Laplace": (0.5, 0.1),
    "LogNormal": (0.5, 0.1),
    "LogUniform": (0.1, 2.0),
    "Logistic": (0.5, 0.1),
    "Normal": (0.5, 0.1),
    "Pareto": (0.1, 2.0),
    "SoftLaplace": (0.5, 0.1),
    "StudentT": (4.0, 0.5, 0.1),
    "TruncatedCauchy": (0.5, 0.1),
    "TruncatedNormal": (0.5, 0.1),
    "Uniform": (0.0, 1.0),
    "Weibull": (0.5, 2.0),
}


def make(family: str) -> Any:
    bounds = {"low": 0.1, "high": 0.9} if family.startswith("Truncated") else {}
    return FAMILIES[family](*EXAMPLES[family], **bounds)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_comes_back_from_its_own_description(family: str) -> None:
    original = make(family)
    again = parse_prior(describe(original, repr))
    places = np.array([0.15, 0.5, 0.85])
    np.testing.assert_array_equal(again.log_prob(places), original.log_prob(places))  # type: ignore[union-attr]


def test_the_forms_of_a_prior() -> None:
    priors = parse_priors(["E=LogNormal(0.5, scale=0.2)", " beta = -0.28", "alpha=beta", "A=4e2"])
    assert isinstance(priors["E"], dist.LogNormal)
    assert priors["beta"] == -0.28
    assert priors["alpha"] == "beta"
    assert priors["A"] == 400.0


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_digit_of_a_number_is_kept(number: float) -> None:
    assert parse_prior(repr(number)) == number


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("E", "names no parameter"),
        ("=3", "names no parameter"),
        ("2x=3", "names no parameter"),
        ("E=", "cannot be read"),
        ("E=LogNormal(", "cannot be read"),
        ("E=__import__('os').system('true')", "cannot be read"),
        ("E=print(1)", "there is no family 'print'"),
        ("E=Lognormal(0, 1)", "there is no family 'Lognormal'.*use one of LogNormal"),
        ("E=LogNormal('a', 1)", "'a' is not a number"),
        ("E=LogNormal(0, True)", "cannot be read"),
        ("E=LogNormal(0, 2**3)", "cannot be read"),
        ("E=LogNormal(0, -1)", "scale"),
        ("E=LogNormal(0, 1, 2, 3, 4)", "E=|prior"),
        ("E=LogNormal(wide=1)", "wide"),
        ("E=[1, 2]", "cannot be read"),
        ("E=1 + 2", "cannot be read"),
        ("E=dist.LogNormal(0, 1)", "cannot be read"),
        ("E=*x", "cannot be read"),
    ],
)
def test_what_is_no_prior_is_refused_and_nothing_evaluated(text: str, message: str) -> None:
    with pytest.raises(InputError, match=f"(?s){message}"):
        parse_priors([text])


def test_a_parameter_has_one_prior() -> None:
    with pytest.raises(InputError, match="the prior of E is given twice"):
        parse_priors(["E=1", "E=2"])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("LogNormal(**x)", "stands for no number"),
        ("LogNormal(0.5, scale=0.2, **{'a': 1})", "stands for no number"),
        ("LogNormal(*x)", "cannot be read"),
        ("9" * 401, "not finite"),
        ("1e999", "not finite"),
        (f"LogNormal(0, {'9' * 401})", "not finite"),
        ("-" * 20_000 + "1", "20001 characters, at most 500"),
        ("-" * 400 + "1", "cannot be read"),
        ("(" * 400, "cannot be read"),
        ("0.5\0", "cannot be read"),
        ("\ud800", "cannot be read"),
    ],
)
def test_what_no_prior_is_written_like_is_refused(text: str, words: str) -> None:
    with pytest.raises(InputError, match=f"prior.*{re.escape(words)}"):
        parse_prior(text)
