"""The exponent by law and by counting rule, against the frontier's own draws."""

import dataclasses
import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from scalingfit._errors import InputError
from scalingfit.allocation import counting, counting_rules, frontier
from scalingfit.allocation.question import cost
from scalingfit.catalog import law
from scalingfit.evidence import Comparison
from scalingfit.evidence.comparison.exponents import exponents_by_law
from scalingfit.inference import Posterior
from scalingfit.runs.provenance import Origin


def test_exponents_by_law_and_by_count(posterior: Posterior, comparison: Comparison) -> None:
    """Every cell against the frontier's own draws; the stack between its laws."""
    found = comparison.exponents(r=0.1)
    rows = {(row.law, row.counting): row for row in found.rows}
    assert len(rows) == len(found.rows) == 9
    for rule in set(counting_rules()) - {"table"}:  # these runs count 6 N D
        laws = []
        for name, fit in comparison.posteriors.items():
            spent = cost(counting(rule), fit.runs.N, fit.runs.D).max()
            drawn = frontier(fit, spent, counting=rule)
            a, row = drawn.a.ravel(), rows[name, rule]
            assert pytest.approx(spent) == row.C
            assert row.a == pytest.approx(np.quantile(a, [0.05, 0.5, 0.95]))
            assert row.near_kaplan == np.mean(np.abs(a - 0.73) < 0.1)
            assert row.near_chinchilla == np.mean(np.abs(a - 0.5) < 0.1)
            assert row.larger == np.mean(a > drawn.b.ravel())
            laws.append(row.larger)
        assert min(laws) <= rows["stacked", rule].larger <= max(laws)
    # Without embeddings small models shrink faster, so that the exponent is larger.
    first, second = (rows["chinchilla", rule].a.median for rule in ["6ND", "6ND-non-embedding"])
    assert second > first
    text = str(found)
    assert "r = 0.1" in text
    assert "6ND-non-embedding" in text
    assert json.loads(json.dumps(found.as_json()))["exponents"][0]["law"] in comparison.posteriors
    alone = exponents_by_law({"chinchilla": posterior}, {"chinchilla": 1.0}, rules=["6ND"])
    assert [row.law for row in alone.rows] == ["chinchilla"]
    equal = law("over_training").published["muennighoff-2023"].law
    other: Any = SimpleNamespace(law=equal, noise=None, provenance={}, runs=posterior.runs)
    (tied,) = exponents_by_law({"equal": other}, {"equal": 1.0}, rules=["6ND"]).rows
    assert tied.larger == 0
    with pytest.raises(InputError, match="distance between exponents"):
        comparison.exponents(r=0.0)


def test_counts_of_another_n_are_left_out(posterior: Posterior) -> None:
    columns = {"N": Origin(column="params_non_embedding", factor=1.0)}
    runs = dataclasses.replace(posterior.runs, provenance={"columns": columns})
    without = dataclasses.replace(posterior, runs=runs)
    found = exponents_by_law({"chinchilla": without}, {"chinchilla": 1.0})
    counted = {row.counting for row in found.rows}
    assert {"6ND", "6ND-with-embedding"} <= counted
    assert "6ND-non-embedding" not in counted
    (note,) = (note for note in found.notes if note.code == "another_N")
    assert (note.of, note.text) == ("chinchilla", "6ND-non-embedding counts another N than its fit")


def test_a_law_without_a_split_has_no_exponent(posterior: Posterior) -> None:
    other: Any = SimpleNamespace(law=law("kaplan_compute").published["kaplan-2020-eq-1.3"].law)
    found = exponents_by_law(
        {"chinchilla": posterior, "compute": other}, {"chinchilla": 0.5, "compute": 0.5}
    )
    assert (found.notes[0].code, found.notes[0].of) == ("no_split", "compute")
    with pytest.raises(InputError, match="no law splits a budget"):
        exponents_by_law({"compute": other}, {"compute": 1.0})


def test_exponents_are_an_array_of_laws_and_counts(comparison: Comparison) -> None:
    found = comparison.exponents(rules=["6ND", "6ND-non-embedding"])
    arrays = found.to_xarray()
    assert dict(arrays.sizes) == {"law": 3, "counting": 2, "quantile": 3}
    for row in found.rows:
        at = arrays.sel(law=row.law, counting=row.counting)
        np.testing.assert_array_equal(at["a"], row.a)
        assert at["larger"] == row.larger
