"""Which runs are left out together."""

import numpy as np
import pytest

from scalingfit._errors import InputError
from scalingfit.evidence.comparison.leave_out import groups_of
from scalingfit.runs import Runs
from tests.budgets import BUDGETS, jittered


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
