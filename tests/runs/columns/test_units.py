"""In which unit a column is."""

from typing import Any

import numpy as np
import pytest

from scalingfit._errors import InputError
from scalingfit.runs import read
from tests.runs.three import L


@pytest.mark.parametrize(
    ("header", "asked", "factor", "said"),
    [
        ("Model Size (B)", {}, 1e9, True),
        ("params_millions", {}, 1e6, True),
        ("params in billions", {}, 1e9, True),
        ("size [M]", {"N": "size [M]"}, 1e6, True),
        ("Model Size (B)", {"N": ("Model Size (B)", 1e6)}, 1e6, False),
    ],
)
def test_units_are_applied_when_unmistakable_and_then_said(
    header: str, asked: dict[str, Any], factor: float, said: bool
) -> None:
    runs = read({header: [10.0, 20.0], "tokens": [1e9, 2e9], "loss": [3.0, 2.0]}, **asked)
    assert runs.N.tolist() == [10 * factor, 20 * factor]
    assert ("taken from the header" in runs.describe()) == said
    assert f"x {factor:g}" in runs.describe()
    assert runs.provenance["columns"]["N"] == {"column": header, "factor": factor}


@pytest.mark.parametrize(
    ("columns", "symbol", "factor"),
    [
        ("params_M", "N", 1e6),
        ("tokens_B", "D", 1e9),
        ("Tokens [T]", "D", 1e12),
        ("train_gflops", "C", 1e9),
        ("Compute (PF-days)", "C", 8.64e19),
        ("FLOPs (1e18)", "C", 1e18),
        ("compute (exaFLOP)", "C", 1e18),
    ],
)
def test_units_in_headers(columns: str, symbol: str, factor: float) -> None:
    runs = read({columns: [1.0, 2.0], "loss": [3.0, 2.0]}, derive=None)
    np.testing.assert_allclose(runs[symbol], [factor, 2 * factor])
    assert "taken from the header" in runs.describe()


def test_a_unit_in_the_cells_goes_before_the_header_and_never_adds_to_it() -> None:
    cells = ["125M", "1.3B", "2.7"]
    runs = read({"Params (B)": cells, "loss": L})
    assert runs.N.tolist() == [125e6, 1.3e9, 2.7e9]
    assert "where the cell has none of its own" in runs.describe()
    with pytest.raises(InputError, match=r"units of their own(.|\n)*leave the factor out"):
        read({"params": cells[:2] * 2, "loss": [*L, 2.5]}, N=("params", 1e9))
    with pytest.raises(InputError, match=r"2\.7 has no unit"):
        read({"params": cells, "loss": L})


def test_a_stated_factor_of_one_is_taken_at_its_word() -> None:
    frame = {"N": [10.0, 20.0], "D": [1e9, 2e9], "loss": [3.0, 2.0]}
    with pytest.raises(InputError, match="factor of 1"):
        read(frame)
    assert read(frame, N=("N", 1)).N.tolist() == [10.0, 20.0]


def test_small_models_on_small_data_and_other_inputs_pass() -> None:
    ladder = {"params": [2e3, 5e4, 1e6], "tokens": [1e5, 1e6, 1e7], "loss": [3.0, 2.0, 1.5]}
    assert len(read(ladder)) == 3
    assert len(read({"x": [1.0, 2.0, 3.0], "loss": [3.0, 2.0, 1.5]}, X="x")) == 3
