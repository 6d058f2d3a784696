"""Commands about tables of runs: `read` and `datasets`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import scalingfit as sf
from scalingfit.cli._picture import drawing
from scalingfit.cli._reply import Reply, warn
from scalingfit.cli._spelling import COMMAND_LINE
from scalingfit.cli._table import AS_IT_STANDS, Source, Table, load
from scalingfit.result import Table as Columns

if TYPE_CHECKING:
    from scalingfit.runs import Runs

__all__ = ["datasets", "read", "understood"]


def read(runs: Source, /, *, plot: Path | None = None, table: Table = AS_IT_STANDS) -> Reply:
    """Show how a table of runs was read, and what in it is doubtful, without fitting.

    ```
    scalingfit read runs.csv
    scalingfit read runs.csv -c N=params -c "D=tokens (B)*1e9" --where family=gpt
    scalingfit read logs/*.json --last
    scalingfit read runs.csv --plot design.png
    ```

    Parameters
    ----------
    plot
        Draw the design in the plane of N and D into this file (.png, .pdf or .svg): budgets,
        repeats, groups and losses.
    """
    with drawing(plot) as save:
        loaded = load(runs, table)
        drawn = save(lambda report: report.plots.design(loaded))
    warnings = loaded.design_warnings()
    for message in warnings:
        warn(message)
    data: dict[str, Any] = {
        "count": len(loaded),
        "digest": loaded.digest,
        "columns": {
            name: {"min": values.min(), "max": values.max()}
            for name, values in loaded.columns.items()
        },
        "loss_unit": loaded.loss_unit,
        "labels": list(loaded.labels),
        "warnings": warnings,
        "findings": [
            {"code": found.code, "text": found.sentence.spelled(COMMAND_LINE)}
            for found in loaded.findings
        ],
        "provenance": loaded.provenance,
    }
    shown = [understood(loaded), loaded.picture(), f"drawn in {plot}" if plot and drawn else None]
    return Reply(data, [text for text in shown if text is not None], warned=not drawn)


def datasets(name: str | None = None, /) -> Reply:
    """List the tables that can be read by name, or describe one.

    ```
    scalingfit datasets
    scalingfit datasets epoch-chinchilla
    ```

    Parameters
    ----------
    name
        A table.
    """
    if name is not None:
        return Reply(sf.datasets.info(name), [sf.datasets.describe(name)])
    infos = [dict[str, object](info) for info in sf.datasets.table()]
    keys = ("name", "rows", "inputs", "available", "title")
    columns = {key: ["" if info[key] is None else str(info[key]) for info in infos] for key in keys}
    return Reply({"datasets": infos}, [Columns.of_texts("datasets", columns)])


def understood(runs: Runs) -> str:
    """The runs, which column came from where, and what is doubtful."""
    return runs.describe(COMMAND_LINE)
