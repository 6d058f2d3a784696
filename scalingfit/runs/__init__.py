"""Training runs come in here: files and frames become validated, immutable tables."""

from scalingfit.runs import datasets
from scalingfit.runs.read import read
from scalingfit.runs.table import Runs

__all__ = ["Runs", "datasets", "read"]
