"""Which rows are the runs that were asked for, and which cannot be used."""

from scalingfit.runs.rows import selection
from scalingfit.runs.rows.checks import Faults, find_faults, refuse
from scalingfit.runs.rows.raw import Raw, typed
from scalingfit.runs.rows.selection import STEPS, SWEPT

__all__ = [
    "STEPS",
    "SWEPT",
    "Faults",
    "Raw",
    "find_faults",
    "refuse",
    "selection",
    "typed",
]
