"""A posterior and a budget in; what to train out."""

from scalingfit.allocation.cheapest import Cheapest, cheapest
from scalingfit.allocation.choose import Choice, choose
from scalingfit.allocation.embedding import (
    NonEmbedding,
    WithEmbedding,
    non_embedding,
    with_embedding,
)
from scalingfit.allocation.flops import Counting, Custom, SixND, WithInference
from scalingfit.allocation.forecast import Forecast, forecast
from scalingfit.allocation.frontier import Frontier, frontier
from scalingfit.allocation.shapes import (
    AspectRatio,
    ListedShapes,
    Shape,
    attention_flops,
    exact_flops,
)
from scalingfit.allocation.terms import counting

__all__ = [
    "AspectRatio",
    "Cheapest",
    "Choice",
    "Counting",
    "Custom",
    "Forecast",
    "Frontier",
    "ListedShapes",
    "NonEmbedding",
    "Shape",
    "SixND",
    "WithEmbedding",
    "WithInference",
    "attention_flops",
    "cheapest",
    "choose",
    "counting",
    "exact_flops",
    "forecast",
    "frontier",
    "non_embedding",
    "with_embedding",
]
