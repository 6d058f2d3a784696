"""Questions to a saved fit."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import scalingfit as sf
from scalingfit.allocation import counting_rules
from tests.cli.typed import Done, frame, names_here, one_json
from tests.report import standin


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
    limits = ("--max-params", "1B", "--inference-tokens", "1T", "--json")
    asked = type_in("frontier", str(saved), "-C", "1e22", *limits, "--lifetime")
    (row,) = one_json(asked.out)["budgets"]
    words = ("cheapest", str(saved), "--loss", f"{row['L']['q50']!r}", *limits)
    answer = one_json(type_in(*words).out)
    assert abs(answer["losses"][0]["C"]["q50"] / 1e22 - 1) < 0.02
    (limit,) = [note for note in answer["notes"] if note["code"] == "limit"]
    assert "max_params" in limit["text"]
    assert 0 < limit["share"] <= 1
    (least,) = answer["losses"]
    for part in ("training", "serving", "total"):
        assert least[part]["q50"] == pytest.approx(row[part]["q50"], rel=0.02)
    shown = type_in("cheapest", str(saved), "--loss", "2.5,2.4")
    assert shown.code == 0
    assert "Least cost of a loss" in shown.out
    refused = type_in(*words, "--lifetime")
    assert refused.code == 2
    assert "says what a budget pays for" in refused.out
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
