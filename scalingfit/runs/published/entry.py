"""What is kept of a published table: where it comes from and which column is what."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from scalingfit.runs.columns import ColumnSpec

__all__ = ["GITHUB", "NO_LICENCE", "Options", "Published", "ReadOption"]

type ReadOption = ColumnSpec | Iterable[str] | bool | None
"""The value of an argument of `read`."""

type Options = Mapping[str, Any]
"""Arguments of `read`, by name."""

NO_LICENCE = "none stated: fetch it, do not redistribute it"
"""Of tables whose source says nothing."""

GITHUB = "https://raw.githubusercontent.com"


@dataclass(frozen=True)
class Published:
    """One table.

    Attributes
    ----------
    name, title, rows, citation, licence
        What it is, whose it is, and under which terms.
    sha256
        Of the tidy file ``<name>.csv``.
    address, address_sha256
        The source (the first one, where there are several).
    columns, options
        Arguments of `read`: symbol to column, and other arguments.
    loss
        What the loss is measured in.
    notes
        What its reader should know: groups, splits and caveats.
    views
        Parts of it that are usually fitted, by name: arguments of `read`.
    renamed, derived
        From the source's columns to tidy ones, and tidy columns computed from these in order.
        Empty where the source is not a CSV.
    """

    name: str
    title: str
    rows: int
    citation: str
    licence: str
    sha256: str
    address: str
    address_sha256: str
    columns: Mapping[str, ColumnSpec]
    loss: str
    notes: tuple[str, ...] = ()
    views: Mapping[str, Options] = field(default_factory=dict)
    options: Options = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)
    derived: Mapping[str, Callable[[pd.DataFrame], "pd.Series[Any]"]] = field(default_factory=dict)

    @property
    def file(self) -> str:
        """Name of the tidy file."""
        return f"{self.name}.csv"

    @property
    def fetchable(self) -> bool:
        """Whether the source can be made tidy here."""
        return bool(self.renamed)

    def tidy(self, source: pd.DataFrame) -> pd.DataFrame:
        """Make the tidy columns from the source's."""
        return source.rename(columns=dict(self.renamed)).assign(**self.derived)
