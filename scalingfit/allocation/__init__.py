"""A law and a budget in; what to train out."""

from scalingfit.allocation.answer import QUANTILES, Answer, FloatArray, quantiles_of
from scalingfit.allocation.cheapest import Cheapest, cheapest
from scalingfit.allocation.choose import Choice, choose
from scalingfit.allocation.embedding import (
    CHINCHILLA_OMEGA,
    NonEmbedding,
    WithEmbedding,
    non_embedding,
    with_embedding,
)
from scalingfit.allocation.extras import splits
from scalingfit.allocation.flops import Counting, Custom, SixND, WithInference
from scalingfit.allocation.forecast import Forecast, forecast
from scalingfit.allocation.frontier import Frontier, frontier
from scalingfit.allocation.question import cost, subject
from scalingfit.allocation.shapes import (
    AspectRatio,
    ListedShapes,
    Shape,
    attention_flops,
    exact_flops,
)
from scalingfit.allocation.terms import Rule, counting, terms

__all__ = [
    "CHINCHILLA_OMEGA",
    "QUANTILES",
    "Answer",
    "AspectRatio",
    "Cheapest",
    "Choice",
    "Counting",
    "Custom",
    "FloatArray",
    "Forecast",
    "Frontier",
    "ListedShapes",
    "NonEmbedding",
    "Rule",
    "Shape",
    "SixND",
    "WithEmbedding",
    "WithInference",
    "attention_flops",
    "cheapest",
    "choose",
    "cost",
    "counting",
    "exact_flops",
    "forecast",
    "frontier",
    "non_embedding",
    "quantiles_of",
    "splits",
    "subject",
    "terms",
    "with_embedding",
]
