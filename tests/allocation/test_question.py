"""What questions have in common: counts, how far they lie from the runs, and refusals."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from scalingfit._errors import InputError
from scalingfit._text import engineering
from scalingfit.allocation import (
    NonEmbedding,
    SixND,
    WithInference,
    cheapest,
    choose,
    forecast,
    frontier,
)
from scalingfit.allocation.answer import in_draws
from scalingfit.allocation.question import reach
from scalingfit.catalog import law
from tests.allocation.answers import notes_of


def test_runs_without_weight_do_not_count_in_how_far_a_question_lies(posterior: Any) -> None:
    runs = posterior.runs
    posterior.runs = runs.with_weight(6 * runs.N * runs.D < 1e20)
    (said,) = notes_of(forecast(posterior, N=1e9, D=2e11))
    posterior.runs = posterior.runs.used()
    assert notes_of(forecast(posterior, N=1e9, D=2e11)) == (said,)


def test_budgets_compare_with_runs_under_the_same_counting(posterior: Any) -> None:
    (total,) = notes_of(frontier(posterior, [1e26]))
    (partial,) = notes_of(frontier(posterior, [1e26], counting="6ND-non-embedding"))
    assert total.startswith("C 1e26 is 8,330 times the largest run (1.2e22)")
    # The largest run is cheaper without its embedding, by 1 % at N = 1e10.
    assert partial.startswith("C 1e26 is 8,420 times the largest run (1.19e22)")


def test_what_is_far_of_other_rows_is_said_beside_the_farthest() -> None:
    runs = {"C": np.array([1e20, 1e22]), "D/N": np.array([10.0, 100.0])}
    places = {
        "C": np.array([1e24, 1e22, 1e21, 1e21, 1e21]),
        "D/N": np.array([30.0, 300.0, 500.0, 1.0, np.nan]),
    }
    (note,) = reach("budgets", places, runs).notes
    assert str(note) == (
        "4 of 5 budgets lie beyond the runs; the farthest: C 1e24 is 100 times the largest run "
        "(1e22); elsewhere D/N 300, 500 are up to 5 times the largest run (100); D/N 1.00 is 10 "
        "times below the smallest run (10.0): an extrapolation"
    )


def test_the_count_stands_above_the_table_unless_it_is_the_usual_one(posterior: Any) -> None:
    title = "Compute-optimal frontier: median [5 %, 95 %]"
    first, second, *_ = str(frontier(posterior, 1e21)).splitlines()
    assert (first, second.split()[:2]) == (title, ["C", "N"])
    rule = WithInference(NonEmbedding(1200.0), 1e9)
    counted = frontier(posterior, 1e21, counting=rule)
    said = (
        "C = 6 N_E D, where the fit's N is total: N = N_E + 1200 N_E^(1/3); "
        "plus 1e+09 tokens served at a third of that"
    )
    # The others have no exponent a to speak of.
    others = choose(posterior, 1e21, [1e9], counting=rule), cheapest(posterior, 2.5, counting=rule)
    for answer in others:
        assert str(answer).splitlines()[1] == said
    said += "; a is the exponent of N_E"
    other = str(frontier(posterior, 1e21, counting="6ND-with-embedding"))
    assert other.splitlines()[1].endswith("; a is the exponent of the sum")
    assert str(counted).splitlines()[:2] == [title, said]
    assert f"<caption>{title}\n{said.replace(chr(39), '&#x27;')}</caption>" in counted._repr_html_()


@pytest.mark.parametrize(
    ("name", "key", "counting", "contradicts"),
    [
        ("chinchilla", "besiroglu-2024", "6ND", False),
        ("chinchilla", "besiroglu-2024", "6ND-non-embedding", False),
        ("chinchilla", "besiroglu-2024", "6ND-with-embedding", True),
        ("kaplan", "kaplan-2020-table-2", "6ND", False),
        ("kaplan", "kaplan-2020-table-2", "6ND-with-embedding", False),
        ("kaplan", "kaplan-2020-table-2", "6ND-non-embedding", True),
        ("data_constrained", "muennighoff-2023", "6ND-non-embedding", False),  # does not say
    ],
)
def test_a_rule_for_the_other_n_is_said_to_be(
    name: str, key: str, counting: str, contradicts: bool
) -> None:
    point = law(name).published[key].law
    extras: Any = {"U": 1e10} if name == "data_constrained" else {}
    messages = [
        *notes_of(frontier(point, 1e22, counting=counting, **extras)),
        *notes_of(choose(point, 1e22, [1e9], counting=counting, **extras)),
        *notes_of(cheapest(point, 2.5, counting=counting, **extras)),
    ]
    said = [message for message in messages if "the compute is wrong by their share" in message]
    assert len(said) == (3 if contradicts else 0)


def test_the_n_of_a_fit_is_known_by_its_column(posterior: Any) -> None:
    columns = {"N": {"column": "params_non_embedding", "factor": 1.0}}
    posterior.runs = dataclasses.replace(posterior.runs, provenance={"columns": columns})
    (said,) = notes_of(frontier(posterior, 1e21, counting="6ND-non-embedding"))
    assert said.startswith("the N of chinchilla leaves out the embeddings")
    assert notes_of(frontier(posterior, 1e21, counting="6ND-with-embedding")) == ()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"C": "much"}, "is not an amount"),
        ({"C": [1e21, np.nan, -1.0]}, "positive and finite, and has nan, -1"),
        ({"C": []}, "nothing at all"),
        ({"C": 5.0}, "ask for a larger budget"),
        ({"C": 1e21, "U": 1e9}, r"unknown input 'U'\n  chinchilla takes N, D"),
        ({"C": 1e21, "inference_token": 1e9}, "use inference_tokens"),
        ({"C": 1e21, "counting": "6ND-nonembedding"}, "use 6ND-non-embedding"),
        ({"C": 1e12, "counting": WithInference(SixND(), 1e13)}, "no split of the budget"),
        ({"C": 1e21, "max_params": -1}, "max_params must be positive"),
        ({"C": 1e21, "max_params": [1e9, 2e9]}, "max_params is one number, and .* has 2"),
        ({"C": 1e21, "inference_tokens": [1e12, 5e12]}, "inference_tokens is one number"),
    ],
)
def test_questions_without_an_answer_are_refused(
    posterior: Any, arguments: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        frontier(posterior, **arguments)


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("data_constrained", {}, "also needs U"),
        ("data_constrained", {"U": [1e9, 1e9, 1e9]}, "U has 3 values for 2 budgets"),
        ("kaplan_steps", {}, "also needs batch"),
        ("routed", {"experts": 8}, "depends on N, experts alone"),
    ],
)
def test_laws_of_other_inputs_say_what_they_need(
    name: str, arguments: dict[str, Any], said: str
) -> None:
    point = next(iter(law(name).published.values())).law
    with pytest.raises(InputError, match=said):
        frontier(point, [1e20, 1e21], **arguments)


def test_what_is_no_posterior_is_refused() -> None:
    with pytest.raises(InputError, match="a posterior or a law with values is needed"):
        frontier(law("chinchilla"), 1e21)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (7.236e10, "72.4B"),
        (9.9999e9, "10.0B"),
        (999.6e9, "1.00T"),
        (3.16e15, "3.16e15"),
        (5.76e23, "5.76e23"),
        (0.51286, "0.513"),
        (1633.0, "1630"),
        (0.0, "0"),
        (np.inf, "inf"),
    ],
)
def test_numbers_are_three_digits_and_a_suffix(value: float, text: str) -> None:
    assert engineering(value) == text


def test_what_holds_in_a_few_draws_only_is_not_said() -> None:
    held = np.zeros((1, 1000, 3), bool)
    held[0, :10, 0] = held[0, :11, 1] = True
    (said,) = in_draws("smallest", "C", np.array([1e20, 1e21, 1e22]), held, "it holds")
    assert (said.of, said.share) == ("C 1e21", 0.011)
