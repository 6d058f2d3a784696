"""A posterior and a budget in; what to train out."""

from scalingfit.allocation.flops import (
    Counting,
    Custom,
    NonEmbedding,
    SixND,
    WithEmbedding,
    WithInference,
    counting,
)
from scalingfit.allocation.forecast import Forecast, forecast
from scalingfit.allocation.frontier import Frontier, frontier

__all__ = [
    "Counting",
    "Custom",
    "Forecast",
    "Frontier",
    "NonEmbedding",
    "SixND",
    "WithEmbedding",
    "WithInference",
    "counting",
    "forecast",
    "frontier",
]
