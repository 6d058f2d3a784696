"""Budgets in the table's own count, against counts that are known functions."""

import dataclasses
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import scalingfit as sf
from scalingfit._errors import InputError
from scalingfit.allocation import (
    SixND,
    TableCount,
    WithInference,
    cost,
    counting,
    forecast,
    frontier,
)
from scalingfit.runs import Runs
from tests.report import standin

CASES = Path(os.environ.get("SCALINGFIT_DATA", "../shared/data")).parent / "cases"


def attended(N: Any, D: Any) -> Any:
    """6 N D and the attention of models whose width goes with the cube root of N."""
    return 6.0 * (N + 3e2 * N ** (2 / 3)) * D


def counted(posterior: Any, C: Any) -> Any:
    """A posterior whose runs state this compute."""
    runs = posterior.runs
    columns = {**runs.columns, "C": C}
    posterior.runs = Runs.from_columns(columns)
    return posterior


def test_budgets_are_spent_as_the_table_counts(posterior: Any) -> None:
    asked = counted(posterior, attended(posterior.runs.N, posterior.runs.D))
    rule: Any = TableCount().of_runs(asked.runs.N, asked.runs.compute_ratio)
    assert 1 < rule.miss < 1.01  # a parabola through a smooth function over two decades
    budgets = [1e19, 1e21, 1e22]
    own, known = (frontier(asked, budgets, counting=each) for each in ("table", attended))
    np.testing.assert_allclose(cost(rule, own.N, own.D), np.broadcast_to(budgets, own.N.shape))
    # The count within 1 %, its slope within some percent: so is N*, and the loss is flat there.
    inside = (asked.runs.N.min() < known.N) & (asked.runs.N.max() > known.N)
    np.testing.assert_allclose(own.N[inside], known.N[inside], rtol=0.05)
    np.testing.assert_allclose(own.L, known.L, rtol=0.002)
    assert "as the table counts it, within" in str(own)


def test_a_count_of_six_is_six(posterior: Any) -> None:
    asked = counted(posterior, 6.0 * posterior.runs.N * posterior.runs.D)
    own, six = (frontier(asked, [1e20, 1e22, 1e25], counting=each) for each in ("table", "6ND"))
    np.testing.assert_allclose(own.N, six.N, rtol=1e-6)


def test_beyond_the_runs_the_count_levels_off_and_says_so(posterior: Any) -> None:
    asked = counted(posterior, attended(posterior.runs.N, posterior.runs.D))
    rule: Any = TableCount().of_runs(asked.runs.N, asked.runs.compute_ratio)
    N = np.logspace(2, 16, 4001)
    ratio = rule.per_token(N) / (6 * N)
    slope = np.diff(np.log(ratio)) / np.diff(np.log(N))
    assert np.all(slope[[0, -1]] == pytest.approx(0, abs=1e-9))
    assert np.max(np.abs(np.diff(slope))) < 0.01  # no kink
    assert np.all(np.diff(rule.per_token(N)) > 0)
    assert any(
        "lie beyond the runs" in str(note.text)
        for note in frontier(asked, 1e26, counting="table").notes
    )
    assert rule.caveats(asked.runs.N) == ()


def test_few_sizes_have_a_line_or_a_constant() -> None:
    one: Any = TableCount().of_runs(np.array([1e9, 1e9]), np.array([1.5, 1.5]))
    assert one.per_token(np.array([1e6, 1e9, 1e12])) == pytest.approx([9e6, 9e9, 9e12])
    two: Any = TableCount().of_runs(np.array([1e8, 1e10]), np.array([2.0, 1.0]))
    assert two.per_token(1e9) == pytest.approx(6e9 * np.sqrt(2))


def test_what_no_function_counts_is_refused(posterior: Any) -> None:
    with pytest.raises(InputError, match="have no count of their own"):
        frontier(posterior, 1e21, counting="table")
    N, D = posterior.runs.N, posterior.runs.D
    with pytest.raises(InputError, match=r"not a smooth function .* factor of 1\.[78]"):
        frontier(counted(posterior, 6 * N * D * np.tile([1, 3], 10)), 1e21, counting="table")
    with pytest.raises(InputError, match="a larger model costs less"):
        frontier(counted(posterior, 1e10 * D / N), 1e21, counting="table")


def test_without_runs_there_is_no_count() -> None:
    law = sf.law("chinchilla").published["besiroglu-2024"].law
    with pytest.raises(InputError, match="have no count of their own"):
        frontier(law, 1e21, counting="table")
    with pytest.raises(InputError, match="needs its runs"):
        counting("table").flops(1e9, 1e11)


def test_serving_is_counted_likewise(posterior: Any) -> None:
    asked = counted(posterior, 1.5 * 6.0 * posterior.runs.N * posterior.runs.D)
    served = WithInference(counting("table"), 1e12)
    known = WithInference(SixND(), 1e12)
    own, six = frontier(asked, 3e22, counting=served), frontier(asked, 2e22, counting=known)
    np.testing.assert_allclose(own.N, six.N, rtol=1e-6)


def test_a_saved_fit_keeps_its_count(tmp_path: Path) -> None:
    made = standin.table()
    table = sf.read(made.to_pandas().assign(C=attended(made.N, made.D)))
    fit = standin.posterior(runs=table)
    fit.save(tmp_path / "fit.nc")
    again = sf.load(tmp_path / "fit.nc")
    first, second = (each.frontier(1e22, counting="table") for each in (fit, again))
    np.testing.assert_array_equal(first.N, second.N)
    place = forecast(again, N=1e9, C=1e21, counting="table").asked["D"]
    assert attended(1e9, place) == pytest.approx(1e21, rel=0.01)
    derived = dataclasses.replace(fit, runs=made)
    with pytest.raises(InputError, match="no count of their own"):
        derived.frontier(1e22, counting="table")


@pytest.mark.skipif(not CASES.is_dir(), reason="the cases are not beside the checkout")
def test_tables_with_counts_of_their_own() -> None:
    moe, wrong = (
        sf.read(CASES / f"{name}.csv") for name in ("moe_counted_flops", "tokens_wrong_batch")
    )
    rule: Any = TableCount().of_runs(moe.N, moe.compute_ratio)
    np.testing.assert_allclose(cost(rule, moe.N, moe.D), moe.C, rtol=0.005)
    with pytest.raises(InputError, match="check how tokens and compute were counted"):
        TableCount().of_runs(wrong.N, wrong.compute_ratio)
