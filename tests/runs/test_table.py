"""Tables of runs: what they hold, refuse, and give."""

import copy
import hashlib
import json
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from scalingfit._errors import InputError, ScalingfitError
from scalingfit.runs import Runs
from tests.runs.small import grid

POSITIVE = st.floats(min_value=1e-300, max_value=1e300)


@st.composite
def columns(draw: Any) -> Any:
    count = draw(st.integers(1, 20))
    names = draw(st.sets(st.sampled_from(["N", "D", "C", "U", "S"]), min_size=1))
    shape = npst.arrays(np.float64, count, elements=POSITIVE)
    return {name: draw(shape) for name in [*sorted(names), "L"]}


@given(columns())
def test_columns_come_back_as_read_only_float64(given_columns: Any) -> None:
    runs = Runs.from_columns(given_columns)
    assert len(runs) == len(given_columns["L"])
    for name, values in given_columns.items():
        np.testing.assert_array_equal(runs[name], values)
        assert runs[name].dtype == np.float64
        with pytest.raises(ValueError, match="read-only"):
            runs[name][0] = 1.0
    assert set(runs.inputs) == set(given_columns) - {"L"}


def test_the_table_does_not_share_memory_with_its_source() -> None:
    N = np.array([1e7, 1e8])
    runs = Runs.from_columns({"N": N, "L": [3.0, 2.5]})
    N[0] = 5.0
    assert runs.N[0] == 1e7
    with pytest.raises(TypeError):
        runs.columns["N"] = N  # type: ignore[index]
    with pytest.raises(AttributeError):
        runs.columns = {}  # type: ignore[misc]


def test_integers_become_floats() -> None:
    assert Runs.from_columns({"N": [10, 20], "L": [3, 2]}).N.dtype == np.float64


def test_pickling_and_copying_keep_content_and_read_only_arrays() -> None:
    runs = Runs.from_columns({"N": [1e7, 1e8], "L": [3.0, 2.5]}, labels={"family": ["a", None]})
    for other in (pickle.loads(pickle.dumps(runs)), copy.deepcopy(runs)):
        assert other.digest == runs.digest
        assert other.labels["family"].tolist() == ["a", None]
        assert not other.N.flags.writeable


@given(columns(), st.randoms(use_true_random=False))
def test_digest_ignores_the_order_of_columns_and_where_they_came_from(
    given_columns: Any, random: Any
) -> None:
    items = list(given_columns.items())
    random.shuffle(items)
    one = Runs.from_columns(given_columns, provenance={"source": "a"})
    other = Runs.from_columns(dict(items), labels={"family": ["x"] * len(one)})
    assert one.digest == other.digest


@given(columns(), st.data())
def test_digest_sees_every_value(given_columns: Any, data: Any) -> None:
    runs = Runs.from_columns(given_columns)
    name = data.draw(st.sampled_from(sorted(given_columns)))
    row = data.draw(st.integers(0, len(runs) - 1))
    changed = {key: values.copy() for key, values in given_columns.items()}
    changed[name][row] = np.nextafter(changed[name][row], np.inf)
    assert Runs.from_columns(changed).digest != runs.digest


def test_digest_sees_the_order_of_rows_and_the_names() -> None:
    runs = Runs.from_columns({"N": [1.0, 2.0], "L": [3.0, 4.0]})
    assert runs.take([1, 0]).digest != runs.digest
    assert Runs.from_columns({"D": [1.0, 2.0], "L": [3.0, 4.0]}).digest != runs.digest
    assert runs.with_weight([1, 1]).digest != runs.digest


def test_digest_is_the_documented_sha256() -> None:
    runs = Runs.from_columns({"N": [1.0], "L": [2.0]})
    content = b"scalingfit runs 1\n"
    content += b"L 1\n" + bytes.fromhex("0000000000000040")  # 2.0, little-endian
    content += b"N 1\n" + bytes.fromhex("000000000000f03f")  # 1.0
    assert runs.digest == hashlib.sha256(content).hexdigest()


REFUSED = [
    ({"N": [1.0, 2.0]}, ["needs the loss L", "N"]),
    ({"L": [1.0, 2.0]}, ["at least one input"]),
    ({"L": [1.0], "weight": [1.0]}, ["at least one input"]),
    ({"N": [], "L": []}, ["holds no run"]),
    ({"N": [1.0, 2.0, 3.0], "L": [1.0, 2.0]}, ["'N' has shape (3,)", "(2,)"]),
    ({"N": [[1.0, 2.0]], "L": [1.0, 2.0]}, ["'N' has shape (1, 2)"]),
    ({"N": ["big", "small"], "L": [1.0, 2.0]}, ["'N' is not numeric", "big"]),
    ({"N": [1.0, np.nan], "L": [1.0, 2.0]}, ["row 2, N", "is not finite"]),
    ({"N": [1.0, 0.0], "L": [1.0, 2.0]}, ["row 2, N", "is not positive"]),
    ({"N": [1.0, 1.0], "L": [1.0, -2.0]}, ["row 2, L: -2.0", "is not positive"]),
    ({"N": [1.0, 1.0], "L": [1.0, np.inf]}, ["row 2, L", "is not finite"]),
    ({"N": [1.0, 1.0], "L": [1.0, 1.0], "weight": [1.0, -1.0]}, ["row 2, weight", "is negative"]),
    ({"N": [1.0, 1.0], "L": [1.0, 1.0], "loss_se": [0.1, 0.0]}, ["row 2, loss_se"]),
]


@pytest.mark.parametrize(("given_columns", "words"), REFUSED)
def test_refused_columns_say_what_and_where(
    given_columns: dict[str, Any], words: list[str]
) -> None:
    with pytest.raises(InputError) as caught:
        Runs.from_columns(given_columns)
    for word in words:
        assert word in str(caught.value)
    assert isinstance(caught.value, ScalingfitError)
    assert isinstance(caught.value, ValueError)


def test_negative_losses_are_possible_on_request() -> None:
    runs = Runs.from_columns({"N": [1.0, 2.0], "L": [-1.0, -2.0]}, allow_negative_loss=True)
    assert runs.take([1]).L.tolist() == [-2.0]


def test_a_missing_input_is_named_with_the_way_to_get_it() -> None:
    runs = Runs.from_columns({"N": [1.0], "L": [1.0]}, labels={"unique_tokens": [5.0]})
    with pytest.raises(InputError) as caught:
        runs.input(["N", "U"])
    message = str(caught.value)
    for words in ("lack U", "N, U", "N, L", "unique_tokens", 'read(..., U="column'):
        assert words in message
    assert list(runs.input(["L", "N"])) == ["L", "N"]


def test_take_by_positions_and_by_mask() -> None:
    runs = grid()
    np.testing.assert_array_equal(runs.take([3, 0, 0]).L, runs.L[[3, 0, 0]])
    assert runs.take([3, 0]).row_numbers.tolist() == [4, 1]
    mask = runs.N > 1e7
    np.testing.assert_array_equal(runs.take(mask).D, runs.D[mask])


@pytest.mark.parametrize("chosen", [[], np.zeros(9, bool), np.ones(3, bool), [0.5], [[1]], [9]])
def test_take_refuses_what_chooses_no_run(chosen: Any) -> None:
    with pytest.raises(InputError):
        grid().take(chosen)


def test_split_loses_no_run_and_keeps_missing_labels() -> None:
    runs = Runs.from_columns(
        {"N": np.arange(1.0, 7.0), "L": np.ones(6)},
        labels={"family": ["b", "a", None, "b", float("nan"), "a"], "seed": [2, 1, 2, 1, 2, 1]},
    )
    parts = runs.split("family")
    assert list(parts) == ["(missing)", "a", "b"]
    assert {key: part.N.tolist() for key, part in parts.items()} == {
        "(missing)": [3, 5],
        "a": [2, 6],
        "b": [1, 4],
    }
    assert [part.N.tolist() for part in runs.split("seed").values()] == [[2, 4, 6], [1, 3, 5]]
    assert len(runs.split("N")) == 6
    with pytest.raises(InputError, match=r"no column 'sede'(.|\n)*seed"):
        runs.split("sede")


def test_with_weight_allows_zero_and_leaves_the_original_alone() -> None:
    runs = grid()
    weighted = runs.with_weight(np.arange(9))
    assert weighted["weight"].tolist() == list(range(9))
    assert "weight" not in runs.columns
    with pytest.raises(InputError, match="9 runs need as many weights"):
        runs.with_weight([1.0])
    assert weighted.without_weight().digest == runs.digest
    assert weighted.used().row_numbers.tolist() == list(range(2, 10))
    assert len(runs.with_weight(np.zeros(9)).used()) == 9


def test_describe_says_ranges_and_origin() -> None:
    runs = Runs.from_columns(
        {"N": [1e7, 1e9], "D": [1e9, 1e9], "L": [3.5, 2.5]},
        labels={"family": ["a", "b"]},
        provenance={
            "source": "runs.csv",
            "columns": {"N": {"column": "size", "factor": 1e6}},
            "derived": {"D": "C / (6 N)"},
            "dropped": [{"row": 3, "column": "loss", "reason": "is missing"}],
        },
    )
    assert repr(runs).splitlines() == [
        "2 runs from runs.csv: N 1e+07 to 1e+09, D 1e+09, L 2.5 to 3.5",
        "  N = size x 1e+06, D = C / (6 N); 1 row dropped (1 where loss is missing); labels family",
    ]


def test_provenance_is_json() -> None:
    assert json.loads(json.dumps(grid().provenance)) == {}


def test_to_pandas_round_trip() -> None:
    runs = grid(loss_se=np.full(9, 0.01))
    frame = runs.to_pandas()
    again = Runs.from_columns({name: frame[name] for name in frame})
    assert again.digest == runs.digest
    frame.loc[0, "N"] = 0.0  # a copy: the runs stay as they are
    assert runs.N[0] == 1e7
