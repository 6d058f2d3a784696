"""Models that people know, as marks in a picture: sizes and tokens as their papers state them."""

from __future__ import annotations

import csv
from importlib import resources
from typing import NamedTuple

__all__ = ["KnownModel", "known_models"]


class KnownModel(NamedTuple):
    """A model whose paper states both its size and its tokens.

    Models whose papers do not, as GPT-2's, are left out.

    Attributes
    ----------
    name : str
    N, D : float
        Parameters, and tokens of training.
    source : str
    """

    name: str
    N: float
    D: float
    source: str


def known_models() -> list[KnownModel]:
    """The models of the shipped table."""
    text = resources.files("scalingfit.report").joinpath("known_models.csv").read_text("utf-8")
    return [
        KnownModel(row["name"], float(row["params"]), float(row["tokens"]), row["source"])
        for row in csv.DictReader(text.splitlines())
    ]
