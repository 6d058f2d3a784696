"""The command `compare` and its picture; the fits are made beforehand."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from scalingfit import cli, law
from scalingfit._errors import InputError
from scalingfit.allocation import counting
from scalingfit.allocation.question import cost
from scalingfit.catalog import noise
from scalingfit.cli import comparison as commands
from scalingfit.cli.fits import within_and_beyond
from scalingfit.evidence import Comparison, ScoredForecasts
from scalingfit.evidence.forecasts.forecasting import Task
from scalingfit.evidence.forecasts.held_out import HeldOutRuns, LawForecasts
from scalingfit.evidence.forecasts.horizons import horizons
from scalingfit.inference.build import build
from scalingfit.inference.fit import posterior_of
from scalingfit.inference.sampler import sample
from scalingfit.noise import At, Normal
from scalingfit.report import evidence_plots
from scalingfit.runs import Runs
from tests.evidence.conftest import PNG, over_confident
from tests.simulated import SETTINGS

SPREAD = "Standard deviation of the logarithm (of a itself), within / between laws"


def test_compare(
    comparison: Comparison,
    file: str,
    stand_in: Callable[[str, Any], dict[str, Any]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = stand_in("compare", comparison)
    plot = tmp_path / "compare.png"
    code = cli.run(
        ["compare", file, "--laws", "chinchilla,kaplan", "--noises", "normal",
         "--cuts", "1e20,6e20", "--plot", str(plot), "--json"]
    )  # fmt: skip
    assert code == int(bool(comparison.notes))
    said = json.loads(capsys.readouterr().out)
    assert said["best"] == "chinchilla"
    assert "family" not in said  # the family of both laws was not compared
    rows = said["stacked"]["budgets"]
    assert [row["C"] for row in rows] == [1e20, 3.2e21, 3.2e22, 3.2e23]
    (expected,) = comparison.frontier([1e20]).tables[0].records()
    assert rows[0]["L"] == pytest.approx(expected["L"])
    assert set(said["stacked"]["spread"][0]["L"]) == {"within", "between"}
    each = said["answers"]["answers"]  # of the largest budget
    assert [(row["name"], row["C"]) for row in each] == [(n, 3.2e23) for n in comparison.posteriors]
    assert asked["given"][1:] == (["chinchilla", "kaplan"], ["normal"])
    assert asked["cuts"] == [1e20, 6e20]
    assert plot.read_bytes().startswith(PNG)


def test_compare_prints_exponents(
    comparison: Comparison,
    file: str,
    stand_in: Callable[[str, Any], dict[str, Any]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    stand_in("compare", comparison)
    asked = ["compare", file, "--compute", "1e22", "--exponents", "--omega", "30000"]
    cli.run(asked)
    assert "P(|a - .73| < r)" in capsys.readouterr().out
    cli.run([*asked, "--json"])
    rows = json.loads(capsys.readouterr().out)["exponents"]["exponents"]
    assert {row["law"] for row in rows} == {"chinchilla", "kaplan", "stacked"}
    assert len(rows) == 9
    assert cli.run(["compare", file, "--laws", "kaplan_compute,kaplan_size", "--exponents"]) == 2
    assert "--exponents are those of laws that split a budget" in capsys.readouterr().err


def test_over_confident_forecasts_are_a_warning(
    comparison: Comparison,
    file: str,
    stand_in: Callable[[str, Any], dict[str, Any]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    for right, code in ((True, 0), (False, 1)):
        found = comparison if right else over_confident(comparison)
        stand_in("compare", dataclasses.replace(found, caveats=()))
        assert cli.run(["compare", file, "--compute", "1e22", "--json"]) == code
        said = json.loads(capsys.readouterr().out)
        assert said["over_confident"] == ({} if right else {"chinchilla": 0.0})
        for notes in (said["notes"], said["stacked"]["notes"]):
            assert ("over_confident" in {note["code"] for note in notes}) != right


def test_compare_shows_what_the_laws_say_together(
    comparison: Comparison,
    file: str,
    stand_in: Callable[[str, Any], dict[str, Any]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    stand_in("compare", comparison)
    cli.run(["compare", file, "--compute", "1e22"])
    lines = capsys.readouterr().out.splitlines()
    table = lines[lines.index(SPREAD) :]
    assert table[1].split() == ["C", "N", "D", "tokens_per_param", "L", "a"]
    assert table[2].split()[0] == "1e22"


def test_compare_shows_where_between_the_corners_the_runs_lie(
    comparison: Comparison,
    runs: Runs,
    file: str,
    stand_in: Callable[[str, Any], dict[str, Any]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """No fit beyond those compared: the family is one of them."""
    model = build(law("nested"), Normal)
    fit = posterior_of(model, runs, sample(model, [runs], SETTINGS)[0], SETTINGS)
    first = comparison.candidates["chinchilla"]
    candidates = {
        **comparison.candidates,
        "nested": dataclasses.replace(first, posterior=fit, weight=0),
    }
    stand_in("compare", dataclasses.replace(comparison, candidates=candidates))
    cli.run(["compare", file, "--laws", "chinchilla,kaplan,nested", "--json"])
    said = json.loads(capsys.readouterr().out)["family"]
    side = said["sides"][0]
    assert side["side"] == "chinchilla"
    assert side["posterior"] > 0.95 > side["prior"]
    assert set(said["parameters"][0]) == {"parameter", "posterior", "prior"}
    assert said["conclusion"].startswith("In the family of both laws ")


def test_compare_answers_hypotheses(
    comparison: Comparison,
    file: str,
    stand_in: Callable[[str, Any], dict[str, Any]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    stand_in("compare", comparison)
    words = ["compare", file, "--hypothesis", "a > 0.3", "--hypothesis", "log(-a) > 0"]
    assert cli.run(words) == 1  # of the second
    said = capsys.readouterr()
    assert str(comparison.hypothesis("a > 0.3")) in said.out
    assert "'log(-a)' is not a finite number" in said.err
    cli.run([*words[:4], "--json"])
    (found,) = json.loads(capsys.readouterr().out)["hypotheses"]
    assert [row["candidate"] for row in found["hypothesis"]] == ["chinchilla", "kaplan"]
    by_size = ["--counting", "6ND-non-embedding", "--omega", "1200"]
    cli.run([*words[:4], *by_size, "--json"])
    (other,) = json.loads(capsys.readouterr().out)["hypotheses"]
    rule = counting("6ND-non-embedding", omega=1200)
    assert other == comparison.hypothesis("a > 0.3", counting=rule).as_json()
    assert other != found


def test_budgets_to_answer_at_are_counted_as_asked(comparison: Comparison) -> None:
    rule = counting("6ND-non-embedding", omega=3e6)
    found: Any = commands._stacked(comparison, None, rule)
    spent = cost(rule, comparison.runs["N"], comparison.runs["D"])
    np.testing.assert_allclose(found.mixture.asked["C"], within_and_beyond(spent))
    assert max(spent) < 0.9 * comparison.runs["C"].max()


def test_priors_are_stated_law_by_law(
    file: str,
    stand_in: Callable[[str, Any], dict[str, Any]],
    comparison: Comparison,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = stand_in("compare", comparison)
    given = ["--prior", "kaplan.alpha_N=LogNormal(-1.5, 0.7)", "--prior", "kaplan.alpha_D=0.1"]
    cli.run(["compare", file, *given, "--prior", "chinchilla.E = 1.7"])
    assert asked["priors"]["chinchilla"] == {"E": 1.7}
    assert asked["priors"]["kaplan"]["alpha_D"] == 0.1
    assert asked["priors"]["kaplan"]["alpha_N"].scale == 0.7
    capsys.readouterr()
    assert cli.run(["compare", file, "--prior", "E=1.7"]) == 2
    assert "names no law" in capsys.readouterr().err


@pytest.mark.parametrize("statement", ["a >", "alhpa > 0.3"])
def test_a_hypothesis_that_no_law_has_is_refused_before_anything_is_computed(
    statement: str, file: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(commands, "load", lambda *_: pytest.fail("the table was read"))
    assert cli.run(["compare", file, "--hypothesis", statement]) == 2
    assert repr(statement) in capsys.readouterr().err


@pytest.mark.parametrize(
    "command",
    [
        ["compare", "FILE", "--laws", "chinchilla,kaplan"],
        ["backtest", "FILE"],
        ["reconcile", "FILE", "--by", "family"],
    ],
)
def test_a_picture_of_another_kind_is_refused_before_anything_is_computed(
    command: list[str],
    file: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(commands, "load", lambda *_: pytest.fail("the table was read"))
    plot = tmp_path / "picture.foo"
    asked = [file if word == "FILE" else word for word in command]
    assert cli.run([*asked, "--plot", str(plot)]) == 2
    assert "cannot draw into a file of type .foo" in capsys.readouterr().err
    assert not plot.exists()


@pytest.mark.parametrize(
    ("laws", "compute", "said"),
    [
        ("chinchilla,kaplan", "0", "--compute must be positive and finite, and has 0"),
        ("chinchilla,kaplan_size", "1e22", "and kaplan_size takes N"),
    ],
)
def test_budgets_that_cannot_be_split_are_refused_before_anything_is_computed(
    laws: str,
    compute: str,
    said: str,
    file: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(commands, "load", lambda *_: pytest.fail("the table was read"))
    assert cli.run(["compare", file, "--laws", laws, "--compute", compute]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("laws", "expected"),
    [
        (["power", "power_m1"], {"X": [3.2e7, 1e9, 1e10, 1e11]}),
        (["power", "chinchilla"], None),
        (["chinchilla", "data_constrained"], None),
    ],
)
def test_laws_of_one_input_forecast_along_it_together(
    laws: list[str], expected: dict[str, list[float]] | None
) -> None:
    X = np.geomspace(1e6, 1e9, 12)
    fits = {name: SimpleNamespace(model=build(law(name), Normal)) for name in laws}
    found: Any = SimpleNamespace(
        posteriors=fits,
        runs=Runs.from_columns({"X": X, "L": 0.5 + 20 * X**-0.3}),
        forecast=lambda *, counting, seed, costs, **asked: asked,
    )
    shared: Any = commands._stacked(found, None, counting("6ND"))
    assert shared == expected


def test_one_law_gets_advice_that_can_be_typed(
    file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["compare", file, "--laws", "chinchilla"]) == 2
    said = capsys.readouterr().err
    assert "name two, such as --laws chinchilla,kaplan or --noises normal,student_t." in said
    assert "[" not in said


def without_a_split(scale: str, laws: list[str]) -> Any:
    """A comparison of laws of one input, with forecasts beyond two cuts."""
    X = np.geomspace(1e6, 1e9, 20)
    runs = Runs.from_columns({scale: X, "L": 0.5 + 20 * X**-0.3})
    cuts = horizons(runs, 5)
    places = HeldOutRuns.together([task.held_out for task in Task.each(None, 0, runs, cuts)])
    means = np.broadcast_to(places.observed, (100, len(places.observed)))
    future = ScoredForecasts.of(
        LawForecasts(places, noise("normal")(sigma=np.full(means.shape, 0.1)), At(means))
    )
    fits = {name: SimpleNamespace(model=build(law(name), Normal)) for name in laws}
    candidates = {name: SimpleNamespace(posterior=fit, future=future) for name, fit in fits.items()}
    return SimpleNamespace(runs=runs, cuts=cuts, candidates=candidates, posteriors=fits)


@pytest.mark.parametrize(
    ("scale", "laws"), [("X", ["power", "power_m1"]), ("C", ["kaplan_compute", "power"])]
)
def test_laws_that_split_nothing_are_drawn_by_their_forecasts(scale: str, laws: list[str]) -> None:
    found = without_a_split(scale, laws)
    panels = evidence_plots.comparison(found).axes
    assert [axes.get_title(loc="left") for axes in panels] == [f"{n}: 100% inside" for n in laws]
    for candidate in found.candidates.values():
        candidate.future = None
    with pytest.raises(InputError, match="nothing to draw"):
        evidence_plots.comparison(found)


def test_a_law_that_splits_nothing_is_named_beside_those_that_do(comparison: Comparison) -> None:
    other: Any = SimpleNamespace(model=build(law("kaplan_compute"), Normal))
    kaplan = dataclasses.replace(comparison.candidates["kaplan"], posterior=other)
    mixed = dataclasses.replace(comparison, candidates={**comparison.candidates, "kaplan": kaplan})
    left, *panels = evidence_plots.comparison(mixed).axes
    legend = left.get_legend()
    assert legend is not None
    labels = [text.get_text() for text in legend.get_texts()]
    assert labels[-1] == "kaplan: not of N and D alone"
    assert np.size(left.get_lines()[0].get_xdata()) == 40
    assert len(panels) == 2
    assert left.get_xlabel() == "compute C, FLOP"
    rule = counting("6ND-non-embedding")
    left, *_ = evidence_plots.comparison(mixed, counting=rule).axes
    assert left.get_xlabel() == "compute C, FLOP (6ND-non-embedding)"
    assert left.xaxis.get_major_formatter()(2e11) == r"$2\times10^{11}$"
    spent = cost(rule, mixed.runs.N, mixed.runs.D)
    assert np.asarray(left.get_lines()[0].get_xdata())[[0, -1]] == pytest.approx(
        [spent.min(), 100 * spent.max()]
    )


def test_what_was_found_is_printed_where_its_picture_fails(
    comparison: Comparison,
    file: str,
    stand_in: Callable[[str, Any], dict[str, Any]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stand_in("compare", comparison)
    monkeypatch.setattr(evidence_plots, "comparison", lambda *_, **__: dict[str, Any]()["C"])
    plot = tmp_path / "compare.png"
    plot.write_text("an older one")
    assert cli.run(["compare", file, "--plot", str(plot)]) == 1
    said = capsys.readouterr()
    assert comparison.conclusion in said.out
    assert "compare.png is not drawn: KeyError: 'C'" in said.err
    assert plot.read_text() == "an older one"
    assert [path.name for path in tmp_path.glob("*compare*")] == ["compare.png"]


def test_the_picture_shows_every_law(comparison: Comparison) -> None:
    left, *panels = evidence_plots.comparison(comparison).axes
    assert len(left.get_lines()) == 3  # two laws, and the largest budget
    held_out = sum(int(cut.test.sum()) for cut in comparison.cuts)
    for axes, name in zip(panels, ["chinchilla", "kaplan"], strict=True):
        assert axes.get_title(loc="left").startswith(name)
        assert len(np.asarray(axes.collections[-1].get_offsets())) == held_out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--leave-out", "seed", "--budgets", "1e12"], "--leave-out budget"),
        (["--laws", "chinchilla,kaplan", "--prior", "power.E=1.7"], "--prior chinchilla.E=1.7"),
        (["--leave-out", "sed"], "choose one of these"),
    ],
)
def test_advice_can_be_typed(
    options: list[str], said: str, file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["compare", file, *options]) == 2
    advice = capsys.readouterr().err.splitlines()[-1]
    assert said in advice
    assert '="' not in advice
