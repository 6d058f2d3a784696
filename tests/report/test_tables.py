"""Tables for terminals hold what the plain ones hold."""

import io

import pytest
from rich.console import Console

from scalingfit.inference import Posterior
from scalingfit.report.tables import Grid, laid_out
from tests.report import standin


def printed(item: object, width: int = 200) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=True)
    console.print(laid_out(item))
    return console.file.getvalue()  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def posterior() -> Posterior:
    return standin.posterior()


def test_a_posterior(posterior: Posterior) -> None:
    words = printed(posterior)
    for name, row in posterior.summary().items():
        assert name in words
        assert f"{row['q50']:.4g}" in words
        assert f"{row['rhat']:.4f}" in words
    assert "verdict" in words
    assert "\x1b[1;32mok" in words  # green
    assert "\x1b[1;31m" not in words  # nothing is out of its limits


def test_what_is_out_of_its_limits_is_red() -> None:
    posterior = standin.posterior(sound=False)
    words = printed(posterior)
    assert f"\x1b[1;31m{posterior.summary()['alpha']['rhat']:.4f}" in words
    assert "\x1b[1;31mnot converged" in words


def test_a_frontier_says_what_to_know(posterior: Posterior) -> None:
    found = posterior.frontier([1e21, 1e26])
    words = printed(found)
    for cell in (cell for row in found.cells() for cell in row):
        assert cell in words
    assert "times the largest run" in words


def test_a_grid() -> None:
    grid = Grid(("name", "rows"), [["ladder", 24], ["epoch", 245]])
    assert str(grid) == "name    rows\nladder  24\nepoch   245"
    assert str(Grid(("", ""), [["a", "b"]])) == "a  b"
    assert "ladder" in printed(grid)
    assert "name" in printed(grid)


def test_brackets_are_text_and_no_markup() -> None:
    assert "[bold]" in printed(Grid(("a",), [["[bold]"]]))
    assert "[1, 2]" in printed("interval [1, 2]")
