"""What is kept of where a table comes from, and of what was done to it."""

from typing import TypedDict

__all__ = ["Dataset", "Dropped", "Info", "Origin", "Provenance"]

type Dropped = dict[str, str | int | None]
"""A row that was left out: its number by the word for rows, the column, and the reason."""


class Origin(TypedDict):
    """The column, or formula of columns, that became a symbol, and its unit."""

    column: str
    factor: float


class Dataset(TypedDict, total=False):
    """Which table it is, of those known by name."""

    name: str
    title: str
    licence: str
    citation: str
    address: str
    notes: list[str]
    views: list[str]


class Info(Dataset, total=False):
    """What is known of a table before it is loaded."""

    rows: int | None
    inputs: str
    loss: str
    available: str


class Provenance(TypedDict, total=False):
    """The record of a table that was read; JSON-able."""

    source: str
    sha256: str | None
    columns: dict[str, Origin]
    derive: str | None
    derived: dict[str, str]
    loss_unit: str | None
    rows_read: int
    kept: list[str]
    dropped: list[Dropped]
    notes: list[str]
    dataset: Dataset
    recounted: str
