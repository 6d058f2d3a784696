"""The exponent under each law and each counting rule."""

import dataclasses
import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from scalingfit._errors import InputError
from scalingfit.allocation import cost, counting, counting_rules, frontier
from scalingfit.catalog import law
from scalingfit.evidence import Comparison, exponents_by_law
from scalingfit.inference import Posterior


def test_exponents_stand_by_law_and_by_count(posterior: Posterior, comparison: Comparison) -> None:
    """Every cell against the frontier's own draws; the stack between its laws."""
    found = comparison.exponents(r=0.1)
    rows = {(row.law, row.counting): row for row in found.rows}
    assert len(rows) == len(found.rows) == 9
    for rule in counting_rules():
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
    first, second = (rows["chinchilla", rule].a[1] for rule in ["6ND", "6ND-non-embedding"])
    assert second > first
    text = str(found)
    assert "r = 0.1" in text
    assert "6ND-non-embedding" in text
    assert json.loads(json.dumps(found.as_json()))["rows"][0]["law"] in comparison.posteriors
    alone = exponents_by_law({"chinchilla": posterior}, {"chinchilla": 1.0}, rules=["6ND"])
    assert [row.law for row in alone.rows] == ["chinchilla"]
    equal = law("over_training").published["muennighoff-2023"].law
    fit: Any = SimpleNamespace(law=equal, noise=None, provenance={}, runs=posterior.runs)
    (tied,) = exponents_by_law({"equal": fit}, {"equal": 1.0}, rules=["6ND"]).rows
    assert tied.larger == 0
    with pytest.raises(InputError, match="distance between exponents"):
        comparison.exponents(r=0.0)


def test_counts_of_another_n_are_left_out(posterior: Posterior) -> None:
    columns = {"N": {"column": "params_non_embedding"}}
    runs = dataclasses.replace(posterior.runs, provenance={"columns": columns})
    without = dataclasses.replace(posterior, runs=runs)
    found = exponents_by_law({"chinchilla": without}, {"chinchilla": 1.0})
    assert [row.counting for row in found.rows] == ["6ND", "6ND-with-embedding"]
    assert found.messages[0] == "6ND-non-embedding is for another N than that of chinchilla"


def test_a_law_without_a_split_has_no_exponent(posterior: Posterior) -> None:
    other: Any = SimpleNamespace(law=law("kaplan_compute").published["kaplan-2020-eq-1.3"].law)
    found = exponents_by_law(
        {"chinchilla": posterior, "compute": other}, {"chinchilla": 0.5, "compute": 0.5}
    )
    assert found.messages[0] == "compute splits no budget between N and D"
    with pytest.raises(InputError, match="no law splits a budget"):
        exponents_by_law({"compute": other}, {"compute": 1.0})
