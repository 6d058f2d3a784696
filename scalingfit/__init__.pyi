# The public names and where they live: for type checkers, and for `__init__.py`, which reads this
# file and loads each name on first use. A new name is a line here.

from scalingfit import allocation as allocation
from scalingfit.allocation import BudgetReturns as BudgetReturns
from scalingfit.allocation import Cheapest as Cheapest
from scalingfit.allocation import Choice as Choice
from scalingfit.allocation import Costs as Costs
from scalingfit.allocation import Counting as Counting
from scalingfit.allocation import Decision as Decision
from scalingfit.allocation import Forecast as Forecast
from scalingfit.allocation import Frontier as Frontier
from scalingfit.allocation import Multiplier as Multiplier
from scalingfit.allocation import Shape as Shape
from scalingfit.allocation import cheapest as cheapest
from scalingfit.allocation import choose as choose
from scalingfit.allocation import decide as decide
from scalingfit.allocation import forecast as forecast
from scalingfit.allocation import frontier as frontier
from scalingfit.allocation import multiplier as multiplier
from scalingfit.allocation import returns as returns
from scalingfit.batch import Refits as Refits
from scalingfit.batch import designs as designs
from scalingfit.batch import refit as refit
from scalingfit.catalog import law as law
from scalingfit.catalog import laws as laws
from scalingfit.catalog import noises as noises
from scalingfit.evidence import Backtest as Backtest
from scalingfit.evidence import Calibration as Calibration
from scalingfit.evidence import Comparison as Comparison
from scalingfit.evidence import Reconciliation as Reconciliation
from scalingfit.evidence import backtest as backtest
from scalingfit.evidence import calibrate as calibrate
from scalingfit.evidence import compare as compare
from scalingfit.evidence import reconcile as reconcile
from scalingfit.experiments import Design as Design
from scalingfit.experiments import Experiment as Experiment
from scalingfit.experiments import design as design
from scalingfit.experiments import plan as plan
from scalingfit.inference import Hypothesis as Hypothesis
from scalingfit.inference import Limits as Limits
from scalingfit.inference import PointEstimate as PointEstimate
from scalingfit.inference import Posterior as Posterior
from scalingfit.inference import Sampling as Sampling
from scalingfit.inference import Verdict as Verdict
from scalingfit.inference import fit as fit
from scalingfit.inference import load as load
from scalingfit.inference import point as point
from scalingfit.inference import prior_predictive as prior_predictive
from scalingfit.result import Result as Result
from scalingfit.runs import Runs as Runs
from scalingfit.runs import datasets as datasets
from scalingfit.runs import read as read

__version__: str
