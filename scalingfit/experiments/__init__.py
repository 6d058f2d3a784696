"""A posterior and a cost in; the runs that would teach the most out."""

from scalingfit.experiments.first_runs import Experiment, plan
from scalingfit.experiments.next_runs import Aim, design
from scalingfit.experiments.pool import Pool
from scalingfit.experiments.proposal import Design, Expected
from scalingfit.experiments.selection import Moments, Rules, select

__all__ = [
    "Aim",
    "Design",
    "Expected",
    "Experiment",
    "Moments",
    "Pool",
    "Rules",
    "design",
    "plan",
    "select",
]
