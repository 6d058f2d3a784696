"""The commands hand their options on, and print what was found; the fits are made beforehand."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import scalingfit
from scalingfit import cli, law
from scalingfit._errors import InputError
from scalingfit.allocation import cost, counting
from scalingfit.cli import evidence as evidence_commands
from scalingfit.cli._reply import jsonable
from scalingfit.cli.fits import within_and_beyond
from scalingfit.evidence import Backtest, Calibration, Comparison, Exponent, Reconciliation, Stage
from scalingfit.evidence.forecasts.forecasting import Task, score
from scalingfit.evidence.forecasts.held_out import HeldOutRuns, LawForecasts
from scalingfit.evidence.forecasts.horizons import horizons
from scalingfit.inference import Posterior, build, posterior_of, sample
from scalingfit.noise import Normal
from scalingfit.report import evidence_plots
from scalingfit.runs import Runs
from tests.evidence.conftest import too_sure
from tests.simulated import SETTINGS

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def file(runs: Runs, tmp_path: Path) -> str:
    path = tmp_path / "runs.csv"
    runs.to_pandas().rename(columns={"N": "params", "D": "tokens", "L": "loss"}).to_csv(path)
    return str(path)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Any], dict[str, Any]]:
    """Let a verb return what was made beforehand; the dictionary shows what it was asked."""

    def install(verb: str, found: Any) -> dict[str, Any]:
        asked: dict[str, Any] = {}

        def pretend(*given: Any, **options: Any) -> Any:
            asked.update(options, given=given)
            return found

        monkeypatch.setitem(vars(scalingfit), verb, pretend)
        return asked

    return install


def test_compare(comparison: Comparison, file: str, stand_in, tmp_path: Path, capsys) -> None:
    asked = stand_in("compare", comparison)
    plot = tmp_path / "compare.png"
    code = cli.run(
        ["compare", file, "--laws", "chinchilla,kaplan", "--noise", "normal", "--cuts", "1e20,6e20",
         "--plot", str(plot), "--json"]
    )  # fmt: skip
    assert code == int(bool(comparison.messages))
    said = json.loads(capsys.readouterr().out)
    assert said["best"] == "chinchilla"
    assert "family" not in said  # the family of both laws was not compared
    rows = said["stacked"]["mixture"]
    assert [row["C"] for row in rows] == [1e20, 3.2e21, 3.2e22, 3.2e23]
    assert rows[0]["L"] == pytest.approx(comparison.frontier([1e20]).mixture.summary()[0]["L"])
    assert set(said["stacked"]["spread"][0]["L"]) == {"within", "between"}
    assert asked["given"][1:] == (["chinchilla", "kaplan"], ["normal"])
    assert asked["cuts"] == [1e20, 6e20]
    assert plot.read_bytes().startswith(PNG)


def test_compare_prints_exponents(comparison: Comparison, file: str, stand_in, capsys) -> None:
    stand_in("compare", comparison)
    asked = ["compare", file, "--compute", "1e22", "--exponents", "--omega", "30000"]
    cli.run(asked)
    assert "P(|a - .73| < r)" in capsys.readouterr().out
    cli.run([*asked, "--json"])
    rows = json.loads(capsys.readouterr().out)["exponents"]["rows"]
    assert {row["law"] for row in rows} == {"chinchilla", "kaplan", "stacked"}
    assert len(rows) == 9
    assert cli.run(["compare", file, "--laws", "kaplan_compute,kaplan_size", "--exponents"]) == 2
    assert "--exponents are those of laws that split a budget" in capsys.readouterr().err


def test_backtest_is_asked_to_stack(tested: Backtest, file: str, stand_in, capsys) -> None:
    asked = stand_in("backtest", tested)
    cli.run(["backtest", file, "--stack", "--by", "family", "--domain", "kind"])
    assert (asked["stack"], asked["by"], asked["domain"]) == (True, "family", "kind")
    assert "RMSLE" in capsys.readouterr().out


def test_over_confident_forecasts_are_a_warning(
    comparison: Comparison, file: str, stand_in, capsys
) -> None:
    for held, code in ((True, 0), (False, 1)):
        found = comparison if held else too_sure(comparison, rate=0.0)
        stand_in("compare", dataclasses.replace(found, messages=()))
        assert cli.run(["compare", file, "--compute", "1e22", "--json"]) == code
        said = json.loads(capsys.readouterr().out)
        assert said["over_confident"] == ({} if held else {"chinchilla": 0.0})
        told = [text for text in said["stacked"]["messages"] if "expect more error" in text]
        assert bool(told) != held


def test_compare_shows_what_the_laws_say_together(
    comparison: Comparison, file: str, stand_in, capsys
) -> None:
    stand_in("compare", comparison)
    cli.run(["compare", file, "--compute", "1e22"])
    lines = capsys.readouterr().out.splitlines()
    table = lines[lines.index("Standard deviation of the logarithm, within / between laws") :]
    assert table[1].split() == ["C", "N", "D", "tokens_per_param", "L", "a"]
    assert table[2].split()[0] == "1e22"


def test_compare_tells_where_between_the_corners_the_runs_lie(
    comparison: Comparison, runs: Runs, file: str, stand_in, capsys
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
    assert said["sides"]["chinchilla"]["posterior"] > 0.95 > said["sides"]["chinchilla"]["prior"]
    assert set(said["intervals"]["E"]) == {"posterior", "prior"}
    assert said["conclusion"].startswith("In the family of both laws ")


def test_compare_weighs_hypotheses(comparison: Comparison, file: str, stand_in, capsys) -> None:
    stand_in("compare", comparison)
    words = ["compare", file, "--hypothesis", "a > 0.3", "--hypothesis", "log(-a) > 0"]
    assert cli.run(words) == 1  # of the second
    said = capsys.readouterr()
    assert str(comparison.hypothesis("a > 0.3")) in said.out
    assert "'log(-a)' is not a finite number" in said.err
    cli.run([*words[:4], "--json"])
    (found,) = json.loads(capsys.readouterr().out)["hypotheses"]
    assert set(found["each"]) == {"chinchilla", "kaplan"}
    by_size = ["--counting", "6ND-non-embedding", "--omega", "1200"]
    cli.run([*words[:4], *by_size, "--json"])
    (other,) = json.loads(capsys.readouterr().out)["hypotheses"]
    rule = counting("6ND-non-embedding", omega=1200)
    expected = comparison.hypothesis("a > 0.3", counting=rule).as_json()
    assert other == json.loads(json.dumps(jsonable(expected)))
    assert other != found


def test_budgets_to_answer_at_are_counted_as_asked(comparison: Comparison) -> None:
    rule = counting("6ND-non-embedding", omega=3e6)
    found: Any = evidence_commands._stacked(comparison, None, rule)
    spent = cost(rule, comparison.runs["N"], comparison.runs["D"])
    np.testing.assert_allclose(found.mixture.asked["C"], within_and_beyond(spent))
    assert max(spent) < 0.9 * comparison.runs["C"].max()


def test_priors_are_stated_law_by_law(file: str, stand_in, comparison: Comparison, capsys) -> None:
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
    statement: str, file: str, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.setattr(evidence_commands, "load", lambda *_: pytest.fail("the table was read"))
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
    command: list[str], file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.setattr(evidence_commands, "load", lambda *_: pytest.fail("the table was read"))
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
    laws: str, compute: str, said: str, file: str, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.setattr(evidence_commands, "load", lambda *_: pytest.fail("the table was read"))
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
        forecast=lambda **asked: asked,
    )
    assert evidence_commands._stacked(found, None, counting("6ND")) == expected


def test_one_law_is_told_what_to_type(file: str, capsys) -> None:
    assert cli.run(["compare", file, "--laws", "chinchilla"]) == 2
    said = capsys.readouterr().err
    assert "name two, such as --laws chinchilla,kaplan or --noise normal,student_t." in said
    assert "[" not in said


def test_backtest(tested: Backtest, file: str, stand_in, tmp_path: Path, capsys) -> None:
    asked = stand_in("backtest", tested)
    plot = tmp_path / "backtest.png"
    code = cli.run(["backtest", file, "--split", "split", "--plot", str(plot)])
    assert code == int(bool(tested.messages))
    assert "90 % intervals held" in capsys.readouterr().out
    assert asked["split"] == "split"
    assert asked["cuts"] is None
    assert plot.read_bytes().startswith(PNG)


@pytest.mark.parametrize("right", [True, False])
def test_calibrate(file: str, stand_in, capsys, right: bool) -> None:
    ranks = np.arange(200) % 100 if right else np.zeros(200, int)
    found = Calibration("test", {"E": ranks}, {"E": np.ones((3, 200), bool)}, 0, 0.01)
    asked = stand_in("calibrate", found)
    assert cli.run(["calibrate", file, "--tables", "200", "--prior", "beta=0.28", "--json"]) == int(
        not right
    )
    assert json.loads(capsys.readouterr().out)["ok"] is right
    assert asked["priors"] == {"beta": 0.28}


@pytest.fixture(scope="session")
def reconciled(posterior: Posterior) -> Reconciliation:
    """Two stages with known exponents."""
    spread = np.linspace(-0.1, 0.1, 101)
    stages = {}
    for name, a in (("first", 0.73), ("a much longer name of a stage", 0.5)):
        ways = {method: Exponent(a + spread, spread, 5) for method in ("law", "isoflop")}
        stages[name] = Stage(posterior, {**ways, "envelope": None}, None, (a, a + 0.05), ())
    return Reconciliation(stages)


def test_reconcile(reconciled, runs: Runs, stand_in, tmp_path: Path, capsys) -> None:
    table = runs.to_pandas().assign(stage=np.repeat(["late", "early", "never"], 12))
    table.to_csv(tmp_path / "stages.csv", index=False)
    asked = stand_in("reconcile", reconciled)
    words = ["reconcile", str(tmp_path / "stages.csv"), "--by", "stage"]
    cli.run([*words, "--published", "late=0.73", "--published", "late=0.78", "--recounted"])
    assert asked["omega"] is None
    assert "0.730, 0.780" in capsys.readouterr().out
    assert list(asked["given"][0]) == ["late", "early", "never"]  # as they come in the file
    assert asked["published"] == {"late": [0.73, 0.78]}
    assert asked["recounted"] is True
    cli.run([*words, "--stages", "early,late", "--budgets", "1e20,1e21", "--json"])
    assert json.loads(capsys.readouterr().out)["stages"][0]["published"] == [0.73, 0.78]
    assert list(asked["given"][0]) == ["early", "late"]
    assert asked["budgets"] == [1e20, 1e21]
    cli.run([*words[:2], "--recounted", "--omega", "255"])
    assert list(asked["given"][0]) == ["all runs"]
    assert asked["omega"] == 255


@pytest.mark.parametrize("missing", [[], ["envelope"]])
def test_a_missing_exponent_is_a_warning(missing: list[str], file: str, stand_in) -> None:
    fit: Any = SimpleNamespace(verdict=SimpleNamespace(ok=True, status="ok"), runs=range(9))
    exponent = Exponent(np.array([0.5, 0.6]), np.zeros(2), 5)
    ways = {way: None if way in missing else exponent for way in ("law", "isoflop", "envelope")}
    stand_in("reconcile", Reconciliation({"all runs": Stage(fit, ways, None, (), ())}))
    assert cli.run(["reconcile", file]) == len(missing)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--by", "stage"], "no column 'stage'"),
        (["--stages", "a"], "needs --by"),
        (["--by", "L", "--stages", "a"], "'a' is no value of L"),
        (["--published", "0.73"], "names no stage"),
        (["--published", "all runs=much"], "is no number"),
        (["--budgets", ""], "--budgets '' is no number"),
        (["--omega", "255"], "omega is of the recount"),
        (["--recounted", "--omega", "1e20"], "less than one parameter is left"),
    ],
)
def test_reconcile_is_refused(file: str, words: list[str], said: str, capsys) -> None:
    assert cli.run(["reconcile", file, *words]) == 2
    assert said in capsys.readouterr().err


def test_nothing_covers_the_exponents(reconciled: Reconciliation) -> None:
    figure = evidence_plots.reconciliation(reconciled)
    figure.draw_without_rendering()
    (axes,) = figure.axes
    legend = axes.get_legend().get_window_extent()
    assert legend.x0 >= axes.get_window_extent().x1
    for text in (axes.xaxis.label, *axes.get_yticklabels()):
        place = text.get_window_extent()
        assert place.x0 >= 0
        assert place.y0 >= 0
        assert place.x1 <= figure.bbox.x1
    *_, marks = axes.collections
    np.testing.assert_allclose(marks.get_offsets()[:, 0], [0.73, 0.78, 0.5, 0.55])


def test_the_pictures_show_every_law(comparison: Comparison, tested: Backtest) -> None:
    left, *panels = evidence_plots.comparison(comparison).axes
    assert len(left.get_lines()) == 3  # two laws, and the largest budget
    unseen = sum(int(cut.test.sum()) for cut in comparison.cuts)
    for axes, name in zip(panels, ["chinchilla", "kaplan"], strict=True):
        assert axes.get_title(loc="left").startswith(name)
        assert len(axes.collections[-1].get_offsets()) == unseen
    pits, shares, errors = evidence_plots.backtest(tested).axes
    assert len(pits.patches) == 3  # two histograms, and the band
    assert len(shares.get_lines()) == 5
    assert errors.get_xscale() == "log"
    crowd = {f"law {i}": tested.records[tested.best] for i in range(9)}
    pits, *_ = evidence_plots.backtest(dataclasses.replace(tested, records=crowd)).axes
    assert len(pits.patches) == 8  # of seven laws, and the band
    assert pits.get_title(loc="left").endswith("(2 laws not drawn)")
    # One interval of many tables' that reaches a thousandfold hides no error.
    record = tested.records[tested.best]
    ends = record.ends.copy()
    ends[:, 1, 0] *= 1e3
    far = {**tested.records, tested.best: dataclasses.replace(record, ends=ends)}
    *_, errors = evidence_plots.backtest(dataclasses.replace(tested, records=far)).axes
    largest = np.max(np.abs(record.observed / record.point - 1))
    assert 1 + largest < errors.get_ylim()[1] < 1.5


def without_a_split(scale: str, laws: list[str]) -> Any:
    """A comparison of laws of one input, with forecasts beyond two cuts."""
    X = np.geomspace(1e6, 1e9, 20)
    runs = Runs.from_columns({scale: X, "L": 0.5 + 20 * X**-0.3})
    cuts = horizons(runs, 5)
    places = HeldOutRuns.together([task.held_out for task in Task.each(None, 0, runs, cuts)])
    means = np.broadcast_to(places.observed, (100, len(places.observed)))
    future = score(LawForecasts(places, means, Normal(sigma=np.full(means.shape, 0.1)), None), 0)
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
    for standing in found.candidates.values():
        standing.future = None
    with pytest.raises(InputError, match="nothing to draw"):
        evidence_plots.comparison(found)


def test_a_law_that_splits_nothing_is_named_beside_those_that_do(comparison: Comparison) -> None:
    other = SimpleNamespace(model=build(law("kaplan_compute"), Normal))
    kaplan = dataclasses.replace(comparison.candidates["kaplan"], posterior=other)
    mixed = dataclasses.replace(comparison, candidates={**comparison.candidates, "kaplan": kaplan})
    left, *panels = evidence_plots.comparison(mixed).axes
    labels = [text.get_text() for text in left.get_legend().get_texts()]
    assert labels[-1] == "kaplan: not of N and D alone"
    assert len(left.get_lines()[0].get_xdata()) == 40
    assert len(panels) == 2
    assert left.get_xlabel() == "compute C, FLOP"
    rule = counting("6ND-non-embedding")
    left, *_ = evidence_plots.comparison(mixed, counting=rule).axes
    assert left.get_xlabel() == "compute C, FLOP (6ND-non-embedding)"
    assert left.xaxis.get_major_formatter()(2e11) == r"$2\times10^{11}$"
    spent = cost(rule, mixed.runs.N, mixed.runs.D)
    assert left.get_lines()[0].get_xdata()[[0, -1]] == pytest.approx(
        [spent.min(), 100 * spent.max()]
    )


def test_what_was_found_is_told_where_its_picture_fails(
    comparison: Comparison, file: str, stand_in, tmp_path: Path, capsys, monkeypatch
) -> None:
    stand_in("compare", comparison)
    monkeypatch.setattr(evidence_plots, "comparison", lambda *_, **__: {}["C"])
    plot = tmp_path / "compare.png"
    plot.write_text("an older one")
    assert cli.run(["compare", file, "--plot", str(plot)]) == 1
    said = capsys.readouterr()
    assert comparison.conclusion in said.out
    assert "compare.png is not drawn: KeyError: 'C'" in said.err
    assert plot.read_text() == "an older one"
    assert [path.name for path in tmp_path.glob("*compare*")] == ["compare.png"]
