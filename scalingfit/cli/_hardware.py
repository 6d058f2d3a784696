"""What compute costs, as it is typed: the options of every command that answers in money."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from cyclopts import Parameter

from scalingfit._errors import InputError
from scalingfit.cli._values import number_if_given

if TYPE_CHECKING:
    from scalingfit.allocation import Costs

__all__ = ["UNKNOWN", "Hardware"]


@Parameter(name="*", group="Costs")
@dataclasses.dataclass(frozen=True)
class Hardware:
    """What models are trained on; budgets may then be `5000h` or `$2M`, as well as FLOP.

    Attributes
    ----------
    hardware
        An accelerator such as h100, or the peak FLOP/s of one.
    mfu
        The share of the peak that training reaches: 0.45, or 45%.
    price
        Dollars for an hour of one accelerator.
    precision
        Such as fp8, where it is not the usual one.
    """

    hardware: str | None = None
    mfu: str | None = None
    price: str | None = None
    precision: str | None = None

    def costs(self) -> Costs | None:
        """The same as the library takes it; None where nothing is said."""
        from scalingfit.allocation import ACCELERATORS, Costs

        if self.hardware is None or self.mfu is None:
            if (self.hardware, self.mfu, self.price, self.precision) == (None,) * 4:
                return None
            raise InputError(
                "costs need both the hardware and the share of its peak that is used",
                remedy="write --hardware h100 --mfu 0.45, and --price 2.5 for answers in dollars.",
            )
        name, mfu = self.hardware, number_if_given("--mfu", self.mfu, "0.45", unit="%")
        assert mfu is not None
        number = None if name.lower() in ACCELERATORS else _peak(name)
        return Costs.of(
            name if number is None else number,
            mfu=mfu,
            price=number_if_given("--price", self.price, "2.5", unit="$"),
            precision=self.precision,
        )


def _peak(text: str) -> float | None:
    """FLOP/s, where the text is a number."""
    try:
        return float(text)
    except ValueError:
        return None


UNKNOWN = Hardware()
