"""The command line, called in this process: what it prints, where, and its exit code."""

import dataclasses
import errno
import inspect
import io
import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

import scalingfit as sf
from scalingfit import cli
from scalingfit.allocation import counting_rules
from scalingfit.catalog import noises
from scalingfit.cli import fits
from scalingfit.cli._cache import cache_folder, use_cache
from scalingfit.cli._sampling import Sampling
from scalingfit.cli._spelling import COMMAND_LINE
from scalingfit.cli.fits import fit
from scalingfit.inference import SAMPLING, Posterior, Verdict
from scalingfit.law_error import LAW_ERROR
from scalingfit.result import Note
from scalingfit.runs import Runs
from tests.report import standin

ROOT = Path(__file__).parents[1]


class Done(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


@pytest.fixture
def type_in(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., Done]:
    """Run commands in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SCALINGFIT_DATA", raising=False)

    def run(*arguments: str) -> Done:
        code = cli.run(arguments)
        return Done(code, *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fit whose verdict is ok."""
    path = tmp_path_factory.mktemp("saved") / "fit.nc"
    standin.posterior().save(path)
    return path


@pytest.fixture(scope="session")
def unsound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fit whose chains disagree."""
    path = tmp_path_factory.mktemp("unsound") / "fit.nc"
    standin.posterior(sound=False).save(path)
    return path


def frame() -> pd.DataFrame:
    """Forty-eight good runs."""
    runs = standin.table()
    return pd.DataFrame({"params": runs["N"], "tokens": runs["D"], "loss": runs["L"]})


def names_here() -> list[str]:
    """What lies in the folder, hidden files included."""
    return sorted(path.name for path in Path.cwd().iterdir())


def one_json(text: str) -> Any:
    """The one JSON object that a text consists of; NaN is no JSON."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    assert text.count("\n") == 1
    return json.loads(text, parse_constant=refuse)


# --- help ----------------------------------------------------------------------------------------

COMMANDS = [*cli.COMMANDS]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str, type_in: Callable[..., Done]) -> None:
    done = type_in(command, "--help")
    assert done.code == 0
    assert f"scalingfit {command}" in done.out.partition("\n")[2]  # an example, below the usage
    assert "--json" in done.out
    listing = type_in("--help").out
    first_line = done.out.splitlines()[2]
    assert command in listing
    assert first_line.split()[0] in listing


def test_help_of_a_command_loads_nothing_heavy() -> None:
    code = (
        "import sys; from scalingfit.cli import run\n"
        f"for name in {COMMANDS}: assert run([name, '--help']) == 0\n"
        "heavy = {'arviz', 'jax', 'matplotlib', 'numpyro', 'pandas', 'scipy', 'xarray'}\n"
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True)
    assert done.returncode == 0, done.stderr


# --- a fit, from file to file --------------------------------------------------------------------


def test_a_fit_and_what_follows_from_it(type_in: Callable[..., Done]) -> None:
    frame().to_csv("runs.csv", index=False)
    done = type_in("fit", "runs.csv", "-o", "fit.nc", "--json")
    fit = one_json(done.out)
    assert done.code == 0
    assert done.err == ""
    assert fit["schema"] == 1
    assert fit["verdict"] == {"ok": True, "status": "ok"}
    assert fit["notes"] == []
    assert (fit["law"], fit["runs"]["count"], fit["saved"]) == ("chinchilla", 48, "fit.nc")
    truth = sf.law("chinchilla").published["besiroglu-2024"].values
    rows = {row["parameter"]: row for row in fit["parameters"]}
    for name, value in truth.items():
        row = rows[name]
        assert abs(row["mean"] - value) < 4 * row["sd"]  # the runs follow the published law
    C = 6 * frame()["params"] * frame()["tokens"]
    budgets = [row["C"] for row in fit["frontier"]["budgets"]]
    expected = [np.sqrt(C.min() * C.max()), C.max(), 10 * C.max(), 100 * C.max()]
    np.testing.assert_allclose(budgets, expected, rtol=0.05)  # rounded to two digits

    # The saved fit answers as the fit itself did.
    found = one_json(type_in("frontier", "fit.nc", "-C", f"{budgets[2]:g}", "--json").out)
    (row,), expected = found["budgets"], fit["frontier"]["budgets"][2]
    for name in ("N", "D", "tokens_per_param", "L"):
        assert row[name] == pytest.approx(expected[name])

    # Without --json the same command shows the same fit to people.
    shown = type_in("fit", "runs.csv")
    assert shown.code == 0
    assert "48 runs from runs.csv" in shown.out
    assert f"{rows['alpha']['mean']:.4g}" in shown.out
    assert "verdict: ok" in shown.out
    assert "Compute-optimal frontier" in shown.out


@pytest.mark.fault("fit -o", "the disk fills while the fit is made", "the answer, then the reason")
@pytest.mark.parametrize("step", ["os.fsync", "pathlib.Path.replace"])
def test_a_fit_that_cannot_be_saved_is_answered_first(
    step: str, type_in: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    found = standin.posterior()
    monkeypatch.setattr(sf, "fit", lambda *_, **__: found)
    frame().to_csv("runs.csv", index=False)
    monkeypatch.setattr(step, full)
    shown = type_in("fit", "runs.csv", "-o", "fit.nc")
    assert shown.code == 2
    assert "verdict: ok" in shown.out
    assert "Compute-optimal frontier" in shown.out
    assert "saved to" not in shown.out
    assert "cannot write 'fit.nc': No space left on device" in shown.err
    assert "free space on its disk" in shown.err
    done = type_in("fit", "runs.csv", "-o", "fit.nc", "--json")
    answer = one_json(done.out)
    assert done.code == 2
    assert answer["verdict"]["status"] == "ok"
    assert answer["saved"] is None
    assert "No space left on device" in answer["error"]
    assert names_here() == ["runs.csv"]


@pytest.mark.parametrize(
    ("what", "words"), [("budget", "same compute"), ("ratio", "same tokens per parameter")]
)
def test_a_design_that_tells_nothing_is_said_once(
    what: str, words: str, type_in: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fit(runs: Runs, **_: Any) -> Posterior:
        return standin.posterior(runs=runs)

    monkeypatch.setattr(sf, "fit", fit)  # sampling such a posterior takes long
    N = np.logspace(8, 10, 16)
    D = 1e20 / N if what == "budget" else 20 * N
    pd.DataFrame({"N": N, "D": D, "L": 2 + 1e3 / N**0.5}).to_csv("runs.csv", index=False)
    done = type_in("fit", "runs.csv", "--json")
    assert words not in done.err
    answer = one_json(done.out)
    budgets = [row["C"] for row in answer["frontier"]["budgets"]]
    assert len(set(budgets)) == len(budgets) > 2
    assert not answer["verdict"]["ok"]
    (said,) = (note["text"] for note in answer["notes"] if note["code"] == "design")
    assert words in said
    assert done.code == 1
    again = type_in("fit", "runs.csv")
    assert (again.out + again.err).count(words) == 1


def test_options_have_the_defaults_of_the_library() -> None:
    library = inspect.signature(sf.fit).parameters
    shared = {
        name: option.default
        for name, option in inspect.signature(fit).parameters.items()
        if name in library and name != "runs"
    }
    assert shared.pop("law_error") == "smooth"  # in words what the library's default is
    assert library["law_error"].default == LAW_ERROR
    assert shared == {name: library[name].default for name in shared}
    assert {"law", "noise"} <= shared.keys()
    assert Sampling().options() == {"seed": library["seed"].default}
    sampling = {field.name for field in dataclasses.fields(Sampling)}
    assert sampling == library.keys() & {*SAMPLING} - {"limits"}


# --- questions to a saved fit --------------------------------------------------------------------


def test_frontier(saved: Path, type_in: Callable[..., Done]) -> None:
    done = type_in("frontier", str(saved), "--compute", "1e21,1e24", "--json")
    answer = one_json(done.out)
    assert done.code == 0
    assert [row["C"] for row in answer["budgets"]] == [1e21, 1e24]
    for row in answer["budgets"]:
        for name in ("N", "D", "tokens_per_param", "L"):
            assert row[name]["q5"] < row[name]["q50"] < row[name]["q95"]
        # 6 N* D* = C for every draw, so nearly for the medians.
        assert 6 * row["N"]["q50"] * row["D"]["q50"] == pytest.approx(row["C"], rel=1e-3)
    (note,) = answer["notes"]
    assert note["code"] == "beyond_runs"
    assert "an extrapolation" in note["text"]
    shown = type_in("frontier", str(saved), "--compute", "1e21,1e24")
    assert "tokens_per_param" in shown.out


def test_a_frontier_in_the_count_of_the_table(type_in: Callable[..., Done]) -> None:
    counted = frame().assign(flops=1.5 * 6 * frame()["params"] * frame()["tokens"])
    standin.posterior(runs=sf.read(counted)).save("counted.nc")

    def N(budget: str, rule: str) -> dict[str, float]:
        done = type_in("frontier", "counted.nc", "-C", budget, "--counting", rule, "--json")
        found: dict[str, float] = one_json(done.out)["budgets"][0]["N"]
        return found

    assert N("1.5e22", "table") == pytest.approx(N("1e22", "6ND"), rel=1e-6)


@pytest.mark.parametrize(
    "words",
    [
        ("frontier", "-C", "1e27"),
        ("forecast", "--params", "1e12", "--tokens", "1e15"),
        ("decide", "-C", "1e27", "--plan", "20tpp"),
        ("returns", "-C", "1e27"),
    ],
    ids=lambda words: words[0],
)
def test_an_answer_far_beyond_the_runs_is_a_warning(
    saved: Path, type_in: Callable[..., Done], words: tuple[str, ...]
) -> None:
    done = type_in(words[0], str(saved), *words[1:], "--json")
    assert done.code == 1
    assert "far_beyond_runs" in [note["code"] for note in one_json(done.out)["notes"]]


def test_frontier_options(saved: Path, type_in: Callable[..., Done]) -> None:
    def N(*options: str) -> float:
        done = type_in("frontier", str(saved), "-C", "1e23", *options, "--json")
        return float(one_json(done.out)["budgets"][0]["N"]["q50"])

    assert N("--max-params", "1B") == pytest.approx(1e9)
    # Who serves many tokens out of one budget trains a smaller model.
    assert N("--inference-tokens", "10T", "--lifetime") < N()
    assert N("--counting", "6ND-with-embedding") != N()
    # The fewer embeddings there are, the nearer is the count to that without them.
    counted = ("--counting", "6ND-non-embedding", "--omega")
    assert N(*counted, "1e-3") == pytest.approx(N(), rel=1e-6)
    assert N(*counted, "47491") == N("--counting", "6ND-non-embedding") < N()
    shown = type_in("frontier", str(saved), "-C", "1e23", *counted, "1200").out
    assert "N = N_E + 1200 N_E^(1/3)" in shown.splitlines()[1]


def test_frontier_compares_models(saved: Path, type_in: Callable[..., Done]) -> None:
    words = ("frontier", str(saved), "-C", "1e22", "--models", "4B,7B,20B", "--max-params", "10B")
    answer = one_json(type_in(*words, "--json").out)
    models, notes = answer["choice"]["models"], answer["choice"]["notes"]
    assert [row["N"] for row in models] == [4e9, 7e9]
    assert [row["D"] for row in models] == pytest.approx([1e22 / 24e9, 1e22 / 42e9])
    assert sum(row["best"] for row in models) == pytest.approx(1)
    left_out = [note["text"] for note in notes if note["code"] == "left_out"]
    assert left_out == ["N = 20.0B: larger than max_params (10.0B), left out"]
    assert len(answer["budgets"]) == 1
    assert "Models at a budget" in type_in(*words).out


def test_frontier_at_the_critical_batch_size(type_in: Callable[..., Done]) -> None:
    rng = np.random.default_rng(0)
    N, S, batch = (
        np.exp(rng.uniform(*np.log(ends), size=40)) for ends in ((1e6, 1e9), (1e3, 1e5), (1e5, 1e6))
    )
    point = sf.law("kaplan_steps").published["kaplan-2020-table-3"].law
    runs = sf.Runs.from_columns({"N": N, "S": S, "batch": batch, "L": point.loss(N, S, batch)})
    standin.posterior(runs=runs, law="kaplan_steps", point="kaplan-2020-table-3").save("kaplan.nc")
    words = ("frontier", "kaplan.nc", "-C", "1e20", "--input", "batch=critical")
    answer = one_json(type_in(*words, "--json").out)
    (row,) = answer["budgets"]
    assert row["S"]["q50"] * row["batch"]["q50"] == pytest.approx(row["D"]["q50"], rel=0.01)
    assert row["a"]["q50"] == pytest.approx(0.681, abs=0.01)
    assert row["batch_exponent"]["q50"] == pytest.approx(0.250, abs=0.01)
    assert row["S_exponent"]["q50"] == pytest.approx(0.069, abs=0.01)
    assert answer["provenance"]["batch"] == "critical"


def test_frontier_draws_a_picture(saved: Path, type_in: Callable[..., Done]) -> None:
    done = type_in("frontier", str(saved), "-C", "1e22", "--plot", "f.png")
    assert done.code == 0
    assert Path("f.png").read_bytes().startswith(b"\x89PNG")
    refused = type_in("frontier", str(saved), "-C", "1e22", "--plot", "f.gif")
    assert refused.code == 2
    assert ".png, .pdf, .svg" in refused.err
    assert names_here() == ["f.png"]


def test_what_is_asked_next_goes_with_the_law() -> None:
    """What cannot be answered is not advised."""
    said = {name: fits._next_question(sf.law(name), Path("fit.nc")) for name in LAWS_ASKED}
    assert said == LAWS_ASKED


LAWS_ASKED = {
    "chinchilla": "frontier fit.nc --compute BUDGETS",
    "data_constrained": "frontier fit.nc --compute BUDGETS --input U=...",
    "kaplan_steps": "frontier fit.nc --compute BUDGETS --input batch=...",
    "power": "forecast fit.nc --input X=...",
    "routed": "forecast fit.nc --params ... --input experts=...",
    "vocabulary": "frontier fit.nc --compute BUDGETS",
}


def test_forecast(saved: Path, type_in: Callable[..., Done]) -> None:
    words = ("forecast", str(saved), "--params", "70B", "--tokens", "1.4e12", "--json")
    (row,) = one_json(type_in(*words).out)["points"]
    law = sf.law("chinchilla").published["besiroglu-2024"].law
    assert row["mean"]["q50"] == pytest.approx(law.loss(70e9, 1.4e12), rel=0.002)
    assert row["new_run"]["q95"] > row["mean"]["q95"]
    by_compute = type_in(
        "forecast", str(saved), "--params", "70B", "--compute", "5.88e23", "--json"
    )
    (same,) = one_json(by_compute.out)["points"]
    assert same["mean"]["q50"] == pytest.approx(row["mean"]["q50"])


def test_cheapest_undoes_the_frontier(saved: Path, type_in: Callable[..., Done]) -> None:
    """Of a law that always gains from compute, with the same limits; draw by draw, so medians."""
    limits = ("--max-params", "1B", "--inference-tokens", "1T", "--lifetime", "--json")
    (row,) = one_json(type_in("frontier", str(saved), "-C", "1e22", *limits).out)["budgets"]
    words = ("cheapest", str(saved), "--loss", f"{row['L']['q50']!r}", *limits)
    answer = one_json(type_in(*words).out)
    assert abs(answer["losses"][0]["C"]["q50"] / 1e22 - 1) < 0.02
    (limit,) = [note for note in answer["notes"] if note["code"] == "limit"]
    assert "max_params" in limit["text"]
    assert 0 < limit["share"] <= 1
    shown = type_in("cheapest", str(saved), "--loss", "2.5,2.4")
    assert shown.code == 0
    assert "Least cost of a loss" in shown.out
    refused = type_in("cheapest", str(saved), "--loss", "0.1")
    assert refused.code == 2
    assert "no budget reaches the loss" in refused.err


@pytest.mark.parametrize(
    "question",
    [
        ("frontier", "-C", "1e21"),
        ("forecast", "--params", "1B", "--tokens", "20B"),
        ("cheapest", "--loss", "2.5"),
    ],
)
def test_answers_of_a_fit_that_is_not_sound_come_with_a_warning(
    question: tuple[str, ...], unsound: Path, type_in: Callable[..., Done]
) -> None:
    command, *options = question
    done = type_in(command, str(unsound), *options, "--json")
    assert done.code == 1
    assert "not converged" in done.err
    assert one_json(done.out)["provenance"]["law"] == "chinchilla"


def test_few_notes_are_shown_unless_all_are_asked_for(
    type_in: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = tuple(Note("design", f"doubt {number}") for number in range(8))
    fit = dataclasses.replace(standin.posterior(), verdict=Verdict("warned", notes))
    monkeypatch.setattr(sf, "fit", lambda *_, **__: fit)
    standin.table().to_pandas().to_csv("runs.csv", index=False)
    shown = type_in("fit", "runs.csv").out
    assert "! doubt 4\n! and 3 more notes: -v shows them\nverdict: warned\n" in shown
    assert "doubt 5" not in shown
    for flag in ("-v", "--verbose"):
        assert "doubt 7" in type_in("fit", "runs.csv", flag).out
    assert len(one_json(type_in("fit", "runs.csv", "--json").out)["notes"]) == 8


def test_terminals_mark_what_is_out_of_its_limits(
    type_in: Callable[..., Done], unsound: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for posterior, doubtful in ((standin.posterior(), False), (sf.load(unsound), True)):
        console = Console(file=io.StringIO(), width=200, force_terminal=True)
        console.print(posterior.rich(COMMAND_LINE))
        shown = console.file.getvalue()  # type: ignore[attr-defined]
        for name, row in posterior.summary().items():
            assert name in shown
            assert f"{row['q50']:.4g}" in shown
        assert (f"\x1b[1;31m{posterior.summary()['alpha']['rhat']:.4f}" in shown) == doubtful
        assert ("\x1b[1;31m" in shown) == doubtful


def test_the_demo_leaves_a_fit_and_figures(
    type_in: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = []

    def fit(runs: Runs, **_: Any) -> Posterior:
        given.append(runs)
        return standin.posterior(runs=runs)

    monkeypatch.setattr(sf, "fit", fit)
    done = type_in("demo", "--out", "somewhere/new", "--json")
    assert done.err == ""
    written = [Path(path) for path in one_json(done.out)["written"]]
    assert written == [Path("somewhere/new", n) for n in ("fit.nc", "overview.png", "frontier.png")]
    assert sf.load(written[0]).runs.digest == given[0].digest
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in written[1:])
    # The runs are the part of the shipped table that its README calls near the frontier.
    assert given[0].provenance["dataset"]["name"] == "ladder"
    assert 20 <= len(given[0]) < len(sf.datasets.read("ladder"))


@pytest.mark.parametrize("sound", [True, False])
def test_the_doctor_says_what_is_here(
    sound: bool, type_in: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = standin.posterior()
    if not sound:
        monkeypatch.setattr(
            Posterior, "summary", lambda _: {"alpha": {"q5": 9, "q50": 9, "q95": 9}}
        )
    monkeypatch.setattr(sf, "fit", lambda *_, **__: found)
    done = type_in("doctor", "--json")
    said = one_json(done.out)
    assert done.code == (0 if sound else 1)
    assert said["fit"]["ok"] == sound
    assert said["versions"]["scalingfit"] == sf.__version__
    assert said["devices"]
    assert said["precision"] in ("float64", "float32")
    assert "a small fit" in type_in("doctor").out


# --- tables and laws -----------------------------------------------------------------------------


def test_read_says_what_it_understood(type_in: Callable[..., Done]) -> None:
    table = frame()
    table["family"] = "a"
    table[["params", "tokens"]] /= [1e6, 1e9]
    table.rename(columns={"params": "size (M)", "tokens": "seen"}).to_csv("runs.csv", index=False)
    done = type_in("read", "runs.csv", "-c", "N=size (M)", "-c", "D=seen*1e9", "--json")
    assert done.code == 0
    runs = one_json(done.out)
    np.testing.assert_allclose(runs["columns"]["N"]["max"], 1e10)
    np.testing.assert_allclose(runs["columns"]["D"]["max"], 10**11.5)
    assert runs["labels"] == ["family"]
    assert (
        "48 runs from runs.csv"
        in type_in("read", "runs.csv", "-c", "N=size (M)", "-c", "D=seen*1e9").out
    )


def test_read_draws_the_design(type_in: Callable[..., Done]) -> None:
    frame().to_csv("runs.csv", index=False)
    done = type_in("read", "runs.csv", "--plot", "design.png")
    assert done.code == 0
    assert done.out.endswith("drawn in design.png\n")
    assert Path("design.png").read_bytes().startswith(b"\x89PNG")
    assert type_in("read", "runs.csv", "--plot", "design.doc").code == 2


@pytest.mark.parametrize(
    ("conditions", "count"),
    [
        (["family=a"], 24),
        (["family!=a"], 24),
        (["family==a"], 24),
        (["step == 7"], 2),
        (["N>1e9"], 24),
        (["params>1e9"], 24),
        (["N>=1e8", "N < 1e9", "family=b"], 12),
        (["D/N>20"], 28),
        (["step<=2"], 6),
    ],
)
def test_where(conditions: list[str], count: int, type_in: Callable[..., Done]) -> None:
    frame().assign(family=["a", "b"] * 24, step=[*range(24)] * 2).to_csv("runs.csv", index=False)
    words = [word for condition in conditions for word in ("--where", condition)]
    found = one_json(type_in("read", "runs.csv", *words, "--json").out)
    assert found["count"] == count
    assert len(found["provenance"]["kept"]) == len(conditions)


def test_the_shipped_table_by_its_name(type_in: Callable[..., Done]) -> None:
    assert (
        one_json(type_in("read", "ladder", "--json").out)["provenance"]["dataset"]["name"]
        == "ladder"
    )


def test_datasets(type_in: Callable[..., Done]) -> None:
    listed = one_json(type_in("datasets", "--json").out)["datasets"]
    assert [row["name"] for row in listed] == sf.datasets.names()
    assert one_json(type_in("datasets", "ladder", "--json").out)["licence"] == "Apache-2.0"
    shown = type_in("datasets").out
    assert all(name in shown for name in sf.datasets.names())


def test_laws(type_in: Callable[..., Done]) -> None:
    listed = one_json(type_in("laws", "--json").out)["laws"]
    assert [row["name"] for row in listed] == list(sf.laws())
    (chinchilla,) = [row for row in listed if row["name"] == "chinchilla"]
    assert chinchilla["published"]["besiroglu-2024"]["alpha"] == 0.3478
    assert chinchilla["inputs"] == ["N", "D"]
    assert chinchilla["meanings"] == {"N": "parameters", "D": "training tokens"}
    shown = type_in("laws", "chinchilla").out
    assert "arXiv 2203.15556" in shown
    assert "N total parameters, D tokens, L in nats per token; rounded as printed" in shown
    assert "A/N^alpha at N=1e+09 ~ LogNormal(log 0.35, 1.5)" in shown


@pytest.mark.parametrize("name", sf.laws())
def test_every_law_can_be_shown(name: str, type_in: Callable[..., Done]) -> None:
    about = one_json(type_in("laws", name, "--json").out)
    assert about["name"] == name
    shown = type_in("laws", name).out
    assert name in shown
    said = [line.split(maxsplit=1) for line in shown.splitlines()]
    assert all([symbol, meaning] in said for symbol, meaning in about["meanings"].items())
    assert all([key, row["conventions"]] in said for key, row in about["published"].items())


def test_noises(type_in: Callable[..., Done]) -> None:
    listed = one_json(type_in("noises", "--json").out)["noises"]
    assert [row["name"] for row in listed] == list(noises())
    assert all(row["scatter"] and row["parameters"] for row in listed)
    (absolute,) = [row for row in listed if row["name"] == "laplace_level"]
    assert not absolute["on_log"]
    assert "units of the loss" in absolute["parameters"]["sigma"]["about"]
    assert all(name in type_in("noises").out for name in noises())


def test_rules(type_in: Callable[..., Done]) -> None:
    listed = one_json(type_in("rules", "--json").out)["rules"]
    assert {row["name"]: row["counting"] for row in listed} == {
        name: rule().describe() for name, rule in counting_rules().items()
    }
    ours = {"6ND": None, "6ND-non-embedding": True, "6ND-with-embedding": False}
    assert ours.items() <= {row["name"]: row["total"] for row in listed}.items()
    shown = type_in("rules", "6ND-non-embedding").out
    assert "arXiv 2406.12907" in shown
    assert "47491" in shown
    assert "Parameters" not in shown


@pytest.mark.parametrize(
    ("command", "name"),
    [("noises", name) for name in noises()] + [("rules", name) for name in counting_rules()],
)
def test_every_noise_model_and_rule_can_be_shown(
    command: str, name: str, type_in: Callable[..., Done]
) -> None:
    about = one_json(type_in(command, name, "--json").out)
    assert about["name"] == name
    shown = type_in(command, name).out
    assert shown.startswith(f"{name}: ")
    said = [line.split(maxsplit=1) for line in shown.splitlines()]
    assert all(any(words[:1] == [key] for words in said) for key in about.get("parameters", ()))


def test_names_that_the_help_promises_are_listed_by_the_command_that_it_names(
    type_in: Callable[..., Done],
) -> None:
    for command, listing in (("fit", "noises"), ("frontier", "rules"), ("plan", "rules")):
        text = type_in(command, "--help").out.replace("│", " ")
        assert f"scalingfit {listing} lists" in " ".join(text.split())
    for listing in ("laws", "noises"):
        refused = type_in(listing, "nosuch")
        assert refused.code == cli.REFUSED
        assert f"'scalingfit {listing}' lists them" in refused.err
    assert "by name: 6ND" in type_in("rules", "nosuch").err


# --- bad input: what is wrong, where, what to do -------------------------------------------------


def spoiled(**changes: Any) -> pd.DataFrame:
    """The good runs with the fourth one (line 5 of the file) changed."""
    table = frame().astype(object)
    for name, value in changes.items():
        table.loc[3, name] = value
    return table


BAD_TABLES = {
    "one row": (frame().head(1), ["1 of 1 rows are usable", "add runs"]),
    "two columns for N": (
        frame().assign(n_params=1e9),
        ["could be N: params, n_params", "--column N=params"],
    ),
    "text": (spoiled(params="big"), ["line 5, params: 'big' is not a number", "--bad-rows drop"]),
    "NaN": (spoiled(loss="nan"), ["line 5, loss", "missing", "--bad-rows drop"]),
    "zero": (spoiled(tokens=0), ["line 5, tokens", "not positive", "--bad-rows drop"]),
    "negative": (spoiled(loss=-2.5), ["line 5, loss: -2.5", "--allow-negative-loss"]),
    "infinite": (spoiled(params="inf"), ["line 5, params", "not finite"]),
    "billions": (
        frame().assign(params=frame()["params"] / 1e9),
        ["N looks like billions", "--column 'N=params*1e+09'"],
    ),
    "no loss": (
        frame().rename(columns={"loss": "score"}),
        ["recognised as the loss", "if one of these holds it: score"],
    ),
}


@pytest.mark.parametrize("kind", BAD_TABLES)
def test_bad_tables(kind: str, type_in: Callable[..., Done]) -> None:
    table, words = BAD_TABLES[kind]
    table.to_csv("runs.csv", index=False)
    refused(type_in, ["runs.csv", "-o", "fit.nc"], words, left=["runs.csv"])


def test_bad_files(type_in: Callable[..., Done]) -> None:
    refused(type_in, ["runs.csv"], ["no file runs.csv", "check the path"], left=[])
    Path("runs.csv").touch()
    refused(type_in, ["runs.csv"], ["runs.csv is empty", "one row per run"], left=["runs.csv"])


BAD_ARGUMENTS = {
    "unknown column": (["-c", "N=paramz"], ["no column 'paramz'", "closest: params"]),
    "no column": (["-c", "N"], ["--column 'N'", "--column N=params"]),
    "a column twice": (["-c", "N=params", "-c", "N=params"], ["gives N twice"]),
    "a column the law needs": (["--law", "data_constrained"], ["lack U", "--column 'U="]),
    "law": (["--law", "chinchila"], ["unknown law 'chinchila'", "chinchilla"]),
    "noise": (["--noise", "studen"], ["unknown noise", "student_t"]),
    "prior": (["--prior", "E~3"], ["names no parameter", "NAME=LogNormal(0.5, 0.2)"]),
    "family": (["--prior", "E=LogNorm(0,1)"], ["no family 'LogNorm'", "LogNormal"]),
    "code": (["--prior", "E=open('x')"], ["there is no family 'open'"]),
    "parameter": (["--prior", "Z=3"], ["'Z'", "alpha"]),
    "condition": (["--where", "tokens"], ["not a condition", "family=gpt"]),
    "condition on nothing": (["--where", "colour=red"], ["no column 'colour'", "params"]),
    "empty condition": (["--where", "N>1e15"], ["none of the 48 rows", "from 1e+08 to 1e+10"]),
    "draws": (["--draws", "many"], ["--draws", "many"]),
    "option": (["--nois", "normal"], ["--nois", "--noise"]),
    "a value of a switch": (["--last", "no"], ["nothing takes no", "--last is a switch"]),
    "no folder": (["-o", "nowhere/fit.nc"], ["cannot write", "existing folder"]),
    "a folder": (["-o", "."], ["cannot write", "it is a folder"]),
}


@pytest.mark.parametrize("kind", BAD_ARGUMENTS)
def test_bad_arguments(kind: str, type_in: Callable[..., Done]) -> None:
    arguments, words = BAD_ARGUMENTS[kind]
    frame().to_csv("runs.csv", index=False)
    refused(type_in, ["runs.csv", *arguments], words, left=["runs.csv"])


def refused(
    type_in: Callable[..., Done], arguments: list[str], words: list[str], left: list[str]
) -> None:
    """Hold that `fit` refuses, says why in both ways, and writes nothing."""
    done = type_in("fit", *arguments)
    assert (done.code, done.out) == (2, "")
    assert done.err.splitlines()[-1 if "warning" in done.err else 0]
    assert "error: " in done.err
    assert "Traceback" not in done.err
    assert all(word in done.err for word in words), done.err
    done = type_in("fit", *arguments, "--json")
    assert done.code == 2
    assert all(word in one_json(done.out)["error"] for word in words)
    assert names_here() == left


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["fti"], ["fti", "fit"]),
        (["fit"], ["RUNS"]),
        (["frontier", "fit.nc"], ["--compute"]),
        (["frontier", "fit.nc", "-C", "1e21"], ["no file 'fit.nc'"]),
        (["frontier", "{saved}", "-C", "much"], ["'much' is not an amount", "1e24"]),
        (["frontier", "{saved}", "-C", "-3"], ["positive"]),
        (["frontier", "{saved}", "-C", "1e21", "--counting", "7ND"], ["7ND", "6ND"]),
        (["frontier", "{saved}", "-C", "1e21", "--omega", "1200"], ["6ND takes no omega"]),
        (
            ["frontier", "{saved}", "-C", "1e21", "--max-params", "1B,2B"],
            ["--max-params takes one number, and '1B,2B' has 2"],
        ),
        (
            ["frontier", "{saved}", "-C", "1e21", "--inference-tokens", "1T,2T"],
            ["--inference-tokens takes one number"],
        ),
        (["frontier", "{saved}", "-C", "1e21", "--omega", "255,300"], ["--omega takes one number"]),
        (["frontier", "{saved}", "-C", "1e21", "--input", "U=1e9"], ["'U'"]),
        (["frontier", "{saved}", "-C", "1e21", "--input", "9"], ["--input U=1e11"]),
        (["forecast", "{saved}", "--params", "1B"], ["also needs D", "add --tokens ..."]),
        (["forecast", "{saved}", "--params", "1B", "--input", "N=1e9"], ["N is given twice"]),
        (["laws", "chinchila"], ["chinchilla"]),
        (["datasets", "lader"], ["ladder"]),
        (["read", "runs.csv"], ["no file"]),
    ],
)
def test_other_refusals(
    arguments: list[str], words: list[str], saved: Path, type_in: Callable[..., Done]
) -> None:
    done = type_in(*(word.format(saved=saved) for word in arguments))
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: ")
    assert all(word in done.err for word in words), done.err


def test_a_place_that_cannot_be_written_is_refused_before_any_work(
    type_in: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even root, who may write everywhere, cannot write under a file."""
    frame().to_csv("runs.csv", index=False)
    monkeypatch.setattr(sf, "fit", lambda *_, **__: pytest.fail("the fit has begun"))
    assert type_in("fit", "runs.csv", "-o", "runs.csv/fit.nc").code == 2
    assert type_in("demo", "--out", "runs.csv/demo").code == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_refused(type_in: Callable[..., Done]) -> None:
    frame().to_csv("runs.csv", index=False)
    Path("closed").mkdir(mode=stat.S_IRUSR | stat.S_IXUSR)
    refused(type_in, ["runs.csv", "-o", "closed/fit.nc"], ["cannot write"], ["closed", "runs.csv"])


# --- the parts ------------------------------------------------------------------------------------


def test_a_defect_is_told_apart_from_bad_input(
    type_in: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("not your fault")

    monkeypatch.setattr(sf, "read", broken)
    done = type_in("read", "runs.csv", "--json")
    assert done.code == 3
    assert one_json(done.out) == {"schema": 1, "error": "not your fault"}
    assert "Traceback" in done.err


@pytest.mark.parametrize("rule", ["7ND", "6nd"])
def test_a_counting_rule_is_one_that_can_be_typed(
    rule: str, saved: Path, type_in: Callable[..., Done]
) -> None:
    done = type_in("frontier", str(saved), "-C", "1e21", "--counting", rule)
    assert done.err.splitlines() == [
        f"error: unknown counting rule {rule!r}",
        f"  by name: {', '.join(counting_rules())}",
        "What to do: use 6ND.",
    ]


def test_the_cache_of_compiled_programs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    variable = "JAX_COMPILATION_CACHE_DIR"
    monkeypatch.setenv(variable, "")  # so that it is put back after the test
    monkeypatch.delenv(variable)
    monkeypatch.setenv("SCALINGFIT_CACHE", "off")
    use_cache()
    assert cache_folder() is None
    assert variable not in os.environ
    monkeypatch.setenv("SCALINGFIT_CACHE", str(tmp_path))
    use_cache()
    assert os.environ[variable] == str(tmp_path / "jax")
    monkeypatch.setenv(variable, "theirs")
    use_cache()
    assert os.environ[variable] == "theirs"


@pytest.mark.fault("cache", "the command's folder is open to others", "not used, and said")
def test_a_cache_that_others_may_write_to_is_not_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    variable = "JAX_COMPILATION_CACHE_DIR"
    monkeypatch.setenv(variable, "")  # so that it is put back after the test
    monkeypatch.delenv(variable)
    monkeypatch.setenv("SCALINGFIT_CACHE", str(tmp_path))
    (tmp_path / "jax").mkdir()
    (tmp_path / "jax").chmod(0o777)
    use_cache()
    assert variable not in os.environ
    assert f"chmod go-w {tmp_path / 'jax'}" in capsys.readouterr().err
    (tmp_path / "jax").rmdir()
    use_cache()
    assert os.environ[variable] == str(tmp_path / "jax")
    assert stat.S_IMODE((tmp_path / "jax").stat().st_mode) == 0o700


@pytest.mark.slow
@pytest.mark.fault("cache", "every compiled program cut short, or blanked", "compiled anew")
@pytest.mark.parametrize("content", [b"", bytes(5000), None])
def test_corrupt_programs_are_compiled_anew(content: bytes | None, tmp_path: Path) -> None:
    standin.table().to_pandas().to_csv(tmp_path / "runs.csv", index=False)
    environment = {name: text for name, text in os.environ.items() if not name.startswith("JAX_")}
    environment |= {"SCALINGFIT_CACHE": str(tmp_path / "cache"), "PYTHONPATH": str(ROOT)}

    def fit() -> Any:
        command = [
            sys.executable,
            "-m",
            "scalingfit",
            "fit",
            "runs.csv",
            "--draws",
            "100",
            "--json",
        ]
        done = subprocess.run(
            command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode in (0, 1), done.stderr
        assert "Traceback" not in done.stderr
        return one_json(done.stdout)["parameters"]

    made = fit()
    kept = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert kept
    for path in kept:
        path.write_bytes(path.read_bytes()[:-20] if content is None else content)
    assert fit() == made


def test_a_stopped_fit_leaves_nothing_behind(tmp_path: Path) -> None:
    """Batch systems end jobs by SIGTERM."""
    (tmp_path / "runs.csv").write_text("N,D,L\n1e7,1e9,3\n")
    code = """
import os, signal, sys
from scalingfit import cli
from scalingfit.cli import fits
fits.load = lambda *_: os.kill(os.getpid(), signal.SIGTERM)
sys.argv = ["scalingfit", "fit", "runs.csv", "-o", "fit.nc"]
sys.exit(cli.main())
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(sf.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", code], env=environment, cwd=tmp_path, check=False)
    assert done.returncode == 128 + 15
    assert [path.name for path in tmp_path.iterdir()] == ["runs.csv"]


# --- standard output and standard error that take nothing ---------------------------------------

ENDS = {
    "full": (">/dev/full", "No space left on device"),
    "closed": (">&-", "is closed"),
}


@pytest.mark.fault("command", "standard output is full or closed", "refused in words, exit code 2")
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("words", ["laws", "laws --json", "laws nosuch --json", "--help"])
def test_an_answer_that_cannot_be_printed_is_told(end: str, words: str) -> None:
    sink, said = ENDS[end]
    done = shell(f"{sys.executable} -m scalingfit {words} {sink}")
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


@pytest.mark.fault("command", "standard error is full or closed", "the answer all the same")
@pytest.mark.parametrize("sink", ["2>/dev/full", "2>&-"])
def test_remarks_that_cannot_be_printed_do_not_stop_an_answer(sink: str) -> None:
    done = shell(f"{sys.executable} -m scalingfit laws chinchilla --json {sink}")
    assert done.returncode == 0
    assert one_json(done.stdout)["name"] == "chinchilla"
    assert shell(f"{sys.executable} -m scalingfit laws nosuch {sink}").returncode == 2


def shell(command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        ["sh", "-c", command], env=environment, capture_output=True, text=True, check=False
    )
