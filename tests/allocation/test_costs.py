"""FLOP as hours and as money, in and out."""

from typing import Any

import numpy as np
import pytest

from scalingfit._errors import InputError
from scalingfit.allocation import ACCELERATORS, Costs, flop
from scalingfit.cli._spelling import COMMAND_LINE


def test_hours_and_dollars_of_llama_3() -> None:
    # Llama 3 405B: 3.8e25 FLOP in 30.84M hours of an H100 (Meta's model card), which is 34.6 % of
    # the peak; the arithmetic is the reference here.
    costs = Costs.of("h100", mfu=0.346, price=2.0)
    hours = costs.hours(np.array([3.8e25]))
    assert hours == pytest.approx(3.8e25 / (989.4e12 * 0.346 * 3600), rel=1e-12)
    assert hours == pytest.approx(30.84e6, rel=0.01)
    assert costs.money(np.array([3.8e25])) == pytest.approx(2 * hours)


def test_every_way_to_state_compute_comes_back() -> None:
    costs = Costs.of(1e15, mfu=0.5, price=3.0)
    given: Any = ["1e21", 1e21, "1000h", "$3K", "1PFd"]
    found = flop("C", given, costs)
    assert found == pytest.approx([1e21, 1e21, 1.8e21, 1.8e21, 8.64e19], rel=1e-14)
    assert costs.hours(found[2]) == pytest.approx(1000)
    assert costs.money(found[3]) == pytest.approx(3000)


def test_what_is_missing_is_named_so_that_it_can_be_copied() -> None:
    with pytest.raises(InputError) as refused:
        flop("C", "$2M")
    assert 'costs=Costs.of(hardware="h100", mfu=0.4, price=2.5)' in str(refused.value)
    assert refused.value.spelled(COMMAND_LINE).endswith("--hardware h100 --mfu 0.4 --price 2.5")
    with pytest.raises(InputError, match="what an hour costs is not known"):
        flop("C", "$2M", Costs.of("h100", mfu=0.4))
    with pytest.raises(InputError, match="45% is a share"):
        flop("C", "45%", Costs.of("h100", mfu=0.4))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"hardware": "h1000", "mfu": 0.4}, 'hardware="h100"'),
        ({"hardware": "a100", "mfu": 0.4, "precision": "fp8"}, "a100: bf16"),
        ({"hardware": "h100", "mfu": 40.0}, "more than the whole"),
        ({"hardware": "h100", "mfu": 0.4, "price": -1.0}, "positive"),
    ],
)
def test_costs_that_cannot_be_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as refused:
        Costs.of(**given)
    assert said in str(refused.value)


def test_every_accelerator_can_be_asked_by_name() -> None:
    for name, chip in ACCELERATORS.items():
        for precision, peak in chip.peak.items():
            assert Costs.of(name.upper(), mfu=1.0, precision=precision).rate == peak
