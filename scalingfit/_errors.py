"""Errors meant for the person who called: what is wrong, where, and what to do about it."""

from collections.abc import Iterable


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
        What to write or do instead.

    Examples
    --------
    >>> print(InputError("1 of 3 rows cannot be used", ["line 4, params: 'x' is not a number"],
    ...                  remedy="correct the row, or read with bad_rows='drop'."))
    1 of 3 rows cannot be used
      line 4, params: 'x' is not a number
    What to do: correct the row, or read with bad_rows='drop'.
    """

    def __init__(self, what: str, where: Iterable[str] = (), *, remedy: str | None = None) -> None:
        lines = [what, *(f"  {place}" for place in where)]
        if remedy is not None:
            lines.append(f"What to do: {remedy}")
        super().__init__("\n".join(lines))
