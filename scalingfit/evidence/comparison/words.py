"""A comparison in words: a table of the laws, what may be concluded, and runs that weigh much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scalingfit._text import laid_out, listed
from scalingfit.evidence.comparison.candidate import Candidate
from scalingfit.evidence.comparison.stacked import NEGLIGIBLE
from scalingfit.evidence.forecasts import ScoredForecasts, band
from scalingfit.inference import prior_values

__all__ = ["conclude", "far_runs", "over_confident", "table"]

type Candidates = Mapping[str, Candidate]  # by name, the best first

HEAVY = 0.1  # weight from which a law's forecasts matter to the stack
FAR_OUT = 0.01  # of a prior's mass
NAMED = 5  # runs with a high k that are named one by one

HEAD = ["", "elpd", "se", "diff", "se", "p", "weight", "high k", "future/run", "log evidence"]


def conclude(candidates: Candidates) -> list[str]:
    """A sentence on the laws, one on their forecasts, and one on fits that failed, if any."""
    best, *others = candidates
    gaps = {
        name: f"{-each.difference:.1f} ± {each.difference_se:.1f}"
        for name, each in candidates.items()
    }
    close = [name for name in others if candidates[name].indistinct]
    if close:
        apart = " or ".join(f"{name} ({gaps[name]} in elpd)" for name in close)
        alone = candidates[best].weight > 1 - NEGLIGIBLE
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
    if candidates[best].future is not None:
        said.append(_conclude_future(candidates))
    said += _far_from_priors(candidates)
    failed = [
        name
        for name, each in candidates.items()
        if each.posterior.verdict.status == "not converged"
    ]
    if failed:
        said.append(f"But {' and '.join(failed)} did not converge: do not rely on this.")
    return said


def _conclude_future(candidates: Candidates) -> str:
    ahead = _futures(candidates)
    best, second, *_ = ahead  # a comparison has two laws or more
    sums = {name: candidates[name].by_cut(np.sum).tolist() for name in ahead}
    winners = [max(zip(cut, sums, strict=True))[1] for cut in zip(*sums.values(), strict=True)]
    gap = ahead[best].log_score - ahead[second].log_score
    # A run that several cuts forecast is one run.
    error = float(np.sqrt(np.sum(np.bincount(ahead[best].row, gap - gap.mean()) ** 2))) / len(gap)
    lead = f"log score {gap.mean():.2f} ± {error:.2f} a run above {second}"
    at = f"at {winners.count(best)} of {len(winners)} cuts"
    if gap.mean() < 2 * error:
        said = (
            f"Larger runs foretold from smaller ones do not tell {best} from {second} "
            f"({lead}, best {at})"
        )
    else:
        who = f"{best} also" if best == next(iter(candidates)) else f"But {best}"
        said = f"{who} foretells larger runs from smaller ones best on the whole, and {at} ({lead})"
    narrow = over_confident(candidates)
    said += f"; the 90 % intervals of {best} held {ahead[best].covered().mean():.0%} of these"
    for name, share in narrow.items():
        if name != best:
            said += f", those of {name} (weight {candidates[name].weight:.2f}) {share:.0%}"
    said += "."
    if narrow:
        verb = "is" if len(narrow) == 1 else "are"
        said += f" Beyond the runs {' and '.join(narrow)} {verb} over-confident."
    return said


def _futures(candidates: Candidates) -> dict[str, ScoredForecasts]:
    """All forecasts of larger runs, by law; the law that forecasts best comes first."""
    found = {name: each.future for name, each in candidates.items() if each.future is not None}
    return {name: found[name] for name in sorted(found, key=lambda n: -found[n].log_score.mean())}


def over_confident(candidates: Candidates) -> dict[str, float]:
    """The share of larger runs in the 90 % intervals of a law, where that is clearly too low.

    Of the laws that matter to the stack, and of the one that forecasts larger runs best.
    """
    ahead = _futures(candidates)
    heavy = [name for name in ahead if candidates[name].weight >= HEAVY]
    shares = {name: float(ahead[name].covered().mean()) for name in [*heavy, *list(ahead)[:1]]}
    return {
        name: share for name, share in shares.items() if share < band(0.9, ahead[name].count())[0]
    }


def _far_from_priors(candidates: Candidates) -> list[str]:
    """Name the laws whose parameters the runs pull to where their priors have next to no mass."""
    said = []
    for name, each in candidates.items():
        fit = each.posterior
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


def table(candidates: Candidates) -> list[str]:
    """A line for each law, the best first, below a header."""
    return laid_out([HEAD, *(_cells(name, each) for name, each in candidates.items())])


def far_runs(high_k: Sequence[dict[str, Any]]) -> list[str]:
    """Which runs have a high k, the highest first; a line for each law that has any."""
    lines = []
    for name in dict.fromkeys(row["name"] for row in high_k):
        far = [row for row in high_k if row["name"] == name]
        far.sort(key=lambda row: -np.nan_to_num(row["k"], nan=np.inf))
        said = listed((f"{_rows(row['rows'])} ({row['k']:.2f})" for row in far), NAMED)
        done = (
            ", left out by a fit of its own" if len(far) == 1 else ", each left out by its own fit"
        )
        refitted = all(row["refitted"] for row in far)
        lines.append(f"high Pareto k, {name}: {said}{done if refitted else ''}")
    return lines


def _rows(numbers: Sequence[int]) -> str:
    """One run, or a group of them, by their row numbers."""
    if len(numbers) == 1:
        return f"row {numbers[0]}"
    return f"rows {numbers[0]} and {len(numbers) - 1} more"


def _cells(name: str, candidate: Candidate) -> list[str]:
    loo, found = candidate.loo, candidate.evidence
    ahead = candidate.future
    return [
        name,
        f"{loo.elpd:.1f}",
        f"{loo.se:.1f}",
        f"{candidate.difference:.1f}",
        f"{candidate.difference_se:.1f}",
        f"{loo.p:.1f}",
        f"{candidate.weight:.2f}",
        str(int(np.sum(~(loo.k <= loo.limit)))),
        "-" if ahead is None else f"{ahead.log_score.mean():.2f}",
        f"{found.log:.2f} ± {found.error:.2f}",
    ]
