"""Fits that the tests of this room share."""

from pathlib import Path

import pytest

import scalingfit as sf
from scalingfit.batch import Refits, tasks
from scalingfit.runs import Runs
from tests.batch.small import QUICK, pretend, twelve


@pytest.fixture(scope="session")
def tables() -> dict[str, Runs]:
    """Twelve tables that share one program."""
    return twelve()


@pytest.fixture(scope="session")
def alone(tables: dict[str, Runs]) -> Refits:
    """One of the tables, fitted by itself."""
    return sf.refit({"table 5": tables["table 5"]}, **QUICK)


@pytest.fixture(scope="session")
def together(tables: dict[str, Runs], alone: Refits) -> Refits:
    """All tables, fitted in one go and kept nowhere."""
    return sf.refit(tables, **QUICK)


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Environment of other processes, which share what one of them has compiled."""
    return {
        "JAX_COMPILATION_CACHE_DIR": str(tmp_path_factory.mktemp("compiled")),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put shuffled prior draws in the place of the sampler, where draws do not matter."""
    monkeypatch.setattr(tasks, "sample", pretend)
