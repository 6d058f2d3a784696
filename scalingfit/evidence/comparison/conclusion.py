"""What may be concluded from a comparison, and which laws forecast too narrowly."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from scalingfit._messages import Argument, Message
from scalingfit.evidence.comparison.candidate import CLEAR, Candidate
from scalingfit.evidence.comparison.stacked import NEGLIGIBLE
from scalingfit.evidence.forecasts import ScoredForecasts, band
from scalingfit.inference import FAR_OUT, far_in_prior
from scalingfit.result import Note

__all__ = ["conclude", "far_from_priors", "over_confident"]

type Candidates = Mapping[str, Candidate]  # by name, the best first

HEAVY = 0.1  # weight from which a law's forecasts matter to the stack


def conclude(candidates: Candidates) -> str:
    """A sentence on the laws, one on their forecasts, and one on fits that failed, if any."""
    said = [_conclude_laws(candidates)]
    if next(iter(candidates.values())).future is not None:
        said.append(_conclude_forecasts(candidates))
    failed = [
        name
        for name, each in candidates.items()
        if each.posterior.verdict.status == "not converged"
    ]
    if failed:
        said.append(f"But {' and '.join(failed)} did not converge: do not rely on this.")
    return " ".join(said)


def _conclude_laws(candidates: Candidates) -> str:
    best, *others = candidates
    gaps = {
        name: f"{-each.difference:.1f} ± {each.difference_se:.1f}"
        for name, each in candidates.items()
    }
    close = [name for name in others if candidates[name].indistinct]
    if not close:
        second = candidates[others[0]]
        few = -second.difference < CLEAR * second.difference_se
        said = ", mostly by few runs; the others agree" if few else ""
        ahead = f"its elpd is {gaps[others[0]]} above that of {others[0]}"
        return f"These runs favour {best}: {ahead}{said}."
    apart = " or ".join(f"{name} ({gaps[name]} in elpd)" for name in close)
    alone = candidates[best].weight > 1 - NEGLIGIBLE
    then = f"the stack is {best} alone, so look at each" if alone else "use them stacked"
    return f"These runs cannot distinguish {best} from {apart}: {then}."


def _conclude_forecasts(candidates: Candidates) -> str:
    forecasts = _forecasts(candidates)
    best, second, *_ = forecasts  # a comparison has two laws or more
    scores = {name: candidates[name].by_cut().tolist() for name in forecasts}
    winners = [max(zip(cut, scores, strict=True))[1] for cut in zip(*scores.values(), strict=True)]
    gap = forecasts[best].log_score - forecasts[second].log_score
    # A run that several cuts forecast is one run.
    error = float(np.sqrt(np.sum(np.bincount(forecasts[best].row, gap - gap.mean()) ** 2))) / len(
        gap
    )
    lead = f"log score {gap.mean():.2f} ± {error:.2f} a run above {second}"
    at = f"at {winners.count(best)} of {len(winners)} cuts"
    if gap.mean() < 2 * error:
        said = (
            f"Forecasts of larger runs from smaller ones do not distinguish {best} from {second} "
            f"({lead}, best {at})"
        )
    else:
        who = f"{best} also" if best == next(iter(candidates)) else f"But {best}"
        said = f"{who} forecasts larger runs from smaller ones best overall, and {at} ({lead})"
    covered = f"its 90 % intervals covered {forecasts[best].covered().mean():.0%} of them"
    others = [
        f"those of {name} (weight {candidates[name].weight:.2f}) {share:.0%}"
        for name, share in over_confident(candidates).items()
        if name != best
    ]
    return f"{said}; {', '.join([covered, *others])}."


def _forecasts(candidates: Candidates) -> dict[str, ScoredForecasts]:
    """All forecasts of larger runs, by law; the law that forecasts best comes first."""
    found = {name: each.future for name, each in candidates.items() if each.future is not None}
    return {name: found[name] for name in sorted(found, key=lambda n: -found[n].log_score.mean())}


def over_confident(candidates: Candidates) -> dict[str, float]:
    """The share of larger runs in the 90 % intervals of a law, where that is clearly too low.

    Of the laws that matter to the stack, and of the one that forecasts larger runs best.
    """
    forecasts = _forecasts(candidates)
    heavy = [name for name in forecasts if candidates[name].weight >= HEAVY]
    shares = {
        name: float(forecasts[name].covered().mean()) for name in [*heavy, *list(forecasts)[:1]]
    }
    return {
        name: share
        for name, share in shares.items()
        if share < band(0.9, forecasts[name].count())[0]
    }


def far_from_priors(candidates: Candidates) -> list[Note]:
    """Name the laws whose parameters the runs pull to where their priors have next to no mass."""
    notes = []
    for name, each in candidates.items():
        fit = each.posterior
        law = fit.model.law
        if far := far_in_prior(fit.model, fit.sampled.values):
            text = Message(
                f"the runs pull {' and '.join(far)} to where the prior has less than "
                f"{FAR_OUT:.0%}: elpd and evidence are those of law and prior together; state "
                "priors for these runs (",
                Argument(far[0], ..., kind="prior", law=law.name),
                ")",
            )
            notes.append(Note("far_from_prior", text, name))
    return notes
