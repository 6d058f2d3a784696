"""A design as text."""

import re
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from scalingfit.runs import Runs
from scalingfit.runs.findings.picture import HEIGHT, WIDTH, picture

LOGS = npst.arrays(np.float64, st.integers(2, 9), elements=st.floats(0, 20))


def drawn(text: Any) -> Any:
    """What stands in the plane, line by line."""
    return [line.partition("|")[2] for line in text.splitlines()[:HEIGHT]]


@given(LOGS, st.randoms(use_true_random=False))
def test_every_run_is_drawn_once(logs: Any, random: Any) -> None:
    N = np.exp(logs)
    D = np.exp(np.array(random.sample(range(20), len(logs)), dtype=float))
    text = picture({"N": N, "D": D})
    if np.ptp(np.log(N)) == 0:
        assert text is None
        return
    marks = "".join(drawn(text)).replace(" ", "")
    assert sum(1 if mark == "." else int(mark) for mark in marks) == len(N)
    assert all(len(line) <= WIDTH for line in drawn(text))


def test_where_a_run_lies() -> None:
    lines = drawn(picture({"N": np.array([1e7, 1e8, 1e9]), "D": np.array([1e9, 1e10, 1e11])}))
    assert lines[0].index(".") == WIDTH - 1  # the largest, at the top right
    assert lines[-1].index(".") == 0
    assert [bool(line.strip()) for line in lines].count(True) == 3


def test_groups_are_told_apart_by_letters() -> None:
    N, D = np.array([1e7, 1e8, 1e7, 1e8] * 3), np.array([1e9, 1e10, 1e9, 1e11] * 3)
    columns = {"N": N, "D": D, "L": np.linspace(4, 3, 12)}
    table = Runs.from_columns(columns, labels={"optimizer": ["x", "x", "y", "y"] * 3})
    assert [finding.code for finding in table.findings] == ["groups"]
    text = table.picture()
    assert text is not None
    assert text.splitlines()[-1] == "optimizer: a x, b y"
    assert re.sub(" +", "", "".join(drawn(text))) == "ba*"


def test_what_has_no_plane_is_not_drawn() -> None:
    assert picture({"C": np.array([1.0, 2.0])}) is None
    assert picture({"N": np.array([1.0, 1.0]), "D": np.array([1.0, 2.0])}) is None
