"""What a source holds: files of any format, logs, frames and records, as one raw table."""

from scalingfit.runs.files.sources import Source, load_source, not_a_table

__all__ = [
    "Source",
    "load_source",
    "not_a_table",
]
