"""What commands leave behind, and the table that they are given."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from tests.report import standin

ROOT = Path(__file__).parents[2]


class Done(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


def frame() -> pd.DataFrame:
    """Forty-eight good runs."""
    runs = standin.table()
    return pd.DataFrame({"params": runs["N"], "tokens": runs["D"], "loss": runs["L"]})


def names_here() -> list[str]:
    """What lies in the folder, hidden files included."""
    return sorted(path.name for path in Path.cwd().iterdir())


def one_json(text: str) -> Any:
    """The one JSON object that a text consists of; NaN is no JSON."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    assert text.count("\n") == 1
    return json.loads(text, parse_constant=refuse)
