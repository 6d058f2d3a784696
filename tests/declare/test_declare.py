"""The declaration of laws, and arithmetic on logarithms."""

import dataclasses
import math
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

import scalingfit as sf
from scalingfit._positive import Positive, plain
from scalingfit.declare import (
    Array,
    Law,
    Published,
    above,
    coefficient,
    describe,
    floor,
    log,
    parameter,
    scale,
)


class Toy(Law):
    """L = E + A / N^alpha + (S_c / S)^gamma."""

    E: Array = parameter(dist.LogNormal(0.0, 1.0), "floor")
    alpha: Array = parameter(dist.LogNormal(-1.0, 0.5), "exponent of N")
    gamma: Array = parameter(dist.HalfNormal(1.0), "exponent of S")
    A: Array = coefficient(of="N", power="alpha", at=1e9, median=0.4, log_sd=1.0, about="of N")
    S_c: Array = scale(of="S", power="gamma", at=1e4, median=0.2, log_sd=0.7, about="of S")

    published: ClassVar = {
        "somebody-2020": Published(
            "Somebody 2020",
            "N parameters",
            {"E": 1.0, "alpha": 0.3, "gamma": 0.5, "A": 200.0, "S_c": 400.0},
        )
    }

    def loss(self, N: Any, S: Any) -> Any:
        return self.E + self.A / N**self.alpha + (self.S_c / S) ** self.gamma


# --- declarations --------------------------------------------------------------------------------


def test_a_law_knows_its_name_inputs_and_parameters() -> None:
    class BrokenInTwo2(Law):
        """A name of several words."""

        E: Array = parameter(dist.LogNormal(0.0, 1.0), "floor")

        def loss(self, C: Any) -> Any:
            return self.E / C

    assert Toy.name == "toy"
    assert BrokenInTwo2.name == "broken_in_two2"
    assert Toy.inputs() == ("N", "S")
    assert list(Toy.parameters()) == ["E", "alpha", "gamma", "A", "S_c"]
    assert Toy.parameters()["A"].about == "of N"


def test_a_law_is_a_frozen_pytree_of_its_parameters() -> None:
    law = Toy.published["somebody-2020"].law
    assert isinstance(law, Toy)
    assert jax.tree.leaves(law) == [1.0, 0.3, 0.5, 200.0, 400.0]
    assert law.values() == dict(Toy.published["somebody-2020"].values)
    with pytest.raises(dataclasses.FrozenInstanceError):
        law.E = 2.0  # type: ignore[misc, assignment]
    draws = jax.tree.map(lambda leaf: np.full((4, 10), leaf), law)
    assert draws.expand(1).loss(np.ones(3), np.ones(3)).shape == (4, 10, 3)


def test_the_prior_of_a_coefficient_is_that_of_its_term() -> None:
    """A / at^alpha and (S_c / at)^gamma are log-normal, whatever the exponents."""
    values: Any = {"alpha": 0.3, "gamma": 0.5}
    A, S_c = (Toy.parameters()[name].prior_given(values) for name in ("A", "S_c"))
    assert (A.loc, A.scale) == pytest.approx((math.log(0.4 * 1e9**0.3), 1.0))
    assert (S_c.loc, S_c.scale) == pytest.approx((math.log(1e4 * 0.2 ** (1 / 0.5)), 0.7 / 0.5))
    assert Toy.parameters()["E"].prior_given({}) is Toy.parameters()["E"].prior
    lines = {name: of.describe_prior().format(name=name) for name, of in Toy.parameters().items()}
    assert lines["A"] == "A/N^alpha at N=1e+09 ~ LogNormal(log 0.4, 1)"
    assert lines["S_c"] == "(S_c/S)^gamma at S=10000 ~ LogNormal(log 0.2, 0.7)"


def declare(**body: Any) -> type[Law]:
    return type("Faulty", (Law,), {"loss": lambda self, N: N, **body})


def test_a_bound_with_what_exceeds_it_is_a_prior() -> None:
    """Of a positive prior, moved: the density, the support, and the words."""
    moved = above(-1.0, dist.LogNormal(0.5, 0.7))
    place = np.array([-0.5, 0.0, 3.0])
    expected = dist.LogNormal(0.5, 0.7).log_prob(place + 1.0)
    np.testing.assert_allclose(moved.log_prob(place), expected, rtol=1e-6)
    assert float(moved.support.lower_bound) == -1.0
    assert describe(moved) == "-1 + LogNormal(loc=0.5, scale=0.7)"
    assert describe(above(2.0, dist.HalfNormal(0.1))) == "2 + HalfNormal(scale=0.1)"


def test_faulty_declarations_are_told_with_the_line_to_change() -> None:
    prior = dist.LogNormal(0.0, 1.0)
    of_N: dict[str, Any] = {"at": 1.0, "median": 1.0, "log_sd": 1.0, "about": ""}
    faults = [
        (declare, {"__annotations__": {"E": Array}, "E": 1.0}, r"Faulty\.E: declare it with"),
        (
            declare,
            {
                "__annotations__": {"E": Array, "F": Array},
                "E": floor(prior, ""),
                "F": floor(prior, ""),
            },
            "Faulty: E and F are both floors",
        ),
        (
            declare,
            {
                "__annotations__": {"A": Array, "alpha": Array},
                "A": coefficient(of="N", power="alpha", **of_N),
                "alpha": parameter(prior, ""),
            },
            r"Faulty\.A: its exponent 'alpha' must be a parameter declared above it .*none",
        ),
        (
            declare,
            {
                "__annotations__": {"alpha": Array, "A": Array},
                "alpha": parameter(prior, ""),
                "A": coefficient(of="D", power="alpha", **of_N),
            },
            r"Faulty\.A: its input 'D' is not an argument of loss\(N\)",
        ),
        (
            declare,
            {"__annotations__": {"k": Array}, "k": parameter(prior, "", through="worth")},
            r"Faulty\.k: there is no method worth\(N\) to sample it through",
        ),
        (
            declare,
            {
                "__annotations__": {"k": Array},
                "k": parameter(prior, "", through="worth"),
                "worth": lambda self, D: self.k * D,
            },
            r"Faulty\.k: there is no method worth\(N\) to sample it through",
        ),
        (
            declare,
            {"__annotations__": {"alpha": Array}, "alpha": parameter(prior, ""), "size": ("M",)},
            r"Faulty\.size: M is not an argument of loss\(N\)",
        ),
        (
            declare,
            {
                "__annotations__": {"alpha": Array},
                "alpha": parameter(prior, ""),
                "may_rise": ("M",),
            },
            r"Faulty\.may_rise: M is not an argument of loss\(N\)",
        ),
        (
            declare,
            {
                "__annotations__": {"alpha": Array},
                "alpha": parameter(prior, ""),
                "symbols": {"N": "parameters", "M": "tokens per parameter"},
            },
            r"Faulty\.symbols: M is not an argument of loss\(N\)",
        ),
        (
            declare,
            {
                "__annotations__": {"alpha": Array},
                "alpha": parameter(prior, ""),
                "ranges": {"M": (1.0, 100.0)},
            },
            r"Faulty\.ranges: M is not an argument of loss\(N\)",
        ),
        (
            declare,
            {
                "__annotations__": {"alpha": Array},
                "alpha": parameter(prior, ""),
                "informed": {"beta": prior},
            },
            r"Faulty\.informed: beta is not a parameter \(there are: alpha\)",
        ),
    ]
    for build, body, message in faults:
        with pytest.raises(TypeError, match=message):
            build(**body)


def test_a_law_without_a_formula_cannot_be_made() -> None:
    with pytest.raises(TypeError, match="abstract"):
        Law()


@pytest.mark.parametrize(
    ("prior", "text"),
    [
        (dist.LogNormal(0.5, 0.2), "LogNormal(loc=0.5, scale=0.2)"),
        (dist.TruncatedNormal(0.3, 0.1, low=0.0), "TruncatedNormal(loc=0.3, scale=0.1, low=0)"),
        (
            dist.TransformedDistribution(
                dist.Gamma(2.0, 3.0), dist.transforms.AffineTransform(1.0, 2.0)
            ),
            "Gamma(concentration=2, rate=3) through AffineTransform(1, 2)",
        ),
        (dist.Uniform(0.0, 1.23456789), "Uniform(low=0, high=1.23457)"),
    ],
)
def test_distributions_are_described(prior: Any, text: str) -> None:
    assert describe(prior) == text


def test_a_description_can_state_every_digit() -> None:
    assert describe(dist.LogNormal(1 / 3, 0.1), repr) == f"LogNormal(loc={1 / 3!r}, scale=0.1)"


# --- arithmetic on logarithms --------------------------------------------------------------------

SHAPE = (6,)
POSITIVE = npst.arrays(np.float64, SHAPE, elements=st.floats(1e-4, 1e4))
EXPONENT = npst.arrays(np.float64, SHAPE, elements=st.floats(-3, 3))

EXPRESSIONS: list[Any] = [
    lambda x, y, a: x * y,
    lambda x, y, a: x / y,
    lambda x, y, a: x**a,
    lambda x, y, a: x ** (1 / (1 + y)),
    lambda x, y, a: 2.5 / x,
    lambda x, y, a: x / 2.5,
    lambda x, y, a: 2.5 * x,
    lambda x, y, a: x * a,
    lambda x, y, a: jnp.asarray(a) * x,
    lambda x, y, a: x + y,
    lambda x, y, a: x + a,
    lambda x, y, a: jnp.asarray(a) + x,
    lambda x, y, a: x - y,
    lambda x, y, a: jnp.asarray(a) - x,
    lambda x, y, a: 2.5 - x,
    lambda x, y, a: -x,
    lambda x, y, a: 1.01 ** (x / (x + y)),
    lambda x, y, a: log(x) + a,
    lambda x, y, a: a + 3.0 / x**0.3 + y / x**a,
    lambda x, y, a: ((x / y) ** 0.5 + y) ** 0.25,
    lambda x, y, a: jnp.where(x < y, log(x), log(y)) + (x > y),
    lambda x, y, a: jnp.sqrt(jnp.asarray(x)),
]


@settings(max_examples=15, deadline=None)
@given(x=POSITIVE, y=POSITIVE, a=EXPONENT)
def test_arithmetic_on_logarithms_is_arithmetic(x: Any, y: Any, a: Any) -> None:
    with jax.enable_x64(True):
        one, two = Positive(jnp.log(x)), Positive(jnp.log(y))
        for expression in EXPRESSIONS:
            made, expected = plain(expression(one, two, a)), expression(x, y, a)
            np.testing.assert_allclose(made, expected, rtol=1e-9, atol=1e-9 * max(x.max(), y.max()))


@pytest.mark.parametrize("name", list(sf.laws()))
def test_a_law_never_sees_the_difference(name: str) -> None:
    """Inputs and positive parameters as logarithms, as the engine holds them, or plain."""
    found = sf.law(name)
    rng = np.random.default_rng(0)
    with jax.enable_x64(True):
        key = jax.random.key(3)
        values: dict[str, Any] = {}
        for parameter_name, declared in found.parameters().items():
            key, this = jax.random.split(key)
            values[parameter_name] = declared.prior_given(values).sample(this)
        inputs = {axis: np.exp(rng.uniform(np.log(1e3), np.log(1e8), 6)) for axis in found.inputs()}
        in_logs = {axis: Positive(jnp.log(column)) for axis, column in inputs.items()}
        held = {k: Positive(jnp.log(v)) if v > 0 else v for k, v in values.items()}
        expected = found(**values).loss(**inputs)
        np.testing.assert_allclose(plain(found(**held).loss(**in_logs)), expected, rtol=1e-9)
