"""What every answer is made of: tables, notes, a conclusion, and all ways to show them."""

import io
import json
from collections.abc import Sequence
from types import MappingProxyType

import numpy as np
import pytest
from rich.console import Console

from scalingfit._messages import Argument, Message
from scalingfit.cli._spelling import COMMAND_LINE
from scalingfit.result import (
    Axes,
    Column,
    Interval,
    Labels,
    Note,
    Result,
    Table,
    jsonable,
)

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
    tables: Sequence[Table] = (BUDGETS,)

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
        "! C 1e21, 1e22: the limit binds; raise it: max_params=7e+09.",
        "! far",
        "Train.",
    ]


def test_arguments_are_spelled_by_the_face() -> None:
    assert "raise it: --max-params 7e+09." in Answer().text(COMMAND_LINE)


def test_json_is_strict_and_whole() -> None:
    found = Answer().as_json()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["budgets"][1] == {  # type: ignore[index]
        "C": 1e22,
        "N": {"q5": 4.0, "q50": 5.0, "q95": None},
        "<b>": None,
        "secret": 2,
    }
    assert found["schema"] == 1
    assert [note["code"] for note in found["notes"]] == ["binds", "binds", "far"]  # type: ignore[union-attr, index, call-overload]
    (_, typed, _) = Answer().as_json(COMMAND_LINE)["notes"]  # type: ignore[misc, str-unpack]
    assert typed == {
        "code": "binds",
        "of": "C 1e22",
        "share": None,
        "text": "the limit binds; raise it: --max-params 7e+09.",
    }


def test_frames_and_arrays_hold_the_same_numbers() -> None:
    frame, arrays = Answer().to_pandas(), Answer().to_xarray()
    assert [*frame] == ["C", "N_q5", "N_q50", "N_q95", "<b>", "secret"]
    assert arrays["N"].dims == ("budget", "quantile")
    np.testing.assert_array_equal(arrays["N"].sel(quantile=0.5), frame["N_q50"])
    np.testing.assert_array_equal(arrays.budget, [1e21, 1e22])
    assert "<b>" not in arrays


def test_dimensions_without_labels_are_counted_and_others_may_have_several() -> None:
    class Drawn(Answer):
        arrays = MappingProxyType({"N": Axes(("chain", "draw", "budget"), np.ones((2, 3, 2)))})
        coordinates = MappingProxyType(
            {
                "budget": Labels("budget", [1e21, 1e22]),
                "U": Labels("budget", [1e9, 1e10]),
                "point": Labels("point", ["not there"]),
            }
        )

    found = Drawn().to_xarray()
    assert found["N"].dims == ("chain", "draw", "budget")
    assert [*found.draw.values] == [0, 1, 2]
    assert found["N"].sel(budget=1e22)["U"] == 1e10
    assert {*found.coords} == {"chain", "draw", "budget", "U"}


def test_a_result_without_tables_has_its_notes() -> None:
    class Said(Answer):
        tables: Sequence[Table] = ()

    assert str(Said()).splitlines()[0] == "! C 1e21, 1e22: " + str(Answer().notes[0].text)
    assert [*Said().to_pandas()["of"]] == ["C 1e21", "C 1e22", ""]


def test_shares_of_the_draws_are_shown_as_a_range() -> None:
    class Shared(Answer):
        notes = tuple(
            Note("edge", "the limit binds", f"C {C}", share)
            for C, share in (("1e21", 0.125), ("1e22", 1.0), ("1e23", 0.5))
        )

    said = str(Shared()).splitlines()[4]
    assert said == "! C 1e21, 1e22, 1e23: in 12.5 to 100 % of the draws the limit binds"
    one = Note("edge", "the limit binds", "C 1e21", 0.125)
    lines = str(type("One", (Shared,), {"notes": (one,)})()).splitlines()
    assert lines[4] == "! C 1e21: in 12.5 % of the draws the limit binds"


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


def test_people_get_as_many_rows_as_a_table_allows_and_machines_all() -> None:
    class Long(Answer):
        tables: Sequence[Table] = (
            Table("rows", "row", {"x": Column(["a", "b", "c"])}, "Three", limit=2),
            Table("unseen", "row", {"y": Column([1])}, "Unseen", limit=0),
            Table("none", "row", {"z": Column([])}, "Empty"),
        )
        notes = tuple(Note("n", "odd", str(row)) for row in range(10))

    lines = str(Long()).splitlines()
    assert [line.strip() for line in lines[:5]] == ["Three", "x", "a", "b", "and 1 more"]
    assert lines[5] == "! 0, 1, 2, 3, 4, 5, 6, 7, and 2 more: odd"
    assert "<td>c</td>" not in Long()._repr_html_()
    found = Long().as_json()
    assert found["rows"] == [{"x": "a"}, {"x": "b"}, {"x": "c"}]
    assert (found["unseen"], found["none"]) == ([{"y": 1}], [])
    assert len(found["notes"]) == 10  # type: ignore[arg-type]


def test_numbers_are_written_as_specified() -> None:
    column = Column.of([0.5, Interval(0.1, 0.25, 0.5), None], ".0%", "share")
    assert column.texts() == ["50%", "25% [10%, 50%]", "-"]
    assert (column.heading, column.values[0]) == ("share", 0.5)


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


def test_columns_that_do_not_fit_stand_below_beside_what_tells_rows_apart() -> None:
    columns = {"C": Column([1.0, 1.0]), "plan": Column(["a", "b"])} | {
        name: Column([10 * name, 20 * name]) for name in ("x", "y", "z")
    }
    table = Table("plans", "plan", columns, title="Plans")
    whole = table.text()
    assert whole.count("\n") == 3
    assert max(map(len, whole.splitlines())) == 73
    assert table.text(73) == whole
    first, second = table.text(72).split("\n\n")
    assert first.splitlines()[1].split() == ["C", "plan", "x", "y"]
    assert [line.split() for line in second.splitlines()] == [
        ["C", "plan", "z"],
        ["1", "a", "zzzzzzzzzz"],
        ["1", "b", "z" * 20],
    ]
    narrow = table.text(1).split("\n\n")  # one column beside the keys, however wide
    assert [part.splitlines()[-3].split()[-1] for part in narrow] == ["x", "y", "z"]
