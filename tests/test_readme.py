"""The README says what really happens: its examples are run, and its links lead somewhere."""

import math
import re

import pytest

from docs.examples import ROOT, WIDTH, captured, commands
from scalingfit import cli
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


@pytest.fixture(scope="module")
def rerun(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The README with the outputs of today."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("readme"))
        patch.delenv("SCALINGFIT_DATA", raising=False)
        return readme.renewed()


def test_the_examples_print_such_words_and_units(rerun: str) -> None:
    written = readme.README.read_text("utf-8")
    said = difference(*(NUMBER.sub("0", text) for text in (written, rerun)))
    assert said is None, f"{said}\n(python -m tests.readme renews the README)"


@pytest.mark.slow
def test_the_examples_print_such_numbers(rerun: str) -> None:
    said = difference(readme.README.read_text("utf-8"), rerun)
    assert said is None, f"{said}\n(python -m tests.readme renews the README)"


def test_it_is_short_and_narrow() -> None:
    lines = readme.README.read_text("utf-8").splitlines()
    assert len(lines) <= 150
    assert [line for line in lines if len(line) > WIDTH] == []


def test_commands_of_the_readme_and_the_site_can_be_typed() -> None:
    texts = [path.read_text("utf-8") for path in [readme.README, *(ROOT / "docs").rglob("*.md")]]
    found = [words for text in texts for words in commands(text)]
    assert len(found) > 20
    for words in found:
        given = [word for word in words if word not in cli.JSON | cli.VERBOSE | cli.QUIET]
        cli.app.parse_args(given, exit_on_error=False, print_error=False)


def test_options_that_the_site_names_exist() -> None:
    pages = [page for page in (ROOT / "docs").rglob("*.md") if "_build" not in page.parts]
    named = {
        name for page in pages for name in re.findall(r"`(--[a-z-]+)", page.read_text("utf-8"))
    }
    with captured() as helps:
        for command in cli.COMMANDS:
            cli.app.help_print([command])
        cli.app.help_print([])
    assert named
    assert {name for name in named if name not in helps.getvalue()} == set()


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
