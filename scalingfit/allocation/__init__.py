"""A law and a budget in; what to train out."""

from scalingfit.allocation.answer import QUANTILES, Answer, FloatArray, quantiles_of
from scalingfit.allocation.cheapest import Cheapest, cheapest
from scalingfit.allocation.choose import Choice, choose
from scalingfit.allocation.costs import ACCELERATORS, Accelerator, Costs, flop
from scalingfit.allocation.decide import decide
from scalingfit.allocation.decision import Decision, dollars, percent, spent
from scalingfit.allocation.extras import extras_of, splits
from scalingfit.allocation.flops import Counting, Custom, WithInference
from scalingfit.allocation.forecast import Forecast, forecast
from scalingfit.allocation.frontier import Frontier, frontier
from scalingfit.allocation.multiplier import Multiplier, multiplier
from scalingfit.allocation.plans import Plan, Plans
from scalingfit.allocation.question import Asked, Fit, Subject, cost, reach, subject
from scalingfit.allocation.returns import BudgetReturns, returns
from scalingfit.allocation.rules.embedding import (
    CHINCHILLA_OMEGA,
    NonEmbedding,
    WithEmbedding,
    non_embedding,
    with_embedding,
)
from scalingfit.allocation.rules.six_nd import SixND
from scalingfit.allocation.rules.table import TableCount
from scalingfit.allocation.shapes import (
    AspectRatio,
    ListedShapes,
    Shape,
    attention_flops,
    exact_flops,
)
from scalingfit.allocation.solver import Optimum
from scalingfit.allocation.terms import Rule, Terms, counting, counting_rules, terms
from scalingfit.allocation.worth import Risk, Spending, best_size, require_finite, worth

__all__ = [
    "ACCELERATORS",
    "CHINCHILLA_OMEGA",
    "QUANTILES",
    "Accelerator",
    "Answer",
    "Asked",
    "AspectRatio",
    "BudgetReturns",
    "Cheapest",
    "Choice",
    "Costs",
    "Counting",
    "Custom",
    "Decision",
    "Fit",
    "FloatArray",
    "Forecast",
    "Frontier",
    "ListedShapes",
    "Multiplier",
    "NonEmbedding",
    "Optimum",
    "Plan",
    "Plans",
    "Risk",
    "Rule",
    "Shape",
    "SixND",
    "Spending",
    "Subject",
    "TableCount",
    "Terms",
    "WithEmbedding",
    "WithInference",
    "attention_flops",
    "best_size",
    "cheapest",
    "choose",
    "cost",
    "counting",
    "counting_rules",
    "decide",
    "dollars",
    "exact_flops",
    "extras_of",
    "flop",
    "forecast",
    "frontier",
    "multiplier",
    "non_embedding",
    "percent",
    "quantiles_of",
    "reach",
    "require_finite",
    "returns",
    "spent",
    "splits",
    "subject",
    "terms",
    "with_embedding",
    "worth",
]
