"""What a cell is as a number: marks of decimals and thousands, units of losses."""

from scalingfit.runs.cells import loss_units
from scalingfit.runs.cells.marks import Decimals, find_marks
from scalingfit.runs.cells.numbers import (
    MISSING,
    PF_DAY,
    SI,
    UNITS,
    Marks,
    Numbers,
    floats,
    is_missing,
    shown,
    to_numbers,
    whole,
)

__all__ = [
    "MISSING",
    "PF_DAY",
    "SI",
    "UNITS",
    "Decimals",
    "Marks",
    "Numbers",
    "find_marks",
    "floats",
    "is_missing",
    "loss_units",
    "shown",
    "to_numbers",
    "whole",
]
