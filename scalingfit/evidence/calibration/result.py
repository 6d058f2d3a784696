"""What `calibrate` returns."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from scalingfit._text import listed
from scalingfit.evidence.calibration import uniformity
from scalingfit.evidence.calibration.simulated import KEPT
from scalingfit.evidence.forecasts import band
from scalingfit.result import Axes, Column, Labels, Note, Result, Table

__all__ = ["Calibration"]

LEVELS = (0.5, 0.8, 0.9)
VALUES = KEPT + 1
"""How many different ranks there are."""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Calibration(Result):
    """What `calibrate` returns: ``print`` it for a table and a verdict.

    Its rows are the sampled parameters, and what the fits say beyond the runs: "N*", "D*", "L*"
    and "a*", the exponent of N*, at ten times the largest budget; or the loss "L" at ten times the
    largest inputs, where the law splits no budget.

    Attributes
    ----------
    name : str
        Law and noise.
    ranks : mapping of str to array of int, shape (simulation,)
        Of each true value among 99 draws of its posterior: 0 to 99.
    widths : mapping of str to array, shape (simulation,)
        Of the 90 % intervals, relative to their medians: what the design leaves open.
    failed : int
        Fits that did not converge; they count like all others.
    left_out : int
        Simulated tables in which the law has no finite loss somewhere.
    false_alarms : float
        How often the verdict would be bad if everything were right.
    """

    name: str
    ranks: Mapping[str, NDArray[np.int64]]
    widths: Mapping[str, NDArray[np.float64]]
    failed: int
    left_out: int
    false_alarms: float

    @property
    def simulations(self) -> int:
        """How many tables were simulated and fitted."""
        return len(next(iter(self.ranks.values())))

    def coverage(self, name: str, level: float) -> float:
        """Share of the tables whose central interval of that level holds the truth."""
        outside = round((1 - level) / 2 * VALUES)
        ranks = self.ranks[name]
        return float(np.mean((ranks >= outside) & (ranks < VALUES - outside)))

    def distribution(self, name: str) -> NDArray[np.float64]:
        """Shares of the ranks below 1, 2, ..., 99; 0.01, 0.02, ..., 0.99 if all is right."""
        return uniformity.counts_below(self.ranks[name], VALUES) / self.simulations

    @property
    def distribution_band(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Between these all of `distribution` lies, but for the rate of false alarms."""
        low, high = uniformity.band(1 - self._limit, self.simulations, VALUES)
        return low / self.simulations, high / self.simulations

    def p_value(self, name: str) -> float:
        """How often uniform ranks stray as far from uniform, at the rank where most.

        Säilynoja, Bürkner & Vehtari 2022, arXiv 2103.10522; exact.
        """
        return uniformity.p_value(self.ranks[name], VALUES)

    @functools.cached_property
    def uneven(self) -> list[str]:
        """Of what the ranks differ from uniform, at the stated rate of false alarms.

        The rate is shared out over all that is ranked (Bonferroni's correction).
        """
        return [name for name in self.ranks if not self.p_value(name) > self._limit]

    @property
    def _limit(self) -> float:
        return self.false_alarms / len(self.ranks)

    @property
    def ok(self) -> bool:
        """Whether no ranks differ from uniform, at the stated rate of false alarms."""
        return not self.uneven

    @property
    def conclusion(self) -> str:
        """The verdict in a sentence or two, and what the design leaves open."""
        if self.ok:
            verdict = (
                f"{self.name} is calibrated as far as {self.simulations} tables can tell: the "
                "ranks of the true values are uniform."
            )
        else:
            verdict = (
                f"{self.name} is not calibrated: the ranks of {listed(self.uneven)} are not "
                f"uniform (false alarms: {self.false_alarms:.0%}). Do not trust its intervals; "
                "narrower priors or more draws may help."
            )
        asked = [name for name in ("N*", "a*", "L") if name in self.widths]
        widths = " and ".join(f"{np.nanmedian(self.widths[n]):.2g} ({n})" for n in asked)
        price = (
            f"\nRuns in these places leave 90 % intervals {widths} times their medians wide, at "
            f"ten times the largest {'inputs' if 'L' in asked else 'budget'}; half of the tables "
            "wider ones."
        )
        return verdict + price if asked else verdict

    @property
    def tables(self) -> Sequence[Table]:
        """One row a parameter, and one for each answer beyond the runs."""
        names, count = [*self.ranks], self.simulations
        bands = [band(level, count) for level in LEVELS]
        uneven = [name in self.uneven for name in names]
        coverage = {
            f"coverage_{100 * level:g}": Column.of(
                [self.coverage(name, level) for name in names], ".1%", f"{100 * level:g} %"
            )
            for level in LEVELS
        }
        columns = {
            "parameter": Column(names, heading=""),
            **coverage,
            "mean_rank": Column.of(
                [float(self.ranks[name].mean() / KEPT) for name in names], ".3f", "mean rank"
            ),
            "p_value": Column.of(
                [self.p_value(name) for name in names], ".3g", "p(uniform)", uneven
            ),
            "width_90": Column.of(
                [float(np.nanmedian(self.widths[name])) for name in names], ".3g", "width 90"
            ),
        }
        shown = ", ".join(f"{low:.0%} to {high:.0%}" for low, high in bands)
        title = (
            f"{count} simulated tables; coverage of intervals\n"
            f"right coverages lie, 95 % of the time, in {shown}"
        )
        return (Table("parameters", "parameter", columns, title, labels=1),)

    @property
    def notes(self) -> Sequence[Note]:
        """Fits that did not converge, and tables that could not be fitted."""
        found = []
        if self.failed:
            found.append(Note("not_converged", f"{self.failed} of the fits did not converge"))
        if self.left_out:
            text = f"{self.left_out} simulated tables have a loss that is not finite: left out"
            found.append(Note("not_finite", text))
        return found

    @property
    def details(self) -> Mapping[str, object]:
        """What was calibrated, and where right coverages lie."""
        return {
            "name": self.name,
            "simulations": self.simulations,
            "bands": {
                f"coverage_{100 * level:g}": band(level, self.simulations) for level in LEVELS
            },
            "failed": self.failed,
            "left_out": self.left_out,
            "false_alarms": self.false_alarms,
            "ok": self.ok,
        }

    @property
    def arrays(self) -> Mapping[str, Axes]:
        """The rank of every true value, and the relative widths of the 90 % intervals."""
        names = ("parameter", "simulation")
        return {
            "rank": Axes(names, np.stack([*self.ranks.values()])),
            "width_90": Axes(names, np.stack([*self.widths.values()])),
        }

    @property
    def coordinates(self) -> Mapping[str, Labels]:
        """The parameters, and what is asked beyond the runs."""
        return {"parameter": Labels("parameter", [*self.ranks])}
