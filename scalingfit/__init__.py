"""Bayesian fits of neural scaling laws.

The public names below are loaded on first use, so that ``import scalingfit`` and
``scalingfit --help`` load neither JAX nor pandas.
"""

from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING

__version__ = "0.1.0"

# In a checkout the folder of laws lies beside this package, not in it.
if not Path(__file__).with_name("models").is_dir():
    __path__.append(str(Path(__file__).parents[1]))

# Where each public name lives: "module:name", or "module:" for the module itself.
# A new name goes here and into the block for type checkers; a test holds the two together.
_HOMES = {
    "Limits": "scalingfit.inference:Limits",
    "Posterior": "scalingfit.inference:Posterior",
    "Refits": "scalingfit.batch:Refits",
    "Runs": "scalingfit.runs:Runs",
    "Shape": "scalingfit.allocation:Shape",
    "allocation": "scalingfit.allocation:",
    "backtest": "scalingfit.evidence.backtest:backtest",
    "calibrate": "scalingfit.evidence.calibrate:calibrate",
    "cheapest": "scalingfit.allocation:cheapest",
    "choose": "scalingfit.allocation:choose",
    "compare": "scalingfit.evidence.compare:compare",
    "datasets": "scalingfit.runs.datasets:",
    "designs": "scalingfit.batch.designs:",
    "fit": "scalingfit.inference:fit",
    "frontier": "scalingfit.allocation:frontier",
    "law": "scalingfit.law:",  # the module can be called: law("chinchilla")
    "laws": "scalingfit.catalog:laws",
    "load": "scalingfit.inference:load",
    "point": "scalingfit.inference.point:point",
    "prior_predictive": "scalingfit.inference:prior_predictive",
    "read": "scalingfit.runs:read",
    "reconcile": "scalingfit.evidence.reconcile:reconcile",
    "refit": "scalingfit.batch:refit",
}

__all__ = ["__version__", *sorted(_HOMES)]

if TYPE_CHECKING:
    from scalingfit import allocation as allocation
    from scalingfit.allocation import Shape as Shape
    from scalingfit.allocation.cheapest import cheapest as cheapest
    from scalingfit.allocation.choose import choose as choose
    from scalingfit.allocation.frontier import frontier as frontier
    from scalingfit.batch import Refits as Refits
    from scalingfit.batch import designs as designs
    from scalingfit.batch.refit import refit as refit
    from scalingfit.catalog import law as law
    from scalingfit.catalog import laws as laws
    from scalingfit.evidence.backtest import backtest as backtest
    from scalingfit.evidence.calibrate import calibrate as calibrate
    from scalingfit.evidence.compare import compare as compare
    from scalingfit.evidence.reconcile import reconcile as reconcile
    from scalingfit.inference import Limits as Limits
    from scalingfit.inference import Posterior as Posterior
    from scalingfit.inference import load as load
    from scalingfit.inference import prior_predictive as prior_predictive
    from scalingfit.inference.fit import fit as fit
    from scalingfit.inference.point import point as point
    from scalingfit.runs import Runs as Runs
    from scalingfit.runs import datasets as datasets
    from scalingfit.runs import read as read
else:  # type checkers would take a module-level __getattr__ for leave to use any name

    def __getattr__(name):
        if name not in _HOMES:
            raise AttributeError(
                f"module {__name__!r} has no attribute {name!r}; it offers {', '.join(__all__)}"
            )
        found = globals()[name] = resolve_name(_HOMES[name])
        return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
