"""Runs and groups left out: which go together, against ArviZ, and against fits without them."""

import re
import warnings
from typing import Any

import arviz_base
import arviz_stats
import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import lognorm

import scalingfit as sf
from scalingfit._errors import InputError
from scalingfit.evidence import Comparison, compare
from scalingfit.evidence.comparison.candidate import is_better
from scalingfit.evidence.comparison.leave_out import groups_of, held_out, leave_each
from scalingfit.inference import Posterior, sample
from scalingfit.runs import Runs, clusters
from tests.budgets import BUDGETS, jittered
from tests.simulated import BOTH, EXACT, QUICK, SETTINGS, bent


def test_runs_of_one_value_are_left_out_together() -> None:
    runs = jittered(0.02)
    names = [f"{C:.0e}" if C > 7e18 else None for C in np.repeat(BUDGETS, 6)]
    named = Runs.from_columns(runs.columns, labels={"budget": names, "seed": np.tile([1, 2], 27)})
    np.testing.assert_array_equal(groups_of(named), np.arange(54))
    np.testing.assert_array_equal(groups_of(named, "seed"), np.tile([0, 1], 27))
    by_name = groups_of(named, "budget")  # those without one are left out by themselves
    np.testing.assert_array_equal(by_name, [*range(6), *np.repeat(np.arange(6, 14), 6)])
    assert len(np.unique(groups_of(named, "budget", BUDGETS[:3]))) == 3 + 36
    assert len(np.unique(groups_of(runs, "budget", BUDGETS))) == 9


def test_what_runs_cannot_be_left_out_by_is_refused() -> None:
    runs = jittered(0.02)
    with pytest.raises(InputError, match="leave runs out by"):
        groups_of(runs, "family")
    with pytest.raises(InputError, match="budgets are given"):
        groups_of(runs, "N", BUDGETS)
    with pytest.raises(InputError, match="10 % of the budgets 5e21"):
        groups_of(runs, "budget", [5e21, 1e19])
    with pytest.raises(InputError, match="all 6 runs are of one budget"):
        groups_of(jittered(0.02, budgets=np.array([1e20])), "budget")


def arvizs(tree: Any) -> Any:
    """ArviZ's PSIS-LOO, without its warnings on values of k, which are not judged here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return arviz_stats.loo(tree, pointwise=True)


def test_leaving_out_one_run_is_arvizs(posterior: Posterior) -> None:
    ours = leave_each(posterior, np.arange(36), SETTINGS, refit=False)
    theirs = arvizs(posterior.to_arviz())
    np.testing.assert_allclose(ours.elpd_i, theirs.elpd_i, rtol=1e-12)
    np.testing.assert_allclose(ours.k, theirs.pareto_k, rtol=1e-12)
    assert ours.elpd == pytest.approx(theirs.elpd, rel=1e-12)
    assert ours.se == pytest.approx(theirs.se, rel=1e-12)
    assert ours.p == pytest.approx(theirs.p, rel=1e-9)


def test_leaving_out_groups_is_arvizs_on_sums(posterior: Posterior, runs: Runs) -> None:
    groups = clusters(runs.C)
    assert sorted(set(groups.tolist())) == [0, 1, 2, 3, 4, 5]
    ours = leave_each(posterior, groups, SETTINGS, refit=False)
    each = posterior.log_likelihood()
    sums = np.stack([each[..., groups == g].sum(-1) for g in range(6)], axis=-1)
    tree = arviz_base.from_dict(
        {"posterior": posterior.sampled.values, "log_likelihood": {"L": sums}}
    )
    theirs = arvizs(tree)
    np.testing.assert_allclose(ours.elpd_i, theirs.elpd_i, rtol=1e-9)


def test_fits_without_a_run_agree_with_importance_sampling(
    posterior: Posterior, runs: Runs
) -> None:
    """Two independent ways to the same number, for runs whose k is low."""
    psis = leave_each(posterior, np.arange(36), SETTINGS, refit=False)
    easy = np.flatnonzero(psis.k < 0.4)[:6]
    exact, _ = held_out(posterior.model, runs, [np.arange(36) == i for i in easy], SETTINGS)
    found = [float(logsumexp(d[:, 0]) - np.log(len(d))) for d in exact]
    np.testing.assert_allclose(found, psis.elpd_i[easy], atol=0.15)


def test_runs_are_left_out_of_fits_with_an_error() -> None:
    """The same two ways where the law has an error, whose draws weights and fits alike carry."""
    runs = bent()
    posterior = sf.fit(runs, "power", "normal", **QUICK)
    assert posterior.sampled.record["exact"] < 0.01
    psis = leave_each(posterior, np.arange(24), SETTINGS, refit=False)
    easy = np.flatnonzero(psis.k < 0.5)[:4]
    left, _ = held_out(posterior.model, runs, [np.arange(24) == i for i in easy], SETTINGS)
    for run, (density,) in zip(easy, (d.T for d in left), strict=True):
        found = logsumexp(density) - np.log(len(density))
        error = np.std(np.exp(density - found)) / np.sqrt(len(density) / 4)
        # Weights are about as uneven as these densities.
        assert psis.elpd_i[run] == pytest.approx(found, abs=5 * np.hypot(error, error))
    # It is the law's error that tells a run from its neighbours: without it they are misses.
    exact = leave_each(
        sf.fit(runs, "power", "normal", **EXACT), np.arange(24), SETTINGS, refit=False
    )
    assert psis.elpd > exact.elpd + 10


def test_groups_that_cannot_be_reweighted_are_fitted_exactly(
    posterior: Posterior, runs: Runs
) -> None:
    """Half the table left out at once: against a fit of the other half and SciPy's density."""
    groups = clusters(runs.C) // 3
    ours = leave_each(posterior, groups, SETTINGS)
    assert ours.refitted == (0, 1)
    below, above = runs.take(groups == 0), runs.take(groups == 1)
    values = sample(posterior.model, [below], SETTINGS)[0].values
    E, A, B, alpha, beta, sigma = (
        values[name].reshape(-1, 1) for name in ("E", "A", "B", "alpha", "beta", "sigma")
    )
    mean = E + A * above.N**-alpha + B * above.D**-beta
    joint = np.sum(lognorm.logpdf(above.L, sigma, scale=mean), axis=-1)
    exact = logsumexp(joint) - np.log(len(joint))
    error = np.std(np.exp(joint - exact)) / np.sqrt(len(joint) / 4)
    assert ours.elpd_i[1] == pytest.approx(exact, abs=5 * error)
    assert ours.arviz.elpd == pytest.approx(ours.elpd)


def test_weights_are_arvizs(comparison: Comparison) -> None:
    assert sum(comparison.weights.values()) == pytest.approx(1)
    theirs = arviz_stats.compare(
        {name: item.loo.arviz for name, item in comparison.candidates.items()}, round_to="none"
    )
    assert list(theirs.index) == list(comparison.candidates)
    for name, item in comparison.candidates.items():
        assert item.weight == pytest.approx(theirs.weight[name], abs=1e-3)
        assert item.difference == pytest.approx(theirs.elpd_diff[name], abs=1e-9)
        assert item.difference_se == pytest.approx(theirs.dse[name], abs=1e-9)


def test_few_groups_decide_little() -> None:
    """Two standard errors hold as often as the normal's, 95.4 %, whatever the number of groups, and
    ranks declare no more than as many besides: one in 44 by either of two tests.
    """
    rng = np.random.default_rng(0)
    for groups in (3, 6, 24):
        gaps = 100 * rng.standard_normal((20_000, groups))  # far above the least difference
        wrong = np.mean([is_better(gap) for gap in gaps])
        noise = 4 * np.sqrt(0.0228 / 20_000)
        assert 0.0228 - noise < wrong < (0.0228 if groups < 6 else 2 * 0.0228) + noise
    assert not is_better(np.array([1e3]))


def test_one_run_neither_hides_nor_makes_a_difference() -> None:
    """The outlier's share of a difference is as large as its standard error: the others decide."""
    others = np.full(23, 1.5) + 0.5 * np.random.default_rng(0).standard_normal(23)
    assert is_better(np.append(others, 5000.0))
    assert is_better(np.append(others, [5000.0, 4000.0]))
    assert not is_better(np.append(others - 1.5, 5000.0))
    assert not is_better(np.append(others / 20, 5000.0))  # alike but for the one
    assert not is_better(np.append(others, -5000.0))


def test_few_or_uneven_groups_are_named(runs: Runs) -> None:
    found = compare(
        runs, BOTH, "normal", budgets=np.unique(runs.C)[:3], future=False, refit=False, **EXACT
    )
    # Three budgets of six runs, and eighteen runs by themselves.
    assert found.unit == "budget"
    assert sorted(np.bincount(found.groups).tolist()) == [1] * 18 + [6] * 3
    assert not {"few_groups", "uneven_groups"} & {note.code for note in found.notes}
    # What importance sampling could not leave out are budgets, not runs.
    high = [str(note.text) for note in found.notes if note.code == "high_k"]
    assert high
    assert all(re.match(r"\d groups have Pareto k above", text) for text in high)
    wide = Runs.from_columns(runs.columns, labels={"half": np.repeat(["a", "b", "c"], [24, 6, 6])})
    found = compare(wide, BOTH, "normal", leave_out="half", future=False, refit=False, **EXACT)
    few, uneven, *_ = found.notes
    assert (few.code, uneven.code) == ("few_groups", "uneven_groups")
    assert "only 3 groups are left out, one for each half" in str(few.text)
    assert "one half holds 24 of 36 runs" in str(uneven.text)
    one = Runs.from_columns(runs.columns, labels={"family": ["a"] * 36})
    with pytest.raises(InputError, match="all 36 runs are of one family"):
        compare(one, BOTH, leave_out="family")


def test_checkpoints_of_one_run_are_no_runs_of_their_own(runs: Runs) -> None:
    for label, repeated in (("run_id", False), ("family", True), ("run_id", True)):
        names = np.arange(36) // (2 if repeated else 1)
        table = Runs.from_columns(runs.columns, labels={label: names.astype(str)})
        found = compare(table, BOTH, "normal", future=False, refit=False, **EXACT)
        whole = label == "run_id" and repeated
        assert found.unit == ("run_id" if whole else "run")
        assert len(found.candidates["kaplan"].loo.elpd_i) == (18 if whole else 36)
