"""What every answer is made of: tables, notes, a conclusion, and all ways to show them."""

import io
import json
from collections.abc import Sequence

import numpy as np
import pytest
from rich.console import Console

from scalingfit._messages import Argument, Message
from scalingfit.cli._spelling import COMMAND_LINE
from scalingfit.result import Column, Interval, Note, Result, Table, jsonable

BUDGETS = Table(
    name="budgets",
    row="budget",
    columns={
        "C": Column([1e21, 1e22], ["1e21", "1e22"]),
        "N": Column([Interval(1.0, 2.0, 3.0), Interval(4.0, 5.0, np.inf)]),
        "<b>": Column(["one", None], hidden=False),
        "secret": Column([1, 2], hidden=True),
    },
    title="Frontier",
)


class Answer(Result):
    tables = (BUDGETS,)

    @property
    def notes(self) -> Sequence[Note]:
        said = Message("the limit binds; raise it: ", Argument("max_params", 7e9), ".")
        return [Note("binds", said, "C 1e21"), Note("binds", said, "C 1e22"), Note("far", "far")]

    @property
    def conclusion(self) -> str:
        return "Train."


def test_text_aligns_and_tells_equal_notes_once() -> None:
    assert str(Answer()).splitlines() == [
        "Frontier",
        "   C           N  <b>",
        "1e21    2 [1, 3]  one",
        "1e22  5 [4, inf]    -",
        "! C 1e21, C 1e22: the limit binds; raise it: max_params=7e+09.",
        "! far",
        "Train.",
    ]


def test_arguments_are_spelled_by_the_face() -> None:
    assert "raise it: --max-params 7e+09." in Answer().text(COMMAND_LINE)


def test_json_is_strict_and_whole() -> None:
    found = Answer().as_json()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["budgets"][1] == {  # type: ignore[index, call-overload]
        "C": 1e22,
        "N": {"q5": 4.0, "q50": 5.0, "q95": None},
        "<b>": None,
        "secret": 2,
    }
    assert [note["code"] for note in found["notes"]] == ["binds", "binds", "far"]  # type: ignore[union-attr, index, call-overload]


def test_frames_and_arrays_hold_the_same_numbers() -> None:
    frame, arrays = Answer().to_pandas(), Answer().to_xarray()
    assert [*frame] == ["C", "N_q5", "N_q50", "N_q95", "<b>", "secret"]
    assert arrays["N"].dims == ("budget", "quantile")
    np.testing.assert_array_equal(arrays["N"].sel(quantile=0.5), frame["N_q50"])
    np.testing.assert_array_equal(arrays.budget, [1e21, 1e22])
    assert "<b>" not in arrays


def test_html_escapes_names_and_texts() -> None:
    page = Answer()._repr_html_()
    assert "<th>&lt;b&gt;</th>" in page
    assert "<b>" not in page


def test_a_terminal_shows_what_text_shows() -> None:
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(Answer().rich(COMMAND_LINE))
    shown = console.export_text()
    for word in ("Frontier", "2 [1, 3]", "--max-params 7e+09", "Train."):
        assert word in shown


def test_few_notes_are_shown_unless_all_are_asked_for() -> None:
    class Many(Answer):
        notes = tuple(Note("n", f"note {number}") for number in range(8))

    assert "note 7" in Many().text()
    brief = Many().text(verbose=False)
    assert "note 4" in brief
    assert "note 5" not in brief
    assert "3 more" in brief


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float64(1.5), 1.5),
        (np.nan, None),
        (np.array([1, 2]), [1, 2]),
        ({1: (np.inf, True)}, {"1": [None, True]}),
        (Interval(0.0, 1.0, 2.0), {"q5": 0.0, "q50": 1.0, "q95": 2.0}),
    ],
)
def test_jsonable(value: object, expected: object) -> None:
    assert jsonable(value) == expected
