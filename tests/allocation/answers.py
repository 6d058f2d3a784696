"""Answers as the tests of this room look at them."""

import json
from typing import Any

from scalingfit.allocation import (
    Answer,
)
from scalingfit.catalog import law


def notes_of(answer: Answer) -> tuple[str, ...]:
    """What an answer says, a line each."""
    return tuple(map(str, answer.notes))


def rows_of(answer: Answer) -> list[dict[str, Any]]:
    """Its table, as JSON has it."""
    rows: list[dict[str, Any]] = json.loads(json.dumps(answer.as_json()))[answer.name]
    return rows


POINT = law("chinchilla").published["besiroglu-2024"].law
