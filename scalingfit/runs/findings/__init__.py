"""What is doubtful about a table, and the table in words and as a picture."""

from scalingfit.runs.findings.describe import describe, design_warnings
from scalingfit.runs.findings.doubts import compute_ratio, falls, findings, rises
from scalingfit.runs.findings.finding import Finding
from scalingfit.runs.findings.picture import picture
from scalingfit.runs.findings.rows import checkpoints, group_labels, run_label, run_of

__all__ = [
    "Finding",
    "checkpoints",
    "compute_ratio",
    "describe",
    "design_warnings",
    "falls",
    "findings",
    "group_labels",
    "picture",
    "rises",
    "run_label",
    "run_of",
]
