"""Fits that the tests of this room share."""

from collections.abc import Iterator
from pathlib import Path

import jax
import pytest
from jax.experimental.compilation_cache import compilation_cache

import scalingfit as sf
from scalingfit.batch import Refits, tasks
from scalingfit.runs import Runs
from tests.batch.small import QUICK, pretend, twelve


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
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Environment of other processes, so that they need not compile again what this one has."""
    settings = {
        "jax_compilation_cache_dir": str(tmp_path_factory.mktemp("compiled")),
        "jax_persistent_cache_min_compile_time_secs": 0,
        "jax_persistent_cache_min_entry_size_bytes": -1,
    }
    before = {name: getattr(jax.config, name) for name in settings}
    for name, value in settings.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()
    environment = {name.upper(): str(value) for name, value in settings.items()}
    yield environment | {"PYTHONPATH": str(Path(__file__).parents[2])}
    for name, value in before.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put shuffled prior draws in the place of the sampler, where draws do not matter."""
    monkeypatch.setattr(tasks, "sample", pretend)
