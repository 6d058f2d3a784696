"""Which rows are the runs that were asked for."""

import numpy as np
import pytest

from scalingfit._errors import InputError
from scalingfit.runs import read
from tests.runs.three import DIGEST, D, L, N


def test_the_best_of_a_sweep_at_its_edge_is_said() -> None:
    table = {
        "params": np.repeat(N, 3),
        "tokens": np.repeat(D, 3),
        "lr": np.tile([1e-3, 2e-3, 3e-3], 3),
        "loss": np.repeat(L, 3) + np.tile([0.2, 0.1, 0.0], 3),
    }
    assert [found.code for found in read(table).findings] == ["sweep"]
    best = read(table, best_of="N,D")
    assert best.digest == DIGEST
    assert "lr: the best lies at the edge of its sweep in 3 of 3" in best.describe()


def test_conditions_hold_before_rows_are_refused() -> None:
    table = {"params": [*N, "x"], "tokens": [*D, 1e9], "loss": [*L, 3.0], "ok": ["y"] * 3 + ["n"]}
    with pytest.raises(InputError, match="'x' is not a number"):
        read(table)
    runs = read(table, where="ok=y")
    assert runs.digest == DIGEST
    assert "where ok=y: 3 of 4" in runs.describe()
    assert len(read(table, where=["D/N>=20", "params<4e8"])) == 2
