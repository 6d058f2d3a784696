"""The examples run, and say what was published, on published runs."""

from pathlib import Path
from typing import Any

import pytest

from examples.porian_ladder import PUBLISHED, STAGES, ladder
from scalingfit import datasets, reconcile
from scalingfit.evidence import (
    METHODS,
    Reconciliation,
    Stage,
    envelope,
    isoflop,
    profiles,
    without_embeddings,
)
from scalingfit.inference import Limits
from scalingfit.report import evidence_plots
from scalingfit.result import Interval
from scalingfit.runs import Runs

SHORT: dict[str, Any] = {"draws": 300, "limits": Limits(ess=100)}
HOFFMANN = [6e18, 1e19, 3e19, 6e19, 1e20, 3e20, 6e20, 1e21, 3e21]


def near(found: Reconciliation) -> None:
    """Each published exponent is within 1.5 half-widths of the 90 % interval, or 2.5 standard
    deviations: theirs has an error of its own, and comes from other estimators."""
    for name, stage in found.stages.items():
        (published,) = stage.published
        for method in METHODS:
            low, middle, high = interval(stage, method)
            end = high if published > middle else low
            assert abs(published - middle) <= 1.5 * abs(end - middle), (name, method)


def interval(stage: Stage, method: str) -> Interval:
    """The interval of a stage's exponent, which the runs allow."""
    found = stage.exponents[method]
    assert found is not None
    return found.interval


def test_the_last_stage_of_porians_ladder(published: Path) -> None:
    found = ladder(stages=STAGES[-1:], **SHORT)
    near(found)
    assert found.stages[STAGES[-1]].posterior.verdict.status != "not converged"


@pytest.mark.slow
@pytest.mark.parametrize("dataset", list(PUBLISHED))
def test_porians_ladder(published: Path, dataset: str) -> None:
    found = ladder(dataset, **SHORT)
    near(found)
    for method in ("isoflop", "envelope"):
        middles = [interval(stage, method).median for stage in found.stages.values()]
        assert middles == sorted(middles, reverse=True)
    assert found.probability(STAGES[0], STAGES[-1]) == 1


@pytest.fixture
def chinchilla(published: Path) -> Runs:
    """The 240 rows that Besiroglu et al. 2024 fit."""
    runs = datasets.read("epoch_chinchilla", labels=["besiroglu_excluded"])
    return runs.take(runs.labels["besiroglu_excluded"] == 0)


def test_chinchillas_budgets_survive_a_recount(chinchilla: Runs) -> None:
    """Pearce & Song 2024: without embeddings the exponent is higher, a little at these sizes."""
    counted = without_embeddings(chinchilla, budgets=HOFFMANN)
    given, again = profiles(chinchilla, budgets=HOFFMANN), profiles(counted)
    assert len(given.C) == len(again.C) == 9
    for total, without in (
        (isoflop(given), isoflop(again)),
        (envelope(chinchilla, budgets=HOFFMANN), envelope(counted)),
    ):
        low, middle, high = total.interval
        assert low < 0.49 < high  # Hoffmann et al. 2022, Table 2: 0.50 and 0.49
        # The law's own rise over these budgets is 0.04.
        assert 0 < without.interval.median - middle < 0.1


@pytest.mark.slow
def test_chinchillas_runs_explain_kaplans_exponent(chinchilla: Runs) -> None:
    """Pearce & Song's script gives 0.7805 at Besiroglu et al.'s constants, without an interval."""
    found = reconcile({"all": chinchilla}, budgets=HOFFMANN, recounted=True, **SHORT)
    total, without, kaplans = found.stages.values()
    assert list(found.stages)[-1] == "all, over Kaplan's sizes"
    assert kaplans.published == (0.73,)
    low, _, high = interval(kaplans, "law")
    assert low < 0.7805 < high
    assert kaplans.exponents["isoflop"] is None
    # Besiroglu et al. 2024 have 0.513 with a standard error of 0.02.
    assert abs(interval(total, "law").median - 0.513) < 0.04
    assert interval(without, "law").low > interval(total, "law").median
    axes = evidence_plots.reconciliation(found).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == list(found.stages)
