"""Stages from one published exponent to another."""

import dataclasses
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scalingfit import read
from scalingfit._errors import InputError
from scalingfit.allocation import non_embedding
from scalingfit.cli._spelling import COMMAND_LINE
from scalingfit.evidence import (
    Reconciliation,
    isoflop,
    profiles,
    reconcile,
)
from scalingfit.evidence.exponents.reconcile import (
    _beside_published,
    _disagreement,
    _stage,
)
from scalingfit.evidence.exponents.without_embeddings import KAPLAN_SIZES
from scalingfit.inference import Posterior
from scalingfit.runs import Runs
from tests.evidence.exponents.surfaces import (
    EXPONENT,
    MIXED,
    about,
    mixed,
    optimum,
    slope,
    surface,
)
from tests.simulated import QUICK


def test_stages_are_reconciled() -> None:
    stages = {"total": surface(0.003), "shifted": surface(0.003, 1, off_centre=1.2)}
    found = reconcile(stages, noise="normal", published={"total": 0.51}, **QUICK)
    for stage in found.stages.values():
        for method in ("law", "isoflop"):
            found_by = stage.exponents[method]
            assert found_by is not None
            low, _, high = found_by.interval
            assert low - 0.02 < EXPONENT < high + 0.02
    assert "0.510" in str(found)
    assert 0.01 < found.probability("total", "shifted") < 0.99
    assert found.to_pandas().set_index("stage").loc["total", "published"] == [0.51]
    middle = found.to_xarray()["a"].sel(stage="total", approach="law", quantile=0.5)
    by_law = found.stages["total"].exponents["law"]
    assert by_law is not None
    assert middle == by_law.interval.median
    with pytest.raises(InputError, match="none of the stages"):
        reconcile(stages, published={"totel": 0.5})


def test_ways_that_disagree_are_noted() -> None:
    """Exponents about 0.5 and 0.6, once each known to 0.01 and once to 0.2."""
    (note,) = _disagreement(about(0.6, 0.01), about(0.5, 0.01))
    assert str(note.text).startswith("law and isoflop disagree, 0.600 [0.58")
    assert not _disagreement(about(0.6, 0.2), about(0.5, 0.2))
    assert not _disagreement(None, about(0.5, 0.01))


def test_published_exponents_outside_the_intervals_are_noted() -> None:
    found = {"law": about(0.6, 0.01), "isoflop": about(0.5, 0.2), "envelope": None}
    assert _beside_published(found, (0.6,)) == []
    (note,) = _beside_published(found, (0.6, 0.5))
    assert note.text == "the published 0.500 lies outside the 90 % interval of law"
    (note,) = _beside_published(found, (0.95,))
    assert str(note.text).endswith("of law and isoflop")


def test_one_budget_leaves_no_slope(posterior: Posterior, runs: Runs) -> None:
    one = dataclasses.replace(posterior, runs=runs.take(runs.C.max() == runs.C))
    stage = _stage(one, None, (), (), 0)
    assert stage.exponents == {"law": None, "isoflop": None, "envelope": None}
    assert any("one budget leaves no slope" in str(note.text) for note in stage.notes)


@pytest.mark.parametrize(("largest", "answered"), [(4.1, True), (0.6, False)])
def test_a_budget_of_two_sizes_is_named_in_text_and_json(
    posterior: Posterior, largest: float, answered: bool
) -> None:
    """Also where too few of the others have their minimum inside for an exponent."""
    runs = mixed({1e18: 9, 3e18: 5, 1e19: 4, 3e19: 2})
    kept = runs.take((runs.C > 2e18) | (largest * optimum(runs.C, MIXED) > runs.N))
    stage = _stage(dataclasses.replace(posterior, runs=kept), None, (), (), 0)
    assert (stage.exponents["isoflop"] is not None) == answered
    found = Reconciliation({"all runs": stage})
    said = "too few sizes were trained at C 3e19 (2 sizes): these take no part; a budget needs 3"
    assert f"all runs, isoflop: {said}" in str(found)
    written: Any = found.as_json()
    (note,) = [each for each in written["notes"] if each["code"] == "too_few_sizes"]
    assert (note["of"], note["text"]) == ("all runs, isoflop", said)
    last = written["minima"][-1]
    assert last["C"] == pytest.approx(3e19)
    assert (last["N"], last["used"], last["runs"]) == (None, False, 2)


@pytest.mark.parametrize("omega", [None, 20_000])
def test_stages_are_recounted_by_the_omega_that_is_stated(omega: float | None) -> None:
    """Chinchilla's own is no match for models half the size of its smallest, and this is said."""
    found = reconcile({"all": surface(0.003)}, noise="normal", recounted=True, omega=omega, **QUICK)
    total, counted, kaplans = found.stages.values()
    assert [row["runs"] for row in found.tables[0].records()] == [63, 63, 0]
    last = found.tables[0].records()[2]
    assert (last["isoflop"], last["envelope"], last["published"]) == (None, None, [0.73])
    assert re.search(r"over Kaplan's sizes +law alone  0\.\d{3} \[", str(found))
    used = omega or 47_491
    np.testing.assert_allclose(
        counted.posterior.runs["N"], non_embedding(total.posterior.runs["N"], used)
    )
    by_law = kaplans.exponents["law"]
    assert by_law is not None
    low, _, high = by_law.interval
    assert low - 0.02 < slope(used, KAPLAN_SIZES) < high + 0.02
    assert "omega" not in {note.code for note in total.notes}
    for stage in (counted, kaplans):
        assert ("omega" in {note.code for note in stage.notes}) == (omega is None)


def test_budgets_without_runs_are_refused_before_any_fit() -> None:
    """A budget of one stage need not be one of another."""
    with pytest.raises(InputError, match="within 10 % of the budgets 1e25"):
        reconcile({"low": surface(0.0), "high": surface(0.0, lowest=1e20)}, budgets=[1e18, 1e25])


def test_a_stage_that_cannot_be_fitted_is_named_before_any_fit() -> None:
    runs = surface(0.0)
    columns = {**runs.columns, "L": runs.L - 10}
    one = Runs.from_columns(columns, allow_negative_loss=True)
    with pytest.raises(InputError, match=r"stage 'one' cannot be fitted: ") as refusal:
        reconcile({"all": runs, "one": one})
    assert str(refusal.value).endswith("leave it out of the stages.")
    typed = refusal.value.spelled(COMMAND_LINE)
    assert typed.endswith("leave it out of the stages: --stages all.")


def test_an_omega_needs_a_recount() -> None:
    with pytest.raises(InputError, match="omega is of the recount"):
        reconcile({"all": surface(0.003)}, omega=255)


def test_porians_ladder_comes_out(data_dir: Path) -> None:
    """Porian et al. 2024, arXiv 2406.19146, figure 1, RefinedWeb: from Kaplan's to Chinchilla's."""
    runs = read(
        data_dir / "porian_isoflop.csv",
        N="params", D="tokens", L="loss", C="flops", labels=["experiment"],
    )  # fmt: skip
    ladder = [
        ("base|long|kaplan|kaplan|train", 0.835),
        ("base|long|kaplan|standard|val", 0.706),
        ("base|short|kaplan|standard|val", 0.602),
        ("base|short|chinchilla|standard|val", 0.571),
        ("tuned|short|const|standard|val", 0.497),
    ]
    stages = runs.split("experiment")
    found = [isoflop(profiles(stages[f"RefinedWeb|{key}"])) for key, _ in ladder]
    middles = [exponent.interval.median for exponent in found]
    assert middles == sorted(middles, reverse=True)
    # Another estimator on the same points: within its own interval and the published one's 0.015.
    for exponent, (_, published) in zip(found, ladder, strict=True):
        low, _, high = exponent.interval
        assert low - 0.015 <= published <= high + 0.015
