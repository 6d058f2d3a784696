"""Notes of an answer: what to know before acting on it, each thing once."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from scalingfit._messages import Face, Message, Text, spelled
from scalingfit._text import listed

__all__ = ["Note", "grouped"]

NAMED = 8
"""Rows or parts that a note names; the others are counted."""


@dataclasses.dataclass(frozen=True)
class Note:
    """Something to know before acting on a result.

    Notes that say the same of several places are shown as one.

    Attributes
    ----------
    code : str
        For machines, such as "beyond_runs"; the documentation lists them.
    text : str or Message
        What it is, and what to do about it.
    of : str
        Which row or part of the result it is about; nothing where it is about all of it.
    share : float, optional
        Of the draws, where it holds in some of them.
    """

    code: str
    text: Text
    of: str = ""
    share: float | None = None

    def within(self, part: str) -> Note:
        """The note as one of a larger result, of which this is a part."""
        return dataclasses.replace(self, of=f"{part}, {self.of}" if self.of else part)

    @property
    def sentence(self) -> Message:
        """All of it as one sentence."""
        return Message(_places([self]), _shares([self]), self.text)

    def __str__(self) -> str:
        return str(self.sentence)


def grouped(notes: Sequence[Note], face: Face) -> list[str]:
    """Each thing that is said, once, with all that it is said of."""
    groups: dict[str, list[Note]] = {}
    for note in notes:
        groups.setdefault(spelled(note.text, face), []).append(note)
    return [f"{_places(same)}{_shares(same)}{text}" for text, same in groups.items()]


def _places(notes: Sequence[Note]) -> str:
    """What notes are about; a word that all of them begin with is written once."""
    of = [note.of for note in notes if note.of]
    if not of:
        return ""
    heads, _, tails = zip(*(place.partition(" ") for place in of), strict=True)
    if len(set(heads)) == 1 and all(tails):
        return f"{heads[0]} {listed(tails, NAMED)}: "
    return f"{listed(of, NAMED)}: "


def _shares(notes: Sequence[Note]) -> str:
    """In how many of the draws it holds."""
    shares = [note.share for note in notes if note.share is not None]
    if not shares:
        return ""
    ends = dict.fromkeys(f"{100 * end:.3g}" for end in (min(shares), max(shares)))
    return f"in {' to '.join(ends)} % of the draws "
