"""The README says what really happens: its examples are run, and its links lead somewhere."""

import math
import re
from pathlib import Path

import pytest

from tests import readme

NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e[+-]?\d+)?(?=[KMBT]?\b)")

# On another machine the draws are others, so that what is estimated from them scatters: quantiles
# and standard deviations of the posterior by some percent (the tail of nu's by more), effective
# sample sizes, whole numbers of some hundreds or thousands, by far more.
SAME, SAME_SIZE = 1.25, 3.0


def close(written: str, found: str) -> bool:
    """Whether two numbers agree within what draws scatter."""
    one, other = float(written), float(found)
    if one == other:
        return True
    sizes = all(text.isdigit() and len(text) >= 3 for text in (written, found))
    limit = math.log(SAME_SIZE if sizes else SAME)
    return one * other > 0 and abs(math.log(one / other)) <= limit


def difference(written: str, found: str) -> str | None:
    """The first line of two texts that differs by more than its numbers' scatter and its spaces."""
    lines = written.splitlines(), found.splitlines()
    if len(lines[0]) != len(lines[1]):
        return f"{len(lines[0])} lines are written, {len(lines[1])} found"
    for one, other in zip(*lines, strict=True):
        words = [" ".join(NUMBER.sub("#", line).split()) for line in (one, other)]
        numbers = [NUMBER.findall(line) for line in (one, other)]
        same = words[0] == words[1] and all(map(close, *numbers))
        if not same:
            return f"written: {one}\nfound:   {other}"
    return None


def test_the_examples_print_what_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SCALINGFIT_DATA", raising=False)
    written = readme.README.read_text("utf-8")
    found = readme.rerun(written)
    said = difference(written, found)
    assert said is None, f"{said}\n(python -m tests.readme renews the README)"


def test_it_begins_with_two_commands() -> None:
    first_block = re.search(r"```sh\n(.*?)```", readme.README.read_text("utf-8"), re.DOTALL)
    assert first_block is not None
    assert re.findall(r"^make [\w-]+", first_block[1], re.MULTILINE) == ["make demo", "make test"]


def test_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", readme.README.read_text("utf-8"))
    ours = [link for link in links if "://" not in link]
    assert ours
    assert [link for link in ours if not (readme.ROOT / link).exists()] == []


def test_the_picture_is_small() -> None:
    assert readme.PICTURE.stat().st_size < 200_000


@pytest.mark.parametrize(
    ("written", "found", "same"),
    [
        ("alpha 0.44 [0.35, 0.53]", "alpha  0.45 [0.36, 0.52]", True),
        ("alpha 0.44 [0.35, 0.53]", "alpha 0.60 [0.36, 0.52]", False),
        ("N 101K", "N 101M", False),
        ("verdict: ok", "verdict: warned", False),
        ("E 0.83 921 765", "E 0.83 1500 1200", True),
        ("one\ntwo", "one", False),
        ("-0.1", "0.1", False),
    ],
)
def test_what_counts_as_the_same(written: str, found: str, same: bool) -> None:
    assert (difference(written, found) is None) == same
