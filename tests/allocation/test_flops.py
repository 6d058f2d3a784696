"""Counting rules against the papers' numbers and their own inverses."""

import functools
import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalingfit._errors import InputError
from scalingfit.allocation import (
    AspectRatio,
    Custom,
    ListedShapes,
    NonEmbedding,
    Shape,
    SixND,
    WithEmbedding,
    WithInference,
    attention_flops,
    counting,
    counting_rules,
    exact_flops,
    non_embedding,
    with_embedding,
)

# Hoffmann et al. 2022, table A4: parameters, width, depth, heads, exact FLOP over 6 N D.
TABLE_A4 = [
    (73e6, 640, 10, 10, 1.03),
    (305e6, 1024, 20, 16, 1.10),
    (552e6, 1280, 24, 10, 1.08),
    (1.143e9, 1792, 26, 14, 1.04),
    (1.593e9, 2048, 28, 16, 1.03),
    (6.796e9, 3584, 40, 28, 0.99),
]
SHAPES = [Shape(width, depth, heads, 2048, 32000) for _, width, depth, heads, _ in TABLE_A4]

RULES = [
    *(rule() for name, rule in counting_rules().items() if name != "table"),  # it waits for runs
    pytest.param(WithEmbedding(omega=2e4), id="omega"),
    WithInference(NonEmbedding(), 1e12),
    AspectRatio(aspect=64.0, context=2048.0, vocabulary=32000.0),
    ListedShapes.of(SHAPES),
    Custom(lambda N, D: 6 * N * D + 1e6 * D),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_tokens_spend_the_budget(rule: Any) -> None:
    N = np.geomspace(1e6, 1e13, 8)
    D = np.geomspace(1e13, 1e6, 8)
    with jax.enable_x64(True):
        C = np.asarray(rule.flops(N, D))
        assert np.asarray(rule.tokens(N, C)) == pytest.approx(D, rel=1e-5)
        # Exact to rounding; where serving costs much more than training, D is a small difference.
        assert np.asarray(rule.flops(N, rule.tokens(N, C))) == pytest.approx(C, rel=1e-12)
    assert "C = " in rule.describe()


def dear(N: Any, D: Any) -> Any:
    return 7 * N * D


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (
            ListedShapes.of(SHAPES),
            r"exact_flops \(every matrix product\).* 6 listed shapes, N 69\.6M",
        ),
        (
            ListedShapes.of(SHAPES, attention_flops),
            r"attention_flops \(6 N plus causal attention\)",
        ),
        (
            AspectRatio(aspect=64.0, context=2048.0, vocabulary=32000.0, count=attention_flops),
            r"attention_flops \(6 N plus causal attention\).* context 2048, vocabulary 32000",
        ),
        (ListedShapes.of(SHAPES, lambda shape: 7 * shape.parameters), r"<lambda> \(test_flops.py:"),
        (Custom(dear), r"C = dear \(test_flops.py:\d+\) of N and D"),
        (Custom(functools.partial(dear)), r"C = dear \(test_flops.py:"),
        (Custom(np.multiply), "C = multiply of N and D"),
    ],
)
def test_a_rule_says_what_it_counts(rule: Any, said: str) -> None:
    assert re.search(said, rule.describe())


def test_the_default_relation_says_where_it_was_not_fitted() -> None:
    assert NonEmbedding().caveats(np.array([44e6, 16e9])) == ()
    (said,) = NonEmbedding().caveats(np.array([1e5, 1e9]))
    assert "models of 44M to 16.2B parameters" in said
    assert "a model here is 440 times smaller" in said
    assert NonEmbedding().caveats(np.array([1e12])) == ()  # of which embeddings are no part
    assert NonEmbedding(omega=1200.0).caveats(np.array([1e5])) == ()
    # Of 1e5 parameters without embeddings: 2.3e6 with them.
    assert "19.1 times smaller" in WithEmbedding().caveats(np.array([1e5]))[0]
    assert WithInference(NonEmbedding(), 1e9).caveats(np.array([1e5])) == (said,)
    ends = [SHAPES[0].parameters, SHAPES[-1].parameters]
    assert ListedShapes.of(SHAPES).caveats(np.array(ends)) == ()
    assert "1 of 2 sizes lie beyond" in ListedShapes.of(SHAPES).caveats(np.array([1e9, 1e12]))[0]


def test_six_n_d_needs_no_jax() -> None:
    assert SixND().flops(70e9, 1.4e12) == pytest.approx(5.88e23)
    assert isinstance(SixND().tokens(70e9, 5.88e23), float)


@given(st.floats(1.0, 1e15), st.floats(1.0, 1e7))
def test_embedding_relation_inverts(N: float, omega: float) -> None:
    assert with_embedding(non_embedding(N, omega), omega) == pytest.approx(N, rel=1e-12)


def test_embedding_relation_meets_chinchillas_architectures() -> None:
    # Hoffmann et al. 2022, table A9, by way of Pearce & Song 2024: N total, less 32,000 d.
    total = np.array([74e6, 306e6, 1.143e9, 6.796e9, 16.183e9])
    width = np.array([640, 1024, 1792, 3584, 5120])
    assert non_embedding(total) == pytest.approx(total - 32000 * width, rel=0.06)


@pytest.mark.parametrize(("N", "width", "depth", "heads", "ratio"), TABLE_A4)
def test_exact_flops_meet_table_a4(
    N: float, width: int, depth: int, heads: int, ratio: float
) -> None:
    without_embedding = Shape(width, depth, heads, context=2048, vocabulary=0)
    # The ratio is printed to two digits, N to the million.
    tolerance = 0.005 + 0.5e6 / N + 1e-4
    assert exact_flops(without_embedding) / (6 * N) == pytest.approx(ratio, abs=tolerance)


def test_embedding_and_head_add_four_flops_each_way() -> None:
    small, none = Shape(640, 10, 10, 2048, 32000), Shape(640, 10, 10, 2048, 0)
    assert exact_flops(small) - exact_flops(none) == 3 * 4 * 32000 * 640


def test_attention_flops_are_porians() -> None:
    # 6 (12 w^2 depth + V w) + 6 seq w depth, with w = 512, depth = 6, V = 50432, seq = 2048.
    shape = Shape(512, 6, 8, context=2048, vocabulary=50432)
    assert shape.parameters == 12 * 512**2 * 6 + 50432 * 512
    assert attention_flops(shape) == 6 * shape.parameters + 6 * 2048 * 512 * 6


def test_aspect_ratio_builds_models_of_the_size_asked_for() -> None:
    N = np.geomspace(1e6, 1e13, 20)
    shape = AspectRatio(aspect=64.0, context=2048.0, vocabulary=32000.0).shape(N)
    assert shape.parameters == pytest.approx(N, rel=1e-12)
    assert shape.width / shape.depth == pytest.approx(64.0)


def test_listed_shapes_cost_what_was_listed() -> None:
    N = np.array([shape.parameters for shape in SHAPES])
    with jax.enable_x64(True):
        cost = np.asarray(ListedShapes.of(SHAPES[::-1]).per_token(N))
    assert cost == pytest.approx([exact_flops(shape) for shape in SHAPES])


@pytest.mark.parametrize("shapes", [[], [SHAPES[0], SHAPES[0]]])
def test_shapes_that_give_no_count_are_refused(shapes: Any) -> None:
    with pytest.raises(InputError, match="one of each number of parameters"):
        ListedShapes.of(shapes)


def test_serving_costs_two_flop_per_parameter_and_token() -> None:
    assert WithInference(SixND(), 1e13).flops(1e9, 1e11) == pytest.approx(
        6 * 1e9 * 1e11 + 2 * 1e9 * 1e13
    )


def test_a_function_has_the_derivative_of_its_inverse() -> None:
    power = Custom(lambda N, D: N**1.5 * D**1.2)
    with jax.enable_x64(True):
        slopes = jax.grad(lambda N, C: jnp.log(power.tokens(N, C)), argnums=(0, 1))(1e9, 1e22)
    found = [float(slopes[0]) * 1e9, float(slopes[1]) * 1e22]
    assert found == pytest.approx([-1.5 / 1.2, 1 / 1.2], rel=1e-9)


def test_names_functions_and_rules_resolve() -> None:
    assert counting("6ND") == SixND()
    assert counting("6ND-non-embedding") == NonEmbedding()
    assert counting("6ND-non-embedding", omega=1200.0) == NonEmbedding(1200.0)
    rule = WithEmbedding(omega=1e4)
    assert counting(rule) is rule
    assert counting(lambda N, D: 7.0 * N * D).flops(2.0, 3.0) == 42.0


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("6nd", "by name: 6ND"),
        ("6ND-nonembedding", "use 6ND-non-embedding"),
        (WithInference(SixND(), -1e12), r"with-inference has served = -1e\+12"),
        (WithInference(SixND(), np.nan), "served = nan"),
        (WithInference(NonEmbedding(omega=0.0), 1e12), r"training\.omega = 0"),
        (AspectRatio(aspect=np.inf, context=2048.0, vocabulary=32000.0), "aspect = inf"),
        (lambda N, D: 6 * N, "rise with D"),
        (lambda N, D: 6 * D, r"rise with N\n +at D=1e9"),
        (lambda N, D: 1e22 * D / N, "rise with N"),
        (lambda N, D: -N * D, "positive"),
        (lambda N, D: np.sin(N) * D, "with operators and jax.numpy"),
        (lambda N, D: (N * D).sum(), "be positive and rise"),
        (Custom(lambda N, D: -N * D), "positive"),
        (WithInference(Custom(lambda N, D: 6 * N), 1e12), "rise with D"),
        (NonEmbedding(omega="255"), "has omega = '255'"),  # type: ignore[arg-type]
        (["6ND"], r"unknown counting rule \['6ND'\]"),
    ],
)
def test_what_counts_nothing_is_refused(rule: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        counting(rule)
    with pytest.raises(InputError, match="takes no omega"):
        counting("6ND", omega=1200.0)


@pytest.mark.parametrize(
    ("rule", "omega", "said"),
    [
        (ListedShapes.of(SHAPES), 5, "listed-shapes takes no omega"),
        (["6ND-non-embedding"], 5, "takes no omega"),
        ("6ND-non-embedding", "255", "omega must be a number"),
        ("6ND-with-embedding", [255, 300], "omega is one number"),
        ("6ND-with-embedding", -1.0, "omega must be positive"),
    ],
)
def test_an_omega_that_cannot_be_used_is_refused(rule: Any, omega: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        counting(rule, omega=omega)
