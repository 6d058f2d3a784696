"""What is doubtful about a table, and which run each of its rows is of."""

from typing import Any

import numpy as np
import pytest

from scalingfit.runs import Runs
from tests.runs.small import grid

LINE = np.logspace(7, 9, 6)
DESIGNS = [
    ({"N": LINE, "D": 1e18 / LINE}, ["same compute", "second budget"]),
    ({"N": LINE, "D": 20 * LINE}, ["same tokens per parameter (D/N 20)", "more or fewer tokens"]),
    ({"N": LINE, "D": LINE**1.5}, ["almost the same axis", "correlation 1.0000"]),
    ({"N": [1e7, 1e7, 1e8, 1e8], "D": [1e9, 1e10, 1e11, 1e9]}, ["Only 2 distinct values of N"]),
    ({"N": np.full(4, 1e7), "D": [1e9, 2e9, 3e9, 4e9]}, ["Only 1 distinct value of N"]),
]


def test_evaluations_of_a_run_are_no_checkpoints() -> None:
    """Where rows of a run have equal inputs, nobody is told to throw all but the last away."""
    for tokens, said in (([1e9, 1e9, 2e9], "repeated evaluations"), ([1e9, 2e9, 2e9], "schedule")):
        runs = Runs.from_columns(
            {"N": [1e8, 1e8, 2e8], "D": tokens, "L": [3.0, 2.9, 2.5]},
            labels={"run_id": ["a", "a", "b"]},
        )
        (finding,) = (each for each in runs.findings if each.code == "rows_of_one_run")
        assert said in finding.text
        assert ("last_of" in str(finding.remedy)) == (said == "schedule")


@pytest.mark.parametrize(("design", "words"), DESIGNS)
def test_designs_that_cannot_identify_a_law_are_named(
    design: dict[str, Any], words: list[str]
) -> None:
    runs = Runs.from_columns({**design, "L": np.full(len(design["N"]), 3.0)})
    (warning,) = runs.design_warnings()
    for word in words:
        assert word in warning


def test_runs_without_weight_do_not_count_in_a_design() -> None:
    table = grid()
    one_budget = table.with_weight(np.isclose(table.N * table.D, 1e18))
    assert len(one_budget.used()) == 3
    (warning,) = one_budget.design_warnings()
    assert "same compute" in warning
    assert table.used() is table


def test_perplexities_are_noticed_in_words() -> None:
    runs = Runs.from_columns({"C": [1e18, 1e19, 1e20], "L": [90.0, 80.0, 70.0]})
    assert runs.design_warnings() == []  # said once, as a finding
    assert "looks like perplexity" in runs.describe()
    assert [found.code for found in runs.findings] == ["unit"]


def test_some_losses_that_no_model_has_are_no_slip() -> None:
    C = np.geomspace(1e18, 1e20, 20)
    for above, codes in ((1, []), (2, ["unit"])):
        L = np.linspace(11.0, 7.0, 20) + np.where(np.arange(20) < above, 5.0, 0.0)
        runs = Runs.from_columns({"C": C, "L": L})
        assert [found.code for found in runs.findings] == codes
        assert ("2 of 20 losses are above 12" in runs.describe()) == (above == 2)


def test_rows_without_a_name_are_no_rows_of_one_run() -> None:
    for names, repeated in (["a", None, None], False), (["a", "a", None], True):
        runs = Runs.from_columns(
            {"C": [1e18, 1e19, 1e20], "L": [3.0, 2.5, 2.0]}, labels={"Run ID": names}
        )
        assert runs.run_label == ("Run ID" if repeated else None)
        assert ("Run ID names 1 run, of several rows each" in runs.describe()) == repeated
        assert [found.code for found in runs.findings] == ["rows_of_one_run"] * repeated


@pytest.mark.parametrize(
    ("names", "run_of", "several"),
    [
        ([*"abcd"], [0, 1, 2, 3], False),
        ([*"aaaa"], [0, 0, 0, 0], False),
        ([*"aabb"], [0, 0, 1, 1], True),
        (["b", None, "b", None], [0, 1, 0, 2], True),
        ([np.nan, 7.0, np.nan, 7.0], [0, 1, 2, 1], True),
    ],
)
def test_rows_are_of_runs_and_without_a_name_each_is_one(
    names: Any, run_of: list[int], several: bool
) -> None:
    C = [1e18, 1e19, 1e20, 1e21]
    runs = Runs.from_columns({"C": C, "L": [3.0, 2.5, 2.0, 1.8]}, labels={"run_id": names})
    assert runs.run_of.tolist() == run_of
    assert runs.run_count == len(set(run_of))
    assert (runs.run_numbers is not None) == several


def test_a_full_grid_and_other_inputs_raise_no_warning() -> None:
    assert grid().design_warnings() == []
    assert Runs.from_columns({"X": [1.0, 2.0], "L": [1.0, 0.5]}).design_warnings() == []
