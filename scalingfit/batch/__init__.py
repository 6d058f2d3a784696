"""Many tables in, many posteriors out: in one go, on many devices, through crashes."""

from scalingfit.batch import designs
from scalingfit.batch.answers import Answers
from scalingfit.batch.refit import refit
from scalingfit.batch.result import Refits
from scalingfit.batch.store import Store

__all__ = ["Answers", "Refits", "Store", "designs", "refit"]
