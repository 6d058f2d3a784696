"""What a cell is as a number."""

import pytest

from scalingfit.runs import read


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["70B", "1.4T"], [70e9, 1.4e12]),
        (["350M", "125 m"], [350e6, 125e6]),
        (["1,000,000,000", "2,500,000,000.0"], [1e9, 2.5e9]),
        (["1e9", " 2E+9 "], [1e9, 2e9]),
        (
            ["9456351902178213888", "99456351902178213888"],
            [9456351902178213888.0, 9.945635190217821e19],
        ),
    ],
)
def test_spellings_of_large_numbers(cells: list[str], expected: list[float]) -> None:
    runs = read({"tokens": cells, "loss": [3.0, 2.0]})
    assert runs.D.tolist() == expected
    assert ("power of ten" in runs.describe()) == any(cell[-1] in "BTMm" for cell in cells)
