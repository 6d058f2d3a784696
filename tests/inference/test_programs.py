"""To how many rows tables are padded."""

from collections.abc import Callable

import numpy as np
import pytest

import scalingfit as sf
from scalingfit.inference import padded
from scalingfit.inference.programs import bucket
from scalingfit.runs import Runs


@pytest.mark.parametrize("rows", [12, 20, 60, 240, 400])
def test_resamples_of_a_table_share_a_program(simulated: Callable[..., Runs], rows: int) -> None:
    """All but a few: five eighths of the runs are used, and two in 1,000 tables use far more."""
    sizes = [padded(one) for one in sf.designs.bootstraps(simulated(rows), 200).values()]
    assert np.mean(np.array(sizes) == bucket(rows * 3 // 4)) > 0.97


def test_cuts_share_a_program_and_no_run_is_left_out(simulated: Callable[..., Runs]) -> None:
    runs = simulated(300)
    for used, size in ((1, 256), (100, 256), (225, 256), (256, 256), (257, 384), (300, 384)):
        assert padded(runs.with_weight((np.arange(300) < used).astype(float))) == size
    assert padded(runs) == padded(runs.with_weight(np.zeros(300))) == 384
