"""What may be concluded from a comparison, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scalingfit.evidence.scores import band
from scalingfit.evidence.stack import NEGLIGIBLE
from scalingfit.inference.programs import prior_values

if TYPE_CHECKING:
    from scalingfit.evidence.comparison import Comparison
    from scalingfit.evidence.record import Record

__all__ = ["conclude", "over_confident"]

HEAVY = 0.1  # weight from which a law's forecasts matter to the stack
FAR_OUT = 0.01  # of a prior's mass


def conclude(comparison: Comparison) -> list[str]:
    """A sentence on the laws, one on their forecasts, and one on fits that failed, if any."""
    best, *others = comparison.standings
    gaps = {
        name: f"{-standing.difference:.1f} ± {standing.difference_se:.1f}"
        for name, standing in comparison.standings.items()
    }
    close = [name for name in others if comparison.standings[name].indistinct]
    if close:
        apart = " or ".join(f"{name} ({gaps[name]} in elpd)" for name in close)
        alone = comparison.weights[best] > 1 - NEGLIGIBLE
        then = (
            f"the stack is {best} alone, so look at each"
            if alone
            else "for runs like these use them stacked"
        )
        said = [f"These runs cannot tell {best} from {apart}: {then}."]
    else:
        said = [
            f"These runs favour {best}: its elpd is {gaps[others[0]]} above that of {others[0]}."
        ]
    if comparison.cuts:
        said.append(_conclude_future(comparison))
    said += _held_by_priors(comparison)
    failed = [
        name for name, fit in comparison.posteriors.items() if fit.verdict.status == "not converged"
    ]
    if failed:
        said.append(f"But {' and '.join(failed)} did not converge: do not rely on this.")
    return said


def _conclude_future(comparison: Comparison) -> str:
    ahead = _ahead(comparison)
    best, second, *_ = ahead  # a comparison has two laws or more
    sums = {name: comparison.standings[name].by_cut(np.sum).tolist() for name in ahead}
    winners = [max(zip(cut, sums, strict=True))[1] for cut in zip(*sums.values(), strict=True)]
    gap = ahead[best].log_score - ahead[second].log_score
    # A run that several cuts foretell is one run.
    error = float(np.sqrt(np.sum(np.bincount(ahead[best].row, gap - gap.mean()) ** 2))) / len(gap)
    lead = f"log score {gap.mean():.2f} ± {error:.2f} a run above {second}"
    at = f"at {winners.count(best)} of {len(winners)} cuts"
    if gap.mean() < 2 * error:
        said = (
            f"Larger runs foretold from smaller ones do not tell {best} from {second} "
            f"({lead}, best {at})"
        )
    else:
        who = f"{best} also" if best == comparison.best else f"But {best}"
        said = f"{who} foretells larger runs from smaller ones best on the whole, and {at} ({lead})"
    narrow = over_confident(comparison)
    said += f"; the 90 % intervals of {best} held {ahead[best].held().mean():.0%} of these"
    for name, share in narrow.items():
        if name != best:
            said += f", those of {name} (weight {comparison.weights[name]:.2f}) {share:.0%}"
    said += "."
    if narrow:
        verb = "is" if len(narrow) == 1 else "are"
        said += f" Beyond the runs {' and '.join(narrow)} {verb} over-confident."
    return said


def _ahead(comparison: Comparison) -> dict[str, Record]:
    """All forecasts of larger runs, by law; the law that foretells best comes first."""
    found = {
        name: standing.future
        for name, standing in comparison.standings.items()
        if standing.future is not None
    }
    return {name: found[name] for name in sorted(found, key=lambda n: -found[n].log_score.mean())}


def over_confident(comparison: Comparison) -> dict[str, float]:
    """The share of larger runs in the 90 % intervals of a law, where that is clearly too low.

    Of the laws that matter to the stack, and of the one that foretells larger runs best.
    """
    ahead = _ahead(comparison)
    heavy = [name for name in ahead if comparison.weights[name] >= HEAVY]
    shares = {name: float(ahead[name].held().mean()) for name in [*heavy, *list(ahead)[:1]]}
    return {
        name: share for name, share in shares.items() if share < band(0.9, ahead[name].count())[0]
    }


def _held_by_priors(comparison: Comparison) -> list[str]:
    """Name the laws whose parameters the runs pull to where their priors have next to no mass."""
    said = []
    for name, fit in comparison.posteriors.items():
        law, before = fit.model.law, prior_values(fit.model)
        below = {
            site: float(np.mean(before[site] < np.median(fit.draws[site])))
            for site in fit.model.sites
            if site in law.parameters()
        }
        if far := [site for site, share in below.items() if min(share, 1 - share) < FAR_OUT]:
            said.append(
                f"The runs pull {' and '.join(far)} of {name} to where the prior has less than "
                f"{FAR_OUT:.0%}: its elpd and its evidence are those of law and prior together; "
                f"state priors for these runs (priors={{'{law.name}': {{'{far[0]}': ...}}}})."
            )
    return said
