"""decide, returns, multiplier, design and plan as they are typed."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from scalingfit import cli
from tests.report import standin

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def fit(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("saved") / "fit.nc"
    standin.posterior().save(path)
    return str(path)


@pytest.fixture
def typed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Run:
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        code = cli.run(arguments)
        return code, *capsys.readouterr()

    return run


def test_decide_answers_in_words_numbers_and_a_picture(fit: str, typed: Run) -> None:
    plans = ["--plan", "20tpp", "--plan", "hoffmann-2022", "--plan", "7B:1T"]
    code, out, _ = typed("decide", fit, "-C", "1e24", *plans, "--plot", "valley.png")
    assert code == 0
    assert "With 1e24 FLOP train" in out
    assert Path("valley.png").read_bytes().startswith(b"\x89PNG")
    code, out, _ = typed("decide", fit, "-C", "1e24", *plans, "--json")
    rows = json.loads(out)["plans"]
    assert [row["plan"] for row in rows] == ["best", "20tpp", "hoffmann-2022", "7.00B:1.00T"]
    assert rows[2]["wasted_share"] > rows[0]["wasted_share"] >= 0


def test_budgets_are_typed_in_flop_hours_and_dollars(fit: str, typed: Run) -> None:
    costs = ["--hardware", "h100", "--mfu", "0.45", "--price", "2.5"]
    _, out, _ = typed("decide", fit, "-C", "1e24,5000h,$2M", *costs, "--json")
    found = [row["C"] for row in json.loads(out)["plans"]]
    rate = 989.4e12 * 0.45 * 3600
    assert found == pytest.approx([1e24, 5000 * rate, 2e6 / 2.5 * rate])
    code, _, err = typed("decide", fit, "-C", "$2M")
    assert code == 2
    assert err.rstrip().endswith("--hardware h100 --mfu 0.4 --price 2.5")


def test_shares_and_prices_are_typed_as_people_write_them(fit: str, typed: Run) -> None:
    plain = ["--hardware", "h100", "--mfu", "0.45", "--price", "2.5"]
    signs = ["--hardware", "h100", "--mfu", "45%", "--price", "$2.5"]
    words = ["cheapest", fit, "--loss", "2.4", "--json"]
    assert json.loads(typed(*words, *signs)[1]) == json.loads(typed(*words, *plain)[1])
    for place, example in ((3, "--mfu 0.45"), (5, "--price 2.5")):
        code, _, err = typed(*words[:-1], *plain[:place], "much", *plain[place + 1 :])
        assert code == 2
        assert f"write {example}, or whatever number it is" in err


def test_half_of_the_costs_is_refused_with_the_rest(fit: str, typed: Run) -> None:
    for given in (["--hardware", "h100"], ["--price", "2"]):
        code, _, err = typed("returns", fit, "-C", "1e24", *given)
        assert code == 2
        assert "--hardware h100 --mfu 0.45" in err


def test_a_demand_without_a_budget_that_pays_for_it_is_refused(fit: str, typed: Run) -> None:
    code, _, err = typed("returns", fit, "-C", "1e24", "--inference-tokens", "2T")
    assert code == 2
    assert "--lifetime" in err
    both = ["--inference-tokens", "2T", "--lifetime"]
    assert typed("returns", fit, "-C", "1e22", *both)[0] == 0
    assert typed("returns", fit, "-C", "1e24", "--lifetime")[0] == 2


def test_plans_say_what_serving_them_adds(fit: str, typed: Run) -> None:
    words = ["decide", fit, "-C", "1e24", "--plan", "70B", "--json"]
    served = ["--inference-tokens", "2T", "--hardware", "h100", "--mfu", "40%", "--price", "2"]
    plain, beside, both = (
        json.loads(typed(*words, *more)[1])["plans"]
        for more in ([], served, [*served, "--lifetime"])
    )
    assert "serving" not in plain[1]
    assert beside[1]["overspend"] == plain[1]["overspend"]
    assert beside[1]["serving"] == pytest.approx(2 * 70e9 * 2e12)
    assert beside[1]["total"] == pytest.approx(1e24 + 2 * 70e9 * 2e12)
    dollars = 1e24 / (989.4e12 * 0.4 * 3600) * 2
    assert beside[1]["total_money"] == pytest.approx(dollars * 1.28)
    assert both[1]["training"] == pytest.approx(1e24 - 2 * 70e9 * 2e12)


def test_returns_and_multiplier(fit: str, typed: Run) -> None:
    code, out, _ = typed("returns", fit, "-C", "1e23", "--times", "1,4", "--json")
    assert code == 0
    assert [row["C"] for row in json.loads(out)["budgets"]] == [1e23, 4e23]
    code, out, _ = typed("multiplier", fit, fit, "-C", "1e22", "--json")
    assert code == 0
    assert json.loads(out)["budgets"][0]["multiplier"]["q50"] == pytest.approx(1.0)


def test_design_writes_what_a_launcher_takes(fit: str, typed: Run) -> None:
    asked = ["--budget", "1e21", "--target", "1e24", "--aim", "size", "--batch", "6"]
    shapes = ["--aspect", "64", "--batch-tokens", "512K"]
    code, out, _ = typed("design", fit, *asked, *shapes, "-o", "next.csv")
    assert code == 0
    assert "written to next.csv" in out
    table = pd.read_csv("next.csv")
    assert list(table) == ["N", "D", "C", "width", "depth", "batch", "steps", "seed"]
    assert table["C"].sum() <= 1e21
    table["L"] = 2.5
    table.to_csv("made.csv", index=False)
    code, out, _ = typed("read", "made.csv", "--json")
    assert code == 0
    # A pool of one's own, and the aim must be named.
    table.drop(columns="L").to_csv("pool.csv", index=False)
    code, out, _ = typed("design", fit, *asked, "--pool", "pool.csv", "--json")
    assert code == 0
    assert np.isin([row["N"] for row in json.loads(out)["runs"]], table["N"]).all()
    for given in ([], ["--aim"]):
        code, _, err = typed("design", fit, "--budget", "1e21", "--target", "1e24", *given)
        assert code == 2
        assert "What to do: write --aim size or --aim loss." in err


def test_pilot_runs_of_a_model_to_be_served_are_trained_alone(fit: str, typed: Run) -> None:
    asked = ["--budget", "1e20", "--target", "1e24", "--aim", "size", "--batch", "4"]
    life = ["--inference-tokens", "5T", "--lifetime"]
    code, out, _ = typed("design", fit, *asked, *life, "-o", "served.csv", "--json")
    assert code == 0
    table = pd.read_csv("served.csv")
    assert table["C"].to_numpy() == pytest.approx(6.0 * table["N"] * table["D"], rel=1e-9)
    served = json.loads(out)["expected"][0]["now"]["q50"]
    _, out, _ = typed("frontier", fit, "-C", "1e24", *life, "--json")
    assert served == pytest.approx(json.loads(out)["budgets"][0]["N"]["q50"], rel=1e-6)


def test_plan_needs_no_runs(typed: Run) -> None:
    code, out, _ = typed(
        "plan", "--budget", "1e20", "--target", "1e23", "--about", "hoffmann-2022", "-o", "grid.csv"
    )
    assert code == 0
    assert "N* within a factor of" in out
    assert pd.read_csv("grid.csv")["C"].sum() == pytest.approx(1e20)


def test_plan_of_tiny_models_is_warned_of_or_refused(typed: Run) -> None:
    code, _, err = typed("plan", "--budget", "1e10", "--target", "1e23")
    assert code == 2
    assert "raise the budget to 1e14 FLOP" in err
    code, out, _ = typed("plan", "--budget", "1e14", "--target", "1e23", "--json")
    assert code == 1
    answer = json.loads(out)
    assert [note["code"] for note in answer["notes"]] == ["small_models", "beyond_plan"]
    assert answer["expected"][0]["N_factor"]["q95"] == pytest.approx(10.0)


@pytest.mark.parametrize("command", ["decide", "returns", "multiplier", "design", "plan"])
def test_help_has_an_example(typed: Run, command: str) -> None:
    code, out, _ = typed(command, "--help")
    assert code == 0
    assert f"scalingfit {command}" in out.partition("\n")[2]
