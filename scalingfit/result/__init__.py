"""What every answer is: tables, notes and a conclusion; and from these every way to show it.

A result says what it found once, as data. Text, a terminal's tables, a notebook's, JSON, pandas
and xarray are all made here, from the same columns::

    class Frontier(Result):
        @property
        def tables(self): ...      # what was found
        @property
        def notes(self): ...       # what to know before acting on it
        @property
        def conclusion(self): ...  # the answer in a sentence
"""

from scalingfit.result.base import SCHEMA, Result
from scalingfit.result.notes import Note
from scalingfit.result.tables import Column, Table
from scalingfit.result.values import Axes, Interval, Json, Labels, jsonable

__all__ = [
    "SCHEMA",
    "Axes",
    "Column",
    "Interval",
    "Json",
    "Labels",
    "Note",
    "Result",
    "Table",
    "jsonable",
]
