"""What each candidate of a comparison would have you train."""

import dataclasses
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from scalingfit import law
from scalingfit._errors import InputError
from scalingfit.evidence import Comparison
from scalingfit.evidence.comparison.answers import answers

C = [1e21, 1e23]


def test_every_candidate_answers_as_its_fit_does(comparison: Comparison) -> None:
    found = comparison.answers(C)
    (table,) = found.tables
    rows: Any = table.records()
    assert [(row["C"], row["name"]) for row in rows] == [
        (budget, name) for budget in C for name in comparison.posteriors
    ]
    for row in rows:
        drawn = comparison.posteriors[row["name"]].frontier(row["C"])
        for name in ("N", "D", "tokens_per_param", "L"):
            assert [*row[name].values()] == pytest.approx(drawn.quantiles(name)[:, 0])
        assert row["weight"] == comparison.weights[row["name"]]
    assert found.arrays["N"].values.shape == (2, 2, 3)


def test_the_sentence_says_how_far_apart_they_are(comparison: Comparison) -> None:
    found = comparison.answers(1e23)
    middle = {name: row.quantiles("tokens_per_param")[1, 0] for name, row in found.each.items()}
    least, most = min(middle, key=lambda n: middle[n]), max(middle, key=lambda n: middle[n])
    assert found.conclusion.startswith("At 1e23 FLOP your D*/N* would be ")
    assert f"] under {least} and " in found.conclusion
    factor = f"under {most}: a factor of {middle[most] / middle[least]:.2g}, "
    assert factor in found.conclusion
    alone = dataclasses.replace(found, each={least: found.each[least]})
    assert alone.conclusion.endswith("], whichever is chosen.")


@pytest.mark.parametrize(
    ("high", "low", "said"),
    [
        (40, 10, "which either leaves open: the choice between them matters little there."),
        (24, 22, "more than one or other by itself leaves open."),
        (40, 22, "more than other by itself leaves open."),
    ],
)
def test_a_choice_matters_where_it_is_more_than_a_law_leaves_open(
    comparison: Comparison, high: float, low: float, said: str
) -> None:
    """By hand: medians of 21, below `high`, and of 25, above `low`."""
    each: Any = {
        name: SimpleNamespace(
            asked={"C": [1e23]}, quantiles=lambda _, ends=ends: np.reshape(ends, (3, 1))
        )
        for name, ends in (("one", (10, 21, high)), ("other", (low, 25, 40)))
    }
    found = dataclasses.replace(comparison.answers(1e23), each=each)
    assert found.conclusion.endswith(f"under other: a factor of 1.2, {said}")


def test_a_law_that_splits_nothing_is_named_or_refused(comparison: Comparison) -> None:
    fit, lone = comparison.posteriors["chinchilla"], SimpleNamespace(law=law("power"))
    posteriors: Any = {"chinchilla": fit, "power": lone}
    found = answers(posteriors, {"chinchilla": 0.5, "power": 0.5}, C)
    assert [*found.each] == ["chinchilla"]
    assert (found.notes[0].code, found.notes[0].of) == ("no_split", "power")
    with pytest.raises(InputError, match="no law splits a budget"):
        answers({"power": posteriors["power"]}, {"power": 1.0}, C)
