"""The probability of a statement under several laws, averaged by weight."""

import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from scalingfit._errors import InputError
from scalingfit.allocation import frontier
from scalingfit.evidence.hypotheses.stacked import stacked_hypothesis
from scalingfit.inference import Posterior
from scalingfit.inference.hypothesis import hypothesis
from tests.simulated import scattered


class Answering(SimpleNamespace):
    """A stand-in that is asked as a posterior is."""

    def hypothesis(self, statement: str, **options: Any) -> Any:
        return hypothesis(self, statement, **options)  # type: ignore[arg-type]


def test_laws_are_averaged_by_weight_and_those_that_cannot_answer_are_named() -> None:
    fits: Any = {
        name: Answering(**vars(scattered(name))) for name in ("chinchilla", "kaplan", "broken")
    }
    weights = {"chinchilla": 0.3, "kaplan": 0.5, "broken": 0.2}
    statement = f"a + b > 0.5 and a < {np.median(frontier(fits['kaplan'].law, 1e21).draws['a'])}"
    each = {name: hypothesis(fits[name], statement, C=1e21) for name in ("chinchilla", "kaplan")}
    found = stacked_hypothesis(fits, weights, statement, C=1e21)
    assert found.each == each
    assert found.probability == pytest.approx(
        (0.3 * each["chinchilla"].probability + 0.5 * each["kaplan"].probability) / 0.8
    )
    assert set(found.refused) == {"broken"}  # though it has a parameter a
    title, _, *lines, why, share, far, farther, stacked = str(found).splitlines()
    assert title == f"P({statement}) by law"
    assert [line.split()[0] for line in lines] == ["chinchilla", "kaplan"]
    assert stacked.endswith("averaged by weight (chinchilla 0.375, kaplan 0.625)")
    assert why.startswith("! broken: does not answer: it splits no budget")
    assert share == "! the laws that answer hold 0.8 of the stacking weight"
    assert far.startswith("! chinchilla: D/N")
    assert far.endswith("an extrapolation")
    assert farther.startswith("! kaplan: D/N")
    assert farther.endswith("an extrapolation")
    said = json.loads(json.dumps(found.as_json()))
    assert said["probability"] == found.probability
    assert {row["candidate"]: row["C"] for row in said["hypothesis"]}["kaplan"] == 1e21


def test_an_input_goes_to_the_laws_that_have_it() -> None:
    fits: Any = {
        name: Answering(**vars(scattered(name))) for name in ("chinchilla", "data_constrained")
    }
    weights = {"chinchilla": 0.5, "data_constrained": 0.5}
    found = stacked_hypothesis(fits, weights, "a > 0.5", C=1e21, U=1e9)
    assert not found.refused
    assert [each.given for each in found.each.values()] == [{}, {"U": 1e9}]
    with pytest.raises(InputError, match="unknown input 'V'"):
        stacked_hypothesis(fits, weights, "a > 0.5", C=1e21, U=1e9, V=1.0)


def test_what_no_law_can_answer_is_refused_with_every_reason() -> None:
    fits: Any = {name: Answering(**vars(scattered(name))) for name in ("chinchilla", "kaplan")}
    with pytest.raises(InputError) as refusal:
        stacked_hypothesis(fits, {"chinchilla": 0.5, "kaplan": 0.5}, "q > 1")
    assert "chinchilla: the hypothesis 'q > 1' speaks of 'q'" in str(refusal.value)
    assert "kaplan: " in str(refusal.value)
    with pytest.raises(InputError, match="cannot be read"):
        stacked_hypothesis(fits, {}, "a >")


def test_what_the_optima_rest_on_is_noted(posterior: Posterior) -> None:
    tiny: dict[str, Any] = {"C": 1e13, "counting": "6ND-non-embedding"}
    alone = posterior.hypothesis("a > 0.6", **tiny)
    found = stacked_hypothesis({"one": posterior}, {"one": 1.0}, "a > 0.6", **tiny)
    assert [note.within("one") for note in alone.notes] == [*found.notes]
    assert str(found).count("omega = 47491") == 1
