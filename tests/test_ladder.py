"""The shipped table of training runs, and the machinery that made it."""

import itertools
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.ladder import isoflop, runner, table
from benchmarks.ladder.grid import Plan, Run, runs
from benchmarks.ladder.model import Shape, init, logits, losses


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    return table.read(isoflop.TABLE)


@pytest.fixture(scope="module")
def curves() -> list[isoflop.Curve]:
    return isoflop.curves()


def column(rows: list[dict[str, str]], name: str) -> np.ndarray:
    return np.array([float(row[name]) for row in rows])


# --- the table -----------------------------------------------------------------------------------


def test_every_run_is_there_once_and_whole(rows: list[dict[str, str]]) -> None:
    assert all(tuple(row) == table.COLUMNS for row in rows)
    assert sorted(row["run"] for row in rows) == sorted(run.name for run in runs())
    for name in table.COLUMNS[1:-1]:
        assert np.all(np.isfinite(column(rows, name))), name
    assert {row["device"] for row in rows} == {"cpu, 1 core"}


def test_flops_are_six_times_weights_times_bytes(rows: list[dict[str, str]]) -> None:
    tokens = column(rows, "tokens")
    np.testing.assert_array_equal(column(rows, "flops_6nd"), 6 * column(rows, "params") * tokens)
    np.testing.assert_array_equal(tokens, column(rows, "batch") * column(rows, "steps"))


def test_shape_columns_follow_from_width_and_depth(rows: list[dict[str, str]]) -> None:
    for row in rows:
        shape = Shape(int(row["width"]), int(row["depth"]))
        assert int(row["params"]) == shape.params
        assert int(row["params_non_embedding"]) == shape.params_non_embedding
        assert int(row["flops_exact"]) == shape.flops_per_token * int(row["tokens"])


def test_grid_is_wide_enough_to_identify_a_law(curves: list[isoflop.Curve]) -> None:
    budgets = [curve.budget for curve in curves]
    assert len(budgets) >= 5
    assert budgets[-1] / budgets[0] >= 100
    assert all(len(curve.cells) >= 7 for curve in curves)
    cells = [cell for curve in curves for cell in curve.cells]
    assert sum(cell.losses.size == 3 for cell in cells) >= 5


def test_each_curve_turns_well_inside_its_grid(curves: list[isoflop.Curve]) -> None:
    for curve in curves:
        assert curve.optimum / curve.sizes[0] >= 8
        assert curve.sizes[-1] / curve.optimum >= 8
        # Not the cubic's doing: both ends lie many standard errors above the best cell.
        best = min(curve.cells, key=lambda cell: cell.loss)
        for end in (curve.cells[0], curve.cells[-1]):
            assert end.loss > best.loss + 4 * np.hypot(end.loss_se, best.loss_se)


def test_losses_fall_and_optima_grow_along_the_frontier(curves: list[isoflop.Curve]) -> None:
    for small, large in itertools.pairwise(curves):
        assert min(large.losses) < min(small.losses)
        assert large.optimum > small.optimum


def test_seeds_scatter_about_as_much_as_the_validation_sample(curves: list[isoflop.Curve]) -> None:
    # README.md states the scatter; the standard error is 0.3 to 0.5 %.
    assert 0 < isoflop.seed_scatter(curves) < 0.01


# --- the count of arithmetic ---------------------------------------------------------------------


def test_one_shape_counted_by_hand() -> None:
    # Width 4, one layer, one head, 8 bytes of context, SwiGLU of width 4 * round(8/3) = 12.
    weights = 4 * 12 + 4 * 4 + 2 * 4 * 12 + 12 * 4 + 4 + 4 + 4  # qkv, out, up, down, three norms
    shape = Shape(width=4, depth=1, context=8)
    assert shape.params_non_embedding == weights == 220
    assert shape.params == weights + 256 * 4
    multiply_adds = (
        8 * 4 * 12  # q, k, v of 8 positions
        + 8 * 8 * 4  # scores: every position against every position
        + 8 * 8 * 4  # weights times values
        + 8 * 4 * 4  # out
        + 8 * 4 * 24  # gate and value
        + 8 * 12 * 4  # down
        + 8 * 4 * 256  # head
    )
    assert shape.flops_per_token * 8 == 3 * 2 * multiply_adds


@pytest.mark.parametrize("shape", [Shape(4, 1, 8), Shape(32, 3, 16)])
def test_count_is_that_of_the_traced_gradient(shape: Shape) -> None:
    params = init(shape, jax.random.key(0))
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == shape.params
    windows = jnp.zeros((5, shape.context + 1), jnp.uint8)
    traced = jax.make_jaxpr(jax.grad(lambda p: losses(shape, p, windows).mean()))(params)
    assert matrix_flops(traced.jaxpr) == shape.flops_per_token * 5 * shape.context


def matrix_flops(jaxpr: object) -> int:
    """Two FLOP per multiply-add of every matrix product in a traced program."""
    total = 0
    for equation in jaxpr.eqns:  # type: ignore[attr-defined]
        for value in equation.params.values():
            if inner := getattr(value, "jaxpr", None):  # a program inside, as of jit
                total += matrix_flops(inner)
        if equation.primitive.name == "dot_general":
            left = equation.invars[0].aval.shape
            contracted = equation.params["dimension_numbers"][0][0]
            depth = int(np.prod([left[axis] for axis in contracted]))
            total += 2 * depth * equation.outvars[0].aval.size
    return total


def test_a_byte_is_predicted_from_the_past_alone() -> None:
    shape = Shape(16, 2, 8)
    params = init(shape, jax.random.key(1))
    text = jnp.arange(8)[None]
    scores = jax.jit(logits, static_argnums=0)
    before = scores(shape, params, text)
    after = scores(shape, params, text.at[0, 5].set(200))
    np.testing.assert_allclose(after[0, :5], before[0, :5], rtol=1e-5)
    assert np.all(np.abs(after - before)[0, 5:].max(-1) > 1e-3)


# --- restarts ------------------------------------------------------------------------------------

RUNS = [Run(Shape(4, 1), 1e9, seed) for seed in range(4)]


class Killed(BaseException):
    """Stands for the signal that ends a run."""


def trainer(log: list[str], deadly: str = "") -> runner.Train:
    def train(run: Run, report: Callable[[int], None]) -> tuple[float, float]:
        report(run.plan.steps // 2)
        if run.name == deadly:
            raise Killed
        log.append(run.name)
        return 2.0 + run.seed, 0.01

    return train


def test_a_killed_run_is_trained_again_and_nothing_twice(tmp_path: Path) -> None:
    path, log = tmp_path / "ladder.csv", list[str]()
    names = [run.name for run in RUNS]
    with pytest.raises(Killed):
        runner.fill(RUNS, path, trainer(log, deadly=names[2]), "test")
    assert [row["run"] for row in table.read(path)] == names[:2]
    runner.fill(RUNS, path, trainer(log), "test")
    assert [row["run"] for row in table.read(path)] == log == names
    runner.fill(RUNS, path, trainer(log), "test")
    assert log == names


def test_a_kill_while_writing_leaves_the_old_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, log = tmp_path / "ladder.csv", list[str]()
    runner.fill(RUNS[:1], path, trainer(log), "test")
    before = path.read_bytes()

    def die(_: int) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", die)
        with pytest.raises(Killed):
            runner.fill(RUNS, path, trainer(log), "test")
    assert path.read_bytes() == before
    runner.fill(RUNS, path, trainer(log), "test")
    assert [row["run"] for row in table.read(path)] == [run.name for run in RUNS]


def test_a_run_is_never_recorded_twice(tmp_path: Path) -> None:
    row = runner.row(RUNS[0], 2.0, 0.01, "test")
    table.append(tmp_path / "ladder.csv", row)
    with pytest.raises(ValueError, match="never recorded twice"):
        table.append(tmp_path / "ladder.csv", row)


# --- training ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_training_learns_what_can_be_learned_and_no_more() -> None:
    pytest.importorskip("optax")
    from benchmarks.ladder.corpus import Corpus
    from benchmarks.ladder.train import train

    # Each byte is one of two with equal odds: nothing beats log 2 = 0.693 nats per byte.
    text = np.random.default_rng(0).integers(0, 2, 400_000).astype(np.uint8)
    corpus = Corpus(train=text[:100_000], validation=text[100_000:])
    loss, loss_se = train(Shape(8, 1), Plan(80, 1024, 0.05), corpus, seed=0)
    assert loss == pytest.approx(np.log(2), abs=0.02)
    assert loss_se < 0.01
    with pytest.raises(ValueError, match="bytes asked of a corpus"):
        train(Shape(8, 1), Plan(200, 1024, 0.05), corpus, seed=0)
