"""Errors meant for the person who called: what is wrong, where, and what to do about it."""

from collections.abc import Iterable

from scalingfit._messages import PYTHON, Face, Text, spelled


class ScalingfitError(Exception):
    """Base of every error that scalingfit raises on purpose."""


class InputError(ScalingfitError, ValueError):
    """Data or arguments that cannot be used as they are.

    Parameters
    ----------
    what
        One sentence that says what is wrong.
    where
        Places (rows, columns, files, addresses), one line each.
    remedy
        What to write or do instead. A `Message` names arguments and values, which the face that
        speaks spells as Python or as options.

    Examples
    --------
    >>> print(InputError("1 of 3 rows cannot be used", ["line 4, params: 'x' is not a number"],
    ...                  remedy="correct the row, or read with bad_rows='drop'."))
    1 of 3 rows cannot be used
      line 4, params: 'x' is not a number
    What to do: correct the row, or read with bad_rows='drop'.
    """

    def __init__(
        self, what: Text, where: Iterable[Text] = (), *, remedy: Text | None = None
    ) -> None:
        self.what, self.where, self.remedy = what, tuple(where), remedy
        super().__init__(self.spelled(PYTHON))

    def spelled(self, face: Face) -> str:
        """The whole message for the reader of a face."""
        lines = [spelled(self.what, face), *(f"  {spelled(place, face)}" for place in self.where)]
        if self.remedy is not None:
            lines.append(f"What to do: {spelled(self.remedy, face)}")
        return "\n".join(line for line in lines if line.strip())
