"""Tables of training runs: from files, frames and data sets; and what their budgets are."""

from scalingfit.runs import datasets
from scalingfit.runs.budgets import Budgets, clusters, require_budgets
from scalingfit.runs.candidates import Inputs, read_inputs
from scalingfit.runs.findings import Finding, checkpoints
from scalingfit.runs.read import read
from scalingfit.runs.table import Runs
from scalingfit.runs.values import group_key

__all__ = [
    "Budgets",
    "Finding",
    "Inputs",
    "Runs",
    "checkpoints",
    "clusters",
    "datasets",
    "group_key",
    "read",
    "read_inputs",
    "require_budgets",
]
