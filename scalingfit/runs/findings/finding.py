"""A finding about a table, and what findings are made from."""

from collections.abc import Mapping
from dataclasses import dataclass

from scalingfit._messages import Argument, Call, Message
from scalingfit.runs.values import FloatArray, Label

FEWEST = 3
"""Rows that a group needs to be one, and settings that a sweep needs."""


@dataclass(frozen=True)
class Finding:
    """Something about a table that its reader should know before fitting it.

    Attributes
    ----------
    code
        For machines: ``rows_of_one_run``, ``log_of_one_run``, ``unannealed``, ``sweep``,
        ``groups``, ``repeated_data``, ``rises``, ``unit``, ``negative_loss``, ``compute_ratio`` or
        ``hardly_varies``.
    text
        What it is and what it does to a fit, a sentence without its end.
    remedy
        What to do.
    """

    code: str
    text: str
    remedy: Message

    @property
    def sentence(self) -> Message:
        """Both together."""
        return Message(f"{self.text}: ", self.remedy, ".")


type Labels = Mapping[str, Label]
type Columns = Mapping[str, FloatArray]


def where(condition: str) -> Call:
    """What to write so that only some rows are read."""
    return Call("read", (Argument("where", condition),))
