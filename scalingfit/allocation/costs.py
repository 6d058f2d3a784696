"""What compute costs: FLOP as accelerator-hours and as money."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self, cast, final

import numpy as np
from numpy.typing import ArrayLike

from scalingfit._arguments import measured, nearest, number, numbers
from scalingfit._errors import InputError
from scalingfit._messages import PYTHON, Argument, Call, Message, OnlyIn
from scalingfit._text import engineering
from scalingfit.allocation.answer import FloatArray

__all__ = ["ACCELERATORS", "Accelerator", "Costs", "flop", "priced"]

HOUR = 3600.0


@dataclasses.dataclass(frozen=True)
class Accelerator:
    """A chip as its vendor describes it.

    Attributes
    ----------
    peak : mapping of str to float
        FLOP/s of dense matrix products by precision; the first is what models are trained in.
    source : str
    """

    peak: Mapping[str, float]
    source: str


ACCELERATORS: Mapping[str, Accelerator] = {
    "v100": Accelerator({"fp16": 125e12}, "NVIDIA V100 data sheet, SXM2"),
    "a100": Accelerator({"bf16": 312e12}, "NVIDIA A100 data sheet, SXM"),
    "h100": Accelerator(
        {"bf16": 989.4e12, "fp8": 1978.9e12}, "NVIDIA H100 data sheet, SXM, without sparsity"
    ),
    "h200": Accelerator(
        {"bf16": 989.4e12, "fp8": 1978.9e12}, "NVIDIA H200 data sheet, SXM, without sparsity"
    ),
    "b200": Accelerator(
        {"bf16": 2.25e15, "fp8": 4.5e15, "fp4": 9e15}, "NVIDIA HGX B200, without sparsity"
    ),
    "mi250x": Accelerator({"bf16": 383e12}, "AMD Instinct MI250X data sheet"),
    "mi300x": Accelerator(
        {"bf16": 1307.4e12, "fp8": 2614.9e12}, "AMD Instinct MI300X data sheet, without sparsity"
    ),
    "tpu-v4": Accelerator({"bf16": 275e12}, "Google Cloud TPU v4 documentation"),
    "tpu-v5e": Accelerator({"bf16": 197e12}, "Google Cloud TPU v5e documentation"),
    "tpu-v5p": Accelerator({"bf16": 459e12}, "Google Cloud TPU v5p documentation"),
    "tpu-v6e": Accelerator({"bf16": 918e12}, "Google Cloud TPU v6e documentation"),
    "trainium2": Accelerator({"bf16": 667e12, "fp8": 1299e12}, "AWS Trainium2 documentation"),
    "gaudi3": Accelerator({"bf16": 1835e12, "fp8": 1835e12}, "Intel Gaudi 3 white paper"),
}
"""Accelerators by name."""


@final
@dataclasses.dataclass(frozen=True)
class Costs:
    """What a FLOP costs: build one with `Costs.of`.

    Attributes
    ----------
    rate : float
        FLOP/s that one accelerator does in training: its peak times the share of it that is used.
    price : float or None
        Dollars for an hour of one accelerator; None where money is left out.
    about : str
        Where the rate comes from, in words.
    """

    rate: float
    price: float | None
    about: str

    @classmethod
    def of(
        cls,
        hardware: str | float,
        *,
        mfu: float,
        price: float | None = None,
        precision: str | None = None,
    ) -> Self:
        """Say on what models are trained.

        Parameters
        ----------
        hardware : str or float
            A name in `ACCELERATORS`, or the peak FLOP/s of one accelerator.
        mfu : float
            Model FLOP utilisation, the share of the peak that training reaches, from 0 to 1
            (Chowdhery et al. 2022, arXiv 2204.02311, appendix B).
        price : float, optional
            Dollars for an hour of one accelerator.
        precision : str, optional
            Such as "fp8"; by default the precision that the table names first.

        Raises
        ------
        InputError
            Unknown hardware or precision, or numbers that cannot be.
        """
        share = number("mfu", mfu)
        if share > 1:
            raise InputError(
                f"a utilisation (mfu) of {share:g} is more than the whole of the peak",
                remedy=Message("write a share, such as ", Argument("mfu", 0.4), "."),
            )
        paid = None if price is None else number("price", price)
        if not isinstance(hardware, str):
            peak, name = number("hardware", hardware), f"{engineering(float(hardware))} FLOP/s"
            return cls(peak * share, paid, f"{name} at {100 * share:.3g} %")
        chip = _accelerator(hardware)
        kind = next(iter(chip.peak)) if precision is None else precision
        if kind not in chip.peak:
            raise InputError(
                f"the peak of {hardware} in {kind} is not in the table",
                [f"{hardware}: {', '.join(chip.peak)} ({chip.source})"],
                remedy=Message(
                    "name one of these, or give the peak itself: ",
                    Argument("hardware", 1e15),
                    " FLOP/s.",
                ),
            )
        about = (
            f"{hardware.lower()}, {kind}, at {100 * share:.3g} % of {chip.peak[kind]:.3g} FLOP/s"
        )
        return cls(chip.peak[kind] * share, paid, about)

    def hours(self, C: FloatArray) -> FloatArray:
        """Accelerator-hours that C FLOP take."""
        return C / (self.rate * HOUR)

    def money(self, C: FloatArray) -> FloatArray:
        """Dollars that C FLOP cost.

        Raises
        ------
        InputError
            No price is known.
        """
        return self.hours(C) * self._priced()

    def _priced(self) -> float:
        if self.price is None:
            raise InputError(
                "what an hour costs is not known",
                remedy=Message("say it: ", Argument("price", 2.5), " dollars."),
            )
        return self.price

    def flop(self, amount: float, unit: str) -> float:
        """FLOP in an amount of "h" (accelerator-hours) or "$"."""
        hours = amount / self._priced() if unit == "$" else amount
        return hours * self.rate * HOUR


def priced(costs: Costs | None, C: FloatArray) -> dict[str, FloatArray]:
    """C FLOP as hours and as dollars, as far as their costs are known."""
    if costs is None:
        return {}
    dollars = {} if costs.price is None else {"dollars": costs.money(C)}
    return {"hours": costs.hours(C), **dollars}


PF_DAY = 1e15 * 24 * HOUR


def flop(
    name: str, given: ArrayLike | str | Sequence[str], costs: Costs | None = None
) -> FloatArray:
    """Compute in FLOP: numbers, or texts such as "1e24", "5000h", "$2M" and "10PFd".

    Parameters
    ----------
    name : str
        Of the argument, for messages.
    given : float, str or a sequence of these
        Texts give FLOP, accelerator-hours, dollars, or petaflop/s-days.
    costs : Costs, optional
        Hours and dollars need them.

    Returns
    -------
    array, shape (budget,)

    Raises
    ------
    InputError
        A text that is not an amount, or an amount of hours or dollars without costs.
    """
    single = isinstance(given, str) or np.ndim(given) == 0
    listed: list[object] = [given] if single else [*cast(Iterable[object], given)]
    return numbers(name, [_in_flop(name, one, costs) for one in listed])


def _in_flop(name: str, given: Any, costs: Costs | None) -> Any:
    if not isinstance(given, str):
        return given
    amount, unit = measured(name, given)
    if unit in ("", "FLOP"):
        return amount
    if unit == "PFd":
        return amount * PF_DAY
    if unit == "%":
        raise InputError(
            f"{name}: {given} is a share, and no amount of compute",
            remedy="write FLOP (1e24), hours (5000h), dollars ($2M) or petaflop/s-days (10PFd).",
        )
    if costs is None:
        needed = [Argument("hardware", "h100"), Argument("mfu", 0.4)]
        needed += [Argument("price", 2.5)] if unit == "$" else []
        spelled = ", ".join(map(PYTHON.argument, needed))
        raise InputError(
            f"{name}: {given} cannot be turned into FLOP, for the hardware is not known",
            remedy=Message(
                "say what models are trained on: ",
                OnlyIn("python", (f"costs=Costs.of({spelled})",)),
                OnlyIn("command line", (Call("decide", tuple(needed)),)),
            ),
        )
    return costs.flop(amount, unit)


def _accelerator(name: str) -> Accelerator:
    found = ACCELERATORS.get(name.lower())
    if found is None:
        near = nearest(name, ACCELERATORS, limit=1)
        this = Message("write ", Argument("hardware", near[0]), ", or ") if near else ""
        raise InputError(
            f"unknown hardware {name!r}",
            [f"known: {', '.join(ACCELERATORS)}"],
            remedy=Message(
                this,
                "give the peak of an accelerator in FLOP/s: ",
                Argument("hardware", 1e15),
                ".",
            ),
        )
    return found
