"""Amounts as people type them."""

import pytest

from scalingfit._arguments import measured, suffixed
from scalingfit._errors import InputError


@pytest.mark.parametrize(
    ("text", "amount", "unit"),
    [
        ("1e24", 1e24, ""),
        ("5.76e23 FLOP", 5.76e23, "FLOP"),
        ("70B", 70e9, ""),
        ("1.4 t", 1.4e12, ""),
        ("5000h", 5000.0, "h"),
        ("2M GPU-hours", 2e6, "h"),
        ("$2M", 2e6, "$"),
        ("$ 750k", 750e3, "$"),
        ("10PFd", 10.0, "PFd"),
        ("3640 PF-days", 3640.0, "PFd"),
        ("1_000", 1000.0, ""),
        ("45%", 0.45, "%"),
        ("45 %", 0.45, "%"),
    ],
)
def test_amounts_and_their_units(text: str, amount: float, unit: str) -> None:
    found, known = measured("C", text)
    assert found == pytest.approx(amount, rel=1e-15)
    assert known == unit


@pytest.mark.parametrize(
    "text", ["", "x", "1e", "70Q", "$5h", "$5%", "5%%", "nan", "inf", "1e24e", "1 2"]
)
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="is not an amount"):
        measured("C", text)


def test_a_plain_number_has_no_unit() -> None:
    assert suffixed("N", "7B") == 7e9
    with pytest.raises(InputError, match=r"'5h' is in h"):
        suffixed("N", "5h")


def test_a_number_may_be_in_the_unit_that_it_is_asked_in() -> None:
    assert suffixed("price", "$2.5", "$") == suffixed("price", "2.5", "$") == 2.5
    with pytest.raises(InputError, match=r"'45%' is in %"):
        suffixed("price", "45%", "$")
