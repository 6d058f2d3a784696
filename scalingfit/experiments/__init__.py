"""A posterior and a cost in; the runs that would teach the most out."""

from scalingfit.experiments.experiment import Experiment
from scalingfit.experiments.first_runs import plan
from scalingfit.experiments.next_runs import design
from scalingfit.experiments.pool import Pool
from scalingfit.experiments.proposal import Design, Expected
from scalingfit.experiments.selection import Moments, Rules, select
from scalingfit.experiments.wanted import Aim

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
