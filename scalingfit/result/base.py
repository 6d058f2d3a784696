"""The base of every answer."""

from __future__ import annotations

import abc
import html
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from scalingfit._late import room
from scalingfit._messages import PYTHON, Face, Text, spelled
from scalingfit.result.notes import Note, grouped
from scalingfit.result.tables import Column, Table
from scalingfit.result.values import QUANTILE_SHARES, Axes, Json, Labels, jsonable

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from matplotlib.axes import Axes as Panel
    from rich.console import RenderableType

__all__ = ["SCHEMA", "Result"]

SCHEMA = 1
"""Of the JSON that results become: a number that rises where a key changes its meaning."""
NOTES = 5
"""Notes that are shown; `Result.text` shows all where it is asked to."""


class Result(abc.ABC):
    """Base of every answer: ``print`` it, or take it as JSON, pandas or xarray."""

    @property
    @abc.abstractmethod
    def tables(self) -> Sequence[Table]:
        """What was found; the first table is the main one. There may be none."""

    @property
    def notes(self) -> Sequence[Note]:
        """What to know before acting on it, the worst first."""
        return ()

    @property
    def conclusion(self) -> Text:
        """The answer in a sentence or two; empty where the table says it all."""
        return ""

    @property
    def details(self) -> Mapping[str, object]:
        """What machines get beside the tables: provenance, and whatever is too long to print."""
        return {}

    def plot(self, *arguments: object, **options: object) -> Panel | NDArray[np.object_]:
        """Draw it with Matplotlib.

        Parameters
        ----------
        *arguments, **options
            ``ax``, the axes to draw into, for pictures of one panel; ``figure`` for those of
            several; and what `scalingfit.report.pictures` says of each kind of result.

        Returns
        -------
        matplotlib axes, or an array of these
            Of several panels all, in the order of reading.

        Raises
        ------
        InputError
            There is no picture of this kind of result.
        """
        return room("report").plot(self, *arguments, **options)  # type: ignore[no-any-return]

    def text(self, face: Face = PYTHON, *, verbose: bool = True) -> str:
        """Everything as text, with arguments as the face spells them."""
        parts = ["\n\n".join(table.text() for table in self._shown()), *self._said(face, verbose)]
        return "\n".join(part for part in parts if part)

    def rich(self, face: Face = PYTHON, *, verbose: bool = True) -> RenderableType:
        """Everything for a terminal."""
        from rich.console import Group
        from rich.text import Text as RichText

        said = self._said(face, verbose)
        styled = [
            RichText(line, style="yellow" if line.startswith("!") else "") for line in said if line
        ]
        return Group(*(table.rich() for table in self._shown()), *styled)

    def as_json(self, face: Face = PYTHON) -> dict[str, Json]:
        """Everything but draws, in JSON's own types; infinities and NaN become null."""
        tables = (*self.tables, self._noted(face))
        return {
            "schema": SCHEMA,
            **{table.name: jsonable(table.records()) for table in tables},
            "conclusion": spelled(self.conclusion, face),
            "shown": [table.as_shown() for table in self._shown()],
            **{name: jsonable(value) for name, value in self.details.items()},
        }

    def to_pandas(self) -> pd.DataFrame:
        """The main table as a frame; the notes, where there is none."""
        return self._main().to_pandas()

    def to_xarray(self) -> xr.Dataset:
        """Arrays with named dimensions and coordinates: draws where there are any."""
        import xarray as xr

        found = xr.Dataset({name: (names, array) for name, (names, array) in self.arrays.items()})
        counted = {name: range(size) for name, size in found.sizes.items()}
        labels = {
            name: (along, [*map(_label, values)])
            for name, (along, values) in self.coordinates.items()
            if along in counted
        }
        return found.assign_coords(counted | labels)

    @property
    def arrays(self) -> Mapping[str, Axes]:
        """What `to_xarray` holds; here the numbers of the main table."""
        return self._main().arrays()

    @property
    def coordinates(self) -> Mapping[str, Labels]:
        """The labels along the dimensions of `arrays`; here the first column of the main table.

        A dimension without labels is counted from 0.
        """
        main = self._main()
        labels = next(iter(main.columns.values())).values
        return {
            main.row: Labels(main.row, [*map(_label, labels)]),
            "quantile": Labels("quantile", QUANTILE_SHARES),
        }

    def _noted(self, face: Face = PYTHON) -> Table:
        """The notes as a table, as machines get them."""
        return Table(
            "notes",
            "note",
            {
                "code": Column([note.code for note in self.notes]),
                "of": Column([note.of for note in self.notes]),
                "share": Column([note.share for note in self.notes]),
                "text": Column([spelled(note.text, face) for note in self.notes]),
            },
        )

    def _main(self) -> Table:
        return self.tables[0] if self.tables else self._noted()

    def _shown(self) -> list[Table]:
        """The tables that people get."""
        return [table for table in self.tables if table.limit != 0 and len(table)]

    def _said(self, face: Face, verbose: bool) -> list[str]:
        """Notes and conclusion as lines."""
        lines = grouped(self.notes, face)
        rest = 0 if verbose else max(0, len(lines) - NOTES)
        shown = lines[: len(lines) - rest]
        more = [f"! and {rest} more notes: -v shows them"] if rest else []
        return [*(f"! {line}" for line in shown), *more, spelled(self.conclusion, face)]

    def __str__(self) -> str:
        return self.text()

    __repr__ = __str__

    def _repr_html_(self) -> str:
        said = "".join(f"<p>{html.escape(line)}</p>" for line in self._said(PYTHON, True) if line)
        return "".join(table.html() for table in self._shown()) + said


def _label(value: object) -> str | int | float | np.generic:
    """A label as indexes can hold it."""
    return value if isinstance(value, str | int | float | np.generic) else str(value)
