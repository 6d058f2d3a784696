"""Tables of training runs: from files, frames and data sets; and what their budgets are."""

from scalingfit.runs import datasets
from scalingfit.runs._finding import Finding
from scalingfit.runs._values import group_key
from scalingfit.runs.budgets import Budgets, clusters, require_budgets
from scalingfit.runs.read import read
from scalingfit.runs.table import Runs

__all__ = [
    "Budgets",
    "Finding",
    "Runs",
    "clusters",
    "datasets",
    "group_key",
    "read",
    "require_budgets",
]
