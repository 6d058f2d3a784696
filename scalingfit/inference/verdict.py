"""What a fit is worth, in one of four words: judgement; the statistics are in `diagnostics`.

Sound draws are needed first, then runs that say something about each exponent, and then nothing
that stands against the answer: in the table, in the residuals, in the posterior beside its prior.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self, override

import numpy as np

from scalingfit._messages import from_record, to_record
from scalingfit.inference.diagnostics import Diagnosis, Limits
from scalingfit.result import Json, Note, Result, Table, jsonable

__all__ = ["Verdict", "judge"]

type Status = Literal["ok", "warned", "unidentified", "not converged"]


@dataclasses.dataclass(frozen=True, repr=False)
class Verdict(Result):
    """Whether a fit can be trusted, in words that can be acted on.

    Attributes
    ----------
    status : str
        "ok"; "not converged" (do not use the draws); "unidentified" (the draws are right, but these
        runs say nothing about an exponent); or "warned" (the answer may be wrong or too sure for a
        reason that the notes name).
    notes : tuple of Note
        What, where, and what to do.
    """

    status: Status
    notes: tuple[Note, ...] = ()

    @classmethod
    def of(cls, record: Mapping[str, Json]) -> Self:
        """The verdict of a saved fit, from its `record`."""
        given: Any = record
        notes = [{**note, "text": from_record(note["text"])} for note in given["notes"]]
        return cls(given["status"], tuple(Note(**note) for note in notes))

    @property
    def record(self) -> dict[str, Json]:
        """The verdict in JSON's own types; `of` reads it."""
        notes = [
            {"code": note.code, "text": to_record(note.text), "of": note.of, "share": note.share}
            for note in self.notes
        ]
        return {"status": self.status, "notes": jsonable(notes)}

    @property
    def ok(self) -> bool:
        """Whether nothing stands against using the fit."""
        return self.status == "ok"

    @property
    @override
    def tables(self) -> Sequence[Table]:
        return ()

    @property
    @override
    def conclusion(self) -> str:
        return f"verdict: {self.status}"

    @property
    @override
    def details(self) -> Mapping[str, object]:
        return {"ok": self.ok, "status": self.status}


def judge(
    diagnosis: Diagnosis,
    names: Sequence[str],
    limits: Limits,
    widths: Mapping[str, float],
    doubts: Sequence[Note] = (),
    remarks: Sequence[Note] = (),
) -> Verdict:
    """The verdict on one fit.

    Parameters
    ----------
    diagnosis : Diagnosis
        Of one fit: no leading axes.
    names : sequence of str
        The parameters, in the order of the diagnosis.
    limits : Limits
    widths : mapping of str to float
        Posterior over prior standard deviation of each exponent, on the log scale.
    doubts : sequence of Note
        What the runs, the residuals and the priors say against the answer, the worst first.
    remarks : sequence of Note
        What is worth knowing, and stands against nothing.
    """
    failures = _failures(diagnosis, names, limits)
    vague = [
        Note(
            "unidentified",
            f"the posterior is {ratio:.0%} as wide as the prior, so these runs say almost nothing "
            "about it; add runs that vary its input more, or state a narrower prior",
            name,
        )
        for name, ratio in widths.items()
        if not ratio <= limits.width
    ]
    status: Status = "ok"
    if failures:
        status, vague = "not converged", []  # the widths of draws that are wrong say nothing
    elif vague:
        status = "unidentified"
    elif doubts:
        status = "warned"
    return Verdict(status, (*failures, *vague, *doubts, *remarks))


def _failures(diagnosis: Diagnosis, names: Sequence[str], limits: Limits) -> list[Note]:
    found = []
    if diagnosis.stuck != 0:
        chains = _counted(int(diagnosis.stuck), "chain")
        text = (
            f"{chains} never moved or lost their energy: the density is not finite where they are; "
            "look for extreme losses or inputs, or choose narrower priors"
        )
        found.append(Note("stuck", text))
    if not diagnosis.divergences <= limits.divergences:
        transitions = _counted(int(diagnosis.divergences), "divergent transition")
        text = (
            f"{transitions}: part of the posterior was not reached; choose narrower priors, pin a "
            "parameter, or add runs"
        )
        found.append(Note("divergences", text))
    reached = diagnosis.reached(limits)
    for code, label in (("rhat", "R-hat"), ("ess_bulk", "bulk ESS"), ("ess_tail", "tail ESS")):
        values, good = getattr(diagnosis, code), reached[code]
        bound = f"at most {limits.rhat:g}" if code == "rhat" else f"at least {limits.ess:g}"
        bad = [
            f"{name} {value:.4g}"
            for name, value, fine in zip(names, values, good, strict=True)
            if not fine
        ]
        if bad:
            text = (
                f"{label} of {', '.join(bad)} (must be {bound}): raise draws and warmup; if that "
                "does not help, the runs leave several explanations open"
            )
            found.append(Note(code, text))
    if not np.all(reached["e_bfmi"]):
        text = (
            f"E-BFMI {np.min(diagnosis.e_bfmi):.2f} (must be at least {limits.energy:g}): the "
            "tails were explored slowly; choose narrower priors"
        )
        found.append(Note("e_bfmi", text))
    return found


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
