"""What is believed of a law's error before any runs are seen."""

from __future__ import annotations

import dataclasses
import math

import numpyro.distributions as dist
from numpyro.distributions import Distribution

from scalingfit.declare import Parameter

__all__ = ["LAW_ERROR", "LawError", "run_effect"]


@dataclasses.dataclass(frozen=True)
class LawError:
    """What is believed of a law's error beforehand.

    Attributes
    ----------
    exact : float
        Probability that the law is exact.
    median, log_sd : float
        Of the scale ``tau`` where it is not: log-normal, relative to the loss. The defaults are
        what five tables of published runs gave under two laws, medians of 0.010 to 0.047.
    """

    exact: float = 0.5
    median: float = 0.02
    log_sd: float = 0.7

    def tau(self, on_log: bool) -> Distribution:
        """The prior of the scale where the law is not exact.

        Parameters
        ----------
        on_log : bool
            Whether the scatter is on log loss. Otherwise the scale is in units of the loss, which
            are unknown: three times as large, as for losses of three nats, and less certain; the
            priors of the noise's scale differ likewise.
        """
        return _scale(self.median, self.log_sd, on_log)

    def parameters(self, on_log: bool) -> dict[str, Parameter]:
        """The declared parameters by name: the scale, where the law is not exact."""
        return {"tau": Parameter(f"scale of the law's error, {_unit(on_log)}", self.tau(on_log))}


def run_effect(on_log: bool) -> Parameter:
    """The declared scale of what the rows of a run share and the law does not know.

    As of the scatter between runs: 90 % of it lies between 0.2 and 5 % of the loss.

    Parameters
    ----------
    on_log : bool
        Whether the scatter is on log loss; otherwise the prior is wider, as that of ``tau``.
    """
    return Parameter(f"scale of the runs' effects, {_unit(on_log)}", _scale(0.01, 1.0, on_log))


def _scale(median: float, log_sd: float, on_log: bool) -> Distribution:
    """The prior of a scale relative to the loss, or in its units."""
    if on_log:
        return dist.LogNormal(math.log(median), log_sd)
    return dist.LogNormal(math.log(3 * median), math.hypot(log_sd, 1.1))


def _unit(on_log: bool) -> str:
    return "relative to the loss" if on_log else "in units of the loss"


LAW_ERROR = LawError()
"""Where nothing else is said."""
