"""Fits that the tests of this room share."""

import math
from collections.abc import Iterator
from pathlib import Path

import pytest

import scalingfit as sf
from scalingfit.batch import Refits, store, tasks
from scalingfit.runs import Runs
from tests.batch.small import QUICK, as_stored, pretend, twelve
from tests.caching import programs_in


@pytest.fixture(scope="session")
def tables() -> dict[str, Runs]:
    """Twelve tables that share one program."""
    return twelve()


@pytest.fixture(scope="session")
def alone(tables: dict[str, Runs], compiled: dict[str, str]) -> Refits:
    """One of the tables, fitted by itself."""
    return sf.refit({"table 5": tables["table 5"]}, **QUICK)


@pytest.fixture(scope="session")
def together(tables: dict[str, Runs], alone: Refits) -> Refits:
    """All tables, fitted in one go and kept nowhere."""
    return sf.refit(tables, **QUICK)


@pytest.fixture(scope="session")
def stored(together: Refits) -> Refits:
    """All tables, as any store gives them back."""
    return as_stored(together)


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Environment of other processes, so that they need not compile again what this one has."""
    with programs_in(tmp_path_factory.mktemp("compiled")) as environment:
        yield environment | {"PYTHONPATH": str(Path(__file__).parents[2])}


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put shuffled prior draws in the place of the sampler, where draws do not matter.

    Chunks are then cut by their number of fits alone, and not by the clock.
    """
    monkeypatch.setattr(tasks, "sampled", pretend)
    monkeypatch.setattr(store, "PATIENCE", (math.inf, math.inf))
