"""Option lists that nobody would type: each is answered or refused in words, and in bounded time.

The sampler is left out: draws come from the prior. All that reads, checks and answers is in.
"""

import contextlib
import io
import random
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from scalingfit import cli
from scalingfit.inference import sampler
from tests.batch.small import pretended_draws
from tests.report import standin

GOOD = {
    "RUNS": ["runs.csv", "ladder"],
    "FIT": ["fit.nc", "broken.nc"],
    "NAME": ["chinchilla", "ladder"],
    "--law": ["chinchilla", "kaplan", "power"],
    "--laws": ["chinchilla,kaplan", "chinchilla"],
    "--noise": ["normal", "student_t,normal"],
    "--prior": ["alpha=0.34", "E=LogNormal(0.5, 0.2)", "beta=alpha", "kaplan.alpha_N=0.1"],
    "--column": ["N=params", "D=tokens*1e9", "L=loss"],
    "--where": ["family=a", "N>1e9", "D/N>5"],
    "--compute": ["1e21", "1e21,1e24"],
    "--params": ["7B", "1B,70B"],
    "--tokens": ["1.4T", "20B"],
    "--loss": ["2.5", "2.4,2.3"],
    "--models": ["1B,7B"],
    "--by": ["family"],
    "--cluster": ["family"],
    "--bootstrap": ["2"],
    "--draws": ["100"],
    "--out": ["out.nc"],
    "--store": ["fits"],
    "--plan": ["7B", "20tpp"],
    "--hardware": ["h100"],
    "--mfu": ["0.4"],
    "--price": ["2.5"],
}
NASTY = [
    "", " ", "0", "-1", "1", "-0.0", "1e30", "1e999", "-1e999", "nan", "inf", "-inf", "9" * 401,
    "-" * 9000, "-" * 20_000, "+" * 400, "1e", "0x10", "1_000", "1,", ",", ",,,", "1,nan", "1;2",
    "None", "true", "[]", "{}", "null", "NaN,1", "1e308,1e308", "5e-324", "1e-300", "1e300", "7BB",
    "B", "$", "$1", "5000h", "10PFd", "critical", "=", "==", "a=", "=a", "E=", "E=E", "E=A",
    "E=LogNormal(**x)", "E=LogNormal(*x)", "E=LogNormal(0,0)", "E=LogNormal(1e400,1)",
    "E=LogNormal(" + "-" * 400 + "1,1)", "E=" + "(" * 200, "E=" + "9" * 401, "E=1j", "E=True",
    "E=__import__('os')", "E=LogNormal(0.5, 0.2).x", "E=x\0", "alpha=-1", "alpha=1e308", "\0",
    "a\0b", "\ud800", "\t", "\n", "é", "数", "\u202e", "💥" * 50, "../../etc/passwd", "/dev/null",
    "/dev/full", "/", ".", "..", "a" * 300, "a" * 5000, "-", "--", "--json", "--help", "--nosuch",
    "'; DROP", "%s%n", "{0}", "$(id)", "*", "N=params*nan", "N=params*0", "N=params*-1e999",
    "N=*", "N=params*", "N>nan", "N>", "C<1e999", "family<3", "D/N", "1/0", "0/3", "3/2", "9/9",
    "1/99999999999999999999", "run 0", "run -1", "run 1e9", "0tpp", "-20tpp", "7B:", ":7B",
]  # fmt: skip
FEW = ("demo", "doctor")  # whose answers are pictures and compilations: their options alone
LIMIT = 60  # seconds for one list of options; most take a hundredth of one


def options_of(command: str) -> list[Any]:
    """Every option and argument of a command, as the command line itself knows them."""
    found = cli.app[command].assemble_argument_collection()
    return [argument for argument in found if argument.names != ("*",)]


COMMANDS = [*cli.COMMANDS]


def typed(rng: random.Random) -> list[str]:
    """One list of options: some make sense, some do not."""
    command = rng.choice(COMMANDS)
    words: list[str] = []
    for argument in options_of(command):
        name = argument.names[0]
        positional = not name.startswith("-")
        required = argument.required
        if not (positional or required) and rng.random() > 0.2:
            continue
        good = GOOD.get(name, [])
        value = rng.choice(good) if good and rng.random() < 0.7 else rng.choice(NASTY)
        words += [value] if positional else [name] if argument.hint is bool else [name, value]
    if rng.random() < 0.1:
        words.insert(rng.randrange(len(words) + 1), rng.choice(NASTY))
    if rng.random() < 0.5:
        words.append("--json")
    if command in FEW and "--help" not in words:
        words.append("--nosuch")
    return [command, *words]


@pytest.fixture(autouse=True)
def refusals_speak_both_languages() -> None:
    """Refusals quote what was typed, and here that is in any language."""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a table and a fit, and no sampler."""

    def attempt(
        model: Any, tables: Sequence[Any], waiting: list[int], settings: Any, *_: Any
    ) -> Iterator[tuple[list[int], list[Any]]]:
        for number in waiting:
            yield [number], [pretended_draws(model, tables[number], settings)]

    monkeypatch.setattr(sampler, "_attempt", attempt)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SCALINGFIT_DATA", raising=False)
    standin.table().to_pandas().to_csv("runs.csv", index=False)
    standin.posterior().save("fit.nc")
    Path("broken.nc").write_bytes(Path("fit.nc").read_bytes()[:-1])
    return tmp_path


def told(words: list[str]) -> tuple[int, str, str]:
    """Run a command, not longer than `LIMIT` seconds; its exit code, and what it says."""

    def late(*_: Any) -> None:
        raise TimeoutError(f"{words} takes longer than {LIMIT} s")

    out, err = io.StringIO(), io.StringIO()
    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(LIMIT)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = cli.run(words)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    return code, out.getvalue(), err.getvalue()


def held(numbers: range) -> None:
    """Hold that lists of options are answered, or refused in words."""
    for number in numbers:
        words = typed(random.Random(number))
        code, out, err = told(words)
        assert code in (0, 1, 2), (number, words, err[-2000:])
        assert "Traceback" not in err, (number, words, err)
        if code == 2:
            assert "error" in (out + err), (number, words)


@pytest.mark.filterwarnings("ignore")  # NumPy's, about draws from the prior
def test_option_lists_are_answered_or_refused(here: Path) -> None:
    """A share of those that the long check goes through."""
    held(range(60))


@pytest.mark.slow
@pytest.mark.fault("command", "10,000 option lists that make no sense", "answered or refused")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("share", range(10))
def test_ten_thousand_option_lists_are_answered_or_refused(here: Path, share: int) -> None:
    held(range(1000 * share, 1000 * share + 1000))
