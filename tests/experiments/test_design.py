"""Designs: what they are made of, what they promise, and what comes of it."""

import json
import math
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd
import pytest

import scalingfit as sf
from scalingfit._errors import InputError
from scalingfit.allocation import AspectRatio, Costs, SixND, WithInference, decide, frontier
from scalingfit.catalog import noise
from scalingfit.experiments import design
from scalingfit.experiments.outlook import LOOKED, SAMPLES, Outlook, effective
from scalingfit.experiments.pool import Pool
from scalingfit.experiments.rails import profiled
from tests.posteriors import grid, posterior_of

TARGET = 1e24


@pytest.fixture(scope="module")
def proposed(posterior: Any) -> Any:
    return design(posterior, 5e21, target=TARGET, aim="size", batch=8)


def test_a_batch_keeps_to_its_cost_and_its_number(proposed: Any) -> None:
    assert 1 <= len(proposed.runs) <= 8
    assert proposed.cost <= 5e21
    assert proposed.cost == pytest.approx(
        6 * (proposed.runs.inputs["N"] * proposed.runs.inputs["D"]).sum()
    )
    table = proposed.tables[0]
    assert sum(table.columns["runs"].values) == len(proposed.runs)
    assert max(table.columns["runs"].values) <= 2  # a quarter of the batch


def test_what_a_batch_is_expected_to_do_is_what_such_runs_do(proposed: Any) -> None:
    """The posterior that the runs would give is made anew, by linear algebra on a Jacobian."""
    made = proposed.runs.inputs
    old = grid()
    both = sf.Runs.from_columns(
        {
            "N": np.concatenate([old.N, made["N"]]),
            "D": np.concatenate([old.D, made["D"]]),
            "L": np.full(len(old) + len(proposed.runs), 3.0),
        }
    )
    after = frontier(posterior_of(both), TARGET)
    before = frontier(posterior_of(old), TARGET)
    ratio = np.log(after.N).std() / np.log(before.N).std()
    row = next(row for row in proposed.expected if row.name == "N*")
    # Two standard deviations of 4,000 draws differ by chance by 1.6 %; N* is not quite linear.
    assert row.shrink == pytest.approx(ratio, rel=0.08)
    waste = [float(decide(posterior_of(runs), TARGET).wasted[0]) for runs in (old, both)]
    assert proposed.waste[0, :2] == pytest.approx(waste, rel=0.2)


def test_with_an_error_a_batch_does_what_such_runs_do() -> None:
    """As above; the error of the law at the new runs is learnt from them."""
    old, target, tau = grid(), 1e22, 0.005
    posterior = posterior_of(old, tau=tau, draws=2000)
    found = design(posterior, 2e22, target=target, aim="size", batch=6)
    made = found.runs.inputs
    columns = {name: np.concatenate([old[name], made[name]]) for name in ("N", "D")}
    both = sf.Runs.from_columns({**columns, "L": np.full(len(columns["N"]), 3.0)})
    before, after = (
        np.log(frontier(one, target).N).std()
        for one in (posterior, posterior_of(both, tau=tau, draws=2000))
    )
    shrink = found.expected[0].shrink
    assert shrink < 0.95
    # Two standard deviations of 2,000 draws differ by chance by 2 %, the waves beyond the runs are
    # right to 4 % in each of two posteriors, and N* is not quite linear in the error.
    assert shrink == pytest.approx(after / before, rel=0.12)
    # Small runs far from the target tell less than they seem to where the law is exact.
    exact = design(posterior_of(old, draws=2000), 2e22, target=target, aim="size", batch=6)
    assert np.median(found.runs.cost) >= np.median(exact.runs.cost)


def test_what_is_at_stake_now_is_what_the_best_plan_wastes(posterior: Any, proposed: Any) -> None:
    assert proposed.waste[0, 0] == pytest.approx(decide(posterior, TARGET).wasted[0], rel=1e-3)


def test_one_run_is_told_as_one(posterior: Any) -> None:
    pool = {"N": [1e9], "D": [1e10]}
    found = design(posterior, 7e19, target=TARGET, aim="size", pool=pool)
    (text,) = [str(note.text) for note in found.notes if note.code == "fewer"]
    assert text == "1 run: the budget pays for no more of use (8 were allowed)"


def test_a_designed_batch_beats_random_ones_of_its_cost(posterior: Any) -> None:
    rng = np.random.default_rng(0)
    N = np.exp(rng.uniform(np.log(1e8), np.log(3e10), 200))
    C = np.exp(rng.uniform(np.log(1e19), np.log(1e21), 200))
    pool = {"N": N, "C": C}
    best = design(posterior, 3e21, target=TARGET, aim="size", pool=pool, batch=8)
    expected = best.expected[0].shrink
    for _ in range(10):
        order = rng.permutation(200)
        kept = order[np.cumsum(C[order]) <= 3e21][:8]
        chance = {"N": N[kept], "C": C[kept]}
        other = design(posterior, 3e21, target=TARGET, aim="size", pool=chance, batch=8)
        assert expected < other.expected[0].shrink


def test_beside_a_batch_stands_the_best_grid_of_its_cost(posterior: Any, proposed: Any) -> None:
    """The posterior of the grid is made anew, as above; no batch is worse than the grid."""
    grid_of = proposed.grid
    assert grid_of.cost.sum() == pytest.approx(5e21)
    assert len(np.unique(grid_of.inputs["N"])) == len(grid_of) <= 8
    old = grid()
    columns = {name: np.concatenate([old[name], grid_of.inputs[name]]) for name in ("N", "D")}
    both = sf.Runs.from_columns({**columns, "L": np.full(len(columns["N"]), 3.0)})
    after, before = (np.log(frontier(posterior_of(runs), TARGET).N).std() for runs in (both, old))
    row = proposed.expected[0]
    assert row.by_grid == pytest.approx(after / before, rel=0.08)
    assert row.shrink <= row.by_grid
    assert float(proposed.waste[0, 2]) == pytest.approx(
        float(decide(posterior_of(both), TARGET).wasted[0]), rel=0.2
    )
    assert f"grid of {len(grid_of)} sizes at" in proposed.conclusion
    pool = {"N": [1e8, 1e9], "D": [1e10, 1e10]}
    listed = design(posterior, 5e21, target=TARGET, aim="size", pool=pool)
    assert listed.grid is None
    assert listed.waste.shape == (1, 2)


def test_where_the_optimum_leaves_the_runs_candidates_follow_it() -> None:
    """Runs of many tokens per parameter, as of models made to be served, are no guide to N*."""
    C = np.repeat([1e19, 1e20], 6)
    N = np.sqrt(C / 6 / np.tile(np.geomspace(200, 2000, 6), 2))
    served = posterior_of(sf.Runs.from_columns({"N": N, "D": C / (6 * N), "L": np.full(12, 3.0)}))
    found = design(served, 1e21, target=1e22, aim="size")
    assert (found.runs.inputs["D"] / found.runs.inputs["N"]).min() < 100 / 2


@pytest.mark.parametrize("pool", [None, {"N": [1e8, 1e9, 1e10], "C": [1e19, 1e20, 1e21]}])
def test_targets_are_served_and_runs_are_not(posterior: Any, pool: Any) -> None:
    served = WithInference(SixND(), 5e12)
    found = design(posterior, 5e21, target=TARGET, aim="size", counting=served, pool=pool)
    usual = design(posterior, 5e21, target=TARGET, aim="size", pool=pool)
    N, D = found.runs.inputs["N"], found.runs.inputs["D"]
    assert found.runs.labels["C"] == pytest.approx(6 * N * D, rel=1e-12)
    assert found.runs.cost == pytest.approx(6 * N * D, rel=1e-12)
    assert found.provenance["pool"] == usual.provenance["pool"]
    if pool is None:  # a ladder about what training alone makes the optimum
        best = np.median(frontier(posterior, found.runs.cost).N, axis=(0, 1))
        assert np.all(np.abs(np.log(N / best)) < np.log(8.5))
    optimum = frontier(posterior, TARGET, counting=served)
    assert found.expected[0].now.median == pytest.approx(np.median(optimum.N), rel=1e-6)
    assert found.expected[0].now.median < usual.expected[0].now.median / 2


def test_aims_make_different_designs(posterior: Any, proposed: Any) -> None:
    other = design(posterior, 5e21, target=TARGET, aim="loss", batch=8)
    by_name = [{row.name: row.shrink for row in one.expected} for one in (proposed, other)]
    assert by_name[0]["N*"] < by_name[1]["N*"]
    assert by_name[1]["L*"] < by_name[0]["L*"]


def test_it_says_stop_where_a_batch_is_worth_less_than_it_costs(posterior: Any) -> None:
    small = design(posterior, 5e21, target=1e21, aim="size")
    assert not small.worth_it
    assert small.value < small.cost
    assert "stop, and train" in str(small)
    large = design(posterior, 5e20, target=1e27, aim="size")
    assert large.worth_it
    assert "times its cost" in str(large)


def test_targets_weigh_by_what_they_cost(posterior: Any) -> None:
    both = design(posterior, 5e21, target=[1e22, 1e26], aim="size")
    assert [row.target for row in both.expected[:2]] == ["1e22 FLOP", "1e26 FLOP"]
    assert both.waste.shape == (2, 3)
    assert both.value == pytest.approx(np.sum(both.waste[:, 0] - both.waste[:, 1]))
    record = json.loads(json.dumps(both.as_json(), allow_nan=False))
    assert [row["C"] for row in record["waste"]] == [1e22, 1e26]


def test_points_are_targets_of_the_loss(posterior: Any) -> None:
    points: Any = {"N": [1e10, 3e10], "D": 1e12}
    found = design(posterior, 5e20, target=points, aim="loss")
    assert [row.target for row in found.expected] == ["N 10.0B, D 1.00T", "N 30.0B, D 1.00T"]
    assert max(row.shrink for row in found.expected) < 1
    with pytest.raises(InputError, match="at points only the loss is known"):
        design(posterior, 5e20, target=points, aim="size")
    with pytest.raises(InputError, match="lacks D"):
        design(posterior, 5e20, target={"N": 1e10}, aim="loss")


@pytest.mark.parametrize(
    ("noise", "variance"),
    [
        (noise("student_t")(sigma=np.full(2000, 0.02), nu=np.full(2000, 4.0)), 0.02**2 * 7 / 5),
        (noise("normal")(sigma=np.full(2000, 0.02)), 0.02**2),
        (noise("laplace")(sigma=np.full(2000, 0.02)), 0.02**2),
        (noise("normal_level")(sigma=np.full(2000, 0.05)), 0.05**2),
    ],
)
def test_noise_counts_by_its_information(posterior: Any, noise: Any, variance: float) -> None:
    pool = Pool({"N": np.array([1e8, 1e9]), "D": np.full(2, 1e10)}, np.ones(2), {})
    law = type(posterior.law)(
        **{k: np.full(2000, v.mean()) for k, v in posterior.law.values().items()}
    )
    found = Outlook.over(law, noise, pool).variance()
    # The means of SAMPLES squared scores, whose relative sd is at most sqrt(kurtosis - 1) = 1.42:
    # LOOKED of them scatter so, and the mean of their logarithms lies half its square too low.
    spread = 1.42 / math.sqrt(SAMPLES)
    assert found == pytest.approx(variance, rel=4 * spread / math.sqrt(LOOKED) + spread**2 / 2)


def test_scatter_that_few_runs_leave_open_is_not_taken_for_the_least(posterior: Any) -> None:
    """A run gains 1/(1 + s^2/V): to second order in log s its mean is that at the mean of log s."""
    law, log_sigma = jax.tree.map(np.ravel, posterior.law), np.linspace(-1.0, 1.0, 4000)
    made = noise("normal")(sigma=0.01 * np.exp(log_sigma))
    pool = Pool({"N": np.array([1e9]), "D": np.array([1e10])}, np.ones(1), {})
    found = Outlook.over(law, made, pool).variance()
    spread = 1.42 / math.sqrt(SAMPLES)
    assert found == pytest.approx(1e-4, rel=4 * spread / math.sqrt(LOOKED) + spread**2 / 2)
    gain = np.mean(1.0 / (1.0 + np.exp(2 * log_sigma)))
    assert 1.0 / (1.0 + found / 1e-4) == pytest.approx(gain, rel=0.05)


def test_draws_reweighted_by_outcomes_agree_with_the_moments(posterior: Any) -> None:
    """Normal noise, a nearly linear law: the mean posterior variance is known."""
    law = jax.tree.map(np.ravel, posterior.law)
    made = noise("normal")(sigma=np.full(4000, 0.004))
    pool = Pool({"N": np.array([1e8, 3e10]), "D": np.array([1e12, 1e10])}, np.ones(2), {})
    outlook = Outlook.over(law, made, pool)
    values = outlook.scale[:, 0]
    weights = outlook.weights()
    assert effective(weights) > 100
    mean = weights @ values
    reweighted = np.mean(weights @ values**2 - mean**2)
    moments = np.cov(outlook.scale.T)
    known = moments + 0.004**2 * np.eye(2)
    exact = moments[0, 0] - moments[0] @ np.linalg.solve(known, moments[0])
    assert reweighted == pytest.approx(exact, rel=0.1)


def test_pools_are_read_from_files_frames_and_mappings(tmp_path: Path, posterior: Any) -> None:
    frame = pd.DataFrame({"N": [1e8, 1e9, 1e10], "D": [1e10, 1e10, 1e11], "name": ["a", "b", "c"]})
    frame.to_csv(tmp_path / "pool.csv", index=False)
    for pool in (frame, tmp_path / "pool.csv", dict(frame)):
        found = design(posterior, 1e22, target=TARGET, aim="size", pool=pool, batch=4)
        assert set(found.runs.labels["name"]) <= {"a", "b", "c"}
    with pytest.raises(InputError, match="the pool lacks D"):
        design(posterior, 1e22, target=TARGET, aim="size", pool={"N": [1e8]})
    with pytest.raises(InputError, match="no run of the pool can be paid"):
        design(posterior, 1e15, target=TARGET, aim="size", pool=frame)
    with pytest.raises(InputError, match="do not have one length"):
        design(posterior, 1e22, target=TARGET, aim="size", pool={"N": [1e8], "D": [1e9, 1e10]})


def test_the_columns_of_a_pool_have_the_names_that_read_knows(
    tmp_path: Path, posterior: Any
) -> None:
    text = "run,params,tokens (B),loss\na,100M,10,3.1\nb,1.5B,12.5,2.7\n"
    (tmp_path / "pool.csv").write_text(text)
    asked: Any = {"target": TARGET, "aim": "size", "batch": 2}
    found = design(posterior, 1e22, pool=tmp_path / "pool.csv", **asked)
    rows = sorted(zip(found.runs.inputs["N"], found.runs.inputs["D"], strict=True))
    assert rows == [(1e8, 1e10), (1.5e9, 12.5e9)]
    assert {*found.runs.labels} == {"run", "loss", "C"}
    by_ratio = {"n_params": [1e8, 1.5e9], "tokens_per_param": [100, 8.4]}
    ratio = design(posterior, 1e22, pool=by_ratio, **asked)
    assert sorted(ratio.runs.inputs["D"]) == [1e10, 12.6e9]
    paid = {"params": [1e8, 1.5e9], "tokens": [1e10, 1e10], "cost": [1.0, 2.0]}
    assert design(posterior, 3.0, pool=paid, **asked).cost in (1.0, 2.0, 3.0)
    # The symbol itself counts before other names; among these nothing is guessed.
    both = {"N": [1e8, 1e9], "params": [2e8, 2e9], "D": [1e10, 1e10]}
    assert set(design(posterior, 1e22, pool=both, **asked).runs.inputs["N"]) <= {1e8, 1e9}
    several = {"params": [1e8, 1e9], "n_params": [2e8, 2e9], "D": [1e10, 1e10]}
    with pytest.raises(InputError, match=r"could be N: params, n_params\n.*you mean N, as its"):
        design(posterior, 1e22, pool=several, **asked)
    with pytest.raises(InputError, match=r"the pool lacks D\n  it has: params, hours"):
        design(posterior, 1e22, pool={"params": [1e8], "hours": [3.0]}, **asked)
    with pytest.raises(InputError, match=r"row 2, params: 'x' is not a positive number"):
        design(posterior, 1e22, pool={"params": ["1B", "x"], "tokens": [1e9, 1e9]}, **asked)


def test_what_is_no_count_stays_as_it_is(posterior: Any) -> None:
    pool = {"N": [85.3, 300.7], "D": [1e10 / 3, 1e10 / 7]}
    found = design(posterior, 1e22, target=TARGET, aim="size", pool=pool, batch=2)
    assert set(found.runs.inputs["N"]) <= {85.3, 300.7}
    assert set(found.runs.inputs["D"]) <= {3333333333.0, 1428571429.0}


@pytest.mark.parametrize("pool", [None, {"params": [1e8 / 3, 1e9 / 7], "flops": [1e19, 1e20]}])
def test_launchers_get_whole_parameters_and_tokens(
    tmp_path: Path, posterior: Any, pool: Any
) -> None:
    found = design(posterior, 5e20, target=TARGET, aim="size", pool=pool)
    found.save(tmp_path / "next.csv")
    table = pd.read_csv(tmp_path / "next.csv")
    assert [table[name].dtype.kind for name in ("N", "D")] == ["i", "i"]
    N, D = table["N"].to_numpy(float), table["D"].to_numpy(float)
    assert np.array_equal(table["C"], 6.0 * N * D)
    assert table["C"].sum() <= 5e20
    runs = sf.read(table.assign(L=2.5))
    assert np.array_equal(runs.N, N)
    assert np.array_equal(runs.D, D)


def test_another_unit_of_cost_is_counted_in_that_unit(posterior: Any) -> None:
    pool = {"N": [1e8, 1e9], "D": [1e10, 1e10], "cost": [1.0, 30.0]}
    found = design(posterior, 31.0, target=TARGET, aim="size", pool=pool, batch=2)
    assert found.cost in (2.0, 1.0, 30.0, 31.0)
    assert found.details["worth_it"] is None
    assert "times its cost" not in str(found)


def test_the_loop_closes(tmp_path: Path, posterior: Any) -> None:
    """Design, train, read: the table comes back with the same columns."""
    family = AspectRatio(aspect=64.0, context=2048.0, vocabulary=32000.0)
    found = design(posterior, 5e20, target=TARGET, aim="size", shapes=family, batch_tokens=2**19)
    found.save(tmp_path / "next.csv")
    table = pd.read_csv(tmp_path / "next.csv")
    assert np.all(table["width"] % 64 == 0)
    assert table["depth"].dtype.kind == "i"
    assert np.array_equal(table["steps"] * table["batch"], table["D"])
    assert len(table[["N", "D", "seed"]].drop_duplicates()) == len(table)
    table["L"] = 2.5
    runs = sf.read(table)
    assert np.array_equal(runs.N, found.runs.inputs["N"])
    assert np.array_equal(runs.D, found.runs.inputs["D"])
    assert {"width", "depth", "seed"} <= {*runs.labels, *runs.columns}


def test_profiles_stay_possible_where_a_batch_has_room_for_them() -> None:
    lone = posterior_of(grid(budgets=(1e20,), sizes=6))
    roomy = design(lone, 5e21, target=TARGET, aim="size", batch=24)
    N, D = (np.concatenate([lone.runs[name], roomy.runs.inputs[name]]) for name in ("N", "D"))
    assert profiled(N, 6 * N * D) >= 2
    tight = design(lone, 5e21, target=TARGET, aim="size", batch=4)
    assert any(note.code == "profiles" for note in tight.notes)


def test_hours_and_dollars_stand_beside_flop(posterior: Any) -> None:
    costs = Costs.of("h100", mfu=0.4, price=2.0)
    found = design(posterior, "$10K", target="$5M", aim="size", costs=costs)
    assert costs.money(np.array([found.cost])) <= 10e3
    assert "($" in found.conclusion


def test_what_cannot_be_designed_is_refused(posterior: Any) -> None:
    with pytest.raises(InputError, match="nothing to learn"):
        design(posterior.law, 1e21, target=TARGET, aim="size")
    with pytest.raises(InputError, match="neither the size"):
        design(posterior, 1e21, target=TARGET, aim="both")  # type: ignore[arg-type]


def test_pools_of_laws_without_tokens_need_a_table(posterior: Any) -> None:
    kaplan = sf.law("kaplan_size")
    point = kaplan(**{name: np.full((4, 100), 1.0) for name in kaplan.parameters()})
    asked = type(posterior)(**{**vars(posterior), "law": point})
    with pytest.raises(InputError, match="make no ladder of budgets"):
        design(asked, 1e21, target={"N": 1e10}, aim="loss")
